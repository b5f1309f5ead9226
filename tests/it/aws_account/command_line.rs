//! `terraform-provider-msk clusters …` for an account: what no Terraform state holds any more.

use std::process::Command;

use serde_json::json;

use super::{Account, in_one_zone};

/// One node, in a bucket that the provider makes.
const SMALL: &str = "  dedicated_controllers = false\n  volume_size = 20";

impl Account {
    /// What the command said, and whether it went well.
    fn clusters(&self, bucket: &str, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_terraform-provider-msk"))
            .arg("clusters")
            .args(arguments)
            .args(["--control-bucket", bucket])
            .envs(self.stand.exports())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }
}

#[test]
fn a_cluster_without_a_state_is_listed_and_discarded_and_the_bucket_removed() {
    let mut account = Account::with(SMALL);
    let bucket = account.stand.variable("TF_VAR_control_bucket").to_owned();
    account.terraform.write("main.tf", &in_one_zone(SMALL));
    account.terraform.apply(&[]).must_succeed();
    // From here on the state is known to hold it.
    let open = format!("{SMALL}\n  client_cidr_blocks = [\"10.0.0.0/8\"]");
    account.terraform.write("main.tf", &in_one_zone(&open));
    account.terraform.apply(&[]).must_succeed();
    let (is_ok, text) = account.clusters(&bucket, &["list"]);
    assert!(
        is_ok && text.contains("events") && text.contains("held") && text.contains("1/1"),
        "{text}"
    );

    std::fs::remove_file(account.terraform.path("work/terraform.tfstate")).unwrap();
    let command = format!("clusters discard events --control-bucket {bucket}");
    account
        .terraform
        .apply(&[])
        .must_fail_with(&["exists already", &command]);
    let (is_ok, text) = account.clusters(&bucket, &["discard", "other"]);
    assert!(!is_ok && text.contains("there is no cluster `other`"), "{text}");
    let (is_ok, text) = account.clusters(&bucket, &["discard", "events"]);
    assert!(!is_ok && text.contains("add `--held`"), "{text}");
    let (is_ok, text) = account.clusters(&bucket, &["discard", "events", "--held"]);
    assert!(is_ok && text.contains("removed the cluster `events`"), "{text}");
    assert_eq!(account.stand.left(), json!({}));
    let (is_ok, text) = account.clusters(&bucket, &["list"]);
    assert!(is_ok && text.contains("no clusters"), "{text}");
    let (is_ok, text) = account.clusters(&bucket, &["remove-bucket"]);
    assert!(!is_ok && text.contains("was not made by the provider"), "{text}");

    // A bucket that the provider made: while a configuration is in it, and after that.
    let made = "msk-made-by-the-provider";
    account.terraform.replace("provider.tf", &bucket, made);
    account.terraform.replace(
        "provider.tf",
        "aws = {",
        "aws = {\n    create_control_bucket = true",
    );
    account.terraform.write(
        "main.tf",
        "resource \"msk_configuration\" \"short\" {\n  name = \"short\"\n  server_properties = { \"log.retention.hours\" = \"1\" }\n}\n",
    );
    account.terraform.apply(&[]).must_succeed();
    let (is_ok, text) = account.clusters(made, &["remove-bucket"]);
    assert!(!is_ok && text.contains("is in use"), "{text}");
    account.terraform.destroy(&[]).must_succeed();
    let (is_ok, text) = account.clusters(made, &["remove-bucket"]);
    assert!(is_ok && text.contains("is gone"), "{text}");
    account.nodes = None;
    account.stand.must_be_content();
    assert_eq!(account.stand.left(), json!({}));
}

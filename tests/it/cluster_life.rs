//! Whole lives of clusters under real Terraform with real Kafka.
//!
//! Needs `terraform`, Java 17, and Kafka 4.3.1: from `MSK_TEST_KAFKA_DIRECTORY` if it is set, else fetched
//! through Maven.

use std::process::Command;

use serde_json::json;

use crate::support::terraform::Terraform;

const ALL: &str = r#"
resource "msk_configuration" "c" {
  name              = "c"
  server_properties = { "log.retention.ms" = "86400000" }
}
resource "msk_cluster" "a" {
  name          = "events"
  kafka_version = "4.3.1"
  subnet_ids    = ["zone-a", "zone-b", "zone-c"]
  configuration = { id = msk_configuration.c.id, revision = msk_configuration.c.latest_revision }
}
"#;

#[test]
fn a_cluster_is_made_changed_mended_imported_and_destroyed() {
    let terraform = Terraform::new(ALL);
    terraform.apply(&[]).must_succeed();
    terraform.plan_must_be_empty();
    let state = terraform.state("msk_cluster.a");
    assert_eq!(state["state"], json!("ACTIVE"));
    assert_eq!(state["brokers"].as_array().unwrap().len(), 3);
    assert_eq!(
        state["bootstrap_brokers_sasl_scram"]
            .as_str()
            .unwrap()
            .split(',')
            .count(),
        3
    );
    for closed in [
        "bootstrap_brokers",
        "bootstrap_brokers_tls",
        "bootstrap_brokers_sasl_iam",
        "zookeeper_connect_string",
    ] {
        assert_eq!(state[closed], json!(null), "{closed}");
    }

    // Live changes: of the attribute, and of the configuration's next revision, which the plan knows.
    terraform.replace(
        "main.tf",
        "subnet_ids ",
        "max_message_bytes = 2000000\n  tags = { a = \"b\" }\n  subnet_ids ",
    );
    terraform.replace("main.tf", "86400000", "3600000");
    let planned = terraform.plan(&[]);
    let change = planned.change("msk_cluster.a");
    assert_eq!(change["after"]["configuration"]["revision"], json!(2));
    let reasons = change["after"]["planned_operations"].to_string();
    assert!(
        reasons.contains("log.retention.ms") && reasons.contains("message.max.bytes"),
        "{reasons}"
    );
    assert_eq!(change["after"]["tags_all"], json!({ "a": "b" }));
    terraform.apply(&[]).must_succeed();
    terraform.plan_must_be_empty();

    // A node that is down shows in the plan and is brought back.
    for (id, line) in terraform.processes() {
        if line.contains("/nodes/2") || line.contains("node-2") {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
    }
    let planned = terraform.plan(&[]);
    let operations = planned.change("msk_cluster.a")["after"]["planned_operations"].to_string();
    assert!(
        operations.contains("start_node") && operations.contains("broker 2"),
        "{operations}"
    );
    terraform.apply(&[]).must_succeed();
    terraform.plan_must_be_empty();

    // What is refused names the way out, and changes nothing.
    terraform.replace("main.tf", ", \"zone-c\"", "");
    terraform
        .plan(&[])
        .outcome
        .must_fail_with(&["subnet_ids", "not in this version", "-refresh=false"]);
    terraform.replace("main.tf", "\"zone-b\"", "\"zone-b\", \"zone-c\"");

    // Import restores what was written.
    assert!(terraform.run(&["state", "rm", "msk_cluster.a"]).status.success());
    let output = terraform.run(&["import", "-input=false", "msk_cluster.a", "events"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    terraform.plan_must_be_empty();

    // Protected from destroy, and from a replacement by name.
    terraform
        .destroy(&[])
        .must_fail_with(&["protected", "deletion_protection"]);
    terraform.replace("main.tf", "\"events\"", "\"other\"");
    terraform
        .plan(&[])
        .outcome
        .must_fail_with(&["protected", "replaces"]);
    terraform.replace("main.tf", "\"other\"", "\"events\"");
    terraform.replace(
        "main.tf",
        "subnet_ids ",
        "deletion_protection = false\n  subnet_ids ",
    );
    terraform.apply(&[]).must_succeed();
    terraform.destroy(&[]).must_succeed();
    assert_eq!(terraform.processes(), [], "no process is left");
    assert!(
        !terraform
            .data()
            .join("clusters")
            .read_dir()
            .is_ok_and(|mut left| left.next().is_some())
    );
}

#[test]
fn a_create_that_fails_is_tainted_and_a_corrected_configuration_makes_the_cluster() {
    let mut terraform = Terraform::new(
        "resource \"msk_cluster\" \"a\" {\n  name = \"events\"\n  kafka_version = \"4.3.1\"\n  subnet_ids = [\"a\"]\n  timeouts {\n    create = \"1s\"\n  }\n}\n",
    );
    terraform.set("LC_ALL", "C.UTF-8");
    terraform
        .apply(&[])
        .must_fail_with(&["not created", "time limit"]);
    terraform.replace("main.tf", "\"1s\"", "\"10m\"");
    terraform.apply(&[]).must_succeed();
    terraform.plan_must_be_empty();
    assert_eq!(terraform.state("msk_cluster.a")["state"], json!("ACTIVE"));
    terraform.replace(
        "main.tf",
        "subnet_ids",
        "deletion_protection = false\n  subnet_ids",
    );
    terraform.apply(&[]).must_succeed();
    terraform.destroy(&[]).must_succeed();
    assert_eq!(terraform.processes(), []);
}

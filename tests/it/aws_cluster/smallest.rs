//! The smallest cluster that carries work: one node on a volume of 1 GiB, with twenty users. Its volume grows and its
//! passwords are rotated while Kafka runs.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::faults::{KAFKA, shell};
use super::measure::OBJECTS;
use super::{World, said};
use crate::aws_account::in_one_zone;
use crate::support::stand::Stand;
use crate::support::terraform::Terraform;

const SMALLEST: &str =
    "  dedicated_controllers = false\n  volume_size = 1\n  authentication = { scram = true }";
/// With `app` as many as are looked at together.
const BESIDE: &str = r#"
resource "msk_scram_secret" "beside" {
  count      = 19
  cluster_id = msk_cluster.events.id
  username   = "user-${count.index}"
}
"#;
/// Arguments: the secret, its new value.
const ROTATE: &str =
    "boto3.client('secretsmanager').put_secret_value(SecretId=argument[0], SecretString=argument[1])";

impl World {
    /// Whether the client reaches the broker with these settings.
    fn reach_as(&self, settings: &Value) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/aws_cluster/load.py");
        let child = self.script_with("client", script, &["reach"], settings);
        said(&child.wait_with_output().unwrap())
    }
}

/// Size of the data volume's file system, in MiB.
fn size_of_data(instance: &str) -> u64 {
    let text = shell(
        instance,
        "df --output=size -BM /var/lib/msk/data | tail -n 1 | tr -dc 0-9",
    );
    text.parse().unwrap()
}

#[test]
#[ignore = "needs root and a stand with machines of its own"]
fn one_gib_carries_twenty_users_grows_and_takes_a_rotated_password() {
    let stand = Stand::with_machines();
    stand.enforce_policies();
    let terraform = Terraform::on_aws(&(in_one_zone(SMALLEST) + OBJECTS + BESIDE), &stand);
    let world = World {
        stand,
        terraform,
        certificate: None,
    };
    world.apply();
    let made = world.cluster();
    let instance = made["brokers"][0]["instance_id"].as_str().unwrap();
    let kafka = shell(instance, KAFKA);
    assert!(size_of_data(instance) < 1_024);
    // Its connections stand while passwords and the volume change.
    let writing = world.write("smallest");

    // A password is rotated by Secrets Manager, or by hand; nobody runs Terraform.
    let former = world.client_settings();
    let secret = world.terraform.state("msk_scram_secret.app");
    let value = serde_json::json!({"username": "app", "password": "rotated-0123456789"}).to_string();
    world
        .stand
        .by_hand(ROTATE, &[secret["secret_arn"].as_str().unwrap(), &value]);
    let begin = Instant::now();
    let rotated = world.client_settings();
    assert_ne!(former["sasl.password"], rotated["sasl.password"]);
    while world.reach_as(&rotated) != "reached" {
        assert!(
            begin.elapsed() < Duration::from_mins(1),
            "the new password is not in force"
        );
    }
    println!(
        "the new password was in force after {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    assert!(
        world.reach_as(&former).starts_with("refused"),
        "the former password is still good"
    );
    world.terraform.plan_must_be_empty();

    world
        .terraform
        .replace("main.tf", "volume_size = 1\n", "volume_size = 2\n");
    world.apply();
    assert!(size_of_data(instance) > 1_536);
    assert_eq!(shell(instance, KAFKA), kafka, "Kafka was not restarted");
    world.terraform.plan_must_be_empty();
    writing.must_be_read_back();
    world.destroy();
}

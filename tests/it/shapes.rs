//! Clusters of other shapes than three zones with one broker each, and everything that is on one, under real
//! Terraform with real Kafka.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::terraform::Terraform;

const SHAPE: &str = r#"
resource "msk_configuration" "c" {
  name              = "c"
  description       = "open to all"
  server_properties = { "allow.everyone.if.no.acl.found" = "true" }
}
resource "msk_cluster" "a" {
  name                  = "events"
  kafka_version         = "4.3.1"
  subnet_ids            = ["zone-a"]
  brokers_per_az        = 2
  dedicated_controllers = true
  deletion_protection   = false
  configuration         = { id = msk_configuration.c.id, revision = msk_configuration.c.latest_revision }
}
resource "msk_topic" "t" {
  cluster_id         = msk_cluster.a.id
  name               = "orders"
  partitions         = 1
  replication_factor = 1
  config             = { "retention.ms" = "86400000" }
}
resource "msk_acl" "a" {
  cluster_id    = msk_cluster.a.id
  principal     = "User:app"
  resource_type = "TOPIC"
  resource_name = "orders"
  operations    = ["READ"]
}
data "msk_cluster" "a" {
  name = msk_cluster.a.name
}
data "msk_configuration" "c" {
  name = msk_configuration.c.name
}
data "msk_topics" "all" {
  cluster_id = msk_topic.t.cluster_id
}
data "msk_acls" "all" {
  cluster_id = msk_acl.a.cluster_id
}
"#;

fn kill_nodes(terraform: &Terraform, node: &str) {
    let ours: Vec<_> = terraform.processes();
    let needle = format!("/nodes/{node}");
    for (id, _) in ours
        .iter()
        .filter(|(_, line)| line.contains(&format!("{needle}/")) || line.contains(&format!("{needle} ")))
    {
        let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
    }
}

fn look_at_what_data_sources_say(terraform: &Terraform) {
    let told = terraform.state("data.msk_cluster.a");
    let resource = terraform.state("msk_cluster.a");
    for (name, value) in resource.as_object().unwrap() {
        if !["timeouts", "planned_operations", "state"].contains(&name.as_str()) {
            assert_eq!(&told[name], value, "data.msk_cluster.{name}");
        }
    }
    assert_eq!(
        terraform.state("data.msk_configuration.c")["description"],
        json!("open to all")
    );
    let topics = &terraform.state("data.msk_topics.all")["topics"];
    assert_eq!(topics[0]["id"], json!("events/orders"));
    assert_eq!(
        topics[0]["partitions"],
        terraform.state("msk_topic.t")["partitions"]
    );
    let acls = &terraform.state("data.msk_acls.all")["acls"];
    assert_eq!(acls[0]["id"], terraform.state("msk_acl.a")["id"]);
}

#[test]
fn two_brokers_in_a_zone_with_controllers_of_their_own_live() {
    let terraform = Terraform::new(SHAPE);
    let planned = terraform.plan(&[]);
    let warnings = planned.outcome.must_succeed().warnings().join("\n");
    assert!(warnings.contains("allow.everyone.if.no.acl.found"), "{warnings}");
    assert!(warnings.contains("One zone"), "{warnings}");
    terraform.apply(&[]).must_succeed();
    terraform.plan_must_be_empty();
    let cluster = terraform.state("msk_cluster.a");
    assert_eq!(cluster["brokers"].as_array().unwrap().len(), 2);
    assert_eq!(cluster["state"], json!("ACTIVE"));
    let kafkas = |terraform: &Terraform| {
        let lines = terraform.processes();
        lines
            .iter()
            .filter(|(_, line)| line.contains("server.properties"))
            .count()
    };
    assert_eq!(kafkas(&terraform), 5, "two brokers and three controllers");
    look_at_what_data_sources_say(&terraform);

    // A broker and a controller are down, and come back.
    kill_nodes(&terraform, "2");
    kill_nodes(&terraform, "10001");
    let planned = terraform.plan(&[]);
    let operations = planned.change("msk_cluster.a")["after"]["planned_operations"].to_string();
    assert!(
        operations.contains("broker 2") && operations.contains("controller 10001"),
        "{operations}"
    );
    terraform.apply(&[]).must_succeed();
    terraform.plan_must_be_empty();
    assert_eq!(terraform.state("msk_cluster.a")["state"], json!("ACTIVE"));
    assert_eq!(kafkas(&terraform), 5);

    // More replicas, more partitions, another setting: in place.
    let topic_id = terraform.state("msk_topic.t")["topic_id"].clone();
    terraform.replace("main.tf", "replication_factor = 1", "replication_factor = 2");
    terraform.replace("main.tf", "partitions         = 1", "partitions         = 3");
    terraform.replace(
        "main.tf",
        "\"retention.ms\" = \"86400000\"",
        "\"segment.ms\" = \"3600000\"",
    );
    terraform.apply(&[]).must_succeed();
    terraform.plan_must_be_empty();
    let topic = terraform.state("msk_topic.t");
    assert_eq!(
        (&topic["replication_factor"], &topic["partitions"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(topic["topic_id"], topic_id);
    look_at_what_data_sources_say(&terraform);

    // Replaced on request, and because it is tainted: another topic under the same name.
    terraform.apply(&["-replace=msk_topic.t"]).must_succeed();
    let replaced = terraform.state("msk_topic.t")["topic_id"].clone();
    assert_ne!(replaced, topic_id);
    assert!(terraform.run(&["taint", "msk_topic.t"]).status.success());
    terraform.apply(&[]).must_succeed();
    assert_ne!(terraform.state("msk_topic.t")["topic_id"], replaced);
    terraform.plan_must_be_empty();

    // A refused change of a topic keeps no destroy away.
    terraform.replace("main.tf", "partitions         = 3", "partitions         = 2");
    terraform
        .plan(&[])
        .outcome
        .must_fail_with(&["partitions", "-refresh=false"]);
    terraform.destroy(&[]).must_succeed();
    assert_eq!(terraform.processes(), []);
    assert_eq!(terraform.state("msk_cluster.a"), Value::Null);
}

/// Two directories create the same objects at once.
fn of_two_at_once_one_gets_each_object(cluster: &Terraform) {
    let [left, right] = ["left", "right"].map(|_| {
        let mut terraform = Terraform::new(OBJECTS);
        terraform.set("MSK_LOCAL_DATA_DIRECTORY", cluster.data());
        terraform
    });
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(|| left.apply(&[]));
        let other = scope.spawn(|| right.apply(&[]));
        (one.join().unwrap(), other.join().unwrap())
    });
    let errors = [one.errors(), other.errors()].concat();
    for address in ["msk_topic.t", "msk_acl.a", "msk_scram_secret.u"] {
        let holders = [&left, &right].map(|terraform| terraform.state(address) != Value::Null);
        assert_ne!(holders[0], holders[1], "{address} in {holders:?}: {errors:#?}");
    }
    // The one who lost has neither written over the other's secret nor taken it away.
    let user = [&left, &right]
        .map(|terraform| terraform.state("msk_scram_secret.u"))
        .into_iter()
        .find(|user| *user != Value::Null)
        .unwrap();
    let file = Path::new(user["secret_file"].as_str().unwrap());
    let secret: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(secret["username"], "app");
    let files = fs::read_dir(file.parent().unwrap()).unwrap();
    assert_eq!(files.count(), 1);
    assert_eq!(errors.len(), 3, "{errors:#?}");
    for error in &errors {
        assert!(
            error.contains("It exists already") || error.contains("Another run works on it"),
            "{error}"
        );
    }
    for terraform in [&left, &right] {
        terraform.destroy(&[]).must_succeed();
    }
}

const OBJECTS: &str = r#"
resource "msk_topic" "t" {
  cluster_id = "events"
  name       = "orders"
  partitions = 1
}
resource "msk_acl" "a" {
  cluster_id    = "events"
  principal     = "User:app"
  resource_type = "TOPIC"
  resource_name = "orders"
  operations    = ["READ"]
}
resource "msk_scram_secret" "u" {
  cluster_id = "events"
  username   = "app"
}
"#;

#[test]
fn two_zones_live_with_a_warning() {
    let terraform = Terraform::new(
        "resource \"msk_cluster\" \"a\" {\n  name                = \"events\"\n  kafka_version       = \"4.3.1\"\n  \
         subnet_ids          = [\"zone-a\", \"zone-b\"]\n  deletion_protection = false\n}\n",
    );
    let warnings = terraform.plan(&[]).outcome.must_succeed().warnings().join("\n");
    assert!(warnings.contains("one voter"), "{warnings}");
    terraform.apply(&[]).must_succeed();
    terraform.plan_must_be_empty();
    let zones = terraform.state("msk_cluster.a")["brokers"].clone();
    assert_eq!(
        (&zones[0]["zone"], &zones[1]["zone"]),
        (&json!("zone-a"), &json!("zone-b"))
    );
    kill_nodes(&terraform, "1");
    terraform.apply(&[]).must_succeed();
    terraform.plan_must_be_empty();
    assert_eq!(terraform.state("msk_cluster.a")["state"], json!("ACTIVE"));
    of_two_at_once_one_gets_each_object(&terraform);
    terraform.destroy(&[]).must_succeed();
    assert_eq!(terraform.processes(), []);
}

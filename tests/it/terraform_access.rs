//! Topics, ACLs and users under real Terraform.
//!
//! Needs `terraform` (1.11 or newer). The last test also needs Java 17 and Kafka 4.3.1: from
//! `MSK_TEST_KAFKA_DIRECTORY` if it is set, else fetched through Maven.

use std::fs;

use serde_json::json;

use crate::support::terraform::Terraform;

const ALL: &str = r#"
resource "msk_cluster" "a" {
  name                = "events"
  kafka_version       = "4.3.1"
  subnet_ids          = ["zone-a"]
  deletion_protection = false
}
resource "msk_scram_secret" "written" {
  cluster_id          = msk_cluster.a.id
  username            = "app"
  password_wo         = "hunter-two-seven"
  password_wo_version = 1
}
resource "msk_scram_secret" "random" {
  cluster_id = msk_cluster.a.id
  username   = "batch"
}
resource "msk_topic" "orders" {
  cluster_id = msk_cluster.a.id
  name       = "orders"
  partitions = 3
  config     = { "retention.ms" = "86400000" }
}
resource "msk_acl" "app" {
  cluster_id    = msk_cluster.a.id
  principal     = "User:app"
  resource_type = "TOPIC"
  resource_name = "orders"
  operations    = ["READ", "WRITE"]
}
"#;

#[test]
fn every_default_of_topics_acls_and_users_is_visible_in_the_plan() {
    let terraform = Terraform::new(ALL);
    let planned = terraform.plan(&[]);
    assert!(planned.outcome.is_ok, "{}", planned.outcome.text);
    let topic = planned.change("msk_topic.orders");
    assert_eq!(topic["after"]["id"], json!("events/orders"));
    assert_eq!(topic["after_unknown"]["replication_factor"], json!(true));
    let acl = &planned.change("msk_acl.app")["after"];
    assert_eq!(acl["id"], json!("events|User:app|*|TOPIC|LITERAL|orders|ALLOW"));
    for (name, value) in [
        ("host", "*"),
        ("pattern_type", "LITERAL"),
        ("permission", "ALLOW"),
    ] {
        assert_eq!(acl[name], json!(value));
    }
    let user = &planned.change("msk_scram_secret.written")["after"];
    assert_eq!(user["mechanism"], json!("SCRAM-SHA-512"));
    assert_eq!(user["iterations"], json!(8192));
    assert_eq!(user["password_source"], json!("WRITTEN"));
    assert_eq!(user["password_wo"], json!(null));
    assert!(!terraform.data().exists(), "a plan makes nothing");
}

#[test]
fn everything_wrong_is_said_at_once() {
    let terraform = Terraform::new(
        r#"
resource "msk_topic" "a" {
  cluster_id = "events"
  name       = "a b"
  partitions = 0
  config     = { "retention.sm" = "1" }
}
resource "msk_acl" "a" {
  cluster_id    = "events"
  principal     = "app"
  resource_type = "TOPIC"
  resource_name = "orders"
  operations    = ["IDEMPOTENT_WRITE"]
}
resource "msk_scram_secret" "a" {
  cluster_id  = "events"
  username    = "__msk-node-1"
  password_wo = "x"
  iterations  = 1
}
"#,
    );
    let errors = terraform.validate().errors().join("\n");
    for part in [
        "a b",
        "1 to 10000",
        "retention.sm",
        "`User:`",
        "IDEMPOTENT_WRITE",
        "reserved",
        "password_wo_version = 1",
        "4096",
    ] {
        assert!(errors.contains(part), "{part} is missing in:\n{errors}");
    }
}

#[test]
fn a_create_on_a_cluster_that_is_not_there_says_what_to_refer_to() {
    let terraform = Terraform::new(
        "resource \"msk_topic\" \"a\" {\n  cluster_id = \"events\"\n  name       = \"orders\"\n  partitions = 1\n}\n",
    );
    terraform
        .apply(&[])
        .must_fail_with(&["cluster_id = msk_cluster."]);
}

#[test]
fn topics_acls_and_users_live_on_a_real_cluster() {
    let terraform = Terraform::new(ALL);
    terraform.apply(&[]).must_succeed();
    terraform.plan_must_be_empty();
    let topic = terraform.state("msk_topic.orders");
    assert_eq!(topic["replication_factor"], json!(1));
    assert_eq!(topic["topic_id"].as_str().unwrap().len(), 22);
    let state = fs::read_to_string(terraform.path("work").join("terraform.tfstate")).unwrap();
    assert!(!state.contains("hunter-two-seven"), "a password is in the state");
    let file = terraform.state("msk_scram_secret.written")["secret_file"].clone();
    assert!(
        fs::read_to_string(file.as_str().unwrap())
            .unwrap()
            .contains("hunter-two-seven")
    );

    // More partitions, another setting, another operation, a new password: all in place.
    terraform.replace("main.tf", "partitions = 3", "partitions = 4");
    terraform.replace(
        "main.tf",
        "\"retention.ms\" = \"86400000\"",
        "\"segment.ms\" = \"3600000\"",
    );
    terraform.replace("main.tf", "\"READ\", \"WRITE\"", "\"READ\", \"DESCRIBE\"");
    terraform.replace("main.tf", "password_wo_version = 1", "password_wo_version = 2");
    let actions = terraform.plan(&[]).actions();
    assert!(
        actions.iter().all(|(_, action)| action == "update"),
        "{actions:?}"
    );
    assert_eq!(actions.len(), 3, "{actions:?}");
    terraform.apply(&[]).must_succeed();
    terraform.plan_must_be_empty();

    // Fewer partitions never.
    terraform.replace("main.tf", "partitions = 4", "partitions = 2");
    terraform
        .plan(&[])
        .outcome
        .must_fail_with(&["partitions", "-refresh=false"]);
    terraform.replace("main.tf", "partitions = 2", "partitions = 4");

    // Forgotten and imported: the plan is empty again.
    for (address, id) in [
        ("msk_topic.orders", "events/orders"),
        ("msk_acl.app", "events|User:app|*|TOPIC|LITERAL|orders|ALLOW"),
        ("msk_scram_secret.written", "events/app"),
    ] {
        assert!(terraform.run(&["state", "rm", address]).status.success());
        let output = terraform.run(&["import", "-no-color", "-input=false", address, id]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    terraform.plan_must_be_empty();

    // A second address, and a renamed one without its `moved` block.
    terraform.replace("main.tf", "\"msk_topic\" \"orders\"", "\"msk_topic\" \"renamed\"");
    terraform
        .plan(&[])
        .outcome
        .must_fail_with(&["moved {", "events/orders"]);
    terraform.replace("main.tf", "\"msk_topic\" \"renamed\"", "\"msk_topic\" \"orders\"");

    terraform.destroy(&[]).must_succeed();
    assert!(terraform.processes().is_empty(), "{:?}", terraform.processes());
}

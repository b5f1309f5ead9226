//! `msk_cluster` and `msk_configuration` under real Terraform.
//!
//! Needs `terraform` (1.11 or newer). No test in this file starts Kafka; those are in `cluster_life`.

use serde_json::json;

use crate::support::terraform::Terraform;

const CLUSTER: &str = r#"
resource "msk_cluster" "a" {
  name          = "events"
  kafka_version = "4.3.1"
  subnet_ids    = ["zone-a", "zone-b", "zone-c"]
}
"#;

fn cluster(more: &str) -> String {
    CLUSTER.replace("]\n}", &format!("]\n{more}\n}}"))
}

#[test]
fn every_default_is_visible_in_the_plan_and_nothing_is_made() {
    let terraform = Terraform::new(CLUSTER);
    let planned = terraform.plan(&[]);
    assert!(planned.outcome.is_ok, "{}", planned.outcome.text);
    let after = &planned.change("msk_cluster.a")["after"];
    let expected = json!({
        "id": "events", "brokers_per_az": 1, "instance_type": "kafka.m5.large", "volume_size": 100,
        "volume_type": "gp3", "volume_iops": 3000, "volume_throughput": 125, "dedicated_controllers": false,
        "encryption": { "client_broker": "TLS", "in_cluster": true },
        "authentication": { "scram": true, "iam": false, "tls": null, "unauthenticated": false },
        "max_message_bytes": 1_048_588, "metadata_mode": "KRAFT", "deletion_protection": true,
        "monitoring": { "level": "DEFAULT", "jmx_exporter": false, "node_exporter": false },
        "skip_final_snapshot": false, "kms_key_id": null, "tags": null, "tags_all": null,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&after[name], value, "{name}");
    }
    let unknown = &planned.change("msk_cluster.a")["after_unknown"];
    for name in [
        "state",
        "brokers",
        "kafka_cluster_id",
        "bootstrap_brokers_sasl_scram",
        "ca_certificate_pem",
    ] {
        assert_eq!(unknown[name], json!(true), "{name}");
    }
    let operations: Vec<&str> = after["planned_operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["operation"].as_str().unwrap())
        .collect();
    assert_eq!(operations.first(), Some(&"fetch_kafka"), "{operations:?}");
    assert_eq!(
        operations
            .iter()
            .filter(|operation| **operation == "start_node")
            .count(),
        3
    );
    assert!(!terraform.data().exists(), "a plan makes nothing");
    assert_eq!(
        planned.outcome.warnings(),
        [""; 0],
        "nobody wrote what one machine cannot have"
    );
}

#[test]
fn everything_wrong_is_said_at_once_by_validate() {
    let terraform = Terraform::new(
        r#"
resource "msk_cluster" "a" {
  name              = "-events"
  kafka_version     = "3.9.x"
  subnet_ids        = ["a", "b", "c", "d"]
  brokers_per_az    = 21
  volume_size       = 0
  max_message_bytes = 10485881
  encryption        = { client_broker = "PLAINTEXT" }
  kms_key_id        = "not a key"
  timeouts {
    create = "soon"
  }
}
resource "msk_configuration" "c" {
  name              = "c"
  kafka_versions    = ["4.3.1"]
  server_properties = { "log.retention.mss" = "1", "super.users" = "User:me", "num.io.threads" = "many" }
}
"#,
    );
    let errors = terraform
        .validate()
        .must_fail_with(&["`name`", "-events"])
        .errors();
    for part in [
        "3.9.2",
        "`subnet_ids`",
        "`brokers_per_az`",
        "`volume_size`",
        "`max_message_bytes`",
        "authentication = { unauthenticated = true }",
        "`kms_key_id`",
        "timeouts.create",
        "log.retention.mss",
        "super.users",
        "num.io.threads",
    ] {
        assert!(
            errors.iter().any(|error| error.contains(part)),
            "{part} in {errors:#?}"
        );
    }
    assert!(!terraform.data().exists());
}

#[test]
fn what_is_not_in_this_version_is_refused_by_the_plan_and_not_by_validate() {
    let refused = [
        ("metadata_mode = \"ZOOKEEPER\"", "metadata_mode"),
        (
            "authentication = { scram = true, iam = true }",
            "authentication.iam",
        ),
        ("monitoring = { jmx_exporter = true }", "monitoring.jmx_exporter"),
        (
            "monitoring = { node_exporter = true }",
            "monitoring.node_exporter",
        ),
        ("monitoring = { level = \"PER_BROKER\" }", "monitoring.level"),
        (
            "logging = { cloudwatch_log_group = \"x\" }",
            "logging.cloudwatch_log_group",
        ),
        ("logging = { s3 = { bucket = \"x\" } }", "logging.s3"),
    ];
    let terraform = Terraform::new(CLUSTER);
    for (line, path) in refused {
        terraform.write("main.tf", &cluster(line));
        terraform.validate().must_succeed();
        let outcome = terraform
            .plan(&[])
            .outcome
            .must_fail_with(&["not in this version", path]);
        assert_eq!(outcome.errors().len(), 1, "{line}: {:#?}", outcome.errors());
    }
    assert!(!terraform.data().exists());
    terraform.destroy(&[]).must_succeed();
}

#[test]
fn one_warning_names_what_one_machine_records_and_the_user_wrote() {
    let terraform = Terraform::new(&cluster(
        "  kms_key_id = \"alias/kafka\"\n  volume_size = 5\n  instance_type = \"m5.large\"",
    ));
    let planned = terraform.plan(&[]);
    let warnings = planned.outcome.must_succeed().warnings();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    for name in ["`kms_key_id`", "`volume_size`", "`instance_type`"] {
        assert!(warnings[0].contains(name), "{warnings:?}");
    }
    assert!(!warnings[0].contains("volume_type"), "{warnings:?}");
}

#[test]
fn a_provider_block_names_exactly_one_engine() {
    let terraform = Terraform::new(CLUSTER);
    terraform.write("provider.tf", "provider \"msk\" {}\n");
    terraform.plan(&[]).outcome.must_fail_with(&["names no engine"]);
    terraform.write(
        "provider.tf",
        "provider \"msk\" {\n  local = {}\n  aws = { control_bucket = \"control\" }\n}\n",
    );
    terraform.validate().must_fail_with(&["names two engines"]);
    terraform.write(
        "provider.tf",
        "provider \"msk\" {\n  aws = { region = \"eu-central-1\", control_bucket = \"control\" }\n}\n",
    );
    terraform.validate().must_succeed();
    terraform.write(
        "provider.tf",
        "provider \"msk\" {\n  aws = { control_bucket = \"s3://control\", allowed_account_ids = [\"1\"] }\n}\n",
    );
    let errors = terraform
        .validate()
        .must_fail_with(&["`aws.control_bucket`"])
        .errors();
    assert!(
        errors.iter().any(|error| error.contains("12 digits")),
        "{errors:?}"
    );
    terraform.write(
        "provider.tf",
        "provider \"msk\" {\n  local = { data_directory = \"relative\", broker_heap = \"big\" }\n}\n",
    );
    let errors = terraform.validate().must_fail_with(&["abspath"]).errors();
    assert!(
        errors.iter().any(|error| error.contains("broker_heap")),
        "{errors:?}"
    );
}

#[test]
fn a_provider_value_that_is_not_known_yet_gives_a_warning_and_a_plan() {
    let terraform = Terraform::new(CLUSTER);
    terraform.write(
        "provider.tf",
        "resource \"terraform_data\" \"x\" {\n  input = \"512m\"\n}\nprovider \"msk\" {\n  local = { broker_heap = terraform_data.x.output }\n}\n",
    );
    let planned = terraform.plan(&[]);
    let warnings = planned.outcome.must_succeed().warnings();
    assert!(
        warnings.iter().any(|warning| warning.contains("not known yet")),
        "{warnings:?}"
    );
    assert!(!terraform.data().exists());
}

const CONFIGURATION: &str = r#"
resource "msk_configuration" "c" {
  name              = "c"
  kafka_versions    = ["4.3.1"]
  server_properties = {
    "log.retention.ms"          = "86400000"
    "auto.create.topics.enable" = "FALSE"
  }
}
"#;

#[test]
fn a_configuration_counts_its_revisions_and_knows_the_next_one_while_planning() {
    let terraform = Terraform::new(CONFIGURATION);
    let planned = terraform.plan(&[]);
    assert_eq!(
        planned.change("msk_configuration.c")["after"]["latest_revision"],
        json!(1)
    );
    terraform.apply(&[]).must_succeed();
    terraform.plan_must_be_empty();

    terraform.replace("main.tf", "\"FALSE\"", "\"false\"");
    terraform.plan_must_be_empty();

    terraform.replace("main.tf", "86400000", "3600000");
    let planned = terraform.plan(&[]);
    assert_eq!(
        planned.change("msk_configuration.c")["after"]["latest_revision"],
        json!(2)
    );
    terraform.apply(&[]).must_succeed();
    terraform.plan_must_be_empty();
    let state = terraform.state("msk_configuration.c");
    assert_eq!(state["revisions"].as_array().unwrap().len(), 2);

    terraform.replace("main.tf", "[\"4.3.1\"]", "[\"4.2.2\", \"4.3.1\"]");
    terraform.apply(&[]).must_succeed();
    assert_eq!(
        terraform.state("msk_configuration.c")["latest_revision"],
        json!(2)
    );
    terraform.replace(
        "main.tf",
        "kafka_versions ",
        "description = \"for events\"\n  kafka_versions ",
    );
    terraform.apply(&[]).must_succeed();
    let revisions = terraform.state("msk_configuration.c")["revisions"].clone();
    assert_eq!(revisions[2]["description"], json!("for events"));

    terraform.destroy(&[]).must_succeed();
    terraform.apply(&[]).must_succeed();
    assert_eq!(
        terraform.state("msk_configuration.c")["latest_revision"],
        json!(1)
    );
}

#[test]
fn a_configuration_is_imported_as_it_was_written() {
    let terraform = Terraform::new(CONFIGURATION);
    terraform.apply(&[]).must_succeed();
    // A later write presents the claim: from then on the record is held by a state.
    terraform.replace("main.tf", "86400000", "3600000");
    terraform.apply(&[]).must_succeed();
    let output = terraform.run(&["state", "rm", "msk_configuration.c"]);
    assert!(output.status.success());
    terraform
        .apply(&[])
        .must_fail_with(&["exists already", "import {"]);
    let output = terraform.run(&["import", "-input=false", "msk_configuration.c", "c"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    terraform.plan_must_be_empty();
}

#[test]
fn a_configuration_whose_store_was_emptied_is_an_error_and_stays_in_the_state() {
    let terraform = Terraform::new(CONFIGURATION);
    terraform.apply(&[]).must_succeed();
    std::fs::remove_file(terraform.data().join("store/configurations/c.json")).unwrap();
    terraform
        .plan(&[])
        .outcome
        .must_fail_with(&["no record of the configuration", "terraform state rm"]);
    std::fs::remove_dir_all(terraform.data()).unwrap();
    terraform.plan(&[]).outcome.must_fail_with(&["no control store"]);
    assert_eq!(terraform.state("msk_configuration.c")["id"], json!("c"));
}

#[test]
fn a_tainted_configuration_is_replaced_under_the_same_name() {
    let terraform = Terraform::new(CONFIGURATION);
    terraform.apply(&[]).must_succeed();
    assert!(terraform.run(&["taint", "msk_configuration.c"]).status.success());
    terraform.apply(&[]).must_succeed();
    terraform.plan_must_be_empty();
}

#[test]
fn the_versions_of_kafka_are_listed() {
    let terraform = Terraform::new(
        "data \"msk_kafka_versions\" \"all\" {}\noutput \"default\" {\n  value = data.msk_kafka_versions.all.default_version\n}\n",
    );
    terraform.apply(&[]).must_succeed();
    let versions = terraform.state("data.msk_kafka_versions.all");
    assert_eq!(versions["default_version"], json!("4.3.1"));
    assert_eq!(versions["versions"].as_array().unwrap().len(), 5);
}

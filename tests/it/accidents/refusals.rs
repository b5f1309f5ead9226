//! What the plan refuses does not keep a destroy away.
//!
//! Terraform plans the configuration as usual before it plans a destroy. The provider sees on the command
//! line of its host that it is for a destroy; where it cannot see that, each error names the way out.

use msk::resource::standing::{self, Standing};

use super::world::{Kafka, Role, World};

const CLUSTER: &str = r#"
resource "msk_configuration" "c" {
  name              = "c"
  kafka_versions    = ["4.3.1"]
  server_properties = { "log.retention.ms" = "86400000" }
}
resource "msk_cluster" "c" {
  name                = "c"
  kafka_version       = "4.3.1"
  subnet_ids          = ["a"]
  volume_size         = 10
  deletion_protection = false
  configuration       = { id = msk_configuration.c.id, revision = msk_configuration.c.latest_revision }
}
"#;

/// Every refused value and change of `msk_cluster` at once.
const REFUSED: &str = r#"
  kafka_version         = "4.2.2"
  subnet_ids            = ["a", "b", "c"]
  volume_size           = 5
  brokers_per_az        = 2
  encryption            = { client_broker = "TLS_PLAINTEXT", in_cluster = false }
  authentication        = { iam = true, unauthenticated = true }
  metadata_mode         = "ZOOKEEPER"
  dedicated_controllers = true
  controller_subnet_ids = ["x"]
  monitoring            = { level = "PER_BROKER", jmx_exporter = true, node_exporter = true }
  logging               = { cloudwatch_log_group = "x", s3 = { bucket = "x" }, kinesis_stream = "x", firehose_delivery_stream = "x" }
"#;

/// With a certificate, or judged by a test of their own below.
const ELSEWHERE: [&str; 3] = [
    "authentication.tls.ca_certificates_pem",
    "configuration.id",
    "configuration.revision",
];

fn refused() -> String {
    let kept: Vec<&str> = CLUSTER
        .lines()
        .filter(|line| {
            let name = line.split_whitespace().next().unwrap_or_default();
            !["kafka_version", "subnet_ids", "volume_size"].contains(&name)
        })
        .collect();
    let text = kept.join("\n");
    let more = "  deletion_protection = false";
    assert!(text.contains(more));
    text.replace(more, &format!("{more}\n{REFUSED}"))
}

#[test]
fn a_destroy_works_with_each_refusal_of_the_plan_present() {
    let world = World::with(Kafka::StandIn, CLUSTER);
    world.apply();
    let kafka = world.process(Role::Kafka);

    // All at once, each with the way out.
    world.terraform.write("main.tf", &refused());
    let planned = world.terraform.plan(&[]).outcome;
    assert!(!planned.is_ok);
    let errors = planned.errors();
    for (path, standing) in standing::CLUSTER {
        let is_refused = matches!(
            standing,
            Standing::WorksBut(_) | Standing::Refused(_) | Standing::RefusedWhole | Standing::WarnedBut(_)
        );
        if !is_refused || ELSEWHERE.contains(path) {
            continue;
        }
        let quoted = format!("`{path}`");
        let fits =
            |error: &&String| error.contains(&quoted) && error.contains("terraform destroy -refresh=false");
        assert!(errors.iter().any(|error| fits(&error)), "{path} in {errors:#?}");
    }

    // A revision that needs a restart, and a configuration that gives up the version in use.
    let restart = CLUSTER.replace(
        "\"log.retention.ms\"",
        "\"num.partitions\" = \"2\", \"log.retention.ms\"",
    );
    world.terraform.write("main.tf", &restart);
    let words = [
        "num.partitions",
        "not in this version",
        "terraform destroy -refresh=false",
    ];
    let planned = world.terraform.plan(&[]).outcome;
    assert!(
        planned
            .errors()
            .iter()
            .any(|error| words.iter().all(|word| error.to_lowercase().contains(word))),
        "{:#?}",
        planned.errors()
    );
    world.terraform.plan(&["-destroy"]).outcome.must_succeed();
    world
        .terraform
        .write("main.tf", &CLUSTER.replace("[\"4.3.1\"]", "[\"4.2.2\"]"));
    world.terraform.plan(&[]).outcome.must_fail_with(&[
        "`kafka_versions` is [\"4.2.2\"]",
        "`c`",
        "terraform destroy -refresh=false",
    ]);
    world.terraform.plan(&["-destroy"]).outcome.must_succeed();

    // And now for good, with a refused cluster that is not there yet beside it.
    let another = "resource \"msk_cluster\" \"new\" {\n  name = \"new\"\n  kafka_version = \"4.3.1\"\n  subnet_ids = [\"a\"]\n  \
                   monitoring = { jmx_exporter = true }\n}\n";
    world
        .terraform
        .write("main.tf", &format!("{}\n{another}", refused()));
    assert!(!world.terraform.plan(&[]).outcome.is_ok);
    assert_eq!(world.process(Role::Kafka), kafka);
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

#[test]
fn a_protected_cluster_is_not_destroyed_although_refusals_are_passed_over() {
    let world = World::with(Kafka::StandIn, &CLUSTER.replace("= false\n", "= true\n"));
    world.apply();
    world.terraform.write("main.tf", &refused());
    world
        .terraform
        .destroy(&[])
        .must_fail_with(&["protected", "deletion_protection"]);
    world.process(Role::Kafka);
}

//! Each setting of the provider block, under real Terraform with the stand-in for Kafka.

use std::fs;
use std::process::Command;

use crate::accidents::world::{CLUSTER, Kafka, World, kafka_directory, output};

#[test]
fn each_setting_of_the_provider_block_has_its_effect() {
    let mut world = World::new(Kafka::StandIn);
    let elsewhere = world.terraform.path("elsewhere");
    let java = world.terraform.path("java");
    world.terraform.unset("JAVA_HOME");
    world.base_port = 26_000;
    world.write_provider(&format!(
        "kafka_directory = \"{}\"\n    data_directory = \"{}\"\n    java_home = \"{}\"\n    broker_heap = \"300m\"",
        kafka_directory().display(),
        elsewhere.display(),
        java.display()
    ));
    world.apply();
    assert!(!world.terraform.data().exists(), "the variable was not asked");
    let clusters: Vec<_> = fs::read_dir(elsewhere.join("clusters")).unwrap().collect();
    assert_eq!(clusters.len(), 1);
    let brokers = world.terraform.state("msk_cluster.c")["bootstrap_brokers_sasl_scram"].clone();
    // The world's own `listen_address`.
    let (host, port) = brokers.as_str().unwrap().split_once(':').unwrap();
    assert_eq!(host, world.address.to_string());
    let port: u16 = port.parse().unwrap();
    assert!((26_000..60_000).contains(&port) && port % 1000 == 6, "{port}");
    let lines = world.terraform.processes();
    let kafka = lines
        .iter()
        .find(|(_, line)| line.contains("server.properties"))
        .unwrap();
    assert!(kafka.1.contains("-Xmx300m"), "{}", kafka.1);
    assert!(kafka.1.contains(java.to_str().unwrap()), "{}", kafka.1);
    world.terraform.plan_must_be_empty();
    world.terraform.destroy(&[]).must_succeed();
    assert!(world.terraform.processes().is_empty());
}

#[test]
fn an_archive_is_fetched_and_checked() {
    let world = World::new(Kafka::StandIn);
    let root = world.terraform.path("kafka-4.3.1");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("NOTICE"), "not Kafka").unwrap();
    let archive = world.terraform.path("kafka_2.13-4.3.1.tgz");
    let mut tar = Command::new("tar");
    tar.arg("-czf")
        .arg(&archive)
        .arg("-C")
        .arg(world.terraform.path(""))
        .arg("kafka-4.3.1");
    output(&mut tar);
    let provider = |digest: &str| {
        world.write_provider(&format!(
            "kafka_directory = \"{}\"\n    kafka_archive_url = \"file://{}/kafka_{{scala}}-{{version}}.tgz\"\n    \
             kafka_archive_sha512 = {{ \"4.3.1\" = \"{digest}\" }}",
            world.terraform.path("own-kafka").display(),
            world.terraform.path("").display()
        ));
    };
    provider(&"0".repeat(128));
    world
        .terraform
        .apply(&[])
        .must_fail_with(&["SHA-512", "kafka_2.13-4.3.1.tgz"]);
    let digest = output(Command::new("sha512sum").arg(&archive));
    let digest = digest.split(' ').next().unwrap();
    provider(digest);
    // The bits are right, and they are no Kafka.
    world.terraform.apply(&[]).must_fail_with(&["holds no folder"]);
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

#[test]
fn a_delete_ends_at_its_time_limit() {
    let hasty = CLUSTER.replace(
        "subnet_ids ",
        "timeouts {\n    delete = \"1ms\"\n  }\n  subnet_ids ",
    );
    let world = World::with(Kafka::StandIn, &hasty);
    world.apply();
    world.terraform.destroy(&[]).must_fail_with(&["time limit"]);
    assert_eq!(
        world.terraform.state("msk_cluster.c")["id"],
        "c",
        "the state keeps it"
    );
}

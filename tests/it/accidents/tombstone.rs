//! An agent that is stopped with a topic's tombstone in hand and goes on much later.
//!
//! Needs `MSK_TEST_PYTHON`: a Python with `confluent_kafka`.

use std::fs;

use super::lives::{must_have, produce};
use super::world::{Kafka, World, signal, wait_until};

const TWO: &str = r#"
resource "msk_cluster" "c" {
  name                = "c"
  kafka_version       = "4.3.1"
  subnet_ids          = ["a", "b"]
  encryption          = { client_broker = "PLAINTEXT" }
  authentication      = { unauthenticated = true }
  deletion_protection = false
}
resource "msk_acl" "t" {
  for_each      = toset(["TOPIC", "GROUP"])
  cluster_id    = msk_cluster.c.id
  principal     = "User:ANONYMOUS"
  resource_type = each.key
  resource_name = "*"
  operations    = ["ALL"]
}
"#;

const TOPIC: &str = r#"
resource "msk_topic" "t" {
  cluster_id         = msk_cluster.c.id
  name               = "t"
  partitions         = 1
  replication_factor = 2
}
"#;

/// `T` is the state of a stopped process.
fn is_stopped(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}

#[test]
fn an_agent_that_wakes_up_with_an_old_tombstone_deletes_no_new_topic() {
    let mut world = World::with(Kafka::Real, &format!("{TWO}{TOPIC}"));
    world.terraform.set("MSK_TEST_NODE_STOP_BEFORE_DELETE", "1");
    world.apply();
    let brokers = world.terraform.state("msk_cluster.c")["bootstrap_brokers"]
        .as_str()
        .unwrap()
        .to_owned();
    produce(&brokers, "t", 0, 100);
    let processes = world.terraform.processes();
    let (agent, _) = processes
        .iter()
        .find(|(_, line)| line.trim_end().ends_with("/nodes/1") && line.contains("msk-node"))
        .expect("the agent of node 1");

    // The agent in charge stops with the tombstone in hand; when it has been silent for long enough, the
    // other one deletes the topic.
    world.terraform.write("main.tf", TWO);
    world.apply();
    assert!(is_stopped(*agent), "the agent of node 1 was not in charge");

    // The topic is made again, and filled.
    world.terraform.write("main.tf", &format!("{TWO}{TOPIC}"));
    world.terraform.apply(&["-refresh=false"]).must_succeed();
    produce(&brokers, "t", 0, 300);

    signal(*agent, "CONT");
    wait_until("the agent goes on", || !is_stopped(*agent));
    // It is in charge again with its next heartbeat; a whole one later it has done what it would do.
    std::thread::sleep(std::time::Duration::from_secs(12));
    must_have(&brokers, "t", 300);
    world.terraform.plan_must_be_empty();
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

//! Agents that are stopped with something in hand while another one takes charge, and go on much later.
//!
//! Needs `MSK_TEST_PYTHON`: a Python with `confluent_kafka`.

use std::fs;

use super::lives::{must_have, produce};
use super::world::{Kafka, World, files, signal, wait_until};

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

/// The agent of a node.
#[track_caller]
fn agent(world: &World, node: u32) -> u32 {
    let processes = world.terraform.processes();
    let (id, _) = processes
        .iter()
        .find(|(_, line)| line.trim_end().ends_with(&format!("/nodes/{node}")) && line.contains("msk-node"))
        .unwrap_or_else(|| panic!("no agent of node {node} in {processes:?}"));
    *id
}

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
    let agent = agent(&world, 1);

    // The agent in charge stops with the tombstone in hand; when it has been silent for long enough, the
    // other one deletes the topic.
    world.terraform.write("main.tf", TWO);
    world.apply();
    assert!(is_stopped(agent), "the agent of node 1 was not in charge");

    // The topic is made again, and filled.
    world.terraform.write("main.tf", &format!("{TWO}{TOPIC}"));
    world.terraform.apply(&["-refresh=false"]).must_succeed();
    produce(&brokers, "t", 0, 300);

    signal(agent, "CONT");
    wait_until("the agent goes on", || !is_stopped(agent));
    // It is in charge again with its next heartbeat; a whole one later it has done what it would do.
    std::thread::sleep(std::time::Duration::from_secs(12));
    must_have(&brokers, "t", 300);
    world.terraform.plan_must_be_empty();
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

/// When the agent of node 1 last looked at Kafka's topics.
fn looked_at(world: &World) -> Option<String> {
    let status = files(&world.terraform.data().join("store"))
        .into_iter()
        .find(|path| path.ends_with("status/1/topics.json"))?;
    let document: serde_json::Value = serde_json::from_str(&fs::read_to_string(status).ok()?).ok()?;
    Some(document["body"]["observed_at"].to_string())
}

#[test]
fn a_topic_made_by_an_agent_that_could_not_tell_of_it_is_ours_to_an_agent_that_knew_nothing() {
    let mut world = World::with(Kafka::Real, TWO);
    world.terraform.set("MSK_TEST_NODE_STOP_AFTER_CREATE", "2");
    world.apply();
    let (first, second) = (agent(&world, 1), agent(&world, 2));

    // The agent in charge stops right after it has looked: what it knows is young when it goes on.
    let before = looked_at(&world);
    wait_until("the agent of node 1 looks at the topics", || {
        looked_at(&world) != before
    });
    signal(first, "STOP");
    world.terraform.write("main.tf", &format!("{TWO}{TOPIC}"));
    std::thread::scope(|scope| {
        let apply = scope.spawn(|| world.terraform.apply(&["-refresh=false"]));
        wait_until("the other agent takes charge and makes the topic", || {
            is_stopped(second)
        });
        signal(first, "CONT");
        apply.join().unwrap().must_succeed();
    });
    signal(second, "CONT");
    wait_until("the other agent goes on", || !is_stopped(second));
    world.terraform.plan_must_be_empty();
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

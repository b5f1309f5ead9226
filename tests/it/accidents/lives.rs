//! Agents and Kafkas that are killed: what was acknowledged stays, and an apply brings all back.
//!
//! Needs `MSK_TEST_PYTHON`: a Python with `confluent_kafka`.

use std::process::Command;

use super::world::{Kafka, Role, World, kill, output, python, wait_until};

const OPEN: &str = r#"
resource "msk_cluster" "c" {
  name                = "c"
  kafka_version       = "4.3.1"
  subnet_ids          = ["a"]
  encryption          = { client_broker = "PLAINTEXT" }
  authentication      = { unauthenticated = true }
  deletion_protection = false
}
resource "msk_topic" "t" {
  cluster_id         = msk_cluster.c.id
  name               = "t"
  partitions         = 3
  replication_factor = 1
}
resource "msk_acl" "t" {
  cluster_id    = msk_cluster.c.id
  principal     = "User:ANONYMOUS"
  resource_type = "TOPIC"
  resource_name = "*"
  operations    = ["ALL"]
}
resource "msk_acl" "g" {
  cluster_id    = msk_cluster.c.id
  principal     = "User:ANONYMOUS"
  resource_type = "GROUP"
  resource_name = "*"
  operations    = ["ALL"]
}
"#;

/// Writes records `from..to` with acks=all and waits for every acknowledgment.
pub(super) const PRODUCE: &str = r"
import sys
from confluent_kafka import Producer
brokers, topic, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
failures = []
producer = Producer({'bootstrap.servers': brokers, 'acks': 'all', 'enable.idempotence': True,
                     'message.timeout.ms': 60000, 'log_level': 0})
for number in range(first, last):
    producer.produce(topic, value=str(number), on_delivery=lambda e, _: failures.append(e) if e else None)
left = producer.flush(90)
sys.exit(f'{failures[:1]} {left} left' if failures or left else 0)
";

/// Reads the topic from its beginning and prints how many of the numbers below the last are there.
pub(super) const CONSUME: &str = r"
import sys, time, uuid
from confluent_kafka import Consumer
brokers, topic, last = sys.argv[1], sys.argv[2], int(sys.argv[3])
consumer = Consumer({'bootstrap.servers': brokers, 'group.id': str(uuid.uuid4()),
                     'auto.offset.reset': 'earliest', 'log_level': 0})
consumer.subscribe([topic])
seen, end = set(), time.time() + 90
while len(seen) < last and time.time() < end:
    message = consumer.poll(1)
    if message is not None and message.error() is None:
        seen.add(int(message.value()))
consumer.close()
print(len(seen))
";

pub(super) fn produce(brokers: &str, topic: &str, from: u32, to: u32) {
    let numbers = [from.to_string(), to.to_string()];
    output(
        Command::new(python())
            .args(["-c", PRODUCE, brokers, topic])
            .args(numbers),
    );
}

#[track_caller]
pub(super) fn must_have(brokers: &str, topic: &str, count: u32) {
    let found = output(
        Command::new(python())
            .args(["-c", CONSUME, brokers, topic])
            .arg(count.to_string()),
    );
    assert_eq!(found, count.to_string(), "records are lost");
}

fn planned_operations(world: &World) -> String {
    let planned = world.terraform.plan(&[]);
    assert!(planned.outcome.is_ok, "{}", planned.outcome.text);
    planned.change("msk_cluster.c")["after"]["planned_operations"].to_string()
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_agent_kafka_and_all_at_once_are_killed() {
    let world = World::with(Kafka::Real, OPEN);
    world.apply();
    let brokers = world.terraform.state("msk_cluster.c")["bootstrap_brokers"]
        .as_str()
        .unwrap()
        .to_owned();
    produce(&brokers, "t", 0, 500);

    // An agent dies: its Kafka does not notice, refresh does, apply starts another.
    let kafka = world.process(Role::Kafka);
    kill(world.process(Role::Agent));
    wait_until("the agent is gone", || world.processes(Role::Agent).is_empty());
    produce(&brokers, "t", 500, 1000);
    let operations = planned_operations(&world);
    assert!(operations.contains("start_node"), "{operations}");
    world.apply();
    assert_eq!(world.process(Role::Kafka), kafka, "Kafka's process stayed");
    world.must_be_whole();

    // Kafka dies: its agent starts it again, with nobody running Terraform.
    kill(kafka);
    wait_until("Kafka runs again", || {
        world.processes(Role::Kafka).iter().any(|id| *id != kafka)
    });
    must_have(&brokers, "t", 1000);
    produce(&brokers, "t", 1000, 1500);

    // Everything at once, as when the machine goes down.
    world.kill_all();
    let operations = planned_operations(&world);
    assert!(operations.contains("start_node"), "{operations}");
    world.apply();
    world.must_be_whole();
    must_have(&brokers, "t", 1500);

    // All dead, then a destroy: topics and ACLs go with their cluster, nothing waits for the dead.
    world.kill_all();
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

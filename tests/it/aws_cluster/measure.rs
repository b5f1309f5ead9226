//! A measurement, by hand: `cargo test --test it -- --ignored --nocapture aws_cluster::measure`.

use std::time::Duration;

use super::faults::{AGENT, KAFKA, must_end, shell};
use super::{World, said};
use crate::aws_account::in_one_zone;
use crate::support::stand::Stand;
use crate::support::terraform::Terraform;

/// One node with a user and a topic.
const SMALL: &str = "  dedicated_controllers = false\n  volume_size = 8\n  authentication = { scram = true }";
pub(super) const OBJECTS: &str = r#"
resource "msk_scram_secret" "app" {
  cluster_id = msk_cluster.events.id
  username   = "app"
}
resource "msk_topic" "orders" {
  cluster_id         = msk_cluster.events.id
  name               = "orders"
  partitions         = 6
  replication_factor = 1
}
resource "msk_acl" "app" {
  cluster_id    = msk_cluster.events.id
  principal     = "User:app"
  resource_type = "TOPIC"
  resource_name = "orders"
  operations    = ["READ", "WRITE", "DESCRIBE"]
}
"#;
const BYTES: &str = "2200000000";
const TURNS: usize = 3;
const RECOVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/aws_cluster/recover.py");

/// Seconds since 1970, and the moment when the agent of an instance was started.
const STARTED: &str = "read up _ < /proc/uptime; set -- $(cat /proc/$1/stat | sed 's/.*) //'); shift 19; \
                       echo \"$(date +%s.%N) $up $1 $(getconf CLK_TCK)\"";

/// When the agent of an instance was started, in seconds since 1970.
fn started(instance: &str) -> f64 {
    let agent = shell(instance, AGENT);
    let text = shell(instance, &format!("set -- {agent}; {STARTED}"));
    let numbers: Vec<f64> = text.split(' ').map(|number| number.parse().unwrap()).collect();
    numbers[0] - (numbers[1] - numbers[2] / numbers[3])
}

fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs_f64()
}

/// The resident memory of an instance's agent, in KiB.
fn memory(instance: &str) -> u64 {
    let agent = shell(instance, AGENT);
    let text = shell(instance, &format!("grep Rss: /proc/{agent}/smaps_rollup"));
    text.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

impl World {
    fn recover(&self, words: &[&str]) -> String {
        let child = self.script("client", RECOVER, words);
        said(&child.wait_with_output().unwrap())
    }

    /// When a record was acknowledged that was written from now on.
    fn acknowledged(&self) -> f64 {
        self.recover(&["first"]).parse().unwrap()
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

#[test]
#[ignore = "a measurement; needs root and a stand with machines of its own"]
fn a_terminated_instance_serves_again_about_as_soon_as_a_killed_kafka() {
    let stand = Stand::with_machines();
    let terraform = Terraform::on_aws(&(in_one_zone(SMALL) + OBJECTS), &stand);
    let world = World {
        stand,
        terraform,
        certificate: None,
    };
    world.apply();
    println!("{}", world.recover(&["fill", BYTES]));
    let (mut killed, mut terminated, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        std::thread::sleep(Duration::from_secs(20));
        let instance = world.cluster()["brokers"][0]["instance_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let kafka = shell(&instance, KAFKA);
        let begin = now();
        shell(&instance, &format!("kill -9 {kafka}"));
        killed.push(world.acknowledged() - begin);

        std::thread::sleep(Duration::from_secs(20));
        let begin = now();
        world.stand.terminate("b-1");
        must_end(&world, &[&instance]);
        let end = world.acknowledged();
        world.must_serve_within(Duration::from_mins(4));
        let born = world.cluster()["brokers"][0]["instance_id"]
            .as_str()
            .unwrap()
            .to_owned();
        terminated.push(end - started(&born));
        whole.push(end - begin);
    }
    println!(
        "killed: {killed:.1?} s; terminated, from the agent's start: {terminated:.1?} s, whole: {whole:.1?} s"
    );
    let (killed, terminated) = (median(killed), median(terminated));
    println!(
        "medians: {killed:.1} s and {terminated:.1} s, ratio {:.2}; whole {:.1} s",
        terminated / killed,
        median(whole)
    );
    world.destroy();
}

#[test]
#[ignore = "a measurement of a release build; needs root and a stand with machines of its own"]
fn agents_on_instances_take_little_memory() {
    let world = World::applied();
    std::thread::sleep(Duration::from_mins(1));
    let instances = world.stand.by_hand(
        "running = [{'Name': 'instance-state-name', 'Values': ['running']}]\n\
         pages = boto3.client('ec2').get_paginator('describe_instances').paginate(Filters=running)\n\
         print(*(each['InstanceId'] for page in pages for all in page['Reservations'] for each in all['Instances']))",
        &[],
    );
    let instances: Vec<&str> = instances.split_ascii_whitespace().collect();
    assert_eq!(instances.len(), 6, "{instances:?}");
    let resident: Vec<u64> = instances.iter().map(|instance| memory(instance)).collect();
    println!("agents of six nodes: {resident:?} KiB resident");
    if std::env::var_os("MSK_TEST_SMAPS").is_some() {
        let agent = shell(instances[0], AGENT);
        println!(
            "{}",
            shell(
                instances[0],
                &format!("cat /proc/{agent}/status /proc/{agent}/smaps")
            )
        );
    }
    assert!(resident.iter().all(|size| *size <= 12 * 1024), "more than 12 MB");
    world.destroy();
}

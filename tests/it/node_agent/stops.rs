//! Nodes that are stopped: by a person, for a renewed certificate, and agents that are frozen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use msk::clock::Timestamp;
use msk::kafka::client::{Apply, NewTopic, TopicLayout};
use msk::kafka::versions::KafkaVersion;
use msk::node::process::KafkaRecord;
use msk::spec::ids::{NodeId, TopicName};
use msk::store::documents::keys::{self, Single};
use msk::store::documents::{ClusterDesired, DisruptionLock, NodePhase, NodeStatus, ProblemCode, RunTarget};

use super::SOON;
use super::cluster::{Cluster, Options};

fn new_topic(name: &str) -> NewTopic {
    NewTopic {
        name: TopicName::new(name),
        layout: TopicLayout::Counts {
            partitions: Some(12),
            replication_factor: Some(3),
        },
        configs: Vec::new(),
    }
}

#[tokio::test]
async fn all_nodes_stop_together_cleanly_and_come_back_without_a_recovery() {
    for version in ["4.3.1", "3.9.2"] {
        let mut options = Options::brokers(3);
        options.version = KafkaVersion::parse(version).unwrap();
        let cluster = Cluster::create(&options).await;
        cluster.start_agents();
        for node in 1..=3 {
            cluster.wait_for_phase(node, NodePhase::InSync, SOON).await;
        }
        let topics = [new_topic("orders")];
        for made in cluster
            .admin(1)
            .await
            .create_topics(&topics, Apply::Now)
            .await
            .unwrap()
        {
            made.unwrap();
        }
        let begun = Instant::now();
        cluster.command("stop");
        let took = begun.elapsed();
        println!("{version}: three nodes stopped after {} ms", took.as_millis());
        assert!(took < Duration::from_secs(45), "{took:?}");
        cluster.wait_until_nothing_runs(Duration::from_secs(1)).await;
        for node in &cluster.nodes {
            assert!(node.data().join(".kafka_cleanshutdown").exists(), "{node:?}");
            let log = fs::read_to_string(node.agent_log()).unwrap();
            assert!(!log.contains("is killed"), "{log}");
        }
        let stopped_at = Timestamp::now();
        cluster.command("start");
        for node in 1..=3 {
            let is_back = |status: &NodeStatus| {
                assert_ne!(status.phase, NodePhase::Recovering);
                status.phase == NodePhase::InSync && status.written_at > stopped_at
            };
            cluster.wait_for(node, SOON, is_back).await;
        }
        println!(
            "{version}: back in sync after {} ms",
            Timestamp::now().since(stopped_at).as_millis()
        );
    }
}

/// Waits until every node was restarted this often for its certificate, never two at once.
async fn see_restarts(cluster: &Cluster, rounds: usize, patience: Duration) {
    let begun = Instant::now();
    let mut seen: BTreeMap<u32, BTreeSet<Option<Timestamp>>> = cluster
        .ids()
        .into_iter()
        .map(|id| (id, BTreeSet::new()))
        .collect();
    while seen.values().any(|ends| ends.len() <= rounds) {
        let mut away = Vec::new();
        for (node, ends) in &mut seen {
            let status = cluster.status(*node).await.unwrap();
            assert_eq!(status.unexpected_exits, 0);
            if status.phase != NodePhase::InSync && status.phase != NodePhase::Running {
                away.push(*node);
            } else if ends.insert(status.dials_until) {
                println!(
                    "{:?}: node {node} dials until {:?}",
                    begun.elapsed(),
                    status.dials_until
                );
            }
        }
        assert!(away.len() <= 1, "{away:?} were down at once");
        assert!(begun.elapsed() < patience, "{seen:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Every node is restarted once for its renewed certificate; after the first ones have ended the active
/// controller is killed, and another one is elected.
async fn nodes_are_restarted_one_by_one(options: &Options) {
    let cluster = Cluster::create(options).await;
    cluster.start_agents();
    for node in cluster.ids() {
        cluster.wait_for_phase(node, NodePhase::InSync, SOON).await;
    }
    see_restarts(&cluster, 1, Duration::from_mins(6)).await;
    let key = keys::single(&cluster.uid, Single::DisruptionLock).unwrap();
    let read = cluster.documents.read::<DisruptionLock>(&key).await.unwrap();
    let lock = read.unwrap().body;
    assert_eq!(lock.last_stops.len(), cluster.nodes.len(), "{lock:?}");

    // The first certificates have ended; an election works all the same.
    let view = cluster.status(1).await.unwrap().view.unwrap();
    let leader = view.quorum_leader.unwrap();
    let status = cluster.status(leader.0).await.unwrap();
    let kafka = status.incarnation.kafka.unwrap();
    Cluster::kill(kafka.process_id);
    for node in cluster.ids() {
        cluster
            .wait_for(node, SOON, |now| {
                let is_other = now.incarnation.kafka.as_ref() != Some(&kafka);
                now.phase == NodePhase::InSync && (NodeId(node) != leader || is_other)
            })
            .await;
    }
}

fn short_lived(version: &str) -> Options {
    let mut options = Options::brokers(3);
    options.version = KafkaVersion::parse(version).unwrap();
    options.leaf_lifetime = Duration::from_secs(90);
    options
}

#[tokio::test]
async fn nodes_are_restarted_one_by_one_before_the_certificate_ends_with_which_they_dial() {
    nodes_are_restarted_one_by_one(&short_lived("3.9.2")).await;
}

#[tokio::test]
#[ignore = "takes six minutes; the versions in between"]
async fn nodes_of_the_other_versions_are_restarted_one_by_one() {
    for version in ["4.0.2", "4.1.2", "4.2.2"] {
        println!("{version}");
        nodes_are_restarted_one_by_one(&short_lived(version)).await;
    }
}

#[tokio::test]
#[ignore = "takes four minutes; six nodes"]
async fn dedicated_controllers_and_brokers_are_restarted_one_by_one() {
    let mut options = short_lived("4.3.1");
    options.dedicated_controllers = true;
    // Six turns have to find room before the end.
    options.leaf_lifetime = Duration::from_mins(4);
    nodes_are_restarted_one_by_one(&options).await;
}

/// Of three nodes in sync the first one's Kafka still dials with a certificate that has ended, and cannot
/// be restarted while the third one is down.
pub(super) async fn one_that_was_not_restarted_in_time_tells_it(cluster: &Cluster) {
    let run_third = |run| move |desired: &mut ClusterDesired| desired.nodes[2].run = run;
    let agent = cluster.status(1).await.unwrap().incarnation.agent;
    Cluster::kill(agent.process_id);
    cluster.change(run_third(RunTarget::Stopped)).await;
    cluster.wait_for_phase(3, NodePhase::Stopped, SOON).await;
    let directory = &cluster.nodes[0];
    let mut record = KafkaRecord::read(directory).unwrap();
    record.dials_until = Some(Timestamp::now());
    record.write(directory).unwrap();

    Cluster::start_agent(directory);
    let told = |status: &NodeStatus| {
        let problem = status.problem.as_ref();
        problem.is_some_and(|problem| {
            problem.code == ProblemCode::Certificate && problem.text.contains("brokers are unwell")
        })
    };
    let status = cluster.wait_for(1, SOON, told).await;
    let kafka = status.incarnation.kafka.unwrap();
    assert_eq!(
        kafka, record.process,
        "it is not restarted while another one is down"
    );

    cluster.change(run_third(RunTarget::Running)).await;
    let is_renewed = |status: &NodeStatus| {
        status.phase == NodePhase::InSync && status.incarnation.kafka.as_ref() != Some(&kafka)
    };
    let status = cluster.wait_for(1, SOON, is_renewed).await;
    assert_eq!(status.problem, None);
}

//! Nodes that are stopped: by a person, for a renewed certificate, and agents that are frozen.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use msk::clock::Timestamp;
use msk::kafka::client::{Apply, NewTopic, TopicLayout};
use msk::kafka::versions::KafkaVersion;
use msk::spec::ids::{NodeId, TopicName};
use msk::store::documents::keys::{self, Single};
use msk::store::documents::{DisruptionLock, NodePhase};

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
            let is_back = |status: &msk::store::documents::NodeStatus| {
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
    let mut seen: Vec<BTreeSet<Option<Timestamp>>> = vec![BTreeSet::new(); 3];
    while seen.iter().any(|ends| ends.len() <= rounds) {
        let mut away = Vec::new();
        for node in 1..=3_u32 {
            let status = cluster.status(node).await.unwrap();
            assert_eq!(status.unexpected_exits, 0);
            if status.phase != NodePhase::InSync && status.phase != NodePhase::Running {
                away.push(node);
            } else {
                seen[usize::try_from(node).unwrap() - 1].insert(status.dials_until);
            }
        }
        assert!(away.len() <= 1, "{away:?} were down at once");
        assert!(begun.elapsed() < patience, "{seen:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn nodes_are_restarted_one_by_one_before_the_certificate_ends_with_which_they_dial() {
    let mut options = Options::brokers(3);
    options.version = KafkaVersion::parse("3.9.2").unwrap();
    options.leaf_lifetime = Duration::from_secs(90);
    let cluster = Cluster::create(&options).await;
    cluster.start_agents();
    for node in 1..=3 {
        cluster.wait_for_phase(node, NodePhase::InSync, SOON).await;
    }
    see_restarts(&cluster, 1, Duration::from_mins(5)).await;
    let key = keys::single(&cluster.uid, Single::DisruptionLock).unwrap();
    let lock = cluster
        .documents
        .read::<DisruptionLock>(&key)
        .await
        .unwrap()
        .unwrap()
        .body;
    assert_eq!(lock.last_stops.len(), 3, "{lock:?}");

    // The first certificates have ended; an election works all the same.
    let view = cluster.status(1).await.unwrap().view.unwrap();
    let leader = view.quorum_leader.unwrap();
    let status = cluster.status(leader.0).await.unwrap();
    let kafka = status.incarnation.kafka.unwrap();
    Cluster::kill(kafka.process_id);
    for node in 1..=3 {
        cluster
            .wait_for(node, SOON, |now| {
                let is_other = now.incarnation.kafka.as_ref() != Some(&kafka);
                now.phase == NodePhase::InSync && (NodeId(node) != leader || is_other)
            })
            .await;
    }
}

//! Agents with real Kafka. Needs Java 17 and Kafka's jars: `MSK_TEST_KAFKA_DIRECTORY` names the folder
//! that holds `kafka_2.13-<version>/libs`, by default `target/kafka`.

mod access;
mod certificates;
pub(crate) mod cluster;
mod disk;
mod rest;
mod spread;
mod stops;

use std::time::Duration;

use cluster::{Cluster, Options};
use msk::store::documents::NodePhase;

const SOON: Duration = Duration::from_mins(2);

#[tokio::test]
async fn one_node_comes_up_and_survives_its_agent_and_its_own_death() {
    let cluster = Cluster::create(&Options::brokers(1)).await;
    cluster.start_agents();
    let status = cluster.wait_for_phase(1, NodePhase::InSync, SOON).await;
    let first = status.incarnation.kafka.clone().unwrap();

    access::is_applied(&cluster).await;

    // The agent dies, Kafka stays, and a new agent adopts it.
    Cluster::kill(status.incarnation.agent.process_id);
    cluster.start_agents();
    let adopted = cluster
        .wait_for(1, SOON, |now| {
            now.incarnation.agent != status.incarnation.agent && now.phase == NodePhase::InSync
        })
        .await;
    assert_eq!(adopted.incarnation.kafka.as_ref(), Some(&first));

    // Kafka dies, and the agent starts it again.
    Cluster::kill(first.process_id);
    let back = cluster
        .wait_for(1, SOON, |now| {
            now.phase == NodePhase::InSync && now.incarnation.kafka.as_ref() != Some(&first)
        })
        .await;
    assert_eq!(back.unexpected_exits, 1);
}

#[tokio::test]
async fn three_nodes_come_up_and_are_removed_at_once() {
    let cluster = Cluster::create(&Options::brokers(3)).await;
    cluster.start_agents();
    for node in 1..=3 {
        cluster.wait_for_phase(node, NodePhase::InSync, SOON).await;
    }
    stops::one_that_was_not_restarted_in_time_tells_it(&cluster).await;
    cluster.remove().await;
    cluster.wait_until_nothing_runs(Duration::from_secs(10)).await;
}

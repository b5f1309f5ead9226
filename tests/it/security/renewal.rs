//! Certificates that live for a minute or two, renewed by the agents under load: no record is lost, no connection fails.
//!
//! The short form sees two renewals; `--run-ignored all` (nextest) or `--ignored` runs the long one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use msk::clock::Timestamp;
use msk::kafka::client::EndpointKind;
use msk::kafka::versions::KafkaVersion;
use msk::store::documents::{ListenerName, NodePhase, NodeStatus};
use serde_json::{Value, json};

use super::clients::{ClientAuthority, Load};
use super::{SOON, bootstrap, grant};
use crate::node_agent::cluster::{Cluster, Options};

const SHORT: Duration = Duration::from_secs(90);
/// Three nodes are restarted one by one within a third of it.
const LONGER: Duration = Duration::from_secs(150);

/// Every renewal is one third of a lifetime before the end, so two of them are seen within two lifetimes.
async fn renewals_under_load(version: &str, renewals: usize, brokers: usize, lifetime: Duration) {
    let keep = tempfile::tempdir().unwrap();
    let authority = ClientAuthority::create(keep.path());
    let identity = authority.sign("app", "/CN=app");
    let mut options = Options::brokers(brokers);
    options.version = KafkaVersion::parse(version).unwrap();
    options.leaf_lifetime = lifetime;
    options.authentication.client_ca_pem = vec![authority.pem()];
    let cluster = Cluster::create(&options).await;
    cluster.start_agents();
    let nodes: Vec<u32> = (1..=u32::try_from(brokers).unwrap()).collect();
    for node in &nodes {
        cluster.wait_for_phase(*node, NodePhase::InSync, SOON).await;
    }
    let acls = [("User:app", "by-scram"), ("User:CN=app", "by-tls")];
    grant(
        &cluster,
        &[("app", "correct horse")],
        &["by-scram", "by-tls"],
        &acls,
    )
    .await;
    let trusted = keep.path().join("server-ca.pem");
    let desired = cluster.desired().await;
    std::fs::write(&trusted, msk::planner::outputs::ca_certificate_pem(&desired)).unwrap();

    let load = Load::start(&[
        json!({ "topic": "by-scram", "config": {
            "bootstrap.servers": bootstrap(&cluster, ListenerName::ClientScram).await,
            "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "app", "sasl.password": "correct horse", "ssl.ca.location": trusted,
        } }),
        json!({ "topic": "by-tls", "config": {
            "bootstrap.servers": bootstrap(&cluster, ListenerName::ClientTls).await,
            "security.protocol": "SSL", "ssl.ca.location": trusted,
            "ssl.certificate.location": identity.certificate, "ssl.key.location": identity.key,
        } }),
    ]);
    let first = cluster.status(1).await.unwrap().incarnation.kafka;
    // The last node: its turn to be restarted comes last.
    killed_in_a_renewal(&cluster, nodes[nodes.len() - 1], lifetime).await;
    see_renewals(&cluster, &nodes, renewals, lifetime).await;
    if brokers == 1 {
        // A node that is alone has nobody to dial: nothing is a reason to restart it.
        assert_eq!(cluster.status(1).await.unwrap().incarnation.kafka, first);
    }
    // An agent's own connection, longer after the start than the first certificates lived.
    let agents = cluster.admin(1).await;
    agents.describe_cluster(EndpointKind::Brokers).await.unwrap();
    for done in load.end() {
        println!("{version}: {done}");
        let number = |name: &str| done[name].as_u64().unwrap();
        assert_eq!(done["failures"], json!([]), "{done}");
        assert_eq!(number("sent"), number("delivered"), "{done}");
        assert!(number("sent") > 1_000 && number("reconnects") > 0, "{done}");
        assert!(done["longest_pause"].as_f64().unwrap() < 30.0, "{done}");
        let events: &Vec<Value> = done["events"].as_array().unwrap();
        assert!(
            !events.iter().any(|event| event.to_string().contains("SSL")),
            "{done}"
        );
    }
    off_past_expiry(&cluster, &nodes).await;
}

/// Kills the agent with the new certificates on the disk and perhaps not yet in use; the next agent goes on.
async fn killed_in_a_renewal(cluster: &Cluster, node: u32, lifetime: Duration) {
    let directory = &cluster.nodes[usize::try_from(node).unwrap() - 1];
    let keystore = directory.tls().join("internal.pem");
    let before = std::fs::read(&keystore).unwrap();
    let status = cluster.status(node).await.unwrap();
    let begun = Instant::now();
    while std::fs::read(&keystore).unwrap() == before {
        assert!(begun.elapsed() < lifetime, "nothing was renewed");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Cluster::kill(status.incarnation.agent.process_id);
    Cluster::start_agent(directory);
    let kafka = status.incarnation.kafka;
    let is_well = |now: &NodeStatus| {
        now.incarnation.agent != status.incarnation.agent
            && now.incarnation.kafka == kafka
            && now.phase == NodePhase::InSync
            && now.certificates_expire_at > status.certificates_expire_at
    };
    cluster.wait_for(node, SOON, is_well).await;
    let log = std::fs::read_to_string(directory.agent_log()).unwrap();
    println!("{}", log.lines().rev().take(5).collect::<Vec<_>>().join("\n"));
}

/// Waits until the end of the certificates in use has moved this often on every node.
async fn see_renewals(cluster: &Cluster, nodes: &[u32], renewals: usize, lifetime: Duration) {
    let begun = Instant::now();
    let mut seen: BTreeMap<u32, BTreeSet<Timestamp>> =
        nodes.iter().map(|node| (*node, BTreeSet::new())).collect();
    let mut latest = Duration::ZERO;
    while seen.values().any(|ends| ends.len() <= renewals) {
        for (node, ends) in &mut seen {
            let status = cluster.status(*node).await.unwrap();
            // On a busy machine a restart may come after the end of certificates that live so shortly; the
            // node says so, and goes on.
            let late = status.dials_until.map(|end| Timestamp::now().since(end));
            if let Some(late) = late.filter(|_| is_late(&status)) {
                latest = latest.max(late);
            } else {
                assert_eq!(status.problem, None, "node {node}");
            }
            assert_eq!(status.unexpected_exits, 0);
            ends.extend(status.certificates_expire_at);
        }
        let patience = lifetime * (u32::try_from(renewals).unwrap() + 1);
        assert!(begun.elapsed() < patience, "{seen:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("the latest restart came {latest:?} after the end");
    assert!(latest < lifetime / 3, "{latest:?}");
}

fn is_late(status: &NodeStatus) -> bool {
    let problem = status.problem.as_ref();
    problem.is_some_and(|problem| {
        problem
            .text
            .contains("dials the controllers with a certificate that ended")
    })
}

/// Every node stopped, its certificates run out, started again by a person: it comes up with new ones.
async fn off_past_expiry(cluster: &Cluster, nodes: &[u32]) {
    cluster.command("stop");
    cluster.wait_until_nothing_runs(SOON).await;
    let status = cluster.status(nodes[0]).await.unwrap();
    let end = status.certificates_expire_at.unwrap();
    let rest = end.since(Timestamp::now()) + Duration::from_secs(2);
    tokio::time::sleep(rest).await;
    cluster.command("start");
    for node in nodes {
        let patience = Duration::from_mins(3);
        let is_new = |now: &NodeStatus| {
            now.phase == NodePhase::InSync
                && now.incarnation.agent != status.incarnation.agent
                && now.certificates_expire_at.is_some_and(|now| now > end)
        };
        cluster.wait_for(*node, patience, is_new).await;
    }
}

#[tokio::test]
async fn two_renewals_under_load_lose_nothing_on_kafka_4_3() {
    renewals_under_load("4.3.1", 2, 1, SHORT).await;
}

#[tokio::test]
#[ignore = "takes five minutes; with Kafka 4.3 it runs always"]
async fn two_renewals_under_load_lose_nothing_on_kafka_3_9() {
    renewals_under_load("3.9.2", 2, 1, SHORT).await;
}

#[tokio::test]
#[ignore = "takes ten minutes"]
async fn four_renewals_of_three_brokers_under_load_lose_nothing_on_kafka_4_3() {
    renewals_under_load("4.3.1", 4, 3, LONGER).await;
}

#[tokio::test]
#[ignore = "takes ten minutes"]
async fn four_renewals_of_three_brokers_under_load_lose_nothing_on_kafka_3_9() {
    renewals_under_load("3.9.2", 4, 3, LONGER).await;
}

//! Certificates that live 90 s, renewed by the agents under load: no record is lost, no connection fails.
//!
//! The short form sees two renewals; `--run-ignored all` (nextest) or `--ignored` runs the long one.

use std::time::{Duration, Instant};

use msk::kafka::versions::KafkaVersion;
use msk::store::documents::{ListenerName, NodePhase};
use serde_json::{Value, json};

use super::clients::{ClientAuthority, Load};
use super::{SOON, bootstrap, grant};
use crate::node_agent::cluster::{Cluster, Options};

const LIFETIME: Duration = Duration::from_secs(90);

/// Every renewal is one third of a lifetime before the end, so two of them are seen within two lifetimes.
async fn renewals_under_load(version: &str, renewals: u32, brokers: usize) {
    let keep = tempfile::tempdir().unwrap();
    let authority = ClientAuthority::create(keep.path());
    let identity = authority.sign("app", "/CN=app");
    let mut options = Options::brokers(brokers);
    options.version = KafkaVersion::parse(version).unwrap();
    options.leaf_lifetime = LIFETIME;
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
    for node in &nodes {
        see_renewals(&cluster, *node, renewals).await;
    }
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

/// Waits until the end of the certificates in use has moved this often.
async fn see_renewals(cluster: &Cluster, node: u32, renewals: u32) {
    let begun = Instant::now();
    let mut seen = Vec::new();
    loop {
        let status = cluster.status(node).await.unwrap();
        assert_eq!(status.problem, None, "node {node}");
        assert_eq!(status.unexpected_exits, 0);
        if let Some(end) = status.certificates_expire_at
            && seen.last() != Some(&end)
        {
            seen.push(end);
        }
        if seen.len() > usize::try_from(renewals).unwrap() {
            return;
        }
        assert!(
            begun.elapsed() < LIFETIME * (renewals + 1),
            "node {node}: {seen:?}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Every node stopped, its certificates run out, started again by a person: it comes up with new ones.
async fn off_past_expiry(cluster: &Cluster, nodes: &[u32]) {
    cluster.command("stop");
    cluster.wait_until_nothing_runs(SOON).await;
    let status = cluster.status(nodes[0]).await.unwrap();
    let end = status.certificates_expire_at.unwrap();
    let rest = end.since(msk::clock::Timestamp::now()) + Duration::from_secs(2);
    tokio::time::sleep(rest).await;
    cluster.command("start");
    for node in nodes {
        let patience = Duration::from_mins(3);
        let is_new = |now: &msk::store::documents::NodeStatus| {
            now.phase == NodePhase::InSync
                && now.incarnation.agent != status.incarnation.agent
                && now.certificates_expire_at.is_some_and(|now| now > end)
        };
        cluster.wait_for(*node, patience, is_new).await;
    }
}

#[tokio::test]
async fn two_renewals_under_load_lose_nothing_on_kafka_4_3() {
    renewals_under_load("4.3.1", 2, 1).await;
}

#[tokio::test]
async fn two_renewals_under_load_lose_nothing_on_kafka_3_9() {
    renewals_under_load("3.9.2", 2, 1).await;
}

#[tokio::test]
#[ignore = "takes ten minutes"]
async fn six_renewals_of_three_brokers_under_load_lose_nothing_on_kafka_4_3() {
    renewals_under_load("4.3.1", 6, 3).await;
}

#[tokio::test]
#[ignore = "takes ten minutes"]
async fn six_renewals_of_three_brokers_under_load_lose_nothing_on_kafka_3_9() {
    renewals_under_load("3.9.2", 6, 3).await;
}

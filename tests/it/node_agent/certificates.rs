//! Brokers that have no way to the authorities' keys: controllers sign for them, with nobody else around.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use msk::clock::Timestamp;
use msk::pki::Certificate;
use msk::secret::Secret;
use msk::spec::ids::NodeId;
use msk::store::documents::keys::{self, PerNode};
use msk::store::documents::{CertificateRequest, NodePhase};

use super::SOON;
use super::cluster::{Cluster, Options, Private};

const LIFETIME: Duration = Duration::from_secs(90);

fn leaf(cluster: &Cluster, at: usize, file: &str) -> Certificate {
    let text = std::fs::read_to_string(cluster.nodes[at].tls().join(file)).unwrap();
    let certificate = Certificate::from_pem(&text).unwrap();
    let key = msk::pki::NodeKey::from_pem(&Secret::new(text)).unwrap();
    key.check_owns(&certificate).unwrap();
    certificate
}

#[tokio::test]
async fn controllers_sign_for_brokers_that_have_no_authority_and_renew_in_time() {
    let mut options = Options::brokers(2);
    options.dedicated_controllers = true;
    options.private = Private::ControllersOnly;
    options.leaf_lifetime = LIFETIME;
    let cluster = Cluster::create(&options).await;
    let ids = cluster.ids();
    let (brokers, controllers): (Vec<u32>, Vec<u32>) = ids.iter().copied().partition(|id| *id < 100);
    assert!(brokers.len() == 2 && !controllers.is_empty(), "{ids:?}");

    // Alone, a broker says what it waits for.
    let first = ids.iter().position(|id| *id == brokers[0]).unwrap();
    Cluster::start_agent(&cluster.nodes[first]);
    let waits = cluster
        .wait_for(brokers[0], SOON, |status| status.asks_for_certificates)
        .await;
    assert_eq!(waits.phase, NodePhase::Preparing);
    assert_eq!(waits.progress, "waits for a controller to sign its certificate");
    assert!(waits.problem.is_none(), "{waits:?}");
    // A new agent goes on with the same request.
    let key = keys::per_node(&cluster.uid, NodeId(brokers[0]), PerNode::CertificateRequest).unwrap();
    let asked = || async {
        cluster
            .documents
            .read::<CertificateRequest>(&key)
            .await
            .unwrap()
            .unwrap()
    };
    let before = asked().await;
    Cluster::kill(waits.incarnation.agent.process_id);
    Cluster::start_agent(&cluster.nodes[first]);
    cluster
        .wait_for(brokers[0], SOON, |status| {
            status.incarnation.agent != waits.incarnation.agent && status.asks_for_certificates
        })
        .await;
    assert_eq!(asked().await.body, before.body);

    let begun = Instant::now();
    cluster.start_agents();
    for id in &ids {
        let status = cluster.wait_for_phase(*id, NodePhase::InSync, SOON).await;
        assert!(
            !status.asks_for_certificates && status.problem.is_none(),
            "{status:?}"
        );
    }
    println!("in sync after {:.1} s", begun.elapsed().as_secs_f64());
    let desired = cluster.desired().await;
    let authority = |list: &[String]| Certificate::from_pem(&list[0]).unwrap();
    assert!(leaf(&cluster, first, "internal.pem").is_issued_by(&authority(&desired.internal_ca_pem)));
    assert!(leaf(&cluster, first, "server.pem").is_issued_by(&authority(&desired.server_ca_pem)));

    // A renewal of every node; Kafka itself shows the new ones, or the status would name a problem.
    let mut seen = vec![BTreeSet::new(); ids.len()];
    let begun = Instant::now();
    while seen.iter().any(|ends: &BTreeSet<Timestamp>| ends.len() < 2) {
        assert!(begun.elapsed() < LIFETIME * 3, "{seen:?}");
        for (ends, id) in seen.iter_mut().zip(&ids) {
            let status = cluster.status(*id).await.unwrap();
            assert!(status.problem.is_none(), "{status:?}");
            ends.extend(status.certificates_expire_at);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let files = std::fs::read_dir(cluster.nodes[first].tls()).unwrap();
    let names: BTreeSet<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    // No key waits beside the keystores that are in use.
    let in_use = ["internal-ca.pem", "internal.pem", "server.pem"];
    assert_eq!(names, in_use.map(str::to_owned).into());

    // Without a controller's agent the brokers go on with what they have, and say so before it ends.
    for id in &controllers {
        let status = cluster.status(*id).await.unwrap();
        Cluster::kill(status.incarnation.agent.process_id);
    }
    let told = cluster
        .wait_for(brokers[0], LIFETIME * 2, |status| status.problem.is_some())
        .await;
    let text = told.problem.unwrap().text;
    assert!(text.contains("no controller has signed"), "{text}");
    assert!(told.certificates_expire_at.unwrap() > Timestamp::now());
}

#[tokio::test]
async fn with_everything_private_in_the_store_brokers_log_in_at_each_other_with_their_passwords() {
    let mut options = Options::brokers(2);
    options.private = Private::Store;
    options.encryption.in_cluster = false;
    let cluster = Cluster::create(&options).await;
    cluster.start_agents();
    for id in cluster.ids() {
        let status = cluster.wait_for_phase(id, NodePhase::InSync, SOON).await;
        assert!(!status.asks_for_certificates, "{status:?}");
    }
    for node in &cluster.nodes {
        let file = node.tls().join("replication.password");
        let text = msk::pki::files::read_private(&file).unwrap().unwrap();
        assert!(text.expose().starts_with("password="));
    }
}

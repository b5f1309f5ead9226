//! What keeps strangers out: listeners, authorities, access, secrets, and the renewal of certificates.
//!
//! Real Kafka, and clients that we did not write. Needs what `node_agent` needs, and besides `openssl`
//! and a Python with `confluent_kafka`: `MSK_TEST_PYTHON` names it, by default `python3`.

pub(crate) mod clients;
mod forbidden;
mod hunt;
mod kcat;
mod listeners;
mod renewal;
mod terraform;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use msk::clock::Timestamp;
use msk::kafka::acl::{AclOperation, AclPatternType, AclPermission, AclResourceType};
use msk::pki::files;
use msk::secret::Secret;
use msk::spec::ids::{ClaimId, Generation, NodeId, TopicName};
use msk::store::Document;
use msk::store::documents::keys::{self, PerNode, Single};
use msk::store::documents::{
    AclDesired, AclKey, AclsDesired, AclsStatus, Caller, Holder, ListenerName, ObjectClaim, Phase,
    SecretReference, TopicDesired, TopicsDesired, TopicsStatus, UserDesired, UsersDesired, UsersStatus,
    WrittenConfiguration,
};

use crate::node_agent::cluster::Cluster;

const SOON: Duration = Duration::from_mins(3);

/// `host:port` of every broker's listener.
async fn bootstrap(cluster: &Cluster, listener: ListenerName) -> String {
    msk::planner::outputs::bootstrap_brokers(&cluster.desired().await, listener).unwrap()
}

async fn port(cluster: &Cluster, node: u32, listener: ListenerName) -> u16 {
    cluster.desired().await.node(NodeId(node)).unwrap().ports[&listener]
}

/// Writes users, topics and ACLs as the provider would, and waits until an agent has applied them.
async fn grant(cluster: &Cluster, users: &[(&str, &str)], topics: &[&str], acls: &[(&str, &str)]) {
    let mut wanted = UsersDesired::default();
    for (name, password) in users {
        let path = cluster.root().join(format!("{name}.secret.json"));
        let text = serde_json::json!({ "username": name, "password": password }).to_string();
        files::write_private(&path, &Secret::new(text)).unwrap();
        wanted.keep.insert((*name).to_owned(), user(&path));
    }
    create(cluster, Single::Users, &wanted).await;
    let mut wanted = TopicsDesired::default();
    for name in topics {
        wanted.keep.insert(TopicName::new(*name), topic());
    }
    create(cluster, Single::Topics, &wanted).await;
    let mut wanted = AclsDesired::default();
    for (principal, name) in acls {
        for (resource_type, resource_name) in [(AclResourceType::Topic, *name), (AclResourceType::Group, "g")]
        {
            let key = AclKey {
                principal: (*principal).to_owned(),
                host: "*".to_owned(),
                resource_type,
                pattern_type: AclPatternType::Literal,
                resource_name: resource_name.to_owned(),
                permission: AclPermission::Allow,
            };
            wanted.keep.insert(key.id(), acl(key));
        }
    }
    create(cluster, Single::Acls, &wanted).await;
    let failures = (
        applied(cluster, PerNode::Users, |status: &UsersStatus| {
            (status.applied, status.failures.len())
        })
        .await,
        applied(cluster, PerNode::Topics, |status: &TopicsStatus| {
            (status.applied, status.failures.len())
        })
        .await,
        applied(cluster, PerNode::Acls, |status: &AclsStatus| {
            (status.applied, status.failures.len())
        })
        .await,
    );
    assert_eq!(failures, (0, 0, 0));
}

async fn create<T: Document>(cluster: &Cluster, which: Single, body: &T) {
    let key = keys::single(&cluster.uid, which).unwrap();
    cluster.documents.create(&key, body).await.unwrap();
}

/// Waits for the agent in charge; answers how many entries failed.
async fn applied<T: Document>(
    cluster: &Cluster,
    which: PerNode,
    of: impl Fn(&T) -> (Generation, usize),
) -> usize {
    let key = keys::per_node(&cluster.uid, NodeId(1), which).unwrap();
    let begun = Instant::now();
    loop {
        if let Some(read) = cluster.documents.read::<T>(&key).await.unwrap() {
            let (generation, failures) = of(&read.body);
            if generation >= Generation(1) {
                return failures;
            }
        }
        assert!(begun.elapsed() < SOON, "{which:?} was not applied");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn user(secret: &Utf8PathBuf) -> UserDesired {
    UserDesired {
        claim: claim(),
        generation: Generation(1),
        mechanism: "SCRAM-SHA-512".to_owned(),
        iterations: 4096,
        secret: SecretReference::File(secret.to_string()),
        secret_version: 1,
        fingerprint: String::new(),
        written: WrittenConfiguration::default(),
    }
}

fn topic() -> TopicDesired {
    TopicDesired {
        claim: claim(),
        generation: Generation(1),
        topic_id: None,
        partitions: 2,
        replication_factor: None,
        config: std::collections::BTreeMap::new(),
        config_reset: BTreeSet::new(),
        deletion_protection: None,
        written: WrittenConfiguration::default(),
    }
}

fn acl(key: AclKey) -> AclDesired {
    let mut operations = BTreeSet::from([AclOperation::Read, AclOperation::Describe]);
    if key.resource_type == AclResourceType::Topic {
        operations.insert(AclOperation::Write);
    }
    AclDesired {
        claim: claim(),
        generation: Generation(1),
        key,
        operations,
        written: WrittenConfiguration::default(),
    }
}

fn claim() -> ObjectClaim {
    ObjectClaim {
        id: ClaimId::new("0".repeat(32)),
        caller: Caller {
            working_directory: "/".into(),
            workspace: "default".into(),
        },
        holder: Holder {
            boot_id: "".into(),
            process_id: 1,
            process_start: 1,
            heartbeat_at: Timestamp::now(),
        },
        phase: Phase::Making,
    }
}

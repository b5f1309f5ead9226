//! Topics, users, ACLs and live properties, as the agent in charge applies them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use msk::clock::Timestamp;
use msk::kafka::acl::{AclOperation, AclPatternType, AclPermission, AclResourceType};
use msk::pki::files;
use msk::secret::Secret;
use msk::spec::ids::{ClaimId, Generation, TopicName};
use msk::store::documents::keys::{self, PerNode, Single};
use msk::store::documents::{
    AclDesired, AclKey, AclsDesired, AclsStatus, Caller, Holder, ObjectClaim, Phase, PropertiesStatus,
    SecretReference, TopicDesired, TopicTombstone, TopicsDesired, TopicsStatus, UserDesired, UsersDesired,
    UsersStatus, WrittenConfiguration,
};
use msk::store::{Change, Document, Put};

use super::cluster::Cluster;

pub(super) async fn is_applied(cluster: &Cluster) {
    // Live properties first: they belong to the cluster itself.
    let properties: PropertiesStatus = wait(cluster, PerNode::Properties, |status: &PropertiesStatus| {
        status.applied == Generation(1)
    })
    .await;
    assert_eq!(properties.failure, None);
    assert!(
        properties.dynamic.contains_key("message.max.bytes"),
        "{properties:?}"
    );

    // Ten topics in one write.
    let mut wanted = TopicsDesired::default();
    for number in 0..10 {
        wanted
            .keep
            .insert(TopicName::new(format!("topic-{number}")), topic(1));
    }
    let begun = Instant::now();
    write(cluster, Single::Topics, &wanted).await;
    let topics: TopicsStatus = wait(cluster, PerNode::Topics, |status: &TopicsStatus| {
        status.applied == Generation(1)
    })
    .await;
    println!("ten topics after {} ms", begun.elapsed().as_millis());
    assert!(topics.failures.is_empty(), "{topics:?}");
    let first = TopicName::new("topic-0");
    let id = topics.topics[&first].topic_id.clone();
    assert_eq!(topics.topics[&first].partitions, 2);
    assert_eq!(topics.topics[&first].config["retention.ms"], "60000");

    // One grows, one goes, one exists already under another entry's name.
    change(cluster, Single::Topics, |desired: &mut TopicsDesired| {
        let entry = desired.keep.get_mut(&first).unwrap();
        entry.generation = Generation(2);
        entry.topic_id = Some(id.clone());
        entry.partitions = 4;
        entry.config.clear();
        entry.config_reset = BTreeSet::from(["retention.ms".to_owned()]);
        let second = TopicName::new("topic-1");
        desired.keep.remove(&second);
        desired.tombstones.push(TopicTombstone {
            topic_id: topics.topics[&second].topic_id.clone(),
            name: second,
            generation: Generation(2),
        });
        desired
            .keep
            .get_mut(&TopicName::new("topic-2"))
            .unwrap()
            .generation = Generation(2);
    })
    .await;
    let topics: TopicsStatus = wait(cluster, PerNode::Topics, |status: &TopicsStatus| {
        status.applied == Generation(2)
    })
    .await;
    assert_eq!(topics.topics[&first].partitions, 4);
    assert_eq!(topics.topics[&first].topic_id, id);
    assert!(!topics.topics[&first].config.contains_key("retention.ms"));
    assert!(!topics.topics.contains_key(&TopicName::new("topic-1")));
    let failure = &topics.failures[&TopicName::new("topic-2")];
    assert_eq!(failure.code, "exists_already");

    users_and_acls(cluster).await;
}

async fn users_and_acls(cluster: &Cluster) {
    let secret = cluster.root().join("app.json");
    let text = r#"{"username": "app", "password": "correct horse"}"#.to_owned();
    files::write_private(&secret, &Secret::new(text)).unwrap();
    let mut users = UsersDesired::default();
    users.keep.insert("app".to_owned(), user(&secret));
    users
        .keep
        .insert("lost".to_owned(), user(&cluster.root().join("nothing.json")));
    write(cluster, Single::Users, &users).await;
    let status: UsersStatus = wait(cluster, PerNode::Users, |status: &UsersStatus| {
        status.applied == Generation(1)
    })
    .await;
    assert_eq!(status.users["app"].mechanisms["SCRAM-SHA-512"], 8192);
    assert_eq!(status.users["app"].applied_generation, Some(Generation(1)));
    assert_eq!(status.failures["lost"].code, "secret");

    let key = AclKey {
        principal: "User:app".to_owned(),
        host: "*".to_owned(),
        resource_type: AclResourceType::Topic,
        pattern_type: AclPatternType::Prefixed,
        resource_name: "topic-".to_owned(),
        permission: AclPermission::Allow,
    };
    let mut acls = AclsDesired::default();
    acls.keep.insert(
        key.id(),
        AclDesired {
            claim: claim(),
            generation: Generation(1),
            key: key.clone(),
            operations: BTreeSet::from([AclOperation::Read, AclOperation::Write]),
            written: WrittenConfiguration::default(),
        },
    );
    write(cluster, Single::Acls, &acls).await;
    let status: AclsStatus = wait(cluster, PerNode::Acls, |status: &AclsStatus| {
        status.applied == Generation(1)
    })
    .await;
    assert_eq!(status.acls[&key.id()].operations.len(), 2);
}

pub(super) async fn write<T: Document>(cluster: &Cluster, which: Single, body: &T) {
    let key = keys::single(&cluster.uid, which).unwrap();
    let put = cluster.documents.create(&key, body).await.unwrap();
    assert!(matches!(put, Put::Written(..)));
}

pub(super) async fn change<T: Document>(cluster: &Cluster, which: Single, change: impl Fn(&mut T)) {
    let key = keys::single(&cluster.uid, which).unwrap();
    cluster
        .documents
        .update::<T>(&key, |body| {
            change(body);
            Change::Write
        })
        .await
        .unwrap();
}

/// Waits for a status of node 1, which is in charge.
pub(super) async fn wait<T: Document + std::fmt::Debug>(
    cluster: &Cluster,
    which: PerNode,
    is_right: impl Fn(&T) -> bool,
) -> T {
    let key = keys::per_node(&cluster.uid, msk::spec::ids::NodeId(1), which).unwrap();
    let begun = Instant::now();
    loop {
        let found = cluster.documents.read::<T>(&key).await.unwrap();
        let found = found.map(|read| read.body);
        if let Some(found) = found.as_ref().filter(|found| is_right(found)) {
            // Read once more: there is no `Clone` to ask for.
            let _ = found;
            return cluster.documents.read::<T>(&key).await.unwrap().unwrap().body;
        }
        assert!(
            begun.elapsed() < Duration::from_mins(1),
            "{which:?} is {found:#?}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(super) fn topic(generation: u64) -> TopicDesired {
    TopicDesired {
        claim: claim(),
        generation: Generation(generation),
        topic_id: None,
        partitions: 2,
        replication_factor: None,
        config: BTreeMap::from([("retention.ms".to_owned(), "60000".to_owned())]),
        config_reset: BTreeSet::new(),
        deletion_protection: None,
        written: WrittenConfiguration::default(),
    }
}

pub(super) fn user(secret: &Utf8PathBuf) -> UserDesired {
    UserDesired {
        claim: claim(),
        generation: Generation(1),
        mechanism: "SCRAM-SHA-512".to_owned(),
        iterations: 8192,
        secret: SecretReference::File(secret.to_string()),
        secret_version: 1,
        fingerprint: String::new(),
        written: WrittenConfiguration::default(),
    }
}

pub(super) fn claim() -> ObjectClaim {
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

//! The administrative client against real Kafka: every call, with the oldest and the newest supported line
//! (the others on demand). Two combined nodes over mutual TLS, with the authorizer on.
//!
//! Needs Java 17 and the jars; the failure text says how to get them.

mod cluster;

use std::num::NonZeroU32;
use std::time::Duration;

use msk::kafka::acl::{AclEntry, AclOperation, AclPatternType, AclPermission, AclResourceType};
use msk::kafka::client::{
    AclFilter, Admin, Apply, ConfigChange, ConfigEdit, ConfigResource, ConfigScope, ConfigSource,
    ElectionKind, EndpointKind, Error, ErrorCode, FeatureChange, FeatureMove, NewPartitions, NewTopic,
    PatternFilter, RaftEndpoint, RaftVoter, ReplicaTarget, RetryClass, ScramDeletion, ScramLogin,
    ScramMechanism, ScramUpsert, TopicLayout, TopicPartition, TopicSelection,
};
use msk::secret::Secret;
use msk::spec::ids::{KafkaUuid, NodeId, TopicName};

use cluster::{Cluster, eventually};

const ONE: NodeId = NodeId(1);
const TWO: NodeId = NodeId(2);

#[tokio::test]
async fn every_call_works_with_kafka_4_3() {
    every_call("4.3.1").await;
}

#[tokio::test]
async fn every_call_works_with_kafka_3_9() {
    every_call("3.9.2").await;
}

#[tokio::test]
#[ignore = "between the oldest and the newest line; run with --ignored after changes of the client"]
async fn every_call_works_with_kafka_4_0() {
    every_call("4.0.2").await;
}

#[tokio::test]
#[ignore = "between the oldest and the newest line; run with --ignored after changes of the client"]
async fn every_call_works_with_kafka_4_1() {
    every_call("4.1.2").await;
}

#[tokio::test]
#[ignore = "between the oldest and the newest line; run with --ignored after changes of the client"]
async fn every_call_works_with_kafka_4_2() {
    every_call("4.2.2").await;
}

async fn every_call(version: &str) {
    let mut cluster = Cluster::start(version).await;
    let admin = cluster.admin(1);
    describes_the_cluster(&cluster, &admin, version).await;
    handles_topics(&admin).await;
    handles_configs(&admin).await;
    handles_acls(&cluster, &admin).await;
    handles_users(&cluster, &admin).await;
    moves_replicas_and_leaders(&admin).await;
    changes_voters(&cluster, &admin).await;
    handles_features(&admin, version).await;
    answers_on_the_controller_listener(&cluster, version).await;
    refuses_strangers(&cluster).await;
    takes_new_certificates(&cluster, &admin).await;
    forgets_a_broker(&mut cluster, &admin).await;
    survives_a_restart(&mut cluster, &admin).await;
}

async fn describes_the_cluster(cluster: &Cluster, admin: &Admin, version: &str) {
    let seen = admin.describe_cluster(EndpointKind::Brokers).await.unwrap();
    assert_eq!(seen.cluster_id, cluster.id);
    let ids: Vec<_> = seen.nodes.iter().map(|node| node.id).collect();
    assert!(ids.contains(&ONE) && ids.contains(&TWO), "{ids:?}");
    let expected = if version.starts_with("4.") {
        Some(false)
    } else {
        None
    };
    assert!(
        seen.nodes.iter().all(|node| node.is_fenced == expected),
        "{:?}",
        seen.nodes
    );
    assert!(seen.nodes.iter().all(|node| node.rack.as_deref() == Some("az-1")));

    let quorum = admin.describe_quorum().await.unwrap();
    assert_eq!(quorum.leader, Some(ONE));
    assert!(quorum.high_watermark > 0);
    assert_eq!(quorum.voters.len(), 1);
    assert_eq!(
        quorum.voters[0].directory.as_ref(),
        Some(&cluster.directory_id(1))
    );
    assert!(
        quorum
            .observers
            .iter()
            .any(|node| node.id == TWO && node.last_fetch.is_some())
    );

    let dirs = admin.describe_log_dirs().await.unwrap();
    assert_eq!(dirs.len(), 1);
    assert!(dirs[0].total_bytes > dirs[0].usable_bytes && dirs[0].usable_bytes > Some(0));
    assert!(dirs[0].replicas.is_ok());
}

fn topic(name: &str, layout: TopicLayout, configs: &[(&str, &str)]) -> NewTopic {
    let configs = configs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    NewTopic {
        name: TopicName::new(name),
        layout,
        configs,
    }
}

fn counts(partitions: impl Into<Option<i32>>, factor: impl Into<Option<i16>>) -> TopicLayout {
    TopicLayout::Counts {
        partitions: partitions.into(),
        replication_factor: factor.into(),
    }
}

async fn handles_topics(admin: &Admin) {
    let wanted = [
        topic("defaults", counts(None, None), &[]),
        topic(
            "counted",
            counts(3, 1),
            &[("retention.ms", "1000"), ("cleanup.policy", "compact")],
        ),
        topic(
            "placed",
            TopicLayout::Assigned(vec![vec![ONE, TWO], vec![TWO, ONE]]),
            &[],
        ),
        topic("bad config", counts(1, 1), &[]),
        topic("too-many", counts(1, 9), &[]),
        topic("wrong", counts(1, 1), &[("retention.ms", "soon")]),
    ];
    let checked = admin.create_topics(&wanted, Apply::ValidateOnly).await.unwrap();
    assert_eq!(checked[0].as_ref().unwrap().id, None);
    assert_eq!(
        admin.describe_topics(TopicSelection::All).await.unwrap().topics,
        []
    );

    let made = admin.create_topics(&wanted, Apply::Now).await.unwrap();
    let id = made[1].as_ref().unwrap().id.clone().unwrap();
    assert_eq!(id.as_str().len(), 22);
    assert_eq!(made[1].as_ref().unwrap().partitions, Some(3));
    assert_eq!(
        made[0].as_ref().unwrap().partitions,
        Some(2),
        "num.partitions of the cluster"
    );
    assert!(made[2].is_ok());
    assert_eq!(
        made[3].as_ref().unwrap_err().code,
        ErrorCode::INVALID_TOPIC_EXCEPTION
    );
    assert_eq!(
        made[4].as_ref().unwrap_err().code,
        ErrorCode::INVALID_REPLICATION_FACTOR
    );
    let wrong = made[5].as_ref().unwrap_err();
    assert_eq!(wrong.code, ErrorCode::INVALID_CONFIG);
    assert!(wrong.to_string().contains("retention.ms"), "{wrong}");
    let again = admin.create_topics(&wanted[..1], Apply::Now).await.unwrap();
    assert_eq!(
        again[0].as_ref().unwrap_err().retry_class(),
        RetryClass::MaybeDone
    );

    // Brokers learn of new topics a moment after the controller has answered.
    let names = ["placed", "counted", "missing"].map(TopicName::new);
    let found = eventually("topics in the metadata", async || {
        let found = admin
            .describe_topics(TopicSelection::Names(&names))
            .await
            .unwrap();
        let led = |topic: &msk::kafka::client::TopicMetadata| {
            topic
                .partitions
                .iter()
                .all(|partition| partition.leader.is_some() && partition.error.is_none())
        };
        let ready = found
            .topics
            .iter()
            .filter(|(_, topic)| topic.as_ref().is_ok_and(led))
            .count();
        (ready == 2).then_some(found)
    })
    .await;
    let of = |name: &str| {
        let mut topics = found.topics.iter();
        topics
            .find(|(key, _)| key.name.as_ref().unwrap().as_str() == name)
            .unwrap()
    };
    let placed = of("placed").1.as_ref().unwrap();
    assert_eq!(placed.partitions[0].replicas, [ONE, TWO]);
    assert_eq!(placed.partitions[1].leader, Some(TWO));
    assert!(!placed.is_internal);
    assert_eq!(
        of("missing").1.as_ref().unwrap_err().code,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );

    let more = [
        NewPartitions {
            topic: TopicName::new("counted"),
            total: 4,
            places: None,
        },
        NewPartitions {
            topic: TopicName::new("placed"),
            total: 3,
            places: Some(vec![vec![ONE, TWO]]),
        },
        NewPartitions {
            topic: TopicName::new("defaults"),
            total: 1,
            places: None,
        },
    ];
    let checked = admin.create_partitions(&more, Apply::ValidateOnly).await.unwrap();
    assert!(checked[0].is_ok());
    let grown = admin.create_partitions(&more, Apply::Now).await.unwrap();
    assert_eq!(grown[..2], [Ok(()), Ok(())]);
    assert_eq!(grown[2].as_ref().unwrap_err().code, ErrorCode::INVALID_PARTITIONS);
    eventually("four partitions", async || {
        let found = admin
            .describe_topics(TopicSelection::Ids(std::slice::from_ref(&id)))
            .await
            .unwrap();
        let (key, topic) = &found.topics[0];
        assert_eq!(key.id.as_ref(), Some(&id));
        (topic.as_ref().unwrap().partitions.len() == 4).then_some(())
    })
    .await;

    // 2,500 topics need three requests.
    let many: Vec<_> = (0..2_500)
        .map(|n| topic(&format!("many-{n}"), counts(1, 1), &[]))
        .collect();
    let checked = admin.create_topics(&many, Apply::ValidateOnly).await.unwrap();
    assert_eq!(checked.iter().filter(|result| result.is_ok()).count(), 2_500);

    let nobody = KafkaUuid::new("AAAAAAAAAAAAAAAAAAAAAQ");
    let gone = admin
        .delete_topics_by_id(&[id.clone(), nobody, KafkaUuid::new("no id")])
        .await
        .unwrap();
    assert_eq!(gone[0], Ok(()));
    assert!(gone[1].as_ref().unwrap_err().is_absent() && gone[2].as_ref().unwrap_err().is_absent());
    eventually("the topic gone", async || {
        let found = admin.describe_topics(TopicSelection::All).await.unwrap();
        found
            .topics
            .iter()
            .all(|(key, _)| key.id.as_ref() != Some(&id))
            .then_some(())
    })
    .await;
}

fn change(resource: ConfigResource, edits: &[(&str, Option<&str>)]) -> ConfigChange {
    let edit = |value: Option<&str>| match value {
        Some(value) => ConfigEdit::Set(value.to_owned()),
        None => ConfigEdit::Delete,
    };
    ConfigChange {
        resource,
        edits: edits
            .iter()
            .map(|(name, value)| ((*name).to_owned(), edit(*value)))
            .collect(),
    }
}

async fn handles_configs(admin: &Admin) {
    let resources = [
        ConfigResource::Topic(TopicName::new("placed")),
        ConfigResource::Broker(ONE),
        ConfigResource::ClusterDefault,
        ConfigResource::Topic(TopicName::new("missing")),
    ];
    let changes = [
        change(
            resources[0].clone(),
            &[
                ("retention.ms", Some("123456")),
                ("segment.bytes", Some("1048576")),
            ],
        ),
        change(resources[1].clone(), &[("log.cleaner.threads", Some("1"))]),
        change(resources[2].clone(), &[("log.cleaner.backoff.ms", Some("14000"))]),
        change(resources[3].clone(), &[("retention.ms", Some("1"))]),
    ];
    let checked = admin.alter_configs(&changes, Apply::ValidateOnly).await.unwrap();
    assert!(checked[0].is_ok() && checked[3].is_err(), "{checked:?}");
    let before = admin
        .describe_configs(&resources[..1], ConfigScope::Overrides)
        .await
        .unwrap();
    assert_eq!(before[0].as_ref().unwrap(), &[]);

    let done = admin.alter_configs(&changes, Apply::Now).await.unwrap();
    assert_eq!(done[..3], [Ok(()), Ok(()), Ok(())]);
    assert_eq!(
        done[3].as_ref().unwrap_err().code,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );

    let own = eventually("the overrides", async || {
        let own = admin
            .describe_configs(&resources, ConfigScope::Overrides)
            .await
            .unwrap();
        let has = |index: usize, name: &str| {
            own[index]
                .as_ref()
                .is_ok_and(|entries| entries.iter().any(|entry| entry.name == name))
        };
        let all = has(0, "retention.ms")
            && has(0, "segment.bytes")
            && has(1, "log.cleaner.threads")
            && has(2, "log.cleaner.backoff.ms");
        all.then_some(own)
    })
    .await;
    let retention = own[0]
        .as_ref()
        .unwrap()
        .iter()
        .find(|entry| entry.name == "retention.ms")
        .unwrap();
    assert_eq!(retention.value.as_deref(), Some("123456"));
    assert_eq!(retention.source, ConfigSource::Topic);
    // Kafka 4.1 and later keep a default of `min.insync.replicas` here by themselves.
    assert!(
        own[2]
            .as_ref()
            .unwrap()
            .iter()
            .all(|entry| entry.source == ConfigSource::DynamicDefault)
    );
    assert_eq!(
        own[3].as_ref().unwrap_err().code,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );

    let all = admin
        .describe_configs(&resources[..2], ConfigScope::All)
        .await
        .unwrap();
    let broker = all[1].as_ref().unwrap();
    assert!(broker.len() > 100);
    let rack = broker.iter().find(|entry| entry.name == "broker.rack").unwrap();
    assert_eq!(
        (rack.source, rack.is_read_only),
        (ConfigSource::StaticBroker, true)
    );
    let password = broker
        .iter()
        .find(|entry| entry.name == "ssl.key.password")
        .unwrap();
    assert_eq!((password.is_sensitive, password.value.as_deref()), (true, None));
    assert!(
        all[0]
            .as_ref()
            .unwrap()
            .iter()
            .any(|entry| entry.source == ConfigSource::Default)
    );

    let back = [
        change(
            resources[0].clone(),
            &[("retention.ms", None), ("segment.bytes", None)],
        ),
        change(resources[2].clone(), &[("log.cleaner.backoff.ms", Some("never"))]),
    ];
    let done = admin.alter_configs(&back, Apply::Now).await.unwrap();
    assert_eq!(done[0], Ok(()));
    assert_eq!(done[1].as_ref().unwrap_err().retry_class(), RetryClass::Never);
    eventually("no overrides", async || {
        let own = admin
            .describe_configs(&resources[..1], ConfigScope::Overrides)
            .await
            .unwrap();
        own[0].as_ref().unwrap().is_empty().then_some(())
    })
    .await;
    let other = admin
        .describe_configs(&[ConfigResource::Broker(TWO)], ConfigScope::All)
        .await
        .unwrap();
    assert!(other[0].is_err(), "a broker answers for itself only");
}

fn allow(resource_type: AclResourceType, name: &str, operation: AclOperation) -> AclEntry {
    AclEntry {
        resource_type,
        resource_name: name.to_owned(),
        pattern_type: AclPatternType::Literal,
        principal: "User:app".to_owned(),
        host: "*".to_owned(),
        operation,
        permission: AclPermission::Allow,
    }
}

async fn handles_acls(cluster: &Cluster, admin: &Admin) {
    assert_eq!(
        admin.describe_acls(&AclFilter::default()).await.unwrap().entries,
        []
    );
    let mut entries = vec![
        allow(AclResourceType::Topic, "placed", AclOperation::Read),
        allow(AclResourceType::Topic, "placed", AclOperation::Describe),
        AclEntry {
            pattern_type: AclPatternType::Prefixed,
            permission: AclPermission::Deny,
            host: "10.0.0.1".to_owned(),
            ..allow(AclResourceType::Group, "app-", AclOperation::Delete)
        },
        allow(
            AclResourceType::Cluster,
            "kafka-cluster",
            AclOperation::IdempotentWrite,
        ),
        allow(AclResourceType::TransactionalId, "*", AclOperation::Write),
        allow(AclResourceType::User, "User:other", AclOperation::CreateTokens),
        allow(AclResourceType::DelegationToken, "token", AclOperation::All),
    ];
    let bad = allow(AclResourceType::Cluster, "other-cluster", AclOperation::Create);
    let all: Vec<_> = entries.iter().cloned().chain([bad]).collect();
    let made = admin.create_acls(&all).await.unwrap();
    assert!(made[..7].iter().all(Result::is_ok), "{made:?}");
    assert_eq!(made[7].as_ref().unwrap_err().code, ErrorCode::INVALID_REQUEST);
    assert!(
        admin
            .create_acls(&entries)
            .await
            .unwrap()
            .iter()
            .all(Result::is_ok),
        "they may be there already"
    );

    entries.sort();
    eventually("the ACLs on this broker", async || {
        let found = admin.describe_acls(&AclFilter::default()).await.unwrap();
        assert_eq!(found.unreadable, 0);
        (found.entries == entries).then_some(())
    })
    .await;
    let filter = AclFilter {
        resource_type: Some(AclResourceType::Group),
        resource_name: Some("app-7".to_owned()),
        pattern: PatternFilter::Match,
        ..AclFilter::default()
    };
    assert_eq!(admin.describe_acls(&filter).await.unwrap().entries.len(), 1);
    let exact = AclFilter {
        pattern: PatternFilter::Exactly(AclPatternType::Literal),
        ..filter
    };
    assert_eq!(admin.describe_acls(&exact).await.unwrap().entries, []);

    // What the cluster's authorizer makes of them is seen by a user without any other right.
    let anonymous = cluster.plain_admin();
    let refused = anonymous.describe_acls(&AclFilter::default()).await.unwrap_err();
    assert_eq!(
        refused.refusal().unwrap().code,
        ErrorCode::CLUSTER_AUTHORIZATION_FAILED
    );

    let missing = allow(AclResourceType::Topic, "placed", AclOperation::Alter);
    let gone = admin.delete_acls(&[entries[0].clone(), missing]).await.unwrap();
    assert_eq!(gone, [Ok(true), Ok(false)]);
    assert!(
        admin.delete_acls(&entries).await.unwrap()[1..]
            .iter()
            .all(|result| *result == Ok(true))
    );
    eventually("no ACLs", async || {
        admin
            .describe_acls(&AclFilter::default())
            .await
            .unwrap()
            .entries
            .is_empty()
            .then_some(())
    })
    .await;
}

async fn handles_users(cluster: &Cluster, admin: &Admin) {
    assert_eq!(admin.describe_scram_users(None).await.unwrap(), []);
    let password = Secret::new("p,a=s§word".to_owned());
    let upsert = |user: &str, mechanism: ScramMechanism, iterations: i32| ScramUpsert {
        user: user.to_owned(),
        mechanism,
        iterations,
        salt: b"0123456789abcdef".to_vec(),
        salted_password: mechanism.salt(&password, b"0123456789abcdef", NonZeroU32::new(4096).unwrap()),
    };
    let upserts = [
        upsert("a=lice,1", ScramMechanism::Sha512, 4096),
        upsert("bob", ScramMechanism::Sha256, 4096),
        upsert("weak", ScramMechanism::Sha512, 1),
    ];
    let made = admin.alter_scram_users(&upserts, &[]).await.unwrap();
    assert_eq!((&made[0].1, &made[1].1), (&Ok(()), &Ok(())));
    assert_eq!(
        made[2].1.as_ref().unwrap_err().code,
        ErrorCode::UNACCEPTABLE_CREDENTIAL
    );
    // The offset that a broker says it has published is the metadata log's: what was committed before is there.
    let committed = admin.describe_quorum().await.unwrap().high_watermark;
    eventually("the committed log on this broker", async || {
        let published = admin.describe_features().await.unwrap().epoch;
        (published >= Some(committed - 1)).then_some(())
    })
    .await;
    let found = admin.describe_scram_users(None).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].0, "a=lice,1");
    let alice = found[0].1.as_ref().unwrap()[0];
    assert_eq!(
        (alice.mechanism, alice.iterations),
        (ScramMechanism::Sha512, 4096)
    );

    let log_in = |password: &str| {
        let password = Secret::new(password.to_owned());
        let user = "a=lice,1".to_owned();
        cluster.scram_admin(ScramLogin {
            mechanism: ScramMechanism::Sha512,
            user,
            password,
        })
    };
    let alice = log_in("p,a=s§word");
    assert_eq!(
        alice
            .describe_cluster(EndpointKind::Brokers)
            .await
            .unwrap()
            .cluster_id,
        cluster.id
    );
    let refused = alice.describe_acls(&AclFilter::default()).await.unwrap_err();
    assert_eq!(
        refused.refusal().unwrap().code,
        ErrorCode::CLUSTER_AUTHORIZATION_FAILED
    );
    let stranger = log_in("other")
        .describe_cluster(EndpointKind::Brokers)
        .await
        .unwrap_err();
    assert!(matches!(stranger, Error::Login { .. }), "{stranger}");
    assert_eq!(stranger.retry_class(), RetryClass::Never);

    let user = |user: &str, mechanism| ScramDeletion {
        user: user.to_owned(),
        mechanism,
    };
    let deletions = [
        user("a=lice,1", ScramMechanism::Sha512),
        user("nobody", ScramMechanism::Sha512),
    ];
    let gone = admin.alter_scram_users(&[], &deletions).await.unwrap();
    assert_eq!(gone[0].1, Ok(()));
    assert!(gone[1].1.as_ref().unwrap_err().is_absent());
    eventually("one user", async || {
        let names = ["bob".to_owned(), "a=lice,1".to_owned()];
        let found = admin.describe_scram_users(Some(&names)).await.unwrap();
        assert!(found[1].1.is_ok());
        found[0]
            .1
            .as_ref()
            .is_err_and(msk::kafka::client::KafkaError::is_absent)
            .then_some(())
    })
    .await;
}

async fn moves_replicas_and_leaders(admin: &Admin) {
    let partition = |topic: &str, partition: i32| TopicPartition {
        topic: TopicName::new(topic),
        partition,
    };
    let target = |index: i32, replicas: Option<&[NodeId]>| ReplicaTarget {
        partition: partition("placed", index),
        replicas: replicas.map(<[NodeId]>::to_vec),
    };
    let targets = [
        target(0, Some(&[TWO, ONE])),
        target(1, Some(&[ONE])),
        target(2, None),
        target(9, Some(&[ONE])),
    ];
    let started = admin.alter_reassignments(&targets).await.unwrap();
    assert_eq!(started[..2], [Ok(()), Ok(())]);
    assert_eq!(
        started[2].as_ref().unwrap_err().code,
        ErrorCode::NO_REASSIGNMENT_IN_PROGRESS
    );
    assert_eq!(
        started[3].as_ref().unwrap_err().code,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
    eventually("no replica on the move", async || {
        admin.list_reassignments().await.unwrap().is_empty().then_some(())
    })
    .await;
    let name = [TopicName::new("placed")];
    eventually("the new places", async || {
        let found = admin.describe_topics(TopicSelection::Names(&name)).await.unwrap();
        let partitions = &found.topics[0].1.as_ref().unwrap().partitions;
        let arrived = partitions[0].replicas == [TWO, ONE]
            && partitions[0].in_sync.len() == 2
            && partitions[1].replicas == [ONE]
            && partitions[1].leader == Some(ONE);
        arrived.then_some(())
    })
    .await;

    let asked = [
        partition("placed", 0),
        partition("placed", 1),
        partition("placed", 9),
    ];
    let elected = admin
        .elect_leaders(ElectionKind::Preferred, Some(&asked))
        .await
        .unwrap();
    let of = |index: i32| {
        elected
            .iter()
            .find(|one| one.partition.partition == index)
            .unwrap()
    };
    assert!(of(0).outcome.is_ok());
    assert_eq!(of(1).outcome, Ok(false));
    assert_eq!(
        of(9).outcome.as_ref().unwrap_err().code,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
    assert!(
        admin
            .elect_leaders(ElectionKind::Preferred, None)
            .await
            .unwrap()
            .iter()
            .all(|one| one.outcome.is_ok())
    );
    assert_eq!(
        admin
            .elect_leaders(ElectionKind::Unclean, Some(&asked[..1]))
            .await
            .unwrap()[0]
            .outcome,
        Ok(false)
    );
    eventually("the preferred leader", async || {
        let found = admin.describe_topics(TopicSelection::Names(&name)).await.unwrap();
        (found.topics[0].1.as_ref().unwrap().partitions[0].leader == Some(TWO)).then_some(())
    })
    .await;
}

async fn changes_voters(cluster: &Cluster, admin: &Admin) {
    let voter = RaftVoter {
        id: TWO,
        directory: cluster.directory_id(2),
    };
    let endpoints = [RaftEndpoint {
        listener: "CONTROLLER".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: cluster.controller_port(2),
    }];
    eventually("a second voter", async || {
        let added = admin
            .add_raft_voter(&cluster.id, &voter, &endpoints, Duration::from_secs(20))
            .await;
        match added {
            Ok(()) => Some(()),
            Err(error) => {
                assert_ne!(
                    error.retry_class(),
                    RetryClass::Never,
                    "{error}: {:?}",
                    error.refusal()
                );
                None
            }
        }
    })
    .await;
    let twice = admin
        .add_raft_voter(&cluster.id, &voter, &endpoints, Duration::from_secs(20))
        .await
        .unwrap_err();
    assert_eq!(twice.refusal().unwrap().code, ErrorCode::DUPLICATE_VOTER);
    assert_eq!(admin.describe_quorum().await.unwrap().voters.len(), 2);

    let stranger = RaftVoter {
        id: TWO,
        directory: KafkaUuid::new("AAAAAAAAAAAAAAAAAAAAAQ"),
    };
    let refused = admin.remove_raft_voter(&cluster.id, &stranger).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().code, ErrorCode::VOTER_NOT_FOUND);
    eventually("one voter", async || {
        match admin.remove_raft_voter(&cluster.id, &voter).await {
            Ok(()) => Some(()),
            Err(error)
                if error
                    .refusal()
                    .is_some_and(msk::kafka::client::KafkaError::is_absent) =>
            {
                Some(())
            }
            Err(_) => None,
        }
    })
    .await;
    assert_eq!(admin.describe_quorum().await.unwrap().voters.len(), 1);
}

async fn handles_features(admin: &Admin, version: &str) {
    let features = admin.describe_features().await.unwrap();
    // `MetadataVersion.java`: the level of each line's last metadata version.
    let levels = [("3.9", 21), ("4.0", 25), ("4.1", 27), ("4.2", 29), ("4.3", 30)];
    let level = levels
        .iter()
        .find(|(line, _)| version.starts_with(line))
        .unwrap()
        .1;
    assert_eq!(features.metadata_version(), Some(level));
    assert_eq!(features.level("kraft.version"), Some(1));
    assert!(features.epoch.is_some());
    assert!(
        features
            .supported
            .iter()
            .any(|feature| feature.name == "metadata.version" && feature.last == level)
    );
    let change = |level, movement| FeatureChange {
        name: "metadata.version".to_owned(),
        level,
        movement,
    };
    let up = [change(99, FeatureMove::Upgrade)];
    assert!(
        admin
            .update_features(&up, Apply::ValidateOnly)
            .await
            .unwrap_err()
            .refusal()
            .is_some()
    );
    let down = [change(level - 1, FeatureMove::SafeDowngrade)];
    let down = admin.update_features(&down, Apply::ValidateOnly).await;
    assert_eq!(
        down.is_ok(),
        level != 30,
        "only 4.3-IV0 changed how metadata is written: {down:?}"
    );
}

async fn answers_on_the_controller_listener(cluster: &Cluster, version: &str) {
    let controller = cluster.controller_admin(1);
    let quorum = controller.describe_quorum().await.unwrap();
    assert_eq!(quorum.leader, Some(ONE));
    let seen = controller
        .describe_cluster(EndpointKind::Controllers)
        .await
        .unwrap();
    assert_eq!(seen.controller, Some(ONE), "{version}");
    assert_eq!(
        seen.nodes.iter().find(|node| node.id == ONE).unwrap().port,
        i32::from(cluster.controller_port(1))
    );
    let refused = controller.describe_topics(TopicSelection::All).await.unwrap_err();
    assert!(matches!(refused, Error::NotOffered { .. }), "{refused}");
}

async fn refuses_strangers(cluster: &Cluster) {
    let stranger = cluster
        .stranger_admin(1)
        .describe_cluster(EndpointKind::Brokers)
        .await
        .unwrap_err();
    assert!(matches!(stranger, Error::Tls { .. }), "{stranger:?}");
    assert_eq!(stranger.retry_class(), RetryClass::Never);
    let wrong_name = cluster
        .admin_expecting("10.9.8.7")
        .describe_cluster(EndpointKind::Brokers)
        .await
        .unwrap_err();
    assert!(matches!(wrong_name, Error::Tls { .. }), "{wrong_name:?}");
}

async fn takes_new_certificates(cluster: &Cluster, admin: &Admin) {
    admin.set_tls(cluster.renewed_tls());
    admin.describe_quorum().await.unwrap();
    admin.close().await;
    admin.describe_quorum().await.unwrap();
}

async fn forgets_a_broker(cluster: &mut Cluster, admin: &Admin) {
    let never = admin.unregister_broker(NodeId(77)).await.unwrap_err();
    assert!(never.refusal().unwrap().is_absent());
    cluster.kill(2);
    eventually("the second broker out of service", async || {
        let found = admin.describe_topics(TopicSelection::Names(&[])).await.unwrap();
        assert_eq!(found.topics, []);
        assert!(!found.nodes.is_empty());
        found.nodes.iter().all(|node| node.id != TWO).then_some(())
    })
    .await;
    let offline = admin
        .describe_topics(TopicSelection::Names(&[TopicName::new("placed")]))
        .await
        .unwrap();
    assert_eq!(offline.topics[0].1.as_ref().unwrap().partitions[0].offline, [TWO]);
    admin.unregister_broker(TWO).await.unwrap();
    eventually("one broker", async || {
        let seen = admin.describe_cluster(EndpointKind::Brokers).await.unwrap();
        seen.nodes.iter().all(|node| node.id != TWO).then_some(())
    })
    .await;
}

async fn survives_a_restart(cluster: &mut Cluster, admin: &Admin) {
    cluster.kill(1);
    let down = admin.describe_quorum().await.unwrap_err();
    assert_eq!(down.retry_class(), RetryClass::Retry, "{down:?}");
    cluster.run(1);
    eventually("the broker back", async || {
        admin.describe_topics(TopicSelection::All).await.ok()
    })
    .await;
}

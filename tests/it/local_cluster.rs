//! The engine for one machine with real agents and real Kafka. Needs Java 17 and Kafka's jars:
//! `MSK_TEST_KAFKA_DIRECTORY` names the folder that holds `kafka_2.13-4.3.1/libs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use msk::engine::Engine as _;
use msk::engine::access::{
    Access, ObjectCreate, ObjectDelete, ObjectDeletion, ObjectPlace, Topics, UNWRITTEN,
};
use msk::engine::cluster::{Clusters, CreateRequest, DeleteRequest, Deletion, Look};
use msk::engine::local::{LocalEngine, Settings};
use msk::engine::run::Limits;
use msk::kafka::versions::KafkaVersion;
use msk::spec::cluster::{
    AuthenticationSpec, ClusterSpec, DEFAULT_MAX_MESSAGE_BYTES, EncryptionSpec, LocalSpec, SizeSpec, Sources,
};
use msk::spec::ids::{ClaimId, ClusterName, TopicName};
use msk::store::documents::{Caller, Holder, ObjectClaim, Phase, TopicDesired, WrittenConfiguration};
use tokio_util::sync::CancellationToken;

struct Machine {
    clusters: Clusters<LocalEngine>,
    directory: tempfile::TempDir,
}

impl Machine {
    async fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("msk ü ").tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
        let kafka = std::env::var("MSK_TEST_KAFKA_DIRECTORY")
            .expect("set MSK_TEST_KAFKA_DIRECTORY to a folder that holds kafka_2.13-4.3.1/libs");
        let mut settings = Settings::new(root.join("data"));
        settings.kafka_directory = Some(kafka.into());
        settings.base_port = crate::support::ports::free_block();
        settings.agent_program = Some(env!("CARGO_BIN_EXE_msk-node").into());
        let engine = Arc::new(LocalEngine::new(settings));
        let store = engine.open_or_create().await.unwrap();
        Self {
            clusters: Clusters::new(engine, store),
            directory,
        }
    }
}

/// A cluster of one broker in each zone, as small as it can be.
pub(crate) fn wanted(name: &str, zones: &[&str]) -> ClusterSpec {
    ClusterSpec {
        name: ClusterName::new(name),
        kafka_version: KafkaVersion::DEFAULT,
        zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        brokers_per_zone: 1,
        encryption: EncryptionSpec::default(),
        authentication: AuthenticationSpec {
            scram: true,
            client_ca_pem: Vec::new(),
            unauthenticated: false,
        },
        configuration: None,
        max_message_bytes: DEFAULT_MAX_MESSAGE_BYTES,
        dedicated_controllers: false,
        controller_zones: BTreeSet::new(),
        client_sources: Sources::default(),
        monitoring_sources: Sources::default(),
        security_group_ids: BTreeSet::new(),
        size: SizeSpec::default(),
        deletion_protection: false,
        tags: BTreeMap::new(),
        local: LocalSpec {
            heap: "256m".to_owned(),
            ..LocalSpec::default()
        },
        aws: None,
    }
}

fn limits(seconds: u64) -> Limits {
    Limits::starting_now(Duration::from_secs(seconds), CancellationToken::new())
}

fn caller() -> Caller {
    Caller {
        working_directory: "/test".into(),
        workspace: "default".into(),
    }
}

fn topic(partitions: u32) -> TopicDesired {
    TopicDesired {
        claim: ObjectClaim {
            id: ClaimId::new(""),
            caller: caller(),
            holder: Holder {
                boot_id: "".into(),
                process_id: 0,
                process_start: 0,
                heartbeat_at: msk::clock::Timestamp::default(),
            },
            phase: Phase::Making,
        },
        generation: UNWRITTEN,
        topic_id: None,
        partitions,
        replication_factor: None,
        config: BTreeMap::new(),
        config_reset: BTreeSet::new(),
        deletion_protection: None,
        written: WrittenConfiguration::default(),
    }
}

async fn lives_and_goes(name: &str, zones: &[&str]) {
    let machine = Machine::new().await;
    let clusters = &machine.clusters;
    let request = CreateRequest {
        wanted: wanted(name, zones),
        written: serde_json::json!({ "name": name }),
        caller: caller(),
        limits: limits(120),
    };
    let began = Instant::now();
    let outcome = clusters.create(&request).await.unwrap();
    println!("create: {:?}, warnings {:?}", began.elapsed(), outcome.warnings);
    let failure = outcome.failure.map(|failure| format!("{failure:#?}"));
    if failure.is_some() {
        let kept = machine.directory.keep();
        panic!("{failure:?}; see {}", kept.display());
    }
    assert_eq!(outcome.record.phase, Phase::Made);

    let access = Access::new(clusters);
    let place = ObjectPlace::<Topics> {
        cluster: ClusterName::new(name),
        uid: Some(outcome.handle.uid.clone()),
        name: TopicName::new("orders"),
    };
    let create = || ObjectCreate {
        place: place.clone(),
        entry: topic(3),
        secret: None,
        caller: caller(),
        limits: limits(60),
    };
    let began = Instant::now();
    let made = access.create(create()).await.unwrap();
    println!("topic: {:?}", began.elapsed());
    assert!(made.failure.is_none(), "{:?}", made.failure);
    assert_eq!(made.seen.unwrap().partitions, 3);
    assert!(
        access.create(create()).await.is_err(),
        "a second address for one topic"
    );
    let delete = ObjectDelete {
        place,
        claim: made.claim,
        has_destroy_mark: true,
        limits: limits(60),
    };
    assert_eq!(access.delete(delete).await.unwrap(), ObjectDeletion::Removed);

    let second = clusters.create(&request).await;
    assert!(second.is_err(), "the name is taken");
    let began = Instant::now();
    let delete = DeleteRequest {
        handle: outcome.handle.clone(),
        has_destroy_mark: true,
        limits: limits(60),
    };
    assert_eq!(clusters.delete(&delete).await.unwrap(), Deletion::Removed);
    println!("destroy: {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(matches!(
        clusters.look(&outcome.handle).await.unwrap(),
        Look::Gone(_)
    ));
    assert!(clusters.engine().find_places().await.unwrap().is_empty());
    assert_eq!(clusters.delete(&delete).await.unwrap(), Deletion::AlreadyGone);
}

#[tokio::test]
async fn a_cluster_of_one_broker_is_made_serves_a_topic_and_leaves_nothing() {
    Box::pin(lives_and_goes("one", &["a"])).await;
}

#[tokio::test]
async fn a_cluster_of_three_brokers_is_made_serves_a_topic_and_leaves_nothing() {
    Box::pin(lives_and_goes("three", &["a", "b", "c"])).await;
}

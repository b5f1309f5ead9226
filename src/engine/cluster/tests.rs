//! The rules of claims with a store in a directory and a stand-in for the machines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{ClusterError, Clusters, CreateRequest, DeleteRequest, Deletion, Look};
use crate::engine::run::{Limits, Progress};
use crate::engine::{BoxError, ClusterPlace, Engine, Order, Sight};
use crate::kafka::versions::KafkaVersion;
use crate::observed::Seen;
use crate::planner::step::Step;
use crate::spec::cluster::{
    AuthenticationSpec, ClusterSpec, DEFAULT_MAX_MESSAGE_BYTES, EncryptionSpec, LocalSpec, SizeSpec, Sources,
};
use crate::spec::ids::{ClusterName, NodeId, StoreId};
use crate::store::Store;
use crate::store::documents::{Caller, ClusterDesired, ClusterIdentity, ClusterPlaces, NodeStatus, Phase};
use crate::store::identity::Home;

/// A machine on which nothing can be made.
#[derive(Debug)]
struct NoMachine;

impl Engine for NoMachine {
    async fn check_host(&self, _: &ClusterSpec, _: &[Step]) -> Result<(), BoxError> {
        Ok(())
    }
    async fn fetch_kafka(&self, _: &Store, _: KafkaVersion, _: &Progress) -> Result<(), BoxError> {
        Err("no Kafka here".into())
    }
    async fn draw_identity(
        &self,
        _: &Store,
        _: &ClusterPlace,
        _: &ClusterSpec,
    ) -> Result<ClusterIdentity, BoxError> {
        std::future::pending().await
    }
    async fn make_places(&self, _: Order<'_>, _: &Progress) -> Result<(), BoxError> {
        Ok(())
    }
    async fn align_network(&self, _: Order<'_>) -> Result<(), BoxError> {
        Ok(())
    }
    fn arguments(&self) -> String {
        "--data-directory D".to_owned()
    }
    async fn align_objects(&self, _: Order<'_>, _: &Progress) -> Result<(), BoxError> {
        Ok(())
    }
    async fn replace_volume(&self, _: Order<'_>, _: NodeId, _: &Progress) -> Result<(), BoxError> {
        Ok(())
    }

    async fn change_volume(&self, _: Order<'_>, _: NodeId, _: &Progress) -> Result<(), BoxError> {
        Ok(())
    }
    async fn observe(
        &self,
        _: &Store,
        _: &ClusterPlace,
        _: Option<&ClusterDesired>,
        _: Option<&ClusterPlaces>,
    ) -> Result<Sight, BoxError> {
        Ok(Sight {
            nodes: BTreeMap::new(),
            security_group: Seen::Absent,
        })
    }
    fn is_current(&self, _: &NodeStatus) -> bool {
        false
    }
    async fn start_node(&self, _: Order<'_>, _: NodeId, _: &Progress) -> Result<(), BoxError> {
        Err("no node here".into())
    }
    fn last_words(&self, _: &ClusterPlace, _: NodeId) -> String {
        String::new()
    }
    async fn remove_node(
        &self,
        _: &Store,
        _: &ClusterPlace,
        _: NodeId,
        _: &Progress,
    ) -> Result<(), BoxError> {
        Ok(())
    }
    async fn remove_cluster(&self, _: &Store, _: &ClusterPlace) -> Result<(), BoxError> {
        Ok(())
    }
    async fn find_places(&self) -> Result<Vec<ClusterPlace>, BoxError> {
        Ok(Vec::new())
    }
    async fn leftovers(&self, _: &ClusterPlace) -> Result<Vec<String>, BoxError> {
        Ok(Vec::new())
    }
}

fn wanted() -> ClusterSpec {
    ClusterSpec {
        name: ClusterName::new("events"),
        kafka_version: KafkaVersion::DEFAULT,
        zones: BTreeSet::from(["a".to_owned()]),
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
        deletion_protection: true,
        tags: BTreeMap::new(),
        local: LocalSpec::default(),
        aws: None,
    }
}

fn limits() -> Limits {
    Limits::starting_now(Duration::from_secs(20), CancellationToken::new())
}

fn request(directory: &str) -> CreateRequest {
    CreateRequest {
        wanted: wanted(),
        written: serde_json::json!({ "name": "events" }),
        caller: Caller {
            working_directory: directory.into(),
            workspace: "default".into(),
        },
        limits: limits(),
    }
}

async fn store() -> (tempfile::TempDir, Store) {
    let keep = tempfile::tempdir().unwrap();
    let root = camino::Utf8PathBuf::from_path_buf(keep.path().join("store")).unwrap();
    let store = Store::open_or_create(&Home::Directory(root)).await.unwrap();
    (keep, store)
}

/// Each one is a process of its own as far as the memory of a walk goes.
fn walk(store: &Store) -> Clusters<NoMachine> {
    Clusters::new(Arc::new(NoMachine), store.clone())
}

#[tokio::test]
async fn a_failed_create_is_held_by_its_state_taken_over_by_another_and_destroyed_by_its_holder() {
    let (_keep, store) = store().await;
    let first = walk(&store).create(&request("/a")).await.unwrap();
    assert!(first.failure.is_some());
    assert_eq!(first.record.phase, Phase::Making);
    assert!(first.record.claim.holder.is_none(), "nobody works on it any more");
    // Another directory carries on with it: the first state's claim is void from then on.
    let second = walk(&store).create(&request("/b")).await.unwrap();
    assert_eq!(second.handle.uid, first.handle.uid);
    assert_ne!(second.handle.claim, first.handle.claim);
    let delete = |handle, has_destroy_mark| DeleteRequest {
        handle,
        has_destroy_mark,
        limits: limits(),
    };
    let stale = walk(&store).delete(&delete(first.handle, true)).await.unwrap();
    assert!(matches!(stale, Deletion::NotOurs(_)), "{stale:?}");
    // The half of a replacement leaves the parts; the destroy takes them, protected or not.
    let clusters = walk(&store);
    let half = clusters
        .delete(&delete(second.handle.clone(), false))
        .await
        .unwrap();
    assert_eq!(half, Deletion::HandedOver);
    let whole = clusters
        .delete(&delete(second.handle.clone(), true))
        .await
        .unwrap();
    assert_eq!(whole, Deletion::Removed);
    assert!(matches!(
        clusters.look(&second.handle).await.unwrap(),
        Look::Gone(_)
    ));
    let again = clusters.delete(&delete(second.handle, true)).await.unwrap();
    assert_eq!(again, Deletion::AlreadyGone);
}

#[tokio::test]
async fn another_address_of_the_same_walk_takes_nothing_over() {
    let (_keep, store) = store().await;
    let clusters = walk(&store);
    clusters.create(&request("/a")).await.unwrap();
    let second = clusters.create(&request("/a")).await.unwrap_err();
    assert!(matches!(second, ClusterError::Exists { .. }), "{second}");
    assert!(second.to_string().contains("import {"), "{second}");
}

#[tokio::test]
async fn another_store_or_a_missing_record_is_an_error_and_never_gone() {
    let (_keep, store) = store().await;
    let clusters = walk(&store);
    let mut handle = clusters.create(&request("/a")).await.unwrap().handle;
    let key = crate::store::documents::keys::cluster_record(&handle.name).unwrap();
    store.delete(&key).await.unwrap();
    let missing = clusters.look(&handle).await.unwrap_err();
    assert!(matches!(missing, ClusterError::RecordMissing { .. }), "{missing}");
    handle.store = StoreId::new("f".repeat(32));
    let other = clusters.look(&handle).await.unwrap_err();
    assert!(matches!(other, ClusterError::AnotherStore { .. }), "{other}");
}

//! Looks at a cluster: its documents, what its nodes say, and what the engine sees of them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::engine::{ClusterPlace, Engine, NodePlace};
use crate::observed::{ObservedCluster, ObservedNode, Seen};
use crate::spec::ids::{ClusterUid, NodeId};
use crate::store::documents::keys::{self, PerNode, Single};
use crate::store::documents::{
    ClusterDesired, ClusterIdentity, ClusterPlaces, ClusterRecord, NodeStatus, PropertiesStatus,
    TopicsDesired, TopicsStatus,
};
use crate::store::{Document, DocumentError, Documents, Store, Versioned};

use super::error::StepError;

/// A status is believed for this many heartbeats.
const HEARTBEATS: u32 = 3;
/// No node of ours says that it reports less often.
const LONGEST_HEARTBEAT_SECONDS: u32 = 60;
/// More status documents than any cluster of ours has.
const MAX_STATUSES: usize = 2_000;

/// Whether a status counts: current incarnation, younger than three heartbeats by the store's clock.
pub(in crate::engine) fn is_fresh<E: Engine>(
    engine: &E,
    status: &NodeStatus,
    modified_at: Timestamp,
    now: Timestamp,
) -> bool {
    let heartbeat = Duration::from_secs(
        status
            .heartbeat_seconds
            .clamp(1, LONGEST_HEARTBEAT_SECONDS)
            .into(),
    );
    now.since(modified_at) < heartbeat * HEARTBEATS && engine.is_current(status)
}

/// Looks at everything of a cluster.
pub(super) async fn observe<E: Engine>(
    engine: &E,
    store: &Store,
    record: &ClusterRecord,
) -> Result<ObservedCluster, StepError> {
    let mut observed = observe_documents(store, record).await?;
    let place = ClusterPlace {
        name: record.name.clone(),
        uid: record.uid.clone(),
    };
    let desired = observed.desired.known().map(|(_, desired)| desired);
    let sight = engine
        .observe(store, &place, desired, observed.places.known())
        .await
        .map_err(StepError::Engine)?;
    observed.security_group = sight.security_group;
    let mut nodes = BTreeMap::new();
    for (node, place) in sight.nodes {
        nodes.insert(node, observe_node(engine, store, &record.uid, node, place).await?);
    }
    observed.nodes = nodes;
    observed.properties = observe_properties(store, &record.uid, observed.nodes.keys()).await?;
    Ok(observed)
}

/// Looks at what the store alone says; the nodes are left out.
pub(super) async fn observe_documents(
    store: &Store,
    record: &ClusterRecord,
) -> Result<ObservedCluster, StepError> {
    let documents = Documents::of_cluster(store, &record.uid);
    let identity = documents
        .read::<ClusterIdentity>(&keys::single(&record.uid, Single::Identity)?)
        .await?;
    let desired = documents
        .read::<ClusterDesired>(&keys::single(&record.uid, Single::Cluster)?)
        .await?;
    let places = documents
        .read::<ClusterPlaces>(&keys::single(&record.uid, Single::Places)?)
        .await?;
    Ok(ObservedCluster {
        observed_at: store.now().await.map_err(DocumentError::from)?,
        uid: record.uid.clone(),
        phase: record.phase,
        was_active: record.first_active_at.is_some(),
        identity: identity.map_or(Seen::Absent, |read| Seen::Known(read.body)),
        desired: desired.map_or(Seen::Absent, |read| Seen::Known((read.generation, read.body))),
        nodes: BTreeMap::new(),
        properties: Seen::Uncertain,
        places: places.map_or(Seen::Absent, |read| Seen::Known(read.body)),
        security_group: Seen::Absent,
    })
}

async fn observe_node<E: Engine>(
    engine: &E,
    store: &Store,
    uid: &ClusterUid,
    node: NodeId,
    place: NodePlace,
) -> Result<ObservedNode, StepError> {
    let read = read_status::<NodeStatus>(store, uid, node, PerNode::Node).await?;
    let now = store.now().await.map_err(DocumentError::from)?;
    let status_is_fresh = read
        .as_ref()
        .is_some_and(|read| is_fresh(engine, &read.body, read.modified_at, now));
    Ok(ObservedNode {
        disk: place.disk,
        agent: place.agent,
        kafka: place.kafka,
        status: read.map(|read| read.body),
        status_is_fresh,
        machine: place.machine,
    })
}

/// The dynamic cluster defaults by the newest word of any node.
async fn observe_properties(
    store: &Store,
    uid: &ClusterUid,
    nodes: impl Iterator<Item = &NodeId>,
) -> Result<Seen<PropertiesStatus>, StepError> {
    let mut newest: Option<PropertiesStatus> = None;
    for node in nodes {
        if let Some(read) = read_status::<PropertiesStatus>(store, uid, *node, PerNode::Properties).await?
            && newest
                .as_ref()
                .is_none_or(|newest| newest.observed_at < read.body.observed_at)
        {
            newest = Some(read.body);
        }
    }
    Ok(newest.map_or(Seen::Uncertain, Seen::Known))
}

/// Reads what an agent wrote. What cannot be read is as good as not said: the agent writes it anew.
pub(in crate::engine) async fn read_status<T: Document>(
    store: &Store,
    uid: &ClusterUid,
    node: NodeId,
    which: PerNode,
) -> Result<Option<Versioned<T>>, StepError> {
    let key = keys::per_node(uid, node, which)?;
    match Documents::of_cluster(store, uid).read(&key).await {
        Ok(read) => Ok(read),
        Err(error @ DocumentError::Store(_)) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "a status is not believed");
            Ok(None)
        }
    }
}

/// The nodes that have written any status.
pub(in crate::engine) async fn reporting_nodes(
    store: &Store,
    uid: &ClusterUid,
) -> Result<Vec<NodeId>, StepError> {
    let folder = keys::status_folder(uid)?;
    let listed = store
        .list_all(&folder, MAX_STATUSES)
        .await
        .map_err(DocumentError::from)?;
    let mut nodes: Vec<NodeId> = listed
        .iter()
        .filter_map(|key| {
            let rest = key.as_str().strip_prefix(folder.as_str())?;
            rest.split('/').next()?.parse().ok().map(NodeId)
        })
        .collect();
    nodes.sort_unstable();
    nodes.dedup();
    Ok(nodes)
}

/// Whether somebody's topic is on the cluster: then it is live, whatever the record says.
pub(super) async fn has_user_topics(store: &Store, uid: &ClusterUid) -> Result<bool, StepError> {
    let documents = Documents::of_cluster(store, uid);
    let desired = documents
        .read::<TopicsDesired>(&keys::single(uid, Single::Topics)?)
        .await?;
    if desired.is_some_and(|read| !read.body.keep.is_empty()) {
        return Ok(true);
    }
    for node in reporting_nodes(store, uid).await? {
        let status = read_status::<TopicsStatus>(store, uid, node, PerNode::Topics).await?;
        if status.is_some_and(|read| !read.body.topics.is_empty()) {
            return Ok(true);
        }
    }
    Ok(false)
}

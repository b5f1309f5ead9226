//! Topics, ACLs and users: written into the desired documents, applied by the agents, answered by status.
//!
//! One write carries whatever many concurrent calls want to change (`writer`), and one reader of the
//! status documents answers all of them by generation (`follower`). The rules of claims are those of
//! clusters, per entry (`operations`).

/// Why an operation failed, with the way out.
pub mod error;

/// Topics, ACLs and users as one.
pub mod kind;

/// The files that hold passwords, and their keyed fingerprints.
pub mod secrets;

mod adopt;
mod follower;
mod operations;
mod records;
mod rules;
mod wait;
mod writer;

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use adopt::unclaimed;
pub use error::AccessError;
pub use follower::Snapshot;
pub use kind::{Acls, Kind, Topics, Users};
pub use secrets::{SecretsHome, StagedSecret};

use follower::Follower;
use records::Records;
use writer::Writer;

use super::Engine;
use super::cluster::Walk;
use super::run::Limits;
use crate::spec::ids::{ClaimId, ClusterName, ClusterUid, Generation};
use crate::store::Store;
use crate::store::documents::Caller;

/// The topics, ACLs and users of the clusters of one control store. Keep one for the life of the process.
#[derive(Debug)]
pub struct Access<E> {
    engine: Arc<E>,
    store: Store,
    walk: Walk,
    records: Records,
    /// One [`Lane`] per cluster and kind.
    lanes: Mutex<BTreeMap<(ClusterUid, &'static str), AnyLane>>,
}

/// A [`Lane`] of any kind.
type AnyLane = Arc<dyn Any + Send + Sync>;

/// The writer and the reader of one kind on one cluster.
#[derive(Debug)]
struct Lane<K: Kind> {
    writer: Arc<Writer<K>>,
    follower: Arc<Follower<K>>,
}

/// Which object of which cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPlace<K: Kind> {
    /// The cluster's name.
    pub cluster: ClusterName,
    /// The cluster's identity, from private state; `None` in a create.
    pub uid: Option<ClusterUid>,
    /// The object.
    pub name: K::Name,
}

/// What a create or an update left. With a `failure` Terraform gets state *and* error.
#[derive(Debug)]
pub struct ObjectOutcome<K: Kind> {
    /// The cluster's identity, for private state.
    pub uid: ClusterUid,
    /// The claim, for private state.
    pub claim: ClaimId,
    /// The entry as it stands in the desired document.
    pub entry: K::Entry,
    /// The object as an agent saw it after the change.
    pub seen: Option<K::Seen>,
    /// Why it is not as wanted.
    pub failure: Option<AccessError>,
}

/// What became of a delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectDeletion {
    /// It is gone.
    Removed,
    /// It was gone before.
    AlreadyGone,
    /// No broker can serve: the order to delete it is written, and this sentence says so.
    Ordered(String),
    /// An unfinished object stays for the create that follows.
    HandedOver,
    /// Another create holds it: nothing was done; the sentence says so.
    NotOurs(String),
}

/// What a refresh, an import or a data source finds.
#[derive(Debug, Clone)]
pub struct ObjectReading<K: Kind> {
    /// The cluster's identity.
    pub uid: ClusterUid,
    /// The entry, if Terraform keeps the object.
    pub entry: Option<K::Entry>,
    /// The object as an agent saw it.
    pub seen: Option<K::Seen>,
    /// Whether `seen` can be believed: young enough, and newer than the last change of the entry. If not,
    /// the prior state is kept; nothing is planned on such a ground.
    pub is_certain: bool,
    /// How old the word of the agents is, for the warning; `None` if there is none.
    pub age: Option<std::time::Duration>,
    /// Why the last change of the entry was not applied, if it was not.
    pub failure: Option<(String, String)>,
}

/// A create.
#[derive(Debug)]
pub struct ObjectCreate<K: Kind> {
    /// Which object.
    pub place: ObjectPlace<K>,
    /// The entry as wanted; claim and generation are filled in.
    pub entry: K::Entry,
    /// The secret that the entry refers to, if it is a new one.
    pub secret: Option<StagedSecret>,
    /// Where Terraform was started.
    pub caller: Caller,
    /// When to give up.
    pub limits: Limits,
}

/// An update.
#[derive(Debug)]
pub struct ObjectUpdate<K: Kind> {
    /// Which object.
    pub place: ObjectPlace<K>,
    /// The claim in private state.
    pub claim: ClaimId,
    /// The entry as wanted; claim and generation are filled in.
    pub entry: K::Entry,
    /// The secret that the entry refers to, if it is a new one.
    pub secret: Option<StagedSecret>,
    /// When to give up.
    pub limits: Limits,
}

/// A delete.
#[derive(Debug, Clone)]
pub struct ObjectDelete<K: Kind> {
    /// Which object.
    pub place: ObjectPlace<K>,
    /// The claim in private state.
    pub claim: ClaimId,
    /// Whether the plan was a destroy plan and not the half of a replacement.
    pub has_destroy_mark: bool,
    /// When to give up.
    pub limits: Limits,
}

impl<E: Engine> Access<E> {
    /// For the clusters of `clusters`, which share the memory of this walk.
    pub fn new(clusters: &super::cluster::Clusters<E>) -> Self {
        Self {
            engine: Arc::clone(clusters.engine()),
            store: clusters.store().clone(),
            walk: clusters.walk().clone(),
            records: Records::new(clusters.store()),
            lanes: Mutex::new(BTreeMap::new()),
        }
    }

    fn lane<K: Kind>(&self, uid: &ClusterUid) -> Result<Arc<Lane<K>>, AccessError> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lanes.get(&(uid.clone(), K::WORD)).map(Arc::clone);
        if let Some(lane) = known {
            return lane.downcast().map_err(|_| AccessError::Internal {
                what: "two kinds of objects with one word",
            });
        }
        let lane = Arc::new(Lane::<K> {
            writer: Arc::new(Writer::new(&self.store, uid)?),
            follower: Arc::new(Follower::new(&self.store, uid)),
        });
        lanes.insert((uid.clone(), K::WORD), Arc::<Lane<K>>::clone(&lane));
        Ok(lane)
    }
}

/// Within this time refreshes are answered from memory: a thousand of them are one read.
const REMEMBER: Duration = Duration::from_millis(500);

/// The entry of a create or an update, before claim and generation are known.
pub const UNWRITTEN: Generation = Generation(0);

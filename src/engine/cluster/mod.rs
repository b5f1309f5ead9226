//! The operations on one cluster: create, look, change, delete.
//!
//! Every operation reads the record first and judges by its claim (`claim`), works under a heartbeat
//! (`record`), and lets the planner say what to do until nothing is left to do (`converge`).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::Engine;
use crate::engine::run::Limits;
use crate::observed::ObservedCluster;
use crate::planner::step::Step;
use crate::spec::cluster::ClusterSpec;
use crate::spec::ids::{ClaimId, ClusterName};
use crate::store::documents::{Caller, ClusterRecord, Tombstone};
use crate::store::{Documents, Store, Versioned};

/// Who may create, take over and delete.
pub mod claim;

/// Why an operation on a cluster failed, with the way out.
pub mod error;

/// Looks at a cluster.
pub(in crate::engine) mod observe;

/// What people list and discard on the command line.
pub mod inventory;

mod converge;
mod create;
mod delete;
mod look;
mod perform;
mod record;
mod update;

pub use claim::ClusterHandle;
pub(crate) use create::terraform_label;
pub use error::{ClusterError, StepError};

/// The clusters of one control store.
#[derive(Debug)]
pub struct Clusters<E> {
    engine: Arc<E>,
    store: Store,
    walk: Walk,
}

/// The claims that addresses of this walk have shown or made: an address never takes over another's.
#[derive(Debug, Clone, Default)]
pub(super) struct Walk(Arc<Mutex<BTreeSet<ClaimId>>>);

impl Walk {
    pub(super) fn note(&self, claim: &ClaimId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(claim.clone());
    }

    /// The address gives the claim up: the create that follows may take over.
    pub(super) fn forget(&self, claim: &ClaimId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(claim);
    }

    pub(super) fn knows(&self, claim: &ClaimId) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(claim)
    }
}

/// A create.
#[derive(Debug, Clone)]
pub struct CreateRequest {
    /// What is wanted.
    pub wanted: ClusterSpec,
    /// The configuration as the user wrote it, for import and for equality.
    pub written: serde_json::Value,
    /// Where Terraform was started.
    pub caller: Caller,
    /// When to give up.
    pub limits: Limits,
}

/// A change of a cluster that a state holds; also what mends it.
#[derive(Debug, Clone)]
pub struct UpdateRequest {
    /// From private state.
    pub handle: ClusterHandle,
    /// What is wanted.
    pub wanted: ClusterSpec,
    /// The configuration as the user wrote it.
    pub written: serde_json::Value,
    /// The steps that Terraform's plan showed; `None`: they could not be known then.
    pub planned: Option<Vec<Step>>,
    /// When to give up.
    pub limits: Limits,
}

/// A delete.
#[derive(Debug, Clone)]
pub struct DeleteRequest {
    /// From private state.
    pub handle: ClusterHandle,
    /// Whether the plan was a destroy plan and not the half of a replacement.
    pub has_destroy_mark: bool,
    /// When to give up.
    pub limits: Limits,
}

/// What a create or an update left. With a `failure` Terraform gets state *and* error.
#[derive(Debug)]
pub struct Outcome {
    /// For private state.
    pub handle: ClusterHandle,
    /// The record as it stands.
    pub record: ClusterRecord,
    /// The cluster as it was seen last; `None` if it could not be looked at.
    pub observed: Option<ObservedCluster>,
    /// Why it is not finished.
    pub failure: Option<ClusterError>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// What became of a delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// Everything is gone.
    Removed,
    /// It was gone before.
    AlreadyGone,
    /// The parts stay for the create that follows.
    HandedOver,
    /// Another create holds it: nothing was done; the sentence says so.
    NotOurs(String),
}

/// What a refresh finds.
#[derive(Debug)]
pub enum Look {
    /// It is there.
    Found(Box<Found>),
    /// It was deleted on purpose.
    Gone(Tombstone),
}

/// A cluster that is there.
#[derive(Debug, Clone)]
pub struct Found {
    /// What private state has to keep; of an import: the record's own claim.
    pub handle: ClusterHandle,
    /// The record.
    pub record: ClusterRecord,
    /// The cluster.
    pub observed: ObservedCluster,
    /// Whether the claim in private state is still the record's.
    pub is_ours: bool,
}

impl<E: Engine> Clusters<E> {
    /// The clusters of a store, made by an engine. Keep one for the life of the process: it remembers
    /// which claims the addresses of this walk have shown.
    pub fn new(engine: Arc<E>, store: Store) -> Self {
        Self {
            engine,
            store,
            walk: Walk::default(),
        }
    }

    /// The engine.
    pub const fn engine(&self) -> &Arc<E> {
        &self.engine
    }

    /// The store.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Notes that an address of this walk holds a cluster, so that no create takes it over.
    pub fn present(&self, handle: &ClusterHandle) {
        self.walk.note(&handle.claim);
    }

    /// The memory of this walk, shared with topics, ACLs and users.
    pub(super) const fn walk(&self) -> &Walk {
        &self.walk
    }

    async fn read_record(
        &self,
        name: &ClusterName,
    ) -> Result<Option<Versioned<ClusterRecord>>, ClusterError> {
        let key = crate::store::documents::keys::cluster_record(name)?;
        Ok(Documents::of_store(&self.store).read(&key).await?)
    }

    fn handle_of(&self, record: &ClusterRecord) -> ClusterHandle {
        ClusterHandle {
            store: self.store.id().clone(),
            name: record.name.clone(),
            uid: record.uid.clone(),
            claim: record.claim.id.clone(),
        }
    }
}

#[cfg(test)]
mod tests;

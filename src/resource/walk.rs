//! What the provider remembers from one call to the next within one walk of Terraform.
//!
//! Terraform plans resources one by one, in the order of their references. A cluster that refers to
//! the next revision of a configuration can show what that change does only if the provider still
//! knows what it planned for the configuration a moment ago. Nothing here is needed for a right
//! answer: what is not found is read from the store, or unknown until apply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::spec::ids::ClaimId;
use crate::tfplugin::Private;

/// One revision of a configuration, as planned or as read in this walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRevision {
    /// The Kafka versions that it may be used with; empty: all.
    pub kafka_versions: BTreeSet<String>,
    /// The broker properties.
    pub server_properties: BTreeMap<String, String>,
}

/// What others need to know of a cluster, as planned or as read in this walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCluster {
    /// The version of Kafka.
    pub kafka_version: String,
    /// How many brokers there are.
    pub brokers: u32,
    /// Whether it is protected from deletion.
    pub deletion_protection: bool,
}

/// The memory of one provider process.
#[derive(Debug, Default)]
pub struct Walk {
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    revisions: BTreeMap<(String, u64), KnownRevision>,
    clusters: BTreeMap<String, KnownCluster>,
    configurations: BTreeMap<String, Option<String>>,
    held: BTreeMap<String, Private>,
    presented: BTreeMap<ClaimId, String>,
}

impl Walk {
    /// Remembers a revision of a configuration.
    pub fn remember_revision(&self, id: &str, revision: u64, known: KnownRevision) {
        self.with(|memory| memory.revisions.insert((id.to_owned(), revision), known));
    }

    /// A revision of a configuration, if this walk has met it.
    pub fn revision(&self, id: &str, revision: u64) -> Option<KnownRevision> {
        self.with(|memory| memory.revisions.get(&(id.to_owned(), revision)).cloned())
    }

    /// Remembers a cluster as it will be, or is.
    pub fn remember_cluster(&self, id: &str, known: KnownCluster) {
        self.with(|memory| memory.clusters.insert(id.to_owned(), known));
    }

    /// A cluster, if this walk has met it.
    pub fn cluster(&self, id: &str) -> Option<KnownCluster> {
        self.with(|memory| memory.clusters.get(id).cloned())
    }

    /// Remembers which configuration a cluster is planned to use; `None`: none, or the cluster goes.
    pub fn plan_configuration(&self, cluster: &str, configuration: Option<String>) {
        self.with(|memory| memory.configurations.insert(cluster.to_owned(), configuration));
    }

    /// Whether this process has planned a cluster to use a configuration; `None`: it has not planned it.
    pub fn plans_to_use(&self, cluster: &str, configuration: &str) -> Option<bool> {
        self.with(|memory| {
            let planned = memory.configurations.get(cluster)?;
            Some(planned.as_deref() == Some(configuration))
        })
    }

    /// Keeps the private state of an object that a state of this walk holds.
    ///
    /// Terraform plans a tainted object like a new one and shows neither state nor private state of the
    /// old; but the private part of that plan is all that the delete of the old one gets.
    pub fn hold(&self, object: &str, private: &Private) {
        self.with(|memory| memory.held.insert(object.to_owned(), private.clone()));
    }

    /// The private state of an object that a state of this walk holds: a create of the same is then half
    /// of a replacement.
    pub fn held(&self, object: &str) -> Option<Private> {
        self.with(|memory| memory.held.get(object).cloned())
    }

    /// Notes that the state of some address showed this claim for this object (`kind id`).
    pub fn present(&self, claim: &ClaimId, object: &str) {
        self.with(|memory| memory.presented.insert(claim.clone(), object.to_owned()));
    }

    /// Whether the state of some address showed this claim.
    pub fn was_presented(&self, claim: &ClaimId) -> bool {
        self.with(|memory| memory.presented.contains_key(claim))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> T {
        work(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

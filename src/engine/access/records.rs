//! The records of the clusters that objects are on, in memory: two thousand refreshes are not as many reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::REMEMBER;
use super::error::AccessError;
use crate::engine::cluster::terraform_label;
use crate::spec::ids::ClusterName;
use crate::store::documents::{ClusterRecord, keys};
use crate::store::{Documents, Store, Versioned};

/// A record with its version.
pub(super) type Record = Arc<Versioned<ClusterRecord>>;

/// The records that were read, and when each last was compared with the store.
type Known = BTreeMap<ClusterName, (Instant, Record)>;

/// The records that were read.
#[derive(Debug)]
pub(super) struct Records {
    documents: Documents,
    known: Mutex<Known>,
}

impl Records {
    pub(super) fn new(store: &Store) -> Self {
        Self {
            documents: Documents::of_store(store),
            known: Mutex::new(BTreeMap::new()),
        }
    }

    /// The record as it is in the store.
    pub(super) async fn read(&self, name: &ClusterName) -> Result<Record, AccessError> {
        let known = self.known(name).map(|(_, record)| record);
        let compared = Instant::now();
        let read = self
            .documents
            .remember(&keys::cluster_record(name)?, known)
            .await?;
        let record = read.ok_or_else(|| AccessError::NoCluster {
            name: name.clone(),
            label: terraform_label(name.as_str()),
        })?;
        self.lock().insert(name.clone(), (compared, Arc::clone(&record)));
        Ok(record)
    }

    /// The record, at most half a second old.
    pub(super) async fn recent(&self, name: &ClusterName) -> Result<Record, AccessError> {
        match self.known(name) {
            Some((compared, record)) if compared.elapsed() < REMEMBER => Ok(record),
            _ => self.read(name).await,
        }
    }

    fn known(&self, name: &ClusterName) -> Option<(Instant, Record)> {
        self.lock().get(name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

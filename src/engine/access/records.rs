//! The records of the clusters that objects are on, in memory: two thousand refreshes are not as many reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::REMEMBER;
use super::error::AccessError;
use crate::engine::cluster::terraform_label;
use crate::spec::ids::ClusterName;
use crate::store::documents::{ClusterRecord, keys};
use crate::store::{Documents, Look, Store, Version};

/// One record, and when it last was compared with the store.
#[derive(Debug, Clone)]
struct Known {
    compared: Instant,
    version: Version,
    record: Arc<ClusterRecord>,
}

/// The records that were read.
#[derive(Debug)]
pub(super) struct Records {
    documents: Documents,
    known: Mutex<BTreeMap<ClusterName, Known>>,
}

impl Records {
    pub(super) fn new(store: &Store) -> Self {
        Self {
            documents: Documents::of_store(store),
            known: Mutex::new(BTreeMap::new()),
        }
    }

    /// The record as it is in the store.
    pub(super) async fn read(&self, name: &ClusterName) -> Result<Arc<ClusterRecord>, AccessError> {
        let known = self.known(name);
        let version = known.as_ref().map(|known| &known.version);
        let compared = Instant::now();
        let look = self
            .documents
            .look::<ClusterRecord>(&keys::cluster_record(name)?, version)
            .await?;
        let known = match (look, known) {
            (Look::Changed(read), _) => Known {
                compared,
                version: read.version,
                record: Arc::new(read.body),
            },
            (Look::Unchanged, Some(known)) => Known { compared, ..known },
            (Look::Absent | Look::Unchanged, _) => {
                return Err(AccessError::NoCluster {
                    name: name.clone(),
                    label: terraform_label(name.as_str()),
                });
            }
        };
        let record = Arc::clone(&known.record);
        self.lock().insert(name.clone(), known);
        Ok(record)
    }

    /// The record, at most half a second old.
    pub(super) async fn recent(&self, name: &ClusterName) -> Result<Arc<ClusterRecord>, AccessError> {
        match self.known(name) {
            Some(known) if known.compared.elapsed() < REMEMBER => Ok(known.record),
            _ => self.read(name).await,
        }
    }

    fn known(&self, name: &ClusterName) -> Option<Known> {
        self.lock().get(name).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ClusterName, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

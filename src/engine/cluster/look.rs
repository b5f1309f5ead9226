//! Look: what a refresh and an import see. Writes nothing.

use super::error::ClusterError;
use super::observe::observe;
use super::{ClusterHandle, Clusters, Found, Look};
use crate::engine::{ClusterPlace, Engine};
use crate::spec::ids::{ClusterName, ClusterUid};
use crate::store::Documents;
use crate::store::documents::{Tombstone, keys};

impl<E: Engine> Clusters<E> {
    /// Looks at the cluster that private state names.
    ///
    /// *Guarantees*: "gone" only on the tombstone of this very cluster, with nothing of it left.
    ///
    /// # Errors
    /// [`ClusterError`]: another store, a missing record, parts that are still there, a broken document.
    pub async fn look(&self, handle: &ClusterHandle) -> Result<Look, ClusterError> {
        self.check_store(handle)?;
        self.walk.note(&handle.claim);
        let read = self.read_record(&handle.name).await?;
        match read {
            Some(read) if read.body.uid == handle.uid => {
                let record = read.body;
                let observed = observe(self.engine.as_ref(), &self.store, &record).await?;
                Ok(Look::Found(Box::new(Found {
                    is_ours: record.claim.id == handle.claim,
                    handle: handle.clone(),
                    record,
                    observed,
                })))
            }
            other => match self.tombstone(&handle.uid).await? {
                Some(tombstone) => self.gone(tombstone).await,
                None => match other {
                    Some(other) => Err(ClusterError::OtherCluster {
                        name: handle.name.clone(),
                        expected: handle.uid.clone(),
                        found: other.body.uid,
                    }),
                    None => Err(self.missing(handle).await?),
                },
            },
        }
    }

    /// Looks for a cluster by its name: for import and the data source.
    ///
    /// # Errors
    /// [`ClusterError`] if a document cannot be read.
    pub async fn find(&self, name: &ClusterName) -> Result<Option<Found>, ClusterError> {
        let Some(read) = self.read_record(name).await? else {
            return Ok(None);
        };
        let record = read.body;
        let observed = observe(self.engine.as_ref(), &self.store, &record).await?;
        Ok(Some(Found {
            handle: self.handle_of(&record),
            record,
            observed,
            is_ours: true,
        }))
    }

    pub(super) fn check_store(&self, handle: &ClusterHandle) -> Result<(), ClusterError> {
        if *self.store.id() == handle.store {
            return Ok(());
        }
        Err(ClusterError::AnotherStore {
            name: handle.name.clone(),
            expected: handle.store.clone(),
            found: self.store.id().clone(),
        })
    }

    pub(super) async fn tombstone(&self, uid: &ClusterUid) -> Result<Option<Tombstone>, ClusterError> {
        let documents = Documents::of_store(&self.store);
        let read = documents.read::<Tombstone>(&keys::tombstone(uid)?).await?;
        Ok(read.map(|read| read.body))
    }

    async fn gone(&self, tombstone: Tombstone) -> Result<Look, ClusterError> {
        let left = self
            .left(&ClusterPlace {
                name: tombstone.name.clone(),
                uid: tombstone.uid.clone(),
            })
            .await?;
        if left.is_empty() {
            return Ok(Look::Gone(tombstone));
        }
        Err(ClusterError::StillThere {
            way_out: self.engine.way_to_remove(&tombstone.name),
            name: tombstone.name,
            left: left.join(", "),
        })
    }

    /// The error for a record that is not there.
    pub(super) async fn missing(&self, handle: &ClusterHandle) -> Result<ClusterError, ClusterError> {
        let place = ClusterPlace {
            name: handle.name.clone(),
            uid: handle.uid.clone(),
        };
        let left = self.left(&place).await?;
        Ok(ClusterError::RecordMissing {
            name: handle.name.clone(),
            uid: handle.uid.clone(),
            left: if left.is_empty() {
                String::new()
            } else {
                format!("; still there: {}", left.join(", "))
            },
        })
    }

    async fn left(&self, place: &ClusterPlace) -> Result<Vec<String>, ClusterError> {
        self.engine.leftovers(place).await.map_err(ClusterError::Host)
    }
}

//! Delete: everything of a cluster, or nothing.

use std::sync::Arc;

use super::claim::{DeleteDecision, DeleteFacts, after_presenting, decide_delete, describe};
use super::converge::Work;
use super::error::ClusterError;
use super::observe::has_user_topics;
use super::record::{RecordKeeper, hold};
use super::update::other_run_works;
use super::{Clusters, DeleteRequest, Deletion};
use crate::engine::Engine;
use crate::engine::run::Limits;
use crate::store::Versioned;
use crate::store::documents::ClusterRecord;

impl<E: Engine> Clusters<E> {
    /// Deletes a cluster with its data, by the rules (b) and (c) and the recorded protection.
    ///
    /// # Errors
    /// [`ClusterError`]; a delete that was cut off is carried on by the next one.
    pub async fn delete(&self, request: &DeleteRequest) -> Result<Deletion, ClusterError> {
        let handle = &request.handle;
        self.check_store(handle)?;
        let read = match self.read_record(&handle.name).await? {
            Some(read) if read.body.uid == handle.uid => read,
            _ if self.tombstone(&handle.uid).await?.is_some() => return Ok(Deletion::AlreadyGone),
            _ => {
                return Err(self
                    .read_ours(handle)
                    .await
                    .err()
                    .unwrap_or_else(unreachable_record));
            }
        };
        let record = &read.body;
        let facts = DeleteFacts {
            is_ours: record.claim.id == handle.claim,
            phase: record.phase,
            is_live: record.first_active_at.is_some() || has_user_topics(&self.store, &record.uid).await?,
            other_run_works: other_run_works(record),
            is_protected: record.deletion_protection,
            has_destroy_mark: request.has_destroy_mark,
        };
        match decide_delete(facts) {
            DeleteDecision::NotOurs => Ok(Deletion::NotOurs(format!(
                "The cluster `{}` has been taken over by another create, from {}. It was left as it is; this \
                 state only forgets it.",
                record.name,
                describe(&record.claim)
            ))),
            DeleteDecision::Busy => Err(ClusterError::Busy {
                name: record.name.clone(),
                holder: describe(&record.claim),
            }),
            DeleteDecision::Protected => Err(ClusterError::Protected {
                name: record.name.clone(),
            }),
            DeleteDecision::HandOver => {
                self.walk.forget(&handle.claim);
                Ok(Deletion::HandedOver)
            }
            DeleteDecision::Remove => {
                self.walk.note(&handle.claim);
                self.remove(read, &request.limits).await?;
                Ok(Deletion::Removed)
            }
        }
    }

    /// Removes a cluster under its record's claim.
    pub(super) async fn remove(
        &self,
        read: Versioned<ClusterRecord>,
        limits: &Limits,
    ) -> Result<(), ClusterError> {
        let keeper = Arc::new(RecordKeeper::new(&self.store, read)?);
        keeper
            .change("begin the delete", |record| {
                record.phase = after_presenting(record.phase);
                record.deleting = true;
                hold(record);
            })
            .await?;
        let heartbeat = keeper.keep_alive();
        let work = Work {
            operation: "delete",
            wanted: None,
            planned: None,
            keeper: &keeper,
            heartbeat: &heartbeat,
            limits,
        };
        let result = self.converge(&work).await;
        drop(heartbeat);
        if let Err(failure) = result {
            // The mark stays, so that the next destroy carries on; nobody works on it until then.
            if let Err(error) = keeper
                .change("end the delete", |record| record.claim.holder = None)
                .await
            {
                tracing::warn!(%error, "the end of a failed delete was not recorded");
            }
            return Err(failure);
        }
        Ok(())
    }
}

/// The record came back between two reads: the next delete finds it.
fn unreachable_record() -> ClusterError {
    ClusterError::Blocked {
        reason: "the cluster's record changed while it was read; run the destroy again".to_owned(),
    }
}

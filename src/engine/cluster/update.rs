//! Update: change what a state holds, and mend it.

use std::sync::Arc;

use super::claim::{after_presenting, describe};
use super::converge::{Converged, Work};
use super::error::{ClusterError, StepError};
use super::record::{RecordKeeper, hold};
use super::{Clusters, Outcome, UpdateRequest};
use crate::engine::Engine;
use crate::process::holder_lives;
use crate::store::Versioned;
use crate::store::documents::{ClusterRecord, Holder};

impl<E: Engine> Clusters<E> {
    /// Brings a cluster to what is wanted: live changes, recorded attributes, nodes that are down.
    ///
    /// # Errors
    /// [`ClusterError`] if nothing was begun; else the outcome has the failure.
    pub async fn update(&self, request: &UpdateRequest) -> Result<Outcome, ClusterError> {
        let read = self.read_ours(&request.handle).await?;
        let record = &read.body;
        if record.claim.id != request.handle.claim {
            return Err(ClusterError::NotOurs {
                name: record.name.clone(),
                holder: describe(&record.claim),
            });
        }
        if record.deleting {
            return Err(ClusterError::Deleting {
                name: record.name.clone(),
            });
        }
        refuse_if_busy(record)?;
        self.walk.note(&request.handle.claim);
        let keeper = Arc::new(RecordKeeper::new(&self.store, read)?);
        keeper
            .change("begin the update", |record| {
                record.phase = after_presenting(record.phase);
                hold(record);
            })
            .await?;
        let heartbeat = keeper.keep_alive();
        let work = Work {
            operation: "update",
            wanted: Some(&request.wanted),
            planned: request.planned.as_deref(),
            keeper: &keeper,
            heartbeat: &heartbeat,
            limits: &request.limits,
        };
        let result = self.converge(&work).await;
        drop(heartbeat);
        self.end_update(request, &keeper, result).await
    }

    async fn end_update(
        &self,
        request: &UpdateRequest,
        keeper: &Arc<RecordKeeper>,
        result: Result<Converged, ClusterError>,
    ) -> Result<Outcome, ClusterError> {
        let (observed, warnings, failure) = match result {
            Ok(Converged::Done(observed, warnings)) => (Some(*observed), warnings, None),
            Ok(Converged::Removed) => {
                return Err(ClusterError::Blocked {
                    reason:
                        "the cluster was never finished, its parts did not fit what is wanted now and were \
                             removed; apply again to create it anew"
                            .to_owned(),
                });
            }
            Err(failure @ ClusterError::Step(StepError::TakenOver)) => return Err(failure),
            Err(failure) => (None, Vec::new(), Some(failure)),
        };
        let is_done = failure.is_none();
        let record = keeper
            .change("end the update", |record| {
                record.claim.holder = None;
                if is_done {
                    record.deletion_protection = request.wanted.deletion_protection;
                    record.written = request.written.clone();
                    record.configuration = request
                        .wanted
                        .configuration
                        .as_ref()
                        .map(|configuration| (configuration.id.clone(), configuration.revision));
                }
            })
            .await?;
        let observed = match observed {
            Some(observed) => Some(observed),
            None => super::observe::observe(self.engine.as_ref(), &self.store, &record)
                .await
                .ok(),
        };
        Ok(Outcome {
            handle: self.handle_of(&record),
            record,
            observed,
            failure,
            warnings,
        })
    }

    /// The record of the cluster in private state, or the error of section 6 for what is there instead.
    pub(super) async fn read_ours(
        &self,
        handle: &super::ClusterHandle,
    ) -> Result<Versioned<ClusterRecord>, ClusterError> {
        self.check_store(handle)?;
        match self.read_record(&handle.name).await? {
            Some(read) if read.body.uid == handle.uid => Ok(read),
            Some(read) => Err(ClusterError::OtherCluster {
                name: handle.name.clone(),
                expected: handle.uid.clone(),
                found: read.body.uid,
            }),
            None => Err(self.missing(handle).await?),
        }
    }
}

/// Whether a holder is this very process: its own earlier operation is over by now.
fn is_own(holder: &Holder) -> bool {
    holder.process_id == std::process::id()
}

pub(super) fn other_run_works(record: &ClusterRecord) -> bool {
    let holder = record.claim.holder.as_ref();
    holder.is_some_and(|holder| !is_own(holder) && holder_lives(holder))
}

pub(super) fn refuse_if_busy(record: &ClusterRecord) -> Result<(), ClusterError> {
    if other_run_works(record) {
        return Err(ClusterError::Busy {
            name: record.name.clone(),
            holder: describe(&record.claim),
        });
    }
    Ok(())
}

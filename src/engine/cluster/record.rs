//! The record of a cluster while an operation works on it: one writer inside the process, a heartbeat,
//! and the knowledge that the claim is still ours.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::error::StepError;
use crate::clock::Timestamp;
use crate::engine::effects::effect;
use crate::process;
use crate::spec::ids::ClaimId;
use crate::store::documents::{ClusterRecord, keys};
use crate::store::{Deleted, Documents, Key, Put, Store, Versioned};

/// Design section 6 (d).
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Only this process and a thief write the record, so races are few.
const RACES: u32 = 20;

/// The record under one claim.
#[derive(Debug)]
pub(super) struct RecordKeeper {
    documents: Documents,
    key: Key,
    claim: ClaimId,
    /// `None` once the record is deleted.
    read: Mutex<Option<Versioned<ClusterRecord>>>,
}

/// Ends the heartbeat when dropped.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// Cancelled when another run has taken the claim.
    pub(super) lost: CancellationToken,
    _stop: DropGuard,
}

impl RecordKeeper {
    /// Takes charge of a record that was read or written under this claim.
    pub(super) fn new(store: &Store, read: Versioned<ClusterRecord>) -> Result<Self, StepError> {
        Ok(Self {
            documents: Documents::of_store(store),
            key: keys::cluster_record(&read.body.name)?,
            claim: read.body.claim.id.clone(),
            read: Mutex::new(Some(read)),
        })
    }

    /// The record as last read or written.
    pub(super) async fn record(&self) -> Result<ClusterRecord, StepError> {
        let read = self.read.lock().await;
        let read = read.as_ref().ok_or(StepError::TakenOver)?;
        Ok(read.body.clone())
    }

    /// Changes the record as one counted effect. `change` may be called again on a fresh record.
    pub(super) async fn change(
        &self,
        name: &str,
        change: impl Fn(&mut ClusterRecord) + Send + Sync,
    ) -> Result<ClusterRecord, StepError> {
        effect(name, self.write(change)).await
    }

    async fn write(
        &self,
        change: impl Fn(&mut ClusterRecord) + Send + Sync,
    ) -> Result<ClusterRecord, StepError> {
        let mut guard = self.read.lock().await;
        for _ in 0..RACES {
            let read = guard.as_mut().ok_or(StepError::TakenOver)?;
            let mut body = read.body.clone();
            change(&mut body);
            if body == read.body {
                return Ok(body);
            }
            match self.documents.replace(&self.key, read, &body).await? {
                Put::Written(generation, version) => {
                    read.body = body.clone();
                    read.generation = generation;
                    read.version = version;
                    return Ok(body);
                }
                Put::Conflict => {
                    *guard = self.documents.read(&self.key).await?;
                    let is_ours = guard
                        .as_ref()
                        .is_some_and(|read| read.body.claim.id == self.claim);
                    if !is_ours {
                        *guard = None;
                        return Err(StepError::TakenOver);
                    }
                }
            }
        }
        Err(StepError::TakenOver)
    }

    /// Deletes the record: the last act of a removal.
    pub(super) async fn delete(&self) -> Result<(), StepError> {
        let mut guard = self.read.lock().await;
        effect("delete the record", async {
            while let Some(read) = guard.as_ref() {
                match self.documents.delete(&self.key, read).await? {
                    Deleted::Deleted | Deleted::Absent => *guard = None,
                    Deleted::Conflict => {
                        let now = self.documents.read::<ClusterRecord>(&self.key).await?;
                        if now.as_ref().is_some_and(|now| now.body.claim.id != self.claim) {
                            return Err(StepError::TakenOver);
                        }
                        *guard = now;
                    }
                }
            }
            Ok(())
        })
        .await
    }

    /// Keeps the claim alive until the answer is dropped.
    pub(super) fn keep_alive(self: &Arc<Self>) -> Heartbeat {
        let stop = CancellationToken::new();
        let lost = CancellationToken::new();
        let (keeper, stopped, token) = (Arc::clone(self), stop.clone(), lost.clone());
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(HEARTBEAT);
            ticks.tick().await;
            loop {
                tokio::select! {
                    () = stopped.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                match keeper.beat().await {
                    Ok(true) => {}
                    // Deleted by this very operation: nothing is left to keep alive.
                    Ok(false) => return,
                    Err(StepError::TakenOver) => return token.cancel(),
                    // A full disk must not end the work; the next beat may get through.
                    Err(error) => tracing::warn!(%error, "the heartbeat was not written"),
                }
            }
        });
        Heartbeat {
            lost,
            _stop: stop.drop_guard(),
        }
    }

    async fn beat(&self) -> Result<bool, StepError> {
        if self.read.lock().await.is_none() {
            return Ok(false);
        }
        let now = Timestamp::now();
        let written = self.write(|record| {
            if let Some(holder) = &mut record.claim.holder {
                holder.heartbeat_at = now;
            }
        });
        match written.await {
            Ok(_) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// Makes this process the holder of a record's claim.
pub(super) fn hold(record: &mut ClusterRecord) {
    match process::own_holder(Timestamp::now()) {
        Ok(holder) => record.claim.holder = Some(holder),
        // Without /proc nobody could judge the holder's life either.
        Err(error) => tracing::warn!(%error, "this process cannot tell who it is"),
    }
}

//! Waiting: for a cluster to be made, for an agent to have applied an entry or an order.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::error::AccessError;
use super::follower::Snapshot;
use super::kind::Kind;
use super::records::Record;
use super::rules::failure_of;
use super::{Access, Lane, ObjectDelete, ObjectDeletion, ObjectOutcome, ObjectPlace};
use crate::engine::Engine;
use crate::engine::run::Limits;
use crate::spec::ids::{ClusterUid, Generation};
use crate::store::documents::ClusterRecord;

/// How often a create looks whether its cluster is made by now.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// For so long no broker may be able to serve before a delete gives up waiting for one.
const DELETE_PATIENCE: Duration = Duration::from_secs(10);

impl<E: Engine> Access<E> {
    /// The record of a cluster that was ACTIVE; waits for one that is in the making.
    pub(super) async fn active_record<K: Kind>(
        &self,
        place: &ObjectPlace<K>,
        limits: &Limits,
    ) -> Result<Record, AccessError> {
        loop {
            let record = self.records.read(&place.cluster).await?;
            if record.body.deleting {
                return Err(AccessError::ClusterLeaves {
                    name: record.body.name.clone(),
                });
            }
            if record.body.first_active_at.is_some() {
                return Ok(record);
            }
            let waiting = || format!("the cluster `{}` was still in the making", record.body.name);
            pause(limits, LOOK_EVERY, waiting).await?;
        }
    }

    /// Waits until an entry was applied or has failed.
    pub(super) async fn outcome<K: Kind>(
        &self,
        lane: &Lane<K>,
        place: &ObjectPlace<K>,
        uid: &ClusterUid,
        entry: K::Entry,
        limits: &Limits,
    ) -> Result<ObjectOutcome<K>, AccessError> {
        let waited = self
            .await_applied(lane, K::generation(&entry), limits, |_| false)
            .await;
        let (seen, failure) = match waited {
            Ok(snapshot) => {
                let failure = failure_of::<K>(&entry, &place.name, &snapshot)
                    .map(|(code, message)| AccessError::Refused { code, message });
                (K::seen(&snapshot.status).get(&place.name).cloned(), failure)
            }
            Err(error @ (AccessError::Cancelled { .. } | AccessError::TimedOut { .. })) => {
                (None, Some(error))
            }
            Err(error) => return Err(error),
        };
        let mut entry = entry;
        if let (Some(seen), None) = (&seen, &failure) {
            K::adopt(&mut entry, seen);
        }
        Ok(ObjectOutcome {
            uid: uid.clone(),
            claim: K::claim(&entry).id.clone(),
            entry,
            seen,
            failure,
        })
    }

    /// Waits until everything up to a generation was applied, or `gives_up` says that it will not be.
    pub(super) async fn await_applied<K: Kind>(
        &self,
        lane: &Lane<K>,
        generation: Generation,
        limits: &Limits,
        mut gives_up: impl FnMut(&Snapshot<K>) -> bool,
    ) -> Result<Arc<Snapshot<K>>, AccessError> {
        let mut following = lane.follower.follow(&self.engine);
        loop {
            let latest = following.borrow_and_update().clone();
            if let Some(snapshot) = &latest
                && (snapshot.has_applied(generation) || gives_up(snapshot))
            {
                return Ok(Arc::clone(snapshot));
            }
            let waiting = || waiting_text::<K>(latest.as_deref());
            tokio::select! {
                biased;
                () = limits.cancel.cancelled() => return Err(AccessError::Cancelled { waiting: waiting() }),
                () = tokio::time::sleep_until(limits.deadline) => return Err(AccessError::TimedOut {
                    seconds: limits.limit.as_secs(),
                    waiting: waiting(),
                }),
                changed = following.changed() => if changed.is_err() {
                    return Err(AccessError::Internal { what: "the reader of status documents ended" });
                },
            }
        }
    }

    /// Waits until an agent has looked at an entry, unless no broker can.
    pub(super) async fn await_entry<K: Kind>(
        &self,
        lane: &Lane<K>,
        entry: &K::Entry,
        limits: &Limits,
    ) -> Result<Arc<Snapshot<K>>, AccessError> {
        let mut patience = Patience::default();
        self.await_applied(lane, K::generation(entry), limits, move |snapshot| {
            patience.is_over(snapshot.can_serve)
        })
        .await
    }

    pub(super) async fn await_burial<K: Kind>(
        &self,
        lane: &Lane<K>,
        request: &ObjectDelete<K>,
        record: &ClusterRecord,
        generation: Generation,
    ) -> Result<ObjectDeletion, AccessError> {
        let mut patience = Patience::default();
        let snapshot = self
            .await_applied(lane, generation, &request.limits, move |snapshot| {
                patience.is_over(snapshot.can_serve)
            })
            .await?;
        if !snapshot.has_applied(generation) {
            return Ok(ObjectDeletion::Ordered(format!(
                "No broker of the cluster `{}` can serve. The order to delete the {} `{}` is written; it is carried \
                 out if a broker comes back.",
                record.name,
                K::WORD,
                request.place.name
            )));
        }
        let failure = K::failures(&snapshot.status)
            .get(&request.place.name)
            .filter(|failure| failure.generation == generation);
        match failure {
            Some(failure) => Err(AccessError::Refused {
                code: failure.code.clone(),
                message: failure.message.clone(),
            }),
            None => Ok(ObjectDeletion::Removed),
        }
    }
}

/// How long no broker was able to serve.
#[derive(Default)]
struct Patience(Option<Instant>);

impl Patience {
    fn is_over(&mut self, can_serve: bool) -> bool {
        if can_serve {
            self.0 = None;
            return false;
        }
        self.0.get_or_insert_with(Instant::now).elapsed() >= DELETE_PATIENCE
    }
}

fn waiting_text<K: Kind>(latest: Option<&Snapshot<K>>) -> String {
    match latest {
        Some(snapshot) if !snapshot.can_serve => {
            "no broker was able to serve (see `msk-node status`, or apply to mend the cluster)".to_owned()
        }
        Some(Snapshot { age: Some(age), .. }) => format!(
            "the agent in charge had not applied it; its last word is {} s old",
            age.as_secs()
        ),
        _ => "no agent had said anything yet".to_owned(),
    }
}

async fn pause(limits: &Limits, time: Duration, waiting: impl Fn() -> String) -> Result<(), AccessError> {
    tokio::select! {
        biased;
        () = limits.cancel.cancelled() => Err(AccessError::Cancelled { waiting: waiting() }),
        () = tokio::time::sleep_until(limits.deadline) => Err(AccessError::TimedOut {
            seconds: limits.limit.as_secs(),
            waiting: waiting(),
        }),
        () = tokio::time::sleep(time) => Ok(()),
    }
}

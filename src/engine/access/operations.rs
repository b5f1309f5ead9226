//! Create, update, delete and read of one topic, ACL or user.

use std::sync::Arc;

use super::error::AccessError;
use super::follower::Snapshot;
use super::kind::Kind;
use super::records::Record;
use super::rules::{Placed, Placing, bury, effective_phase, exists, failure_of, not_ours, refused, settle};
use super::writer::Edit;
use super::{
    Access, Lane, ObjectCreate, ObjectDelete, ObjectDeletion, ObjectOutcome, ObjectPlace, ObjectReading,
    ObjectUpdate,
};
use crate::clock::Timestamp;
use crate::engine::Engine;
use crate::engine::cluster::claim::after_presenting;
use crate::planner::access::codes;
use crate::process::own_holder;
use crate::spec::ids::{ClaimId, Generation};
use crate::store::documents::{ClusterRecord, ObjectClaim, Phase};
use crate::store::identity::random_id;

impl<E: Engine> Access<E> {
    /// Creates an object, or carries on with what a dead create left.
    ///
    /// # Errors
    /// [`AccessError`] if nothing of this create is left; else the outcome has the failure.
    pub async fn create<K: Kind>(&self, request: ObjectCreate<K>) -> Result<ObjectOutcome<K>, AccessError> {
        let record = self.active_record(&request.place, &request.limits).await?;
        let lane = self.lane::<K>(&record.body.uid)?;
        let snapshot = lane.follower.look(self.engine.as_ref()).await?;
        let claim = ClaimId::new(random_id().map_err(crate::store::DocumentError::from)?);
        let object_claim = ObjectClaim {
            id: claim.clone(),
            caller: request.caller.clone(),
            holder: holder()?,
            phase: Phase::Making,
        };
        let place = Placing {
            name: request.place.name.clone(),
            cluster: record.body.name.as_str().to_owned(),
            snapshot,
            walk: self.walk.clone(),
        };
        let mut entry = request.entry.clone();
        *K::claim_mut(&mut entry) = object_claim;
        let (placed, _) = lane
            .writer
            .change(move |desired, generation| place.create(desired, generation, &entry))
            .await?;
        let entry = match placed {
            Placed::Written(entry) => entry,
            Placed::Refused(error) => return Err(error),
        };
        self.walk.note(&claim);
        let mut first_secret = None;
        if let Some(secret) = request.secret {
            match secret.place().await {
                Ok(placed) => first_secret = placed,
                Err(error) => {
                    self.withdraw(&lane, &request.place, &K::claim(&entry).id, None)
                        .await?;
                    return Err(error);
                }
            }
        }
        let outcome = self
            .outcome(&lane, &request.place, &record.body.uid, entry, &request.limits)
            .await?;
        match &outcome.failure {
            Some(AccessError::Refused { .. }) => {
                // Nothing of ours is there, or what is there is taken away: no state is left behind. The file goes
                // while the entry still keeps others from writing theirs.
                if let Some(secret) = &first_secret
                    && let Err(error) = secret.take_back().await
                {
                    tracing::warn!(%error, "a secret of a refused create stays");
                }
                let seen = outcome
                    .seen
                    .clone()
                    .filter(|_| !outcome.failure.as_ref().is_some_and(is_foreign));
                self.withdraw(&lane, &request.place, &outcome.claim, seen).await?;
                Err(match outcome.failure {
                    Some(AccessError::Refused { code, .. }) if code == codes::EXISTS_ALREADY => {
                        exists::<K>(&request.place.name, record.body.name.as_str(), String::new())
                    }
                    Some(error) => error,
                    None => AccessError::Internal {
                        what: "a failure that is none",
                    },
                })
            }
            _ => Ok(outcome),
        }
    }

    /// Changes an object that a state holds.
    ///
    /// # Errors
    /// [`AccessError`] if nothing was changed; else the outcome has the failure.
    pub async fn update<K: Kind>(
        &self,
        request: ObjectUpdate<K>,
        also: impl Fn(&mut K::Desired, &K::Entry, Option<&K::Seen>, Generation) + Send + Sync + 'static,
    ) -> Result<ObjectOutcome<K>, AccessError> {
        let record = self.own_record(&request.place).await?;
        let lane = self.lane::<K>(&record.body.uid)?;
        let snapshot = lane.follower.look(self.engine.as_ref()).await?;
        let (name, claim, wanted) = (
            request.place.name.clone(),
            request.claim.clone(),
            request.entry.clone(),
        );
        let (placed, _) = lane
            .writer
            .change(move |desired, generation| {
                let Some(before) = K::keep(desired).get(&name).cloned() else {
                    return refused(AccessError::Missing {
                        word: K::WORD,
                        object: name.to_string(),
                    });
                };
                if K::claim(&before).id != claim {
                    return refused(not_ours::<K>(&name, &before));
                }
                let seen = K::seen(&snapshot.status).get(&name);
                settle::<K>(desired, &snapshot);
                let mut entry = wanted.clone();
                let phase = effective_phase::<K>(&before, &snapshot);
                *K::claim_mut(&mut entry) = ObjectClaim {
                    phase: after_presenting(phase),
                    ..K::claim(&before).clone()
                };
                K::renumber(&mut entry, generation);
                K::inherit(&mut entry, &before, &snapshot.status);
                also(desired, &before, seen, generation);
                K::keep_mut(desired).insert(name.clone(), entry.clone());
                (Edit::Changed, Placed::<K>::Written(entry))
            })
            .await?;
        match placed {
            Placed::Written(entry) => {
                self.walk.note(&request.claim);
                if let Some(secret) = request.secret {
                    secret.place().await?;
                }
                self.outcome(&lane, &request.place, &record.body.uid, entry, &request.limits)
                    .await
            }
            Placed::Refused(error) => Err(error),
        }
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// [`AccessError`]; a delete that was cut off is carried on by the next one.
    pub async fn delete<K: Kind>(&self, request: ObjectDelete<K>) -> Result<ObjectDeletion, AccessError> {
        let record = match self.own_record(&request.place).await {
            Ok(record) => record,
            // With the cluster everything on it went.
            Err(AccessError::NoCluster { .. } | AccessError::OtherCluster { .. }) => {
                return Ok(ObjectDeletion::AlreadyGone);
            }
            Err(error) => return Err(error),
        };
        let lane = self.lane::<K>(&record.body.uid)?;
        let name = request.place.name.clone();
        let desired = lane.writer.read().await?;
        let kept = desired.as_ref().and_then(|read| K::keep(&read.body).get(&name));
        let Some(entry) = kept.cloned() else {
            let buried = desired.as_ref().and_then(|read| K::buried_at(&read.body, &name));
            return match buried {
                Some(generation) => self.await_burial(&lane, &request, &record.body, generation).await,
                None => Ok(ObjectDeletion::AlreadyGone),
            };
        };
        if K::claim(&entry).id != request.claim {
            return Ok(ObjectDeletion::NotOurs(format!(
                "{} It was left as it is.",
                crate::engine::journal::chain(&not_ours::<K>(&name, &entry))
            )));
        }
        let is_protected = K::is_protected(&entry, record.body.deletion_protection);
        let protected = || AccessError::Protected {
            word: K::WORD,
            object: name.to_string(),
        };
        if is_protected && K::claim(&entry).phase != Phase::Making {
            return Err(protected());
        }
        // Until the entry was looked at an agent may be about to make the object.
        let snapshot = self.await_entry(&lane, &entry, &request.limits).await?;
        let is_unfinished = effective_phase::<K>(&entry, &snapshot) == Phase::Making;
        // What was never made has nothing to protect; that needs a word of the agents to be believed.
        let was_never_made = is_unfinished
            && snapshot.is_believed()
            && snapshot.has_applied(K::generation(&entry))
            && !K::seen(&snapshot.status).contains_key(&name);
        if is_protected && !was_never_made {
            return Err(protected());
        }
        if is_unfinished && !request.has_destroy_mark {
            self.walk.forget(&request.claim);
            return Ok(ObjectDeletion::HandedOver);
        }
        let claim = request.claim.clone();
        let buried_name = name.clone();
        let (buried, generation) = lane
            .writer
            .change(move |desired, generation| {
                let is_still_ours = K::keep(desired)
                    .get(&buried_name)
                    .is_some_and(|entry| K::claim(entry).id == claim);
                if !is_still_ours {
                    return (Edit::Unchanged, false);
                }
                settle::<K>(desired, &snapshot);
                let is_buried = bury::<K>(desired, &buried_name, &snapshot, generation);
                (Edit::Changed, is_buried)
            })
            .await?;
        if !buried {
            return Ok(ObjectDeletion::Removed);
        }
        self.await_burial(&lane, &request, &record.body, generation).await
    }

    /// Reads an object: what Terraform keeps of it and what an agent saw.
    ///
    /// # Errors
    /// [`AccessError`]; [`AccessError::NoCluster`] and [`AccessError::OtherCluster`] if the cluster is gone.
    pub async fn read<K: Kind>(&self, place: &ObjectPlace<K>) -> Result<ObjectReading<K>, AccessError> {
        let record = self.records.recent(&place.cluster).await?;
        must_be_the_cluster::<K>(place, &record.body)?;
        let lane = self.lane::<K>(&record.body.uid)?;
        let snapshot = lane.follower.look(self.engine.as_ref()).await?;
        let desired = lane.writer.look().await?;
        let entry = desired
            .as_ref()
            .and_then(|read| K::keep(&read.body).get(&place.name))
            .cloned();
        // Only a state that has the object presents its claim. A create that looks at what a killed run
        // left must not, or it would find its own look in its way.
        if let (Some(entry), Some(_)) = (&entry, &place.uid) {
            self.walk.note(&K::claim(entry).id);
        }
        let is_new_enough = entry
            .as_ref()
            .is_none_or(|entry| snapshot.has_applied(K::generation(entry)));
        let failure = entry
            .as_ref()
            .and_then(|entry| failure_of::<K>(entry, &place.name, &snapshot));
        Ok(ObjectReading {
            uid: record.body.uid.clone(),
            seen: K::seen(&snapshot.status).get(&place.name).cloned(),
            entry,
            is_certain: snapshot.is_believed() && is_new_enough,
            age: snapshot.age,
            failure,
        })
    }

    /// Everything of one kind that the agents see on a cluster, for data sources.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn list<K: Kind>(
        &self,
        cluster: &crate::spec::ids::ClusterName,
    ) -> Result<(K::Desired, Arc<Snapshot<K>>), AccessError> {
        let record = self.records.recent(cluster).await?;
        let lane = self.lane::<K>(&record.body.uid)?;
        let snapshot = lane.follower.look(self.engine.as_ref()).await?;
        let desired = lane.writer.look().await?;
        let desired = desired.map(|read| read.body.clone()).unwrap_or_default();
        Ok((desired, snapshot))
    }

    pub(super) async fn own_record<K: Kind>(&self, place: &ObjectPlace<K>) -> Result<Record, AccessError> {
        let record = self.records.read(&place.cluster).await?;
        must_be_the_cluster::<K>(place, &record.body)?;
        Ok(record)
    }

    /// Takes a refused create out of the document again, with what it may have made half.
    async fn withdraw<K: Kind>(
        &self,
        lane: &Lane<K>,
        place: &ObjectPlace<K>,
        claim: &ClaimId,
        seen: Option<K::Seen>,
    ) -> Result<(), AccessError> {
        let (name, claim) = (place.name.clone(), claim.clone());
        lane.writer
            .change(move |desired, generation| {
                let entry = K::keep(desired).get(&name).cloned();
                let Some(entry) = entry.filter(|entry| K::claim(entry).id == claim) else {
                    return (Edit::Unchanged, ());
                };
                K::keep_mut(desired).remove(&name);
                if let Some(seen) = &seen {
                    K::bury(desired, &name, &entry, Some(seen), generation);
                }
                (Edit::Changed, ())
            })
            .await?;
        Ok(())
    }
}

fn is_foreign(failure: &AccessError) -> bool {
    matches!(
        failure,
        AccessError::Refused { code, .. } if code == codes::EXISTS_ALREADY || code == codes::REPLACED
    )
}

/// A cluster of the same name that was made anew is another one.
fn must_be_the_cluster<K: Kind>(place: &ObjectPlace<K>, record: &ClusterRecord) -> Result<(), AccessError> {
    match &place.uid {
        Some(uid) if *uid != record.uid => Err(AccessError::OtherCluster {
            word: K::WORD,
            object: place.name.to_string(),
            name: record.name.clone(),
        }),
        _ => Ok(()),
    }
}

fn holder() -> Result<crate::store::documents::Holder, AccessError> {
    own_holder(Timestamp::now()).map_err(|_| AccessError::Internal {
        what: "this process cannot tell who it is",
    })
}

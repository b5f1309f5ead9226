//! What may become of one entry of a desired document: claims, orders to delete, what is made.
//!
//! Pure: the document and the newest snapshot are arguments, nothing is read or written.

use std::sync::Arc;

use super::error::AccessError;
use super::follower::Snapshot;
use super::kind::Kind;
use super::writer::Edit;
use crate::engine::cluster::claim::{CreateDecision, Standing, decide_create, describe_object};
use crate::engine::cluster::{Walk, terraform_label};
use crate::planner::access::codes;
use crate::process::holder_lives;
use crate::spec::ids::Generation;
use crate::store::documents::Phase;

/// What a change inside the desired document came to.
pub(super) enum Placed<K: Kind> {
    /// The entry is written; it carries the generation to wait for.
    Written(K::Entry),
    Refused(AccessError),
}

/// What the create of one object knows before its change is made.
pub(super) struct Placing<K: Kind> {
    pub(super) name: K::Name,
    pub(super) cluster: String,
    pub(super) snapshot: Arc<Snapshot<K>>,
    pub(super) walk: Walk,
}

impl<K: Kind> Placing<K> {
    /// Rules (d) and (e), inside the document.
    pub(super) fn create(
        &self,
        desired: &mut K::Desired,
        generation: Generation,
        wanted: &K::Entry,
    ) -> (Edit, Placed<K>) {
        let seen = K::seen(&self.snapshot.status).get(&self.name);
        let mut phase = Phase::Making;
        if let Some(before) = K::keep(desired).get(&self.name) {
            match self.judge(before, wanted, seen) {
                Ok(kept_phase) => phase = kept_phase,
                Err(error) => return refused(error),
            }
        } else if seen.is_some() {
            let is_leaving = K::buried_at(desired, &self.name).is_some();
            if !is_leaving && self.snapshot.is_believed() {
                return refused(exists::<K>(&self.name, &self.cluster, String::new()));
            }
        }
        settle::<K>(desired, &self.snapshot);
        let before = K::keep(desired).get(&self.name).cloned();
        let mut entry = wanted.clone();
        K::claim_mut(&mut entry).phase = phase;
        K::renumber(&mut entry, generation);
        if let (Some(before), Phase::Made) = (&before, phase) {
            K::inherit(&mut entry, before, &self.snapshot.status);
        }
        K::keep_mut(desired).insert(self.name.clone(), entry.clone());
        (Edit::Changed, Placed::Written(entry))
    }

    /// The phase under which what is there is carried on, or why it is not.
    fn judge(
        &self,
        before: &K::Entry,
        wanted: &K::Entry,
        seen: Option<&K::Seen>,
    ) -> Result<Phase, AccessError> {
        let claim = K::claim(before);
        let was_looked_at = self.snapshot.has_applied(K::generation(before));
        if was_looked_at && self.snapshot.is_believed() {
            match seen {
                // Deleted outside: whoever had it has lost it, and may make it anew.
                None => return Ok(Phase::Making),
                Some(seen) if !K::is_same(before, seen) => {
                    return Err(exists::<K>(&self.name, &self.cluster, String::new()));
                }
                Some(_) => {}
            }
        }
        let phase = effective_phase::<K>(before, &self.snapshot);
        let standing = Standing {
            phase,
            caller: &claim.caller,
            run_is_alive: holder_lives(&claim.holder) && claim.holder.process_id != std::process::id(),
            is_live: false,
            is_equal: K::written(before) == K::written(wanted),
            was_presented: self.walk.knows(&claim.id),
        };
        match decide_create(Some(standing), &K::claim(wanted).caller) {
            CreateDecision::TakeOver | CreateDecision::Make => Ok(phase),
            CreateDecision::Busy => Err(AccessError::Busy {
                word: K::WORD,
                object: self.name.to_string(),
                holder: describe_object(claim),
            }),
            CreateDecision::Exists => Err(exists::<K>(
                &self.name,
                &self.cluster,
                format!(", made from {}", describe_object(claim)),
            )),
        }
    }
}

/// A create whose entry was applied is made, whether the document says so yet or not.
pub(super) fn effective_phase<K: Kind>(entry: &K::Entry, snapshot: &Snapshot<K>) -> Phase {
    let phase = K::claim(entry).phase;
    let is_done = snapshot.has_applied(K::generation(entry))
        && !K::failures(&snapshot.status)
            .values()
            .any(|failure| failure.generation == K::generation(entry));
    if phase == Phase::Making && is_done {
        Phase::Made
    } else {
        phase
    }
}

pub(super) fn failure_of<K: Kind>(
    entry: &K::Entry,
    name: &K::Name,
    snapshot: &Snapshot<K>,
) -> Option<(String, String)> {
    let failure = K::failures(&snapshot.status).get(name)?;
    (failure.generation == K::generation(entry)).then(|| (failure.code.clone(), failure.message.clone()))
}

/// With every write: entries whose create is known to be done are `made`, and orders that were carried
/// out are dropped. Never a write of its own.
pub(super) fn settle<K: Kind>(desired: &mut K::Desired, snapshot: &Snapshot<K>) {
    K::prune(desired, K::applied(&snapshot.status));
    for (name, entry) in K::keep_mut(desired) {
        if K::claim(entry).phase != Phase::Making
            || !snapshot.has_applied(K::generation(entry))
            || K::failures(&snapshot.status).contains_key(name)
        {
            continue;
        }
        if let Some(seen) = K::seen(&snapshot.status).get(name) {
            K::adopt(entry, seen);
            K::claim_mut(entry).phase = Phase::Made;
        }
    }
}

/// Removes an entry and writes the order to delete what it speaks of. `false` if nothing can be there.
pub(super) fn bury<K: Kind>(
    desired: &mut K::Desired,
    name: &K::Name,
    snapshot: &Snapshot<K>,
    generation: Generation,
) -> bool {
    let Some(entry) = K::keep_mut(desired).remove(name) else {
        return false;
    };
    let was_looked_at = snapshot.has_applied(K::generation(&entry));
    let is_foreign = K::failures(&snapshot.status).get(name).is_some_and(|failure| {
        failure.generation == K::generation(&entry)
            && (failure.code == codes::EXISTS_ALREADY || failure.code == codes::REPLACED)
    });
    if is_foreign && K::claim(&entry).phase == Phase::Making {
        return false;
    }
    let seen = K::seen(&snapshot.status)
        .get(name)
        .filter(|seen| was_looked_at && K::is_same(&entry, seen));
    K::bury(desired, name, &entry, seen, generation)
}

pub(super) fn refused<K: Kind>(error: AccessError) -> (Edit, Placed<K>) {
    (Edit::Unchanged, Placed::Refused(error))
}

pub(super) fn not_ours<K: Kind>(name: &K::Name, entry: &K::Entry) -> AccessError {
    AccessError::NotOurs {
        word: K::WORD,
        object: name.to_string(),
        holder: describe_object(K::claim(entry)),
    }
}

pub(super) fn exists<K: Kind>(name: &K::Name, cluster: &str, by: String) -> AccessError {
    let way_out = if K::IS_IMPORTABLE {
        let separator = if K::WORD == "ACL" { '|' } else { '/' };
        format!(
            "; if it moved to another address, write a `moved` block; else import it:\n\nimport {{\n  to = {}.{}\n  \
             id = \"{cluster}{separator}{name}\"\n}}",
            K::RESOURCE,
            terraform_label(&name.to_string())
        )
    } else {
        "; a user made elsewhere cannot be imported: delete it with Kafka's tools, or take another name"
            .to_owned()
    };
    AccessError::Exists {
        word: K::WORD,
        object: name.to_string(),
        by,
        way_out,
    }
}

//! Objects that were made elsewhere and imported: their entry is written right before their first change.

use super::error::AccessError;
use super::kind::Kind;
use super::rules::not_ours;
use super::writer::Edit;
use super::{Access, ObjectPlace};
use crate::clock::Timestamp;
use crate::engine::Engine;
use crate::process::own_holder;
use crate::spec::ids::{ClaimId, Generation};
use crate::store::documents::{Caller, Holder, ObjectClaim, Phase};

/// The claim of an entry that is not written yet: create and update fill in the real one.
pub fn unclaimed() -> ObjectClaim {
    ObjectClaim {
        id: ClaimId::new(""),
        caller: Caller {
            working_directory: "".into(),
            workspace: "".into(),
        },
        holder: Holder {
            boot_id: "".into(),
            process_id: 0,
            process_start: 0,
            heartbeat_at: Timestamp::default(),
        },
        phase: Phase::Making,
    }
}

impl<E: Engine> Access<E> {
    /// Writes the entry of an imported object under the claim that its import drew; does nothing if
    /// that was done already.
    ///
    /// # Errors
    /// [`AccessError::NotOurs`] if another create has the name by now; a store that cannot be written.
    pub async fn adopt<K: Kind>(
        &self,
        place: &ObjectPlace<K>,
        claim: &ClaimId,
        caller: &Caller,
        entry: K::Entry,
    ) -> Result<(), AccessError> {
        let record = self.own_record(place).await?;
        let holder = own_holder(Timestamp::now()).map_err(|_| AccessError::Internal {
            what: "this process cannot tell who it is",
        })?;
        let mut entry = entry;
        *K::claim_mut(&mut entry) = ObjectClaim {
            id: claim.clone(),
            caller: caller.clone(),
            holder,
            phase: Phase::Held,
        };
        let (name, claim) = (place.name.clone(), claim.clone());
        let (refusal, _) = self
            .lane::<K>(&record.body.uid)?
            .writer
            .change(move |desired: &mut K::Desired, generation: Generation| {
                if let Some(there) = K::keep(desired).get(&name) {
                    let refusal = (K::claim(there).id != claim).then(|| not_ours::<K>(&name, there));
                    return (Edit::Unchanged, refusal);
                }
                let mut entry = entry.clone();
                K::renumber(&mut entry, generation);
                K::keep_mut(desired).insert(name.clone(), entry);
                (Edit::Changed, None)
            })
            .await?;
        refusal.map_or(Ok(()), Err)
    }
}

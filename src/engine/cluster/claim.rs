//! Who may create, take over and delete: the rules (a) to (f) of docs/decisions/0002-claims.md as tables.
//!
//! Pure: what is true is gathered by the caller, what follows is decided here.

use serde::{Deserialize, Serialize};

use crate::spec::ids::{ClaimId, ClusterName, ClusterUid, StoreId};
use crate::store::documents::{Caller, Claim, ObjectClaim, Phase};

/// What Terraform's private state keeps of a cluster: without it nothing is changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterHandle {
    /// The store that the cluster was made in.
    pub store: StoreId,
    /// The cluster's name.
    pub name: ClusterName,
    /// The cluster's identity.
    pub uid: ClusterUid,
    /// The claim of the create that made it.
    pub claim: ClaimId,
}

/// What a create finds under the name it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    /// Where the making stands.
    pub phase: Phase,
    /// Where the create that made it was started from.
    pub caller: &'a Caller,
    /// Whether the run that made it, or works on it, still lives.
    pub run_is_alive: bool,
    /// Whether it has served somebody: it was ACTIVE, or holds a user's topic.
    pub is_live: bool,
    /// Whether what is wanted equals what was written.
    pub is_equal: bool,
    /// Whether another address showed this claim to this process.
    pub was_presented: bool,
}

/// What a create does with what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateDecision {
    /// Nothing is there: make it.
    Make,
    /// What a dead run left is carried on under a new claim.
    TakeOver,
    /// Another run works on it now.
    Busy,
    /// It is somebody's: import it.
    Exists,
}

/// Rules (d) and (e): what a create does with what it finds.
pub fn decide_create(found: Option<Standing<'_>>, caller: &Caller) -> CreateDecision {
    let Some(found) = found else {
        return CreateDecision::Make;
    };
    let phase = match found.phase {
        // Cut off between the first ACTIVE and the record of it: as good as made.
        Phase::Making if found.is_live => Phase::Made,
        phase => phase,
    };
    match phase {
        Phase::Making if found.run_is_alive => CreateDecision::Busy,
        // Another address of this very walk holds it.
        Phase::Making if found.was_presented => CreateDecision::Exists,
        Phase::Making => CreateDecision::TakeOver,
        Phase::Made
            if found.caller == caller && !found.run_is_alive && found.is_equal && !found.was_presented =>
        {
            CreateDecision::TakeOver
        }
        Phase::Made if found.phase == Phase::Making && found.run_is_alive => CreateDecision::Busy,
        Phase::Made | Phase::Held => CreateDecision::Exists,
    }
}

/// What a delete does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteDecision {
    /// Everything goes.
    Remove,
    /// The delete half of a replacement of something unfinished: the create that follows carries on.
    HandOver,
    /// It is another's: do nothing and warn.
    NotOurs,
    /// Another run works on it now.
    Busy,
    /// Protected.
    Protected,
}

/// What a delete finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeleteFacts {
    /// Whether the record's claim is the one that is presented.
    pub is_ours: bool,
    /// Where the making stands.
    pub phase: Phase,
    /// Whether it has served somebody: it was ACTIVE, or holds a user's topic.
    pub is_live: bool,
    /// Whether another living run works on it.
    pub other_run_works: bool,
    /// The recorded protection.
    pub is_protected: bool,
    /// Whether the plan was a destroy plan, and not a replacement.
    pub has_destroy_mark: bool,
}

/// Rules (b) and (c), and the protection: what a delete does.
pub const fn decide_delete(facts: DeleteFacts) -> DeleteDecision {
    let is_unfinished = matches!(facts.phase, Phase::Making) && !facts.is_live;
    if !facts.is_ours {
        DeleteDecision::NotOurs
    } else if facts.other_run_works {
        DeleteDecision::Busy
    } else if is_unfinished && !facts.has_destroy_mark {
        DeleteDecision::HandOver
    } else if !is_unfinished && facts.is_protected {
        DeleteDecision::Protected
    } else {
        DeleteDecision::Remove
    }
}

/// Rule (f): the phase after a write that presents the claim.
pub const fn after_presenting(phase: Phase) -> Phase {
    match phase {
        Phase::Making => Phase::Making,
        Phase::Made | Phase::Held => Phase::Held,
    }
}

/// Who works on it, for messages.
pub fn describe(claim: &Claim) -> String {
    let place = describe_caller(&claim.caller);
    match &claim.holder {
        Some(holder) => format!("process {} started in {place}", holder.process_id),
        None => place,
    }
}

/// Who made a small object, for messages.
pub fn describe_object(claim: &ObjectClaim) -> String {
    describe_caller(&claim.caller)
}

fn describe_caller(caller: &Caller) -> String {
    format!(
        "`{}` (workspace `{}`)",
        caller.working_directory, caller.workspace
    )
}

#[cfg(test)]
mod tests {
    use super::{CreateDecision, DeleteDecision, DeleteFacts, Standing, decide_create, decide_delete};
    use crate::store::documents::{Caller, Phase};

    fn caller(directory: &str) -> Caller {
        Caller {
            working_directory: directory.into(),
            workspace: "default".into(),
        }
    }

    #[test]
    fn a_create_takes_over_only_what_a_dead_run_left() {
        use CreateDecision::{Busy, Exists, TakeOver};
        use Phase::{Held, Made, Making};
        let (ours, other) = (caller("/a"), caller("/b"));
        // phase, same caller, alive, live, equal, presented => decision
        let table = [
            (Making, true, false, false, false, false, TakeOver),
            (Making, false, false, false, false, false, TakeOver),
            (Making, true, false, false, true, true, Exists),
            (Making, true, true, false, true, false, Busy),
            (Making, false, true, false, true, false, Busy),
            // It was ACTIVE, or has a topic: any spec is no longer good enough.
            (Making, true, false, true, true, false, TakeOver),
            (Making, true, false, true, false, false, Exists),
            (Making, false, false, true, true, false, Exists),
            (Making, true, true, true, true, false, Busy),
            (Made, true, false, true, true, false, TakeOver),
            (Made, true, false, true, false, false, Exists),
            (Made, false, false, true, true, false, Exists),
            (Made, true, true, true, true, false, Exists),
            (Made, true, false, true, true, true, Exists),
            (Held, true, false, true, true, false, Exists),
        ];
        for (phase, same, run_is_alive, is_live, is_equal, was_presented, decision) in table {
            let standing = Standing {
                phase,
                caller: if same { &ours } else { &other },
                run_is_alive,
                is_live,
                is_equal,
                was_presented,
            };
            assert_eq!(decide_create(Some(standing), &ours), decision, "{standing:?}");
        }
        assert_eq!(decide_create(None, &ours), CreateDecision::Make);
    }

    #[test]
    fn a_delete_removes_only_its_own_and_never_what_is_protected_and_live() {
        use DeleteDecision::{Busy, HandOver, NotOurs, Protected, Remove};
        use Phase::{Held, Made, Making};
        // ours, phase, live, other run, protected, mark => decision
        let table = [
            (false, Held, true, false, false, true, NotOurs),
            (true, Held, true, true, false, true, Busy),
            (true, Making, false, false, true, false, HandOver),
            (true, Making, false, false, true, true, Remove),
            (true, Making, true, false, true, true, Protected),
            (true, Making, true, false, false, false, Remove),
            (true, Made, true, false, true, true, Protected),
            (true, Made, true, false, false, false, Remove),
            (true, Held, true, false, false, true, Remove),
            (true, Held, true, false, true, false, Protected),
        ];
        for (is_ours, phase, is_live, other_run_works, is_protected, has_destroy_mark, decision) in table {
            let facts = DeleteFacts {
                is_ours,
                phase,
                is_live,
                other_run_works,
                is_protected,
                has_destroy_mark,
            };
            assert_eq!(decide_delete(facts), decision, "{facts:?}");
        }
    }
}

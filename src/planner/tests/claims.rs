//! Claims for documents in tests.

use crate::clock::Timestamp;
use crate::spec::ids::ClaimId;
use crate::store::documents::{Caller, Holder, ObjectClaim, Phase};

/// A claim in this phase, the same every time.
pub(crate) fn claim(phase: Phase) -> ObjectClaim {
    ObjectClaim {
        id: ClaimId::new("0".repeat(32)),
        caller: Caller {
            working_directory: "/work".into(),
            workspace: "default".into(),
        },
        holder: Holder {
            boot_id: "boot".into(),
            process_id: 1,
            process_start: 1,
            heartbeat_at: Timestamp::from_millis(0),
        },
        phase,
    }
}

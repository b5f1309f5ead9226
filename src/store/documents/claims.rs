//! Who made an object, and how far the making has come (docs/decisions/0002-claims.md).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::shared;
use crate::clock::Timestamp;
use crate::spec::ids::{ClaimId, ClusterName, ClusterUid};

/// How far the making of an object has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A create runs, or was cut off.
    Making,
    /// The create finished; no Terraform state has shown its claim since.
    Made,
    /// A later write has presented the claim: a Terraform state holds the object.
    Held,
}

/// Where a create was started from. The same caller may take over what its own killed run left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Caller {
    /// The canonical working directory of Terraform.
    #[serde(
        serialize_with = "shared::serialize",
        deserialize_with = "shared::deserialize"
    )]
    pub working_directory: Arc<str>,
    /// The Terraform workspace, `default` if none was selected.
    #[serde(
        serialize_with = "shared::serialize",
        deserialize_with = "shared::deserialize"
    )]
    pub workspace: Arc<str>,
}

/// The process that works on an object. On one machine its death is known at once by id and start time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Holder {
    /// The machine's boot id (`/proc/sys/kernel/random/boot_id`).
    #[serde(
        serialize_with = "shared::serialize",
        deserialize_with = "shared::deserialize"
    )]
    pub boot_id: Arc<str>,
    /// The process id of the provider.
    pub process_id: u32,
    /// The start time of that process, in clock ticks since boot (`/proc/<pid>/stat`, field 22).
    pub process_start: u64,
    /// The last heartbeat, every 2 s while the work goes on.
    pub heartbeat_at: Timestamp,
}

/// The claim of one create on a cluster's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Claim {
    /// Drawn anew by every create; also kept in Terraform's private state.
    pub id: ClaimId,
    /// Where the create was started from.
    pub caller: Caller,
    /// The process that works on the object now; `None` when no operation runs.
    pub holder: Option<Holder>,
}

/// The claim of one create on a small object (topic, ACL, user) inside a cluster's document.
///
/// The create of a small object is one write of the provider and one application by an agent, so it
/// needs no heartbeat: the holder's process identity tells whether it still runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ObjectClaim {
    /// Drawn anew by every create; also kept in Terraform's private state.
    pub id: ClaimId,
    /// Where the create was started from.
    pub caller: Caller,
    /// The process that made the object.
    pub holder: Holder,
    /// How far the making has come.
    pub phase: Phase,
}

/// The last word on a cluster: it was deleted on purpose. Only this makes a refresh answer "gone".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tombstone {
    /// The cluster's name.
    pub name: ClusterName,
    /// The cluster's identity.
    pub uid: ClusterUid,
    /// When the deletion was complete.
    pub deleted_at: Timestamp,
}

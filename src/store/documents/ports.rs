//! Blocks of ports on one machine.

use serde::{Deserialize, Serialize};

use crate::spec::ids::{ClusterName, ClusterUid};

/// The claim of a cluster on a block of 1,000 ports. Created if absent, removed with the cluster, so
/// that two clusters never get the same ports, also while neither runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PortBlock {
    /// The first port of the block, equal to the key.
    pub base_port: u16,
    /// The cluster's name.
    pub name: ClusterName,
    /// The cluster's identity.
    pub uid: ClusterUid,
}

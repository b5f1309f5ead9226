//! What was seen of a cluster's objects in an AWS account.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Seen;
use crate::spec::firewall::Rule;

/// The cluster's own security group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedSecurityGroup {
    /// Its inbound rules of ours, by id. What others put into it is not here.
    pub rules: BTreeMap<String, Rule>,
}

/// One node's objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedMachine {
    /// The security groups on its fixed network interface.
    pub interface: Seen<BTreeSet<String>>,
    /// Whether its name leads to its address; absent without a private zone.
    pub name: Seen<bool>,
    /// Its volume.
    pub volume: Seen<ObservedVolume>,
    /// What keeps an instance for it.
    pub placement: Seen<ObservedPlacement>,
}

/// A node's volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedVolume {
    /// What it is.
    pub shape: VolumeShape,
    /// How far its last change is, while it goes on, in percent.
    pub changing: Option<u32>,
}

/// What a volume is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeShape {
    /// GiB.
    pub size: u32,
    /// `gp3` or `io2`.
    pub kind: String,
    /// Operations per second.
    pub iops: Option<u32>,
    /// MiB/s; gp3 only.
    pub throughput: Option<u32>,
}

/// What keeps an instance for a node: its Auto Scaling group, or the instance itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedPlacement {
    /// What of it others have changed, in words; empty: it is as it was made.
    pub drift: Vec<String>,
    /// The instance.
    pub instance_id: Option<String>,
}

//! What was seen: known, absent or uncertain, with its time. Pure: the engines fill it, the planner reads it.

/// An AWS account, as far as a cluster needs it.
pub mod account;

/// A cluster's objects in an AWS account.
pub mod cloud;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::spec::ids::{ClusterUid, Generation, NodeId};
use crate::store::documents::{
    ClusterDesired, ClusterIdentity, ClusterPlaces, NodeStatus, Phase, PropertiesStatus,
};
use cloud::{ObservedMachine, ObservedSecurityGroup};

/// One fact about the world. "Not there" and "not known" are never mixed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen<T> {
    /// It is there, and this is it.
    Known(T),
    /// It is certainly not there.
    Absent,
    /// It may or may not be there; nothing is created or deleted on such a ground.
    Uncertain,
}

impl<T> Seen<T> {
    const fn absent() -> Self {
        Self::Absent
    }

    /// The value, if it is known.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent | Self::Uncertain => None,
        }
    }
}

/// One node, as the engine and its own status show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedNode {
    /// The place for the node's data: the directory on one machine, the volume on AWS.
    pub disk: Seen<()>,
    /// Whether the agent's process (AWS: the instance) is there and alive.
    pub agent: Seen<()>,
    /// Whether Kafka's process is there and alive.
    pub kafka: Seen<()>,
    /// The node's last status.
    pub status: Option<NodeStatus>,
    /// Whether that status counts: of the current incarnation and younger than three heartbeats.
    pub status_is_fresh: bool,
    /// AWS: the node's objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<ObservedMachine>,
}

/// One cluster, as it was seen at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedCluster {
    /// When it was looked at, by the store's clock.
    pub observed_at: Timestamp,
    /// The cluster's identity in the store.
    pub uid: ClusterUid,
    /// How far its making has come.
    pub phase: Phase,
    /// Whether it was ever ACTIVE.
    pub was_active: bool,
    /// What was drawn or claimed once.
    pub identity: Seen<ClusterIdentity>,
    /// The desired document in the store, with its generation.
    pub desired: Seen<(Generation, ClusterDesired)>,
    /// The nodes: those of the desired document, and any of ours that the engine found.
    pub nodes: BTreeMap<NodeId, ObservedNode>,
    /// The dynamic cluster defaults.
    pub properties: Seen<PropertiesStatus>,
    /// AWS: what the account gave the cluster. One machine: absent.
    #[serde(default = "Seen::absent")]
    pub places: Seen<ClusterPlaces>,
    /// AWS: the cluster's own security group. One machine: absent.
    #[serde(default = "Seen::absent")]
    pub security_group: Seen<ObservedSecurityGroup>,
}

//! The steps that a plan is made of.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kafka::versions::KafkaVersion;
use crate::spec::ids::NodeId;

/// What one step does. An engine performs it without further choices, and may perform it twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Puts Kafka's distribution of this version in place (one machine: from the provider's sources).
    FetchKafka(KafkaVersion),
    /// Draws ids, claims a block of ports, makes the authorities. Create-if-absent: done once.
    ClaimIdentity,
    /// AWS: makes what outlives every instance: security group, network interfaces, volumes. Addresses come from here.
    MakePlaces,
    /// AWS: brings the inbound rules of the cluster's security group and the groups on its interfaces in line.
    AlignNetwork,
    /// AWS: brings the tags of every object, and what the next instances start with, in line. No instance is replaced.
    AlignObjects,
    /// AWS: changes size, operations and throughput of a node's volume, online.
    ChangeVolume(NodeId),
    /// AWS: makes an empty volume in place of one that is gone; the node's instance ends before.
    ReplaceVolume(NodeId),
    /// Writes the desired document of the cluster with the next generation.
    WriteDesired,
    /// Makes the node's place if it is not there and starts its agent, which starts Kafka.
    StartNode(NodeId),
    /// Waits until each of these nodes is in sync by another broker's word (one broker: by its own).
    AwaitNodes(Vec<NodeId>),
    /// Waits until the live properties of the desired document are in force.
    AwaitProperties,
    /// Records that the cluster was ACTIVE: from then on a create never fails.
    RecordActive,
    /// Writes the desired document with every node marked for removal, so that agents end at once.
    WriteRemoval,
    /// Ends the node's processes and removes its place.
    RemoveNode(NodeId),
    /// Writes the tombstone and removes the cluster's documents, authorities and claims.
    RemoveCluster,
}

/// What a step means for the people who use the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nobody notices.
    None,
    /// A broker or controller is stopped and started.
    Restart,
    /// Partitions move between brokers.
    MovesData,
    /// It cannot be undone.
    Irreversible,
}

/// One step, with its reason. Steps with the same order run at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// 1, 2, 3 …: a step begins when every step of a lower order is done.
    pub order: u32,
    /// What it does.
    pub action: Action,
    /// Why it is there, for people.
    pub reason: String,
    /// What it means for the people who use the cluster.
    pub effect: Effect,
    /// How long it usually takes.
    pub estimate: Duration,
}

impl Action {
    /// The operation's name in `planned_operations` and in the journal.
    pub const fn operation(&self) -> &'static str {
        match self {
            Self::FetchKafka(_) => "fetch_kafka",
            Self::ClaimIdentity => "claim_identity",
            Self::MakePlaces => "make_places",
            Self::AlignNetwork => "align_network",
            Self::AlignObjects => "align_objects",
            Self::ChangeVolume(_) => "change_volume",
            Self::ReplaceVolume(_) => "replace_volume",
            Self::WriteDesired => "write_desired",
            Self::StartNode(_) => "start_node",
            Self::AwaitNodes(_) => "await_nodes",
            Self::AwaitProperties => "await_properties",
            Self::RecordActive => "record_active",
            Self::WriteRemoval => "write_removal",
            Self::RemoveNode(_) => "remove_node",
            Self::RemoveCluster => "remove_cluster",
        }
    }
}

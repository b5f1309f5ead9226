//! What an AWS account gave a cluster: the objects that outlive every instance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::spec::cluster::SelfHealing;
use crate::spec::ids::NodeId;

/// The objects of a cluster in the account, by id. Names and client tokens make each of them once; this document
/// remembers them, so that one that was deleted by hand is told from one that was never made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClusterPlaces {
    /// The account, 12 digits.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The VPC of every subnet.
    pub vpc_id: String,
    /// The cluster's own security group; `None` until it is made.
    pub security_group_id: Option<String>,
    /// What instances boot from, by architecture (`x86_64`, `arm64`). Resolved once.
    pub images: BTreeMap<String, PlacedImage>,
    /// Every node.
    pub nodes: BTreeMap<NodeId, PlacedNode>,
    /// The tags that everything got, `default_tags` of the provider block included.
    pub tags: BTreeMap<String, String>,
    /// The version of the provider that last said what instances start with.
    #[serde(default)]
    pub version: String,
    /// Where the nodes have names of their own; `None`: their names are those of their interfaces. Chosen once.
    #[serde(default)]
    pub private_zone: Option<PrivateZone>,
    /// Whether a destroy keeps a last snapshot of every volume.
    pub keeps_snapshots: bool,
    /// What replaces an instance that is lost. Chosen once.
    #[serde(default)]
    pub self_healing: SelfHealing,
}

/// A private hosted zone of Route 53 with a record for every node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PrivateZone {
    /// `Z…`.
    pub id: String,
    /// Its domain, without the dot at the end.
    pub domain: String,
    /// Whether the records were made once: since then what stands under the nodes' names is the cluster's.
    pub is_ours: bool,
}

/// The image of one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlacedImage {
    /// `ami-…`.
    pub id: String,
    /// Whether it is a copy that goes away with the cluster.
    pub is_copy: bool,
    /// The device of its root disk, such as `/dev/xvda`.
    pub root_device: String,
    /// GiB of its root disk.
    pub root_size: u32,
}

/// What a node keeps for life, whatever instance it runs on. Written before its interface and volume are made, so
/// that a destroy after a cut knows what may be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlacedNode {
    /// The subnet.
    pub subnet_id: String,
    /// The name of its availability zone.
    pub zone: String,
    /// The id of that zone, which is the same in every account: `broker.rack`.
    pub zone_id: String,
    /// The architecture of its instance type.
    pub architecture: String,
    /// Memory of its instance type, in MiB.
    pub memory: u64,
    /// The fixed network interface; `None` until it is made.
    pub interface: Option<PlacedInterface>,
    /// How many interfaces had this place before: part of the client token.
    pub interface_life: u32,
    /// The volume (`vol-…`); `None` until it is made.
    pub volume_id: Option<String>,
    /// How many volumes had this place before: part of the client token.
    pub volume_life: u32,
}

/// The network interface of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlacedInterface {
    /// `eni-…`.
    pub id: String,
    /// Its private address.
    pub address: String,
    /// The name that the node advertises.
    pub host: String,
}

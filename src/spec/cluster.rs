//! A cluster as wanted: every rule of the interface holds for a value of these types.
//!
//! Made by `spec::check`, read by the planner. Not a form for disk or state: those are the documents.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{ClusterName, NodeId};
use crate::kafka::versions::KafkaVersion;

/// Kafka's own default of `message.max.bytes`: 1 MiB and the overhead of a batch.
pub const DEFAULT_MAX_MESSAGE_BYTES: u32 = 1_048_588;

/// The largest `max_message_bytes`: a record of 10 MiB with the overhead of its batch.
pub const LARGEST_MAX_MESSAGE_BYTES: u32 = 10_485_880;

/// How long a node's certificate lives unless a test says otherwise.
pub const LEAF_LIFETIME: Duration = Duration::from_hours(397 * 24);

/// The id of the first dedicated controller, so that brokers can grow without meeting them.
pub const FIRST_CONTROLLER_ID: u32 = 10_001;

/// One cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterSpec {
    /// The name, unique in the control store.
    pub name: ClusterName,
    /// The exact version of Kafka.
    pub kafka_version: KafkaVersion,
    /// One to three zones by name, which is their number at creation.
    pub zones: BTreeSet<String>,
    /// 1 to 20.
    pub brokers_per_zone: u32,
    /// Which client listeners are encrypted, and whether brokers talk over TLS.
    pub encryption: EncryptionSpec,
    /// How clients say who they are.
    pub authentication: AuthenticationSpec,
    /// The attached configuration.
    pub configuration: Option<ConfigurationSpecReference>,
    /// `message.max.bytes`, in bytes.
    pub max_message_bytes: u32,
    /// Whether controllers have nodes of their own.
    pub dedicated_controllers: bool,
    /// Where dedicated controllers stand; empty: in the brokers' zones.
    pub controller_zones: BTreeSet<String>,
    /// Who may reach the client listeners. Recorded, not enforced, on one machine.
    pub client_sources: Sources,
    /// Who may reach the exporters. Recorded, not enforced, on one machine.
    pub monitoring_sources: Sources,
    /// Further security groups of the nodes. Recorded on one machine.
    pub security_group_ids: BTreeSet<String>,
    /// The size of a node's machine and volume. Recorded on one machine.
    pub size: SizeSpec,
    /// Whether destroy is refused.
    pub deletion_protection: bool,
    /// The user's tags.
    pub tags: BTreeMap<String, String>,
    /// What the provider block says about nodes on one machine.
    pub local: LocalSpec,
    /// What concerns nodes in an AWS account alone; `None` on one machine.
    pub aws: Option<AwsSpec>,
}

/// What concerns nodes in an AWS account alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsSpec {
    /// The image of every node, if one is written.
    pub image_id: Option<String>,
    /// Whether the image is copied into the account, so that its owner cannot take it away.
    pub copies_image: bool,
    /// The private hosted zone of the nodes' names, if one is written.
    pub private_zone_id: Option<String>,
    /// The user's instance profile, if nodes do not get roles of their own.
    pub instance_profile: Option<String>,
    /// The ARN of the policy that bounds the nodes' roles.
    pub permissions_boundary: Option<String>,
    /// What replaces an instance that is lost.
    pub self_healing: SelfHealing,
    /// Nodes whose volume is made anew, empty, if it is lost.
    pub replace_volumes: BTreeSet<NodeId>,
    /// Whether a destroy keeps a last snapshot of every volume.
    pub keeps_snapshots: bool,
    /// What the volumes of a new cluster are restored from, by node.
    pub restore_snapshot_ids: BTreeMap<NodeId, String>,
    /// The tags of the cluster over those of the provider block.
    pub all_tags: BTreeMap<String, String>,
}

impl Default for AwsSpec {
    fn default() -> Self {
        Self {
            image_id: None,
            copies_image: true,
            private_zone_id: None,
            instance_profile: None,
            permissions_boundary: None,
            self_healing: SelfHealing::Always,
            replace_volumes: BTreeSet::new(),
            keeps_snapshots: true,
            restore_snapshot_ids: BTreeMap::new(),
            all_tags: BTreeMap::new(),
        }
    }
}

/// What replaces an instance that is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SelfHealing {
    /// Its Auto Scaling group, at any time.
    #[default]
    Always,
    /// The next apply.
    Apply,
}

/// Encryption of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncryptionSpec {
    /// Which kinds of client listeners may be open.
    pub client_broker: ClientBroker,
    /// Whether replication is mutual TLS; else user and password without encryption.
    pub in_cluster: bool,
}

impl Default for EncryptionSpec {
    fn default() -> Self {
        Self {
            client_broker: ClientBroker::Tls,
            in_cluster: true,
        }
    }
}

/// The enumeration `client_broker` of Amazon MSK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientBroker {
    /// Only TLS.
    Tls,
    /// TLS and plaintext.
    TlsPlaintext,
    /// Only plaintext.
    Plaintext,
}

impl ClientBroker {
    /// Every value, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Tls, Self::TlsPlaintext, Self::Plaintext];

    /// The value as users write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "TLS",
            Self::TlsPlaintext => "TLS_PLAINTEXT",
            Self::Plaintext => "PLAINTEXT",
        }
    }

    /// Whether listeners with TLS may be open.
    pub const fn has_tls(self) -> bool {
        matches!(self, Self::Tls | Self::TlsPlaintext)
    }

    /// Whether the plaintext listener may be open.
    pub const fn has_plaintext(self) -> bool {
        matches!(self, Self::Plaintext | Self::TlsPlaintext)
    }
}

/// The ways of clients to say who they are; at least one is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticationSpec {
    /// User and password.
    pub scram: bool,
    /// Certificates of these authorities (PEM); empty: no certificates.
    pub client_ca_pem: Vec<String>,
    /// Nothing.
    pub unauthenticated: bool,
}

impl AuthenticationSpec {
    /// Whether clients may show certificates.
    pub const fn has_tls(&self) -> bool {
        !self.client_ca_pem.is_empty()
    }
}

/// An attached configuration with the properties of its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationSpecReference {
    /// The configuration's id, which is its name.
    pub id: String,
    /// The revision.
    pub revision: u64,
    /// The broker properties of that revision, checked for the cluster's version.
    pub server_properties: BTreeMap<String, String>,
}

/// Who may reach a group of ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Security groups.
    pub security_group_ids: BTreeSet<String>,
    /// Address ranges in their shortest spelling, IPv4 and IPv6.
    pub cidr_blocks: BTreeSet<String>,
}

/// Machine and volume of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SizeSpec {
    /// The instance type without `kafka.`.
    pub instance_type: String,
    /// The instance type of dedicated controllers, if written.
    pub controller_instance_type: Option<String>,
    /// GiB.
    pub volume_size: u32,
    /// `gp3` or `io2`.
    pub volume_type: String,
    /// As written.
    pub volume_iops: Option<u32>,
    /// MiB/s, as written.
    pub volume_throughput: Option<u32>,
    /// The key as written.
    pub kms_key_id: Option<String>,
}

/// What the provider block says about nodes on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSpec {
    /// Where listeners bind and what they advertise.
    pub listen_address: String,
    /// The JVM heap, such as `512m`.
    pub heap: String,
    /// How long a node's certificate lives.
    pub leaf_lifetime: Duration,
}

impl Default for LocalSpec {
    fn default() -> Self {
        Self {
            listen_address: "127.0.0.1".to_owned(),
            heap: "512m".to_owned(),
            leaf_lifetime: LEAF_LIFETIME,
        }
    }
}

impl ClusterSpec {
    /// The type of a node's machine, such as `m5.large`.
    pub fn instance_type(&self, node: NodeId) -> &str {
        let controllers = self.size.controller_instance_type.as_deref();
        match controllers {
            Some(controllers) if node.0 >= FIRST_CONTROLLER_ID => controllers,
            _ => &self.size.instance_type,
        }
    }

    /// The zone of a node, as written: brokers round robin over `zones`, dedicated controllers over theirs. `zones`
    /// are the cluster's in the order of their numbers.
    pub fn zone_of<'a>(&'a self, node: NodeId, zones: &'a [String]) -> Option<&'a str> {
        let round_robin = |zones: &[&'a String], index: u32| {
            let count = u32::try_from(zones.len()).ok().filter(|count| *count > 0)?;
            let position = usize::try_from(index % count).ok()?;
            zones.get(position).map(|zone| zone.as_str())
        };
        let zones: Vec<&String> = zones.iter().collect();
        if node.0 < FIRST_CONTROLLER_ID {
            return round_robin(&zones, node.0.checked_sub(1)?);
        }
        let controllers: Vec<&String> = self.controller_zones.iter().collect();
        let zones = if controllers.is_empty() {
            zones
        } else {
            controllers
        };
        round_robin(&zones, node.0 - FIRST_CONTROLLER_ID)
    }

    /// How many brokers there are.
    pub fn broker_count(&self) -> u32 {
        u32::try_from(self.zones.len())
            .unwrap_or(u32::MAX)
            .saturating_mul(self.brokers_per_zone)
    }

    /// The brokers' ids: 1, 2, 3 ….
    pub fn broker_ids(&self) -> Vec<NodeId> {
        (1..=self.broker_count()).map(NodeId).collect()
    }

    /// How many voters the quorum has: 1 for one broker, else 3; two combined brokers: 1.
    pub fn voter_count(&self) -> u32 {
        match self.broker_count() {
            0 | 1 => 1,
            2 if !self.dedicated_controllers => 1,
            _ => 3,
        }
    }

    /// The controllers' ids: dedicated ones 10001, 10002 …, else the first brokers.
    pub fn controller_ids(&self) -> Vec<NodeId> {
        let first = if self.dedicated_controllers {
            FIRST_CONTROLLER_ID
        } else {
            1
        };
        (first..first + self.voter_count()).map(NodeId).collect()
    }

    /// Every node's id, in order.
    pub fn node_ids(&self) -> Vec<NodeId> {
        let mut ids: BTreeSet<NodeId> = self.broker_ids().into_iter().collect();
        ids.extend(self.controller_ids());
        ids.into_iter().collect()
    }

    /// How many replicas a topic gets unless something else is said: `min(3, brokers)`.
    pub fn default_replication_factor(&self) -> u16 {
        u16::try_from(self.broker_count().min(3)).unwrap_or(3)
    }

    /// `min.insync.replicas` unless something else is said: one less than the replicas, at least 1.
    pub fn default_min_insync_replicas(&self) -> u16 {
        (self.default_replication_factor() - 1).max(1)
    }
}

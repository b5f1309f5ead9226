//! A cluster's record, identity and desired document.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::claims::{Claim, Phase};
use crate::clock::Timestamp;
use crate::kafka::versions::KafkaVersion;
use crate::spec::ids::{ClusterName, ClusterUid, KafkaUuid, NodeId};

/// What the provider keeps of a cluster under its name. Created if absent: that makes names unique.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClusterRecord {
    /// The cluster's name, equal to the key.
    pub name: ClusterName,
    /// The cluster's identity.
    pub uid: ClusterUid,
    /// The claim of the create that made it.
    pub claim: Claim,
    /// How far the making has come.
    pub phase: Phase,
    /// When the cluster was first ACTIVE. From then on a create never fails and protection holds.
    pub first_active_at: Option<Timestamp>,
    /// The protection last applied; judged again at delete.
    pub deletion_protection: bool,
    /// Set while a destroy runs, so that a killed one is carried on and nothing is planned meanwhile.
    pub deleting: bool,
    /// The configuration last applied, as the user wrote it (JSON of the Terraform object), for import.
    pub written: serde_json::Value,
    /// The attached configuration and its revision, so that it is known who uses it.
    pub configuration: Option<(String, u64)>,
}

/// What was drawn or claimed once when the cluster was made and never changes: ids, ports, authorities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClusterIdentity {
    /// Kafka's id of the cluster.
    pub kafka_cluster_id: KafkaUuid,
    /// The zones by number: index 0 is the zone of node 1.
    pub zones: Vec<String>,
    /// One machine: the first port of the cluster's block of 1,000.
    pub base_port: Option<u16>,
    /// The directory id of every initial voter, by node.
    pub voter_directory_ids: BTreeMap<NodeId, KafkaUuid>,
    /// The certificate of the authority for controllers, replication and agents (PEM).
    pub internal_ca_pem: String,
    /// The certificate of the authority that clients trust (PEM).
    pub server_ca_pem: String,
}

/// The listeners of a node. Names follow their use; ports are decided per node by the planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ListenerName {
    /// The agents' admin connections; always mutual TLS (docs/decisions/0001-agent-listener.md).
    Agent,
    /// Between brokers; mutual TLS, or `SASL_PLAINTEXT` for the reserved node user.
    Replication,
    /// Between controllers and from brokers to controllers; always mutual TLS.
    Controller,
    /// Clients without encryption and without authentication.
    ClientPlaintext,
    /// Clients over TLS, with or without certificates.
    ClientTls,
    /// Clients with user and password over TLS.
    ClientScram,
    /// Clients with AWS credentials over TLS.
    ClientIam,
}

impl ListenerName {
    /// The name in Kafka's properties (`listeners=NAME://…`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "AGENT",
            Self::Replication => "REPLICATION",
            Self::Controller => "CONTROLLER",
            Self::ClientPlaintext => "CLIENT_PLAINTEXT",
            Self::ClientTls => "CLIENT_TLS",
            Self::ClientScram => "CLIENT_SCRAM",
            Self::ClientIam => "CLIENT_IAM",
        }
    }

    /// The offset within a node's ten ports on one machine (`schema.md`, ports; 0 is the agents').
    pub const fn port_offset(self) -> u16 {
        match self {
            Self::Agent => 0,
            Self::Replication => 1,
            Self::ClientPlaintext => 2,
            Self::Controller => 3,
            Self::ClientTls => 4,
            Self::ClientScram => 6,
            Self::ClientIam => 8,
        }
    }
}

impl fmt::Display for ListenerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Kafka's security protocol of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SecurityProtocol {
    /// No encryption, no authentication.
    Plaintext,
    /// TLS.
    Ssl,
    /// User and password without encryption; only for replication with `in_cluster = false`.
    SaslPlaintext,
    /// User and password over TLS.
    SaslSsl,
}

/// Kafka's `ssl.client.auth` of a TLS listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// A client certificate is neither asked for nor looked at.
    None,
    /// A client certificate is checked if the client shows one.
    Requested,
    /// A client without a certificate is refused.
    Required,
}

/// Which authority signed the certificate that a listener shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ServerTrust {
    /// The internal authority; the listener trusts only certificates of the same one.
    Internal,
    /// The server authority; the listener trusts only the user's client authorities.
    Server,
}

/// One listener, as every node that opens it renders it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ListenerDesired {
    /// Which listener.
    pub name: ListenerName,
    /// Its protocol.
    pub protocol: SecurityProtocol,
    /// `None` without TLS.
    pub trust: Option<ServerTrust>,
    /// Whether clients show certificates; `None` without TLS.
    pub client_authentication: ClientAuthentication,
}

/// What a node's process should be doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunTarget {
    /// Kafka runs; the agent restarts it when it dies.
    Running,
    /// Kafka is stopped cleanly and stays stopped; the agent stays.
    Stopped,
    /// The node goes away with its data: Kafka is ended at once and the agent ends too.
    Removed,
}

/// One node, with every choice made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeDesired {
    /// The node's id.
    pub id: NodeId,
    /// Whether it serves clients and stores partitions.
    pub is_broker: bool,
    /// Whether it is a KRaft controller.
    pub is_controller: bool,
    /// The zone's name: `broker.rack`.
    pub zone: String,
    /// The address to bind listeners to.
    pub bind_address: String,
    /// The host that is advertised to clients and other nodes.
    pub advertised_host: String,
    /// Further DNS names and IP addresses that certificates of this node carry.
    pub certificate_names: Vec<String>,
    /// The port of every listener that this node opens.
    pub ports: BTreeMap<ListenerName, u16>,
    /// The JVM heap, such as `512m`.
    pub heap: String,
    /// What its process should be doing.
    pub run: RunTarget,
    /// AWS: what its machine must have before Kafka may run there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineDesired>,
}

/// What a node's machine on AWS must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MachineDesired {
    /// The primary network interface.
    pub interface_id: String,
    /// The volume with the node's data. Only this one is ever formatted.
    pub volume_id: String,
}

/// An initial voter of the dynamic quorum, the same list on every node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Voter {
    /// The controller's node id.
    pub node_id: NodeId,
    /// The id of its metadata directory at the first format.
    pub directory_id: KafkaUuid,
    /// Where it listens.
    pub host: String,
    /// The port of its controller listener.
    pub port: u16,
}

/// What the nodes of a cluster should be. Made by the planner, obeyed by the agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClusterDesired {
    /// The cluster's name.
    pub name: ClusterName,
    /// Kafka's id of the cluster.
    pub kafka_cluster_id: KafkaUuid,
    /// The version that every node runs.
    pub kafka_version: KafkaVersion,
    /// Every node, by id.
    pub nodes: Vec<NodeDesired>,
    /// The voters that the quorum is formatted with.
    pub initial_voters: Vec<Voter>,
    /// Every open listener.
    pub listeners: Vec<ListenerDesired>,
    /// Properties that need a restart, the same on every node; without listeners, stores and ids, which
    /// the renderer derives from this document.
    pub static_properties: BTreeMap<String, String>,
    /// Properties that Kafka takes live; kept as the dynamic cluster default by the agent in charge and
    /// rendered into `server.properties` as well, so that a fresh node starts with them.
    pub live_properties: BTreeMap<String, String>,
    /// The internal authority's certificates (PEM; two while it is being replaced).
    pub internal_ca_pem: Vec<String>,
    /// The server authority's certificates (PEM; two while it is being replaced).
    pub server_ca_pem: Vec<String>,
    /// The user's authorities for client certificates (PEM), empty if certificates are not accepted.
    pub client_ca_pem: Vec<String>,
    /// The lifetime of leaf certificates, in seconds; agents renew at two thirds of it.
    pub leaf_lifetime_seconds: u64,
}

impl ClusterDesired {
    /// The node with this id.
    pub fn node(&self, id: NodeId) -> Option<&NodeDesired> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The listener with this name, if it is open.
    pub fn listener(&self, name: ListenerName) -> Option<&ListenerDesired> {
        self.listeners.iter().find(|listener| listener.name == name)
    }
}

//! What a node's agent says of itself, and the claims that guard its disk and its stops.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::spec::ids::{Generation, KafkaUuid, NodeId};

/// One process of the machine, told apart from a later one with the same id by its start time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProcessIdentity {
    /// The process id.
    pub process_id: u32,
    /// The start time in clock ticks since boot (`/proc/<pid>/stat`, field 22).
    pub process_start: u64,
}

/// Which life of a node a status speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Incarnation {
    /// The machine's boot id.
    pub boot_id: String,
    /// AWS: the instance id. One machine: empty.
    pub instance_id: String,
    /// The agent's process.
    pub agent: ProcessIdentity,
    /// Kafka's process, while there is one.
    pub kafka: Option<ProcessIdentity>,
}

/// Where a node stands. The order is that of a normal start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NodePhase {
    /// The agent runs and reads its documents.
    Preparing,
    /// The first-format claim is being taken and the directory formatted.
    Formatting,
    /// Kafka's process runs and does not answer yet.
    Starting,
    /// Kafka checks its logs after an unclean stop.
    Recovering,
    /// Kafka answers; some of its replicas are not in sync.
    Running,
    /// Kafka answers, and another broker's metadata agrees that every replica here is in sync.
    InSync,
    /// Kafka is being stopped.
    Stopping,
    /// Kafka is stopped on purpose.
    Stopped,
    /// Kafka died and waits for its next start.
    BackingOff,
    /// The agent will not go on by itself; `problem` says why.
    Failed,
}

/// What is wrong with a node, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// A format is recorded as done and the directory has no `meta.properties`: never formatted again.
    DataMissing,
    /// The data directory belongs to another node or cluster.
    DataForeign,
    /// The data directory cannot be read or written.
    DataUnusable,
    /// The disk is full.
    DiskFull,
    /// The desired document's generation is lower than the one applied before.
    StoreRolledBack,
    /// A document cannot be read.
    DocumentBroken,
    /// A port that the node needs is taken by a process that is not ours.
    PortTaken,
    /// Java is missing or unfit.
    Java,
    /// Kafka ended by itself again and again.
    CrashLoop,
    /// A certificate could not be made or renewed.
    Certificate,
    /// Anything else; the text says it.
    Other,
}

/// What is wrong with a node, for people too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Problem {
    /// For programs.
    pub code: ProblemCode,
    /// One or two sentences: what happened, what to do. No secrets, bounded to 2,000 characters.
    pub text: String,
}

/// What this broker's metadata says of the cluster: the second opinion for "in sync" and for safety.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PeerView {
    /// When it was read.
    pub observed_at: Timestamp,
    /// The brokers that are registered and not fenced.
    pub live_brokers: Vec<NodeId>,
    /// For each broker with replicas that are not in sync: how many.
    pub out_of_sync: BTreeMap<NodeId, u32>,
    /// For each broker: how many partitions its stop would bring, or keep, below `min.insync.replicas`
    /// (`planner::safety::count_partitions`).
    #[serde(default)]
    pub would_fall_below: BTreeMap<NodeId, u32>,
    /// How many partitions have fewer in-sync replicas than `min.insync.replicas`.
    pub under_min_isr: u32,
    /// How many partitions have no leader.
    pub offline: u32,
    /// The active controller by the quorum's own word.
    pub quorum_leader: Option<NodeId>,
    /// The voters of the quorum.
    pub voters: Vec<NodeId>,
    /// The voters that have caught up with the leader lately.
    pub caught_up_voters: Vec<NodeId>,
}

/// A node's status, written by its agent on change and as a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeStatus {
    /// The node.
    pub node_id: NodeId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// When this was written, by the store's clock.
    pub written_at: Timestamp,
    /// Seconds between heartbeats; a status older than three of them is not believed.
    pub heartbeat_seconds: u32,
    /// The agent's version.
    pub agent_version: String,
    /// Where the node stands.
    pub phase: NodePhase,
    /// What it is doing or waiting for, for people: "checking log 12 of 80", "waits for broker 2".
    pub progress: String,
    /// What is wrong.
    pub problem: Option<Problem>,
    /// The generation of `desired/cluster.json` that Kafka's process was started with or has taken live.
    pub applied: Generation,
    /// When the certificates in use end.
    pub certificates_expire_at: Option<Timestamp>,
    /// When the certificate ends with which this Kafka dials the controllers. It is read at the start only,
    /// so Kafka has to be restarted before.
    #[serde(default)]
    pub dials_until: Option<Timestamp>,
    /// Whether it waits for a controller's agent to sign its certificates.
    #[serde(default)]
    pub asks_for_certificates: bool,
    /// What this broker's metadata says of the cluster; `None` for a dedicated controller.
    pub view: Option<PeerView>,
    /// How often Kafka's process has ended by itself since the agent started.
    pub unexpected_exits: u32,
    /// AWS: what the agent found on its machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineStatus>,
}

/// What an agent found on its machine on AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MachineStatus {
    /// The volume that is attached and mounted.
    pub volume_id: String,
    /// The UUID of its file system.
    pub file_system_id: String,
    /// The size of the file system, in bytes: less than the volume's until it has grown.
    pub file_system_bytes: u64,
}

/// How far the first format of a node's disk has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FormatPhase {
    /// Written before the first byte.
    Started,
    /// The disk is formatted; Kafka may start. From now on a blank disk means lost data.
    Done,
}

/// The claim that makes sure a node's disk is formatted once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FormatClaim {
    /// The node.
    pub node_id: NodeId,
    /// AWS: the volume id. One machine: device and inode of the data directory.
    pub disk_id: String,
    /// Kafka's id of the directory; never used twice.
    pub directory_id: KafkaUuid,
    /// How far it has come.
    pub phase: FormatPhase,
}

/// The one lock under which an agent may stop its own Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DisruptionLock {
    /// Who holds it.
    pub holder: Option<NodeId>,
    /// Why.
    pub reason: String,
    /// Since when.
    pub taken_at: Timestamp,
    /// Until when the holder's claim is believed; renewed while it works.
    pub expires_at: Timestamp,
    /// When each node was last stopped by its agent.
    pub last_stops: BTreeMap<NodeId, Timestamp>,
}

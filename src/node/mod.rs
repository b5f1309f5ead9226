//! The agent beside each Kafka process: formats, starts, watches and restarts Kafka, renews its
//! certificates, applies topics, users and ACLs, and says how it stands.
//!
//! One agent per node, one thread per agent. Kafka's process is not bound to it: the agent may be
//! killed or replaced at any instant, and the next one adopts Kafka as it runs.

/// Where things lie on a machine.
pub mod home;

/// Where a node finds the control store.
pub mod place;

/// One agent per node.
pub mod lock;

/// Processes, told apart by start time; adoption of a running Kafka.
pub mod process;

/// From phase to phase, with the diagram.
pub mod phase;

/// The agent as a whole.
pub mod agent;

/// The command line of `msk-node`.
pub mod command_line;

/// What the loops of one agent share.
mod context;

/// Reads the desired document and decides whether to believe it.
mod desired;

/// Keeps Kafka's process as the document wants it.
mod supervisor;

/// Makes the class-data archive for the next start.
mod training;

/// Formats the data directory under the first-format claim.
mod format;

/// The node's own keys and certificates.
mod certificates;

/// Renews certificates while Kafka runs.
mod renewal;

/// Users' secrets in Secrets Manager.
mod secrets;

/// The passwords of reserved users.
mod password;

/// Kafka's process.
mod kafka;

/// The agent on an EC2 machine.
pub mod machine;

/// A machine that is one node's alone.
mod own_machine;

/// Kafka as a systemd unit.
mod unit;

/// The arguments of Kafka's JVM.
mod launch;

/// Ports: free before the start, open after it.
mod readiness;

/// Restarts a running Kafka where nothing else helps, under the disruption lock.
mod disruption;

/// Back-off after deaths of Kafka.
mod restarts;

/// Whether a node is in sync.
mod sync;

/// Reads the cluster's metadata and the other agents' statuses.
mod observer;

/// The connection to the node's own broker.
mod admin;

/// Applies topics, users, ACLs and live properties.
mod apply;

/// Publishes the node's status.
mod status;

/// Room on the disk to tell that it is full.
mod reserve;

/// Problems for people.
mod problem;

/// Log files that cannot fill a disk.
mod log_file;

/// The agent's own log.
mod log_lines;

/// Test hooks of the agent, inert unless their environment variable is set.
mod hooks;

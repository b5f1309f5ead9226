//! The engine for one machine: a data directory, real Kafka processes, one agent beside each.

/// The data directory: ours, writable, with room.
pub mod directory;

/// Which ports are free, and which block of them a cluster takes.
pub mod ports;

/// The processes of a cluster's nodes, found by what they run on, and their end.
pub mod processes;

/// The agent's program: installed once per version, started once per node.
pub mod agent;

//! The agent beside each Kafka process: formats, starts, watches and restarts Kafka, renews its
//! certificates, applies topics, users and ACLs, and says how it stands.

/// Where things lie on a machine.
pub mod home;

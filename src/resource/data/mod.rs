//! Data sources, one file each.

/// `msk_cluster`.
pub mod cluster;

/// `msk_configuration`.
pub mod configuration;

/// `msk_kafka_versions`.
pub mod kafka_versions;

/// `msk_topics`.
pub mod topics;

/// `msk_acls`.
pub mod acls;

//! Data sources, one file each.

/// `msk_kafka_versions`.
pub mod kafka_versions;

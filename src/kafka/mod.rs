//! Everything that knows how Apache Kafka talks, stores and is configured.

/// Kafka's model of access rules, with its names and codes. Pure.
pub mod acl;
/// The supported versions and the facts that differ between them. Pure.
pub mod versions;

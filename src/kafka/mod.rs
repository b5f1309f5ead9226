//! Everything that knows how Apache Kafka talks, stores and is configured.

/// Kafka's model of access rules, with its names and codes. Pure.
pub mod acl;
/// The supported versions and the facts that differ between them. Pure.
pub mod versions;

/// Every property of brokers and topics per minor version, with type, valid values and update mode. Pure.
pub mod properties;

/// The text format of `server.properties`: rendering and reading. Pure.
pub mod server_properties;

/// Formats data directories without a JVM.
pub mod format;

/// The asynchronous client for Kafka's administrative APIs.
pub mod client;
/// Finding Java.
pub mod java;

/// The command line and logging configuration of a node. Pure.
pub mod launch;

/// Kafka's own files: found, or fetched and checked.
pub mod distribution;

/// Class-data archives, which make nodes start faster.
pub mod class_data;

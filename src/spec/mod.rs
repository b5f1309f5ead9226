//! What the user wants, fully checked. Pure: no I/O, no clock, no randomness, no environment.

/// Newtypes for the names and numbers of the domain.
pub mod ids;

/// A cluster as wanted.
pub mod cluster;

/// An inbound rule of a security group.
pub mod firewall;

/// A topic, an ACL, a user and a configuration as wanted.
pub mod objects;

/// Broker properties in the spelling that Kafka takes live.
pub mod broker_properties;

/// The rules of the interface: from what was written to the checked forms.
pub mod check;

/// What changed since the last apply.
pub mod changes;

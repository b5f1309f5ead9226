//! Managed streaming for Apache Kafka as Terraform resources, run by its user.
//!
//! The modules stand in the order in which a value travels: from Terraform's gRPC call down to the
//! process that runs Kafka. `docs/architecture.md` draws the way and names the rules between modules.

/// The clock of the machine, behind one door, so that the pure core can be tested without it.
pub mod clock;

/// This process and others of the machine: identity, life, command line, end.
pub mod process;

/// Values that must never be shown: no `Debug`, no `Display`, cleared on drop.
pub mod secret;

mod hex;

/// The version of the product.
pub mod version;

/// A Terraform plugin SDK: handshake, RPCs, values, schemas, diagnostics. Knows nothing of Kafka.
pub mod tfplugin;

/// What the user wants, fully checked. Pure.
pub mod spec;

/// What was seen: known, absent or uncertain, with its time. Pure.
pub mod observed;

/// From (wanted, seen) to steps, with the reasons. Pure.
pub mod planner;

/// Certificate authorities and leaf certificates of a cluster.
pub mod pki;

/// The control store and its versioned documents: the only thing that provider and nodes share.
pub mod store;

/// The private things of a cluster: authorities' keys, reserved passwords.
pub mod vault;

/// The user's AWS account: clients, credentials, errors.
pub mod aws;

/// Kafka's wire protocol, property tables, `server.properties`, storage format.
pub mod kafka;

/// Does what the plan says, one journalled step after the other. Makes no choices.
pub mod engine;

/// One file per Terraform type.
pub mod resource;

/// The agent beside each Kafka process.
pub mod node;

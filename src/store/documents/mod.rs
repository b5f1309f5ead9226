//! The versioned documents in the control store: what provider and nodes say to each other.
//!
//! | key | document | written by |
//! | --- | --- | --- |
//! | `clusters/<name>.json` | [`ClusterRecord`] | provider |
//! | `<uid>/identity.json` | [`ClusterIdentity`] | provider, once |
//! | `<uid>/desired/cluster.json` | [`ClusterDesired`] | provider |
//! | `<uid>/desired/topics.json`, `acls.json`, `users.json` | [`TopicsDesired`], [`AclsDesired`], [`UsersDesired`] | provider |
//! | `<uid>/status/<node>/node.json` | [`NodeStatus`] | that node's agent |
//! | `<uid>/status/<node>/topics.json`, `acls.json`, `users.json`, `properties.json` | [`TopicsStatus`], [`AclsStatus`], [`UsersStatus`], [`PropertiesStatus`] | the agent in charge |
//! | `<uid>/status/<node>/certificate-request.json` | [`CertificateRequest`] | that node's agent, if it cannot sign for itself |
//! | `<uid>/public/certificates/<node>.json` | [`NodeCertificates`] | a controller's agent |
//! | `<uid>/status/<node>/format.json` | [`FormatClaim`] | that node's agent, once |
//! | `<uid>/locks/disruption.json` | [`DisruptionLock`] | agents |
//! | `<uid>/journal/<operation>.json` | [`Journal`] | provider |
//! | `configurations/<name>.json` | [`ConfigurationRecord`] | provider |
//! | `ports/<first port>.json` | [`PortBlock`] | provider, one machine |
//! | `gone/<uid>.json` | [`Tombstone`] | provider |
//!
//! No document holds a password, a salted password or a private key.
//! `docs/schemas/` has the JSON Schema of each; a test keeps them fresh.

/// Access: topics, ACLs and users, as wanted and as seen.
mod access;
/// What nodes ask to be signed, and the answers.
mod certificates;
/// Who made an object, and how far the making has come.
mod claims;
/// A cluster's record, identity and desired document.
mod cluster;
/// Configurations with their revisions.
mod configuration;
/// The record of what an operation did.
mod journal;
/// Where each document lies in the store.
pub mod keys;
/// What a node's agent says of itself, and the claims that guard its disk and its stops.
mod node;
/// Maps of thousands of entries, read into little memory.
mod packed;
/// Blocks of ports on one machine.
mod places;

mod ports;
/// Texts that thousands of entries have in common, in memory once.
mod shared;
/// A configuration as the user wrote it.
mod written;

pub use access::{
    AclDesired, AclKey, AclObserved, AclTombstone, AclsDesired, AclsStatus, AppliedFailure, PropertiesStatus,
    SecretReference, TopicDesired, TopicObserved, TopicTombstone, TopicsDesired, TopicsStatus, UserDesired,
    UserObserved, UserTombstone, UsersDesired, UsersStatus,
};
pub use certificates::{CertificateRequest, LeafRequest, NodeCertificates, SignedLeaf};
pub use claims::{Caller, Claim, Holder, ObjectClaim, Phase, Tombstone};
pub use cluster::{
    ClientAuthentication, ClusterDesired, ClusterIdentity, ClusterRecord, ListenerDesired, ListenerName,
    MachineDesired, NodeDesired, RunTarget, SecurityProtocol, ServerTrust, Voter,
};
pub use configuration::{ConfigurationRecord, ConfigurationRevision};
pub use journal::{Journal, JournalEntry, JournalState};
pub use node::{
    DisruptionLock, FormatClaim, FormatPhase, Incarnation, MachineStatus, NodePhase, NodeStatus, PeerView,
    Problem, ProblemCode, ProcessIdentity,
};
pub use places::{ClusterPlaces, PlacedImage, PlacedInterface, PlacedNode, PrivateZone};
pub use ports::PortBlock;
pub use written::WrittenConfiguration;

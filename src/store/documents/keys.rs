//! Where each document lies in the store, and what kind it is.

use super::{
    AclsDesired, AclsStatus, CertificateRequest, ClusterDesired, ClusterIdentity, ClusterPlaces,
    ClusterRecord, ConfigurationRecord, DisruptionLock, FormatClaim, Journal, NodeCertificates, NodeStatus,
    PortBlock, PropertiesStatus, Tombstone, TopicsDesired, TopicsStatus, UsersDesired, UsersStatus,
};
use crate::clock::Timestamp;
use crate::spec::ids::{ClusterName, ClusterUid, NodeId};
use crate::store::key::{Key, KeyError, Prefix};
use crate::store::typed::Document;

macro_rules! documents {
    ($($kind:literal $format:literal $type:ty;)+) => {
        $(
            impl Document for $type {
                const KIND: &'static str = $kind;
                const FORMAT: u32 = $format;
            }
        )+

        /// The JSON Schema of every document, by kind.
        #[cfg(test)]
        pub(crate) fn schemas() -> Vec<(&'static str, schemars::Schema)> {
            vec![$(($kind, schemars::schema_for!(crate::store::typed::Envelope<$type>))),+]
        }
    };
}

documents! {
    "cluster-record" 1 ClusterRecord;
    "cluster-identity" 1 ClusterIdentity;
    "cluster-places" 1 ClusterPlaces;
    "cluster-desired" 1 ClusterDesired;
    "topics-desired" 1 TopicsDesired;
    "acls-desired" 1 AclsDesired;
    "users-desired" 1 UsersDesired;
    "node-status" 1 NodeStatus;
    "topics-status" 1 TopicsStatus;
    "acls-status" 1 AclsStatus;
    "users-status" 1 UsersStatus;
    "properties-status" 1 PropertiesStatus;
    "certificate-request" 1 CertificateRequest;
    "node-certificates" 1 NodeCertificates;
    "format-claim" 1 FormatClaim;
    "disruption-lock" 1 DisruptionLock;
    "journal" 1 Journal;
    "configuration-record" 1 ConfigurationRecord;
    "tombstone" 1 Tombstone;
    "port-block" 1 PortBlock;
}

/// The key of a cluster's record.
///
/// # Errors
/// If the name holds characters that a key cannot: it was never checked.
pub fn cluster_record(name: &ClusterName) -> Result<Key, KeyError> {
    Key::parse(format!("clusters/{name}.json"))
}

/// The folder of all cluster records.
///
/// # Errors
/// Never; the text is fixed.
pub fn cluster_records() -> Result<Prefix, KeyError> {
    Prefix::parse("clusters/")
}

/// The key of a configuration's record.
///
/// # Errors
/// If the name holds characters that a key cannot: it was never checked.
pub fn configuration_record(name: &str) -> Result<Key, KeyError> {
    Key::parse(format!("configurations/{name}.json"))
}

/// The folder of all configuration records.
///
/// # Errors
/// Never; the text is fixed.
pub fn configuration_records() -> Result<Prefix, KeyError> {
    Prefix::parse("configurations/")
}

/// The key of a cluster's tombstone.
///
/// # Errors
/// If the uid is none of ours.
pub fn tombstone(uid: &ClusterUid) -> Result<Key, KeyError> {
    Key::parse(format!("gone/{uid}.json"))
}

/// The key of a claim on a block of ports.
///
/// # Errors
/// Never; a number makes a good key.
pub fn port_block(base_port: u16) -> Result<Key, KeyError> {
    Key::parse(format!("ports/{base_port:05}.json"))
}

/// The folder of all claims on blocks of ports.
///
/// # Errors
/// Never; the text is fixed.
pub fn port_blocks() -> Result<Prefix, KeyError> {
    Prefix::parse("ports/")
}

/// Everything that belongs to one cluster but its record and its tombstone.
///
/// # Errors
/// If the uid is none of ours.
pub fn cluster_folder(uid: &ClusterUid) -> Result<Prefix, KeyError> {
    Prefix::parse(format!("{uid}/"))
}

/// What the nodes of a cluster should be: the folder of desired documents.
///
/// # Errors
/// If the uid is none of ours.
pub fn desired_folder(uid: &ClusterUid) -> Result<Prefix, KeyError> {
    Prefix::parse(format!("{uid}/desired/"))
}

/// What the agents of a cluster say: the folder of status documents.
///
/// # Errors
/// If the uid is none of ours.
pub fn status_folder(uid: &ClusterUid) -> Result<Prefix, KeyError> {
    Prefix::parse(format!("{uid}/status/"))
}

/// A document of a cluster that there is once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Single {
    /// [`ClusterIdentity`].
    Identity,
    /// [`ClusterPlaces`].
    Places,
    /// [`ClusterDesired`].
    Cluster,
    /// [`TopicsDesired`].
    Topics,
    /// [`AclsDesired`].
    Acls,
    /// [`UsersDesired`].
    Users,
    /// [`DisruptionLock`].
    DisruptionLock,
}

/// The key of a document of a cluster that there is once.
///
/// # Errors
/// If the uid is none of ours.
pub fn single(uid: &ClusterUid, which: Single) -> Result<Key, KeyError> {
    let path = match which {
        Single::Identity => "identity",
        Single::Places => "places",
        Single::Cluster => "desired/cluster",
        Single::Topics => "desired/topics",
        Single::Acls => "desired/acls",
        Single::Users => "desired/users",
        Single::DisruptionLock => "locks/disruption",
    };
    Key::parse(format!("{uid}/{path}.json"))
}

/// A document that each node has of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerNode {
    /// [`NodeStatus`].
    Node,
    /// [`TopicsStatus`].
    Topics,
    /// [`AclsStatus`].
    Acls,
    /// [`UsersStatus`].
    Users,
    /// [`PropertiesStatus`].
    Properties,
    /// [`FormatClaim`].
    Format,
    /// [`CertificateRequest`].
    CertificateRequest,
}

/// The key of a document that each node has of its own.
///
/// # Errors
/// If the uid is none of ours.
pub fn per_node(uid: &ClusterUid, node: NodeId, which: PerNode) -> Result<Key, KeyError> {
    let name = match which {
        PerNode::Node => "node",
        PerNode::Topics => "topics",
        PerNode::Acls => "acls",
        PerNode::Users => "users",
        PerNode::Properties => "properties",
        PerNode::Format => "format",
        PerNode::CertificateRequest => "certificate-request",
    };
    Key::parse(format!("{uid}/status/{node}/{name}.json"))
}

/// The key of what was signed for a node.
///
/// # Errors
/// If the uid is none of ours.
pub fn node_certificates(uid: &ClusterUid, node: NodeId) -> Result<Key, KeyError> {
    Key::parse(format!("{uid}/public/certificates/{node}.json"))
}

/// The key of an operation's journal. The name begins with the time, so that keys sort by age.
///
/// # Errors
/// If the uid is none of ours.
pub fn journal(uid: &ClusterUid, started_at: Timestamp) -> Result<Key, KeyError> {
    Key::parse(format!("{uid}/journal/{:015}.json", started_at.as_millis()))
}

/// The folder of a cluster's journals.
///
/// # Errors
/// If the uid is none of ours.
pub fn journals(uid: &ClusterUid) -> Result<Prefix, KeyError> {
    Prefix::parse(format!("{uid}/journal/"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// `UPDATE_SCHEMAS=1 cargo test --lib schemas` writes them anew.
    #[test]
    fn the_committed_json_schemas_are_fresh() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
        let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
        for (kind, schema) in super::schemas() {
            let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
            let path = folder.join(format!("{kind}.json"));
            if update {
                fs::write(&path, &text).unwrap();
            }
            let committed = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                committed == text,
                "{} is stale: run UPDATE_SCHEMAS=1 cargo test --lib schemas",
                path.display()
            );
        }
    }
}

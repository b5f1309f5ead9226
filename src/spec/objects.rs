//! Topics, ACLs, users and configurations as wanted: every rule of the interface holds.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::TopicName;
use crate::kafka::acl::AclOperation;
use crate::store::documents::AclKey;

/// User names that start so belong to the cluster itself.
pub const RESERVED_USER_PREFIX: &str = "__msk";

/// The one mechanism on offer.
pub const SCRAM_MECHANISM: &str = "SCRAM-SHA-512";

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// The name by Kafka's rules.
    pub name: TopicName,
    /// 1 to 10,000.
    pub partitions: u32,
    /// `None`: the cluster's default at creation.
    pub replication_factor: Option<u16>,
    /// Settings to keep.
    pub config: BTreeMap<String, String>,
    /// `None`: as the cluster.
    pub deletion_protection: Option<bool>,
}

/// One ACL resource: a key and its operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclSpec {
    /// Everything but the operations.
    pub key: AclKey,
    /// The operations; never empty.
    pub operations: BTreeSet<AclOperation>,
}

/// Where a user's password comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// From the write-only attribute; the version counts the passwords.
    Written {
        /// `password_wo_version`.
        version: Option<i64>,
    },
    /// Made at random; a new version makes a new one.
    Random {
        /// `password_wo_version`.
        version: Option<i64>,
    },
    /// AWS: from a secret that the user brings.
    Given {
        /// Its ARN; `None` while it is not known.
        arn: Option<String>,
    },
}

/// One SCRAM user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSpec {
    /// The name.
    pub username: String,
    /// [`SCRAM_MECHANISM`].
    pub mechanism: String,
    /// 4096 to 16384.
    pub iterations: u32,
    /// Where the password comes from.
    pub source: PasswordSource,
}

/// One configuration, as the next revision has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationSpec {
    /// The name, which is the id.
    pub name: String,
    /// The description of the revision.
    pub description: Option<String>,
    /// The versions it may be used with; empty: all.
    pub kafka_versions: BTreeSet<String>,
    /// The broker properties.
    pub server_properties: BTreeMap<String, String>,
}

//! Topics, ACLs and users, as wanted and as seen.
//!
//! A desired document lists what to keep, and explicit tombstones; nothing is deleted because it is
//! absent. Every entry carries the generation of the document in which it last changed; a status tells
//! the generation up to which everything was applied, and the entries that failed. So one status answers
//! any number of writers at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::WrittenConfiguration;
use super::claims::ObjectClaim;
use super::packed::packed;
use crate::clock::Timestamp;
use crate::kafka::acl::{AclOperation, AclPatternType, AclPermission, AclResourceType};
use crate::spec::ids::{Generation, KafkaUuid, TopicName};

/// The topics of a cluster that Terraform keeps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TopicsDesired {
    /// What to keep, by name.
    #[serde(deserialize_with = "packed")]
    pub keep: BTreeMap<TopicName, TopicDesired>,
    /// What to delete, until an agent has done it.
    pub tombstones: Vec<TopicTombstone>,
}

/// One topic, as wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TopicDesired {
    /// Who made it.
    pub claim: ObjectClaim,
    /// The generation in which this entry last changed.
    pub generation: Generation,
    /// The topic's id once it is known. With an id the agent never creates the topic again.
    pub topic_id: Option<KafkaUuid>,
    /// How many partitions.
    pub partitions: u32,
    /// How many replicas of each partition; `None`: the default at creation.
    pub replication_factor: Option<u16>,
    /// Settings to keep.
    pub config: BTreeMap<String, String>,
    /// Settings that were in `config` before and return to the cluster's default.
    pub config_reset: BTreeSet<String>,
    /// The protection as written; `None`: the cluster's.
    pub deletion_protection: Option<bool>,
    /// The configuration last applied, as the user wrote it, for import.
    pub written: WrittenConfiguration,
}

/// The order to delete one topic, by id only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TopicTombstone {
    /// For messages; the id decides.
    pub name: TopicName,
    /// The id of the topic to delete.
    pub topic_id: KafkaUuid,
    /// The generation in which the tombstone was written.
    pub generation: Generation,
}

/// Why an entry could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AppliedFailure {
    /// The generation of the entry that failed.
    pub generation: Generation,
    /// Kafka's error name, such as `INVALID_REPLICATION_FACTOR`, or one of ours in lower case.
    pub code: String,
    /// The sentence for the person.
    pub message: String,
}

/// The topics of a cluster, as an agent saw and left them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TopicsStatus {
    /// When the list was last confirmed against Kafka.
    pub observed_at: Timestamp,
    /// Everything up to this generation of the desired document was applied, or stands in `failures`.
    pub applied: Generation,
    /// Every topic but Kafka's internal ones, by name.
    #[serde(deserialize_with = "packed")]
    pub topics: BTreeMap<TopicName, TopicObserved>,
    /// What could not be applied, by name.
    pub failures: BTreeMap<TopicName, AppliedFailure>,
    /// Topics that this agent was about to create when it wrote this, with the generation of their entries,
    /// until `applied` has passed them. Where one exists by now, this agent made it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub creating: BTreeMap<TopicName, Generation>,
}

/// One topic, as seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TopicObserved {
    /// Kafka's id of the topic.
    pub topic_id: KafkaUuid,
    /// How many partitions.
    pub partitions: u32,
    /// The replicas of partition 0, or the most frequent count while a reassignment runs.
    pub replication_factor: u16,
    /// The topic's own settings (dynamic overrides), secrets excluded.
    pub config: BTreeMap<String, String>,
    /// Whether replicas are still being moved or added.
    pub is_reassigning: bool,
}

/// What makes an ACL resource one: everything but its operations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AclKey {
    /// `User:…`.
    pub principal: String,
    /// One IP address, or `*`.
    pub host: String,
    /// The kind of resource.
    pub resource_type: AclResourceType,
    /// Literal or prefixed.
    pub pattern_type: AclPatternType,
    /// The resource's name or prefix, or `*`.
    pub resource_name: String,
    /// Allow or deny.
    pub permission: AclPermission,
}

impl AclKey {
    /// The id that Terraform shows: `principal|host|type|pattern|name|permission` without the cluster,
    /// with `%` and `|` percent-encoded. Also the key in documents.
    pub fn id(&self) -> String {
        let encode = |text: &str| text.replace('%', "%25").replace('|', "%7C");
        format!(
            "{}|{}|{}|{}|{}|{}",
            encode(&self.principal),
            encode(&self.host),
            self.resource_type,
            self.pattern_type,
            encode(&self.resource_name),
            self.permission
        )
    }
}

impl fmt::Display for AclKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id())
    }
}

/// The ACLs of a cluster that Terraform keeps, by [`AclKey::id`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AclsDesired {
    /// What to keep.
    #[serde(deserialize_with = "packed")]
    pub keep: BTreeMap<String, AclDesired>,
    /// What to delete, until an agent has done it.
    pub tombstones: Vec<AclTombstone>,
}

/// One ACL resource, as wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AclDesired {
    /// Who made it.
    pub claim: ObjectClaim,
    /// The generation in which this entry last changed.
    pub generation: Generation,
    /// Everything but the operations.
    pub key: AclKey,
    /// The operations to keep.
    pub operations: BTreeSet<AclOperation>,
    /// The configuration last applied, as the user wrote it, for import.
    pub written: WrittenConfiguration,
}

/// The order to delete exact ACL entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AclTombstone {
    /// Everything but the operations.
    pub key: AclKey,
    /// The operations to delete.
    pub operations: BTreeSet<AclOperation>,
    /// The generation in which the tombstone was written.
    pub generation: Generation,
}

/// The ACLs of a cluster, as an agent saw and left them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AclsStatus {
    /// When the list was last confirmed against Kafka.
    pub observed_at: Timestamp,
    /// Everything up to this generation of the desired document was applied, or stands in `failures`.
    pub applied: Generation,
    /// Every ACL of the cluster, by [`AclKey::id`].
    #[serde(deserialize_with = "packed")]
    pub acls: BTreeMap<String, AclObserved>,
    /// What could not be applied, by [`AclKey::id`].
    pub failures: BTreeMap<String, AppliedFailure>,
}

/// The ACL entries of one key, as seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AclObserved {
    /// Everything but the operations.
    pub key: AclKey,
    /// The operations seen.
    pub operations: BTreeSet<AclOperation>,
}

/// Where a user's password lives. The document has only this reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SecretReference {
    /// One machine: an absolute path of a JSON file `{"username", "password"}`, mode 0600.
    File(String),
    /// AWS: the ARN of a Secrets Manager secret.
    SecretsManager(String),
}

/// The users of a cluster that Terraform keeps, by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UsersDesired {
    /// What to keep.
    #[serde(deserialize_with = "packed")]
    pub keep: BTreeMap<String, UserDesired>,
    /// What to delete, until an agent has done it.
    pub tombstones: Vec<UserTombstone>,
}

/// One SCRAM user, as wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserDesired {
    /// Who made it.
    pub claim: ObjectClaim,
    /// The generation in which this entry last changed.
    pub generation: Generation,
    /// `SCRAM-SHA-512`.
    pub mechanism: String,
    /// SCRAM iterations, 4096 to 16384.
    pub iterations: u32,
    /// Where the password lives.
    pub secret: SecretReference,
    /// Counts the passwords of this user; a new one makes the agent read the secret again.
    pub secret_version: u64,
    /// A keyed fingerprint of the secret (HMAC-SHA-256 under a key that is not in the store's
    /// documents), so that an agent can tell whether the secret it reads is the one that was meant.
    pub fingerprint: String,
    /// The configuration last applied, as the user wrote it, without the password, for import.
    pub written: WrittenConfiguration,
}

/// The order to delete one user's credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserTombstone {
    /// The user's name.
    pub username: String,
    /// `SCRAM-SHA-512`.
    pub mechanism: String,
    /// The generation in which the tombstone was written.
    pub generation: Generation,
}

/// The users of a cluster, as an agent saw and left them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UsersStatus {
    /// When the list was last confirmed against Kafka.
    pub observed_at: Timestamp,
    /// Everything up to this generation of the desired document was applied, or stands in `failures`.
    pub applied: Generation,
    /// Every SCRAM user of the cluster but the reserved ones, by name.
    #[serde(deserialize_with = "packed")]
    pub users: BTreeMap<String, UserObserved>,
    /// What could not be applied, by name.
    pub failures: BTreeMap<String, AppliedFailure>,
}

/// One SCRAM user, as seen: Kafka never shows more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserObserved {
    /// Mechanism and iterations of each credential.
    pub mechanisms: BTreeMap<String, u32>,
    /// The generation of the desired entry whose password was last set by an agent, if one was.
    pub applied_generation: Option<Generation>,
    /// AWS: the version of the secret that was set, so that a password that is changed in Secrets Manager is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_version: Option<String>,
}

/// The dynamic cluster defaults, as an agent saw and left them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PropertiesStatus {
    /// When they were last confirmed against Kafka.
    pub observed_at: Timestamp,
    /// The generation of `desired/cluster.json` whose live properties were applied.
    pub applied: Generation,
    /// The dynamic cluster defaults, secrets excluded.
    pub dynamic: BTreeMap<String, String>,
    /// Why they could not be applied.
    pub failure: Option<AppliedFailure>,
}

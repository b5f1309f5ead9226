//! A small asynchronous client for Kafka's administrative APIs.
//!
//! The node agent talks with it to its own broker, and sometimes to a controller. It knows requests and
//! answers only: no producing, no consuming, no routing to other brokers. [`Admin`] is one broker; whoever
//! needs another one makes another [`Admin`]. In KRaft a broker forwards changes to the active controller by
//! itself.
//!
//! Guarantees: what a broker sends is bounded before memory is taken for it; a call ends within its time; a
//! connection is closed when a call on it was cut off, so that requests and answers never get out of step.
//! The message formats come from the `kafka-protocol` crate, none of whose types leave this module.

mod admin;
mod api;
mod connection;
mod error;
mod error_code;
mod sasl;
mod session;
mod tls;
mod wire;

#[cfg(test)]
mod tests;

pub use admin::Admin;
pub use admin::acls::{AclFilter, AclListing, PatternFilter};
pub use admin::cluster::{BrokerNode, ClusterDescription, EndpointKind};
pub use admin::configs::{ConfigChange, ConfigEdit, ConfigEntry, ConfigResource, ConfigScope, ConfigSource};
pub use admin::features::{FeatureChange, FeatureMove, Features, FinalizedFeature, SupportedFeature};
pub use admin::log_dirs::{LogDir, LogDirReplica};
pub use admin::partitions::{ElectionKind, MovingPartition, PartitionElection, ReplicaTarget};
pub use admin::quorum::{Quorum, QuorumReplica, RaftEndpoint, RaftVoter};
pub use admin::topics::{
    CreatedTopic, NewPartitions, NewTopic, PartitionMetadata, TopicKey, TopicLayout, TopicMetadata,
    TopicSelection, TopicsMetadata,
};
pub use admin::users::{ScramCredential, ScramDeletion, ScramUpsert};
pub use admin::{Apply, TopicPartition};
pub use error::{Error, KafkaError, MAX_MESSAGE, RetryClass};
pub use error_code::ErrorCode;
pub use sasl::{SCRAM_ITERATIONS, ScramLogin, ScramMechanism};
pub use session::ClientConfig;
pub use tls::{IdentityPem, Tls, TlsError};

//! Newtypes for the names and numbers of the domain, so that two strings cannot be swapped.
//!
//! Those with rules of their own are made by `parse`, which checks them; the others wrap what another
//! part of the system made. Clones share their text: a plan of thousands of objects notes each id several times.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a text that is known to follow the rules of this id.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into().into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A cluster's name: 1 to 64 of `[0-9A-Za-z-]`, not starting with `-`.
    ClusterName
}
text_id! {
    /// A cluster's random identity (32 lower-case hex digits), drawn once at creation, never used again.
    ClusterUid
}
text_id! {
    /// The random identity of a control store (32 lower-case hex digits).
    StoreId
}
text_id! {
    /// The random identity of one create of one Terraform object (32 lower-case hex digits).
    ClaimId
}
text_id! {
    /// Kafka's id of a cluster or of a log directory: a UUID as 22 characters of URL-safe base64, no
    /// padding, never starting with `-` (`Uuid.java`, Kafka 4.3).
    KafkaUuid
}
text_id! {
    /// A topic's name by Kafka's rules: 1 to 249 of `[a-zA-Z0-9._-]`, not `.` or `..`.
    TopicName
}

/// The id of a node within its cluster: brokers 1, 2, 3 …; dedicated controllers 10001, 10002 ….
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The generation of a desired document: only ever grows, by one with each write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The generation of the next write.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

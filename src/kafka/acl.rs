//! Kafka's model of access rules: what may be allowed or denied on what, to whom, from where.
//!
//! Pure: the specification, the documents and the admin client share these types. The names are the ones of
//! Kafka's tools in upper case, the codes the ones of its wire protocol (`AclOperation.java`,
//! `ResourceType.java`, `PatternType.java`, `AclPermissionType.java`, Kafka 4.3.1). The filter-only values
//! `ANY` and `MATCH` are not part of the model: no stored entry can have them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text is not one of the names that Kafka uses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a name of {kind}; Kafka knows {known}")]
pub struct UnknownName {
    /// What kind of name was looked for, with its article.
    pub kind: &'static str,
    /// The text that was given.
    pub text: String,
    /// The names that exist, with commas between them.
    pub known: String,
}

macro_rules! named_codes {
    (
        $(#[$doc:meta])* $name:ident, $kind:literal,
        $( $(#[$variant_doc:meta])* $variant:ident = $code:literal $text:literal, )+
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub enum $name {
            $( $(#[$variant_doc])* #[serde(rename = $text)] $variant, )+
        }

        impl $name {
            /// Every value, in the order of the codes.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// Kafka's name, in upper case.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }

            /// The code in Kafka's wire protocol.
            pub const fn code(self) -> i8 {
                match self { $( Self::$variant => $code, )+ }
            }

            /// The value of a wire code; `None` for filter-only codes and for codes of a newer Kafka.
            pub const fn from_code(code: i8) -> Option<Self> {
                match code { $( $code => Some(Self::$variant), )+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            /// Parses the upper-case name; no other spelling is taken, so that one value has one text.
            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text {
                    $( $text => Ok(Self::$variant), )+
                    _ => Err(UnknownName {
                        kind: $kind,
                        text: text.to_owned(),
                        known: [ $( $text, )+ ].join(", "),
                    }),
                }
            }
        }
    };
}

named_codes! {
    /// What a client does to a resource.
    AclOperation, "an ACL operation",
    /// Every operation that Kafka checks on the resource.
    All = 2 "ALL",
    /// Fetch records; commit offsets of a group.
    Read = 3 "READ",
    /// Produce records.
    Write = 4 "WRITE",
    /// Create a topic.
    Create = 5 "CREATE",
    /// Delete a topic, a group, records.
    Delete = 6 "DELETE",
    /// Change partitions, ACLs, SCRAM users, quotas, reassignments.
    Alter = 7 "ALTER",
    /// See that the resource exists.
    Describe = 8 "DESCRIBE",
    /// What brokers do among themselves.
    ClusterAction = 9 "CLUSTER_ACTION",
    /// Read the configuration of the resource.
    DescribeConfigs = 10 "DESCRIBE_CONFIGS",
    /// Change the configuration of the resource.
    AlterConfigs = 11 "ALTER_CONFIGS",
    /// Produce with idempotence (since Kafka 2.8 implied by WRITE on any topic).
    IdempotentWrite = 12 "IDEMPOTENT_WRITE",
    /// Create delegation tokens for another user.
    CreateTokens = 13 "CREATE_TOKENS",
    /// Describe delegation tokens of another user.
    DescribeTokens = 14 "DESCRIBE_TOKENS",
    /// Take part in a distributed transaction that another system commits.
    TwoPhaseCommit = 15 "TWO_PHASE_COMMIT",
}

named_codes! {
    /// The kind of resource that an entry speaks of.
    AclResourceType, "an ACL resource type",
    /// Topics by name.
    Topic = 2 "TOPIC",
    /// Consumer groups by id.
    Group = 3 "GROUP",
    /// The cluster; its one name is [`CLUSTER_RESOURCE_NAME`].
    Cluster = 4 "CLUSTER",
    /// Transactional ids of producers.
    TransactionalId = 5 "TRANSACTIONAL_ID",
    /// Delegation tokens by id.
    DelegationToken = 6 "DELEGATION_TOKEN",
    /// Users, as owners of delegation tokens.
    User = 7 "USER",
}

named_codes! {
    /// How the resource name of an entry is compared.
    AclPatternType, "an ACL pattern type",
    /// The exact name, or `*` for every name.
    Literal = 3 "LITERAL",
    /// Every name that starts with the text.
    Prefixed = 4 "PREFIXED",
}

named_codes! {
    /// Whether an entry allows or denies. A deny always wins.
    AclPermission, "an ACL permission",
    /// Denies.
    Deny = 2 "DENY",
    /// Allows.
    Allow = 3 "ALLOW",
}

/// The only resource name that exists for [`AclResourceType::Cluster`].
pub const CLUSTER_RESOURCE_NAME: &str = "kafka-cluster";

/// The host of an entry that holds for every host.
pub const ANY_HOST: &str = "*";

impl AclResourceType {
    /// The operations that Kafka 4.3 checks on this kind of resource, without [`AclOperation::All`], which is
    /// right on every kind. Kafka stores other pairs but never asks for them, so they do nothing.
    ///
    /// Source: `AclEntry.supportedOperations`, Kafka 4.3.1.
    pub const fn checked_operations(self) -> &'static [AclOperation] {
        use AclOperation::{
            Alter, AlterConfigs, ClusterAction, Create, CreateTokens, Delete, Describe, DescribeConfigs,
            DescribeTokens, IdempotentWrite, Read, TwoPhaseCommit, Write,
        };
        match self {
            Self::Topic => &[
                Read,
                Write,
                Create,
                Delete,
                Alter,
                Describe,
                DescribeConfigs,
                AlterConfigs,
            ],
            Self::Group => &[Read, Delete, Describe, DescribeConfigs, AlterConfigs],
            Self::Cluster => &[
                Create,
                Alter,
                Describe,
                ClusterAction,
                DescribeConfigs,
                AlterConfigs,
                IdempotentWrite,
            ],
            Self::TransactionalId => &[Write, Describe, TwoPhaseCommit],
            Self::DelegationToken => &[Describe],
            Self::User => &[CreateTokens, DescribeTokens],
        }
    }

    /// Whether Kafka 4.3 asks for this operation on this kind of resource; always true for
    /// [`AclOperation::All`].
    pub fn checks(self, operation: AclOperation) -> bool {
        matches!(operation, AclOperation::All) || self.checked_operations().contains(&operation)
    }

    /// The first Kafka line (major, minor) that knows a pair which [`checks`](Self::checks) accepts, for the
    /// pairs that are younger than 3.9, the oldest line we run (compared: 3.9.1, 4.0.0, 4.1.1, 4.2.0, 4.3.1).
    pub const fn checked_since(self, operation: AclOperation) -> Option<(u16, u16)> {
        match (self, operation) {
            (Self::Group, AclOperation::DescribeConfigs | AclOperation::AlterConfigs) => Some((4, 0)),
            (Self::TransactionalId, AclOperation::TwoPhaseCommit) => Some((4, 1)),
            _ => None,
        }
    }
}

/// One stored entry: exactly one operation on one pattern, for one principal from one host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AclEntry {
    /// The kind of resource.
    pub resource_type: AclResourceType,
    /// The resource name or prefix; `*` with [`AclPatternType::Literal`] means every name.
    pub resource_name: String,
    /// How `resource_name` is compared.
    pub pattern_type: AclPatternType,
    /// Whom the entry speaks of, as `User:name`; `User:*` is everyone.
    pub principal: String,
    /// One IP address, or [`ANY_HOST`]. Kafka knows no address ranges.
    pub host: String,
    /// The one operation.
    pub operation: AclOperation,
    /// Whether it is allowed or denied.
    pub permission: AclPermission,
}

impl fmt::Display for AclEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} from host {}: {} on {} {} {}",
            self.permission,
            self.principal,
            self.host,
            self.operation,
            self.pattern_type,
            self.resource_type,
            self.resource_name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{AclOperation, AclPatternType, AclPermission, AclResourceType};

    #[test]
    fn every_operation_parses_back_from_its_name_code_and_json() {
        for &operation in AclOperation::ALL {
            assert_eq!(operation.name().parse(), Ok(operation));
            assert_eq!(AclOperation::from_code(operation.code()), Some(operation));
            let json = serde_json::to_string(&operation).unwrap();
            assert_eq!(json, format!("\"{operation}\""));
            assert_eq!(serde_json::from_str::<AclOperation>(&json).unwrap(), operation);
        }
    }

    #[test]
    fn codes_are_those_of_the_wire_protocol() {
        assert_eq!(AclOperation::IdempotentWrite.code(), 12);
        assert_eq!(AclResourceType::TransactionalId.code(), 5);
        assert_eq!(AclPatternType::Prefixed.code(), 4);
        assert_eq!(AclPermission::Allow.code(), 3);
        assert_eq!(AclPatternType::from_code(1), None, "ANY is only for filters");
    }

    #[test]
    fn other_spellings_are_refused_with_the_known_names() {
        let error = "read".parse::<AclOperation>().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("`read` is not a name of an ACL operation; Kafka knows ALL, READ")
        );
    }

    #[test]
    fn idempotent_write_is_not_checked_on_a_topic_but_on_the_cluster() {
        assert!(!AclResourceType::Topic.checks(AclOperation::IdempotentWrite));
        assert!(AclResourceType::Cluster.checks(AclOperation::IdempotentWrite));
        assert!(
            AclResourceType::ALL
                .iter()
                .all(|kind| kind.checks(AclOperation::All))
        );
    }

    #[test]
    fn pairs_younger_than_the_oldest_line_name_their_line() {
        assert_eq!(
            AclResourceType::Group.checked_since(AclOperation::AlterConfigs),
            Some((4, 0))
        );
        assert_eq!(AclResourceType::Group.checked_since(AclOperation::Read), None);
    }
}

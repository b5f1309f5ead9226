//! Topics, ACLs and users: pure differences between what is wanted and what Kafka has.
//!
//! Agents apply each entry of a desired document once, when its generation is higher than the one up to
//! which everything was applied. What changes later outside is drift: the provider shows it and writes the
//! entry anew. Nothing is ever deleted because it is absent; only tombstones delete.

/// ACL entries.
pub mod acls;

/// Topics.
pub mod topics;

/// SCRAM users.
pub mod users;

/// Spreading replicas over zones and brokers.
pub mod placement;

/// Our codes in `AppliedFailure::code`, beside Kafka's own names in capitals.
pub mod codes {
    /// Something of that name was there before: import it.
    pub const EXISTS_ALREADY: &str = "exists_already";
    /// The topic with the known id is gone. It is never made again under that entry.
    pub const GONE: &str = "gone";
    /// Another topic has the name now.
    pub const REPLACED: &str = "replaced_elsewhere";
    /// There are more partitions than wanted; Kafka cannot take any away.
    pub const MORE_PARTITIONS: &str = "more_partitions";
    /// There are fewer brokers than replicas wanted.
    pub const TOO_FEW_BROKERS: &str = "too_few_brokers";
}

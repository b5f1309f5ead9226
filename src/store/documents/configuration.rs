//! Configurations with their revisions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::claims::{Claim, Phase};
use crate::clock::Timestamp;

/// A configuration: named broker properties with numbered revisions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ConfigurationRecord {
    /// The configuration's name, equal to the key.
    pub name: String,
    /// The claim of the create that made it.
    pub claim: Claim,
    /// How far the making has come.
    pub phase: Phase,
    /// The Kafka versions it may be used with; empty: all.
    pub kafka_versions: Vec<String>,
    /// The revisions that are kept, oldest first; at most 50. Never empty.
    pub revisions: Vec<ConfigurationRevision>,
    /// Deleted while a cluster still used it: hidden, and removed with the last detach.
    pub deleted_at: Option<Timestamp>,
    /// The configuration last applied, as the user wrote it, for import.
    pub written: serde_json::Value,
}

/// One revision of a configuration. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ConfigurationRevision {
    /// 1, 2, 3 ….
    pub revision: u64,
    /// The description of this revision.
    pub description: Option<String>,
    /// The broker properties.
    pub server_properties: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
}

//! The record of what an operation did: uncertain before each effect, known after.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What is known of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum JournalState {
    /// Begun; whether its effect happened is not known.
    Uncertain,
    /// Done.
    Done,
    /// Failed, with the reason.
    Failed(String),
}

/// One step of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct JournalEntry {
    /// The step's order in the plan.
    pub order: u32,
    /// The operation's name, such as `start_node`.
    pub operation: String,
    /// What it acts on, such as `broker 2`.
    pub target: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What is known of it.
    pub state: JournalState,
    /// How far it has come, for people.
    pub progress: String,
}

/// One operation on a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Journal {
    /// `create`, `update`, `repair` or `delete`.
    pub operation: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs or if it was cut off.
    pub ended_at: Option<Timestamp>,
    /// Its steps, in the order in which they were begun.
    pub entries: Vec<JournalEntry>,
}

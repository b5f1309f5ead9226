//! Why an operation on a cluster failed, with the way out.

use crate::engine::BoxError;
use crate::engine::journal::JournalError;
use crate::engine::run::RunError;
use crate::spec::ids::{ClusterName, ClusterUid, NodeId, StoreId};
use crate::store::{DocumentError, KeyError};

/// Why a single step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The control store.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A key could not be named.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The engine.
    #[error(transparent)]
    Engine(BoxError),
    /// A node has given up.
    #[error("node {node} cannot go on: {problem}")]
    NodeFailed {
        /// The node.
        node: NodeId,
        /// In its agent's words.
        problem: String,
    },
    /// A node's agent ended.
    #[error("the agent of node {node} has ended; its last words: {words}")]
    AgentEnded {
        /// The node.
        node: NodeId,
        /// The end of its log.
        words: String,
    },
    /// Live properties were refused.
    #[error("the brokers refused the properties: {message} ({code})")]
    Properties {
        /// Kafka's name of the error.
        code: String,
        /// Its text.
        message: String,
    },
    /// Something that an earlier step made is not there.
    #[error("the cluster's {what} is missing from the control store, although an earlier step wrote it")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// Another run has taken the cluster over.
    #[error("another run has taken over this cluster")]
    TakenOver,
    /// A mistake in this program.
    #[error("internal: {what}; please report this")]
    Internal {
        /// What should never be.
        what: &'static str,
    },
}

/// Why an operation on a cluster failed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Another run works on it.
    #[error("another run works on the cluster `{name}`: {holder}; wait until it has ended, then apply again")]
    Busy {
        /// The cluster.
        name: ClusterName,
        /// Who.
        holder: String,
    },
    /// The name is taken.
    #[error(
        "a cluster `{name}` exists already, made from {holder}; to manage it here, import it:\n\n\
         import {{\n  to = msk_cluster.{label}\n  id = \"{name}\"\n}}\n\n\
         or choose another name. If no Terraform state holds it, \
         `terraform-provider-msk clusters discard {name} {place}` removes it. `create_before_destroy` cannot work: names are \
         unique, so take it out of `lifecycle` if this is half of a replacement"
    )]
    Exists {
        /// The cluster.
        name: ClusterName,
        /// Who made it.
        holder: String,
        /// The name as a Terraform label.
        label: String,
        /// Arguments of the command line that name the control store.
        place: String,
    },
    /// The data directory or bucket is not the one that the cluster was made in.
    #[error(
        "the cluster `{name}` was made in the control store {expected}, and this is the store {found}; \
         point the provider at the former data directory (or bring it back from a copy)"
    )]
    AnotherStore {
        /// The cluster.
        name: ClusterName,
        /// The store it was made in.
        expected: StoreId,
        /// The store that is open.
        found: StoreId,
    },
    /// No record, no tombstone.
    #[error(
        "the control store has neither a record of the cluster `{name}` (uid {uid}) nor a sign that it was \
         deleted; bring the store back from a copy. If the cluster is really gone, \
         `terraform state rm` forgets it{left}"
    )]
    RecordMissing {
        /// The cluster.
        name: ClusterName,
        /// Its identity.
        uid: ClusterUid,
        /// What of it is still there, in words.
        left: String,
    },
    /// The name belongs to another cluster by now.
    #[error(
        "the control store's cluster `{name}` has the uid {found}, this state's cluster had {expected}, and \
         nothing says that it was deleted; bring the store back from a copy, or forget the cluster with \
         `terraform state rm`"
    )]
    OtherCluster {
        /// The cluster.
        name: ClusterName,
        /// The uid in private state.
        expected: ClusterUid,
        /// The uid in the store.
        found: ClusterUid,
    },
    /// Deleted on purpose, but parts of it are there.
    #[error("the cluster `{name}` was deleted, but parts of it are still there: {left}; {way_out}")]
    StillThere {
        /// The cluster.
        name: ClusterName,
        /// The parts.
        left: String,
        /// How they are removed.
        way_out: String,
    },
    /// The state's claim is not the record's.
    #[error(
        "the cluster `{name}` has been taken over by another create, from {holder}; this state no longer \
         holds it: `terraform state rm` forgets it here"
    )]
    NotOurs {
        /// The cluster.
        name: ClusterName,
        /// Who holds it.
        holder: String,
    },
    /// Protected.
    #[error(
        "the cluster `{name}` is protected against deletion; set `deletion_protection = false`, apply, and \
         destroy then (an object that Terraform calls tainted: `terraform untaint` first)"
    )]
    Protected {
        /// The cluster.
        name: ClusterName,
    },
    /// A destroy was cut off.
    #[error("a destroy of the cluster `{name}` was cut off; run `terraform destroy` again to finish it")]
    Deleting {
        /// The cluster.
        name: ClusterName,
    },
    /// Apply sees something else than plan did.
    #[error(
        "the cluster changed since the plan: {step} is needed now and was not planned; run `terraform plan` again"
    )]
    PlanChanged {
        /// The step that was not planned.
        step: String,
    },
    /// The planner refuses to act on what it sees.
    #[error("nothing was changed: {reason}")]
    Blocked {
        /// Why, in the planner's words.
        reason: String,
    },
    /// The host lacks something.
    #[error(transparent)]
    Host(BoxError),
    /// The run ended early.
    #[error(transparent)]
    Run(#[from] RunError<StepError>),
    /// A step outside a run failed.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A plan does not come to an end.
    #[error("internal: after {rounds} rounds there are still steps to do, next {step}; please report this")]
    NotConverging {
        /// How many plans were run.
        rounds: u32,
        /// The next step.
        step: String,
    },
}

impl From<DocumentError> for ClusterError {
    fn from(cause: DocumentError) -> Self {
        Self::Step(cause.into())
    }
}

impl From<crate::store::Error> for ClusterError {
    fn from(cause: crate::store::Error) -> Self {
        Self::Step(DocumentError::from(cause).into())
    }
}

impl From<crate::store::Error> for StepError {
    fn from(cause: crate::store::Error) -> Self {
        Self::Document(cause.into())
    }
}

impl From<KeyError> for ClusterError {
    fn from(cause: KeyError) -> Self {
        Self::Step(cause.into())
    }
}

impl ClusterError {
    /// Whether Terraform's own request ended the operation.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Run(RunError::Cancelled { .. }))
    }
}

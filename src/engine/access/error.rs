//! Why an operation on a topic, an ACL or a user failed, with the way out.

use std::sync::Arc;

use camino::Utf8PathBuf;

use crate::engine::cluster::StepError;
use crate::spec::ids::ClusterName;
use crate::store::{DocumentError, KeyError};

/// Why an operation on a topic, an ACL or a user failed.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The control store.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The control store, for all whose changes went together.
    #[error(transparent)]
    Shared(Arc<DocumentError>),
    /// A key could not be named.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What the agents wrote could not be read.
    #[error(transparent)]
    Status(#[from] StepError),
    /// There is no such cluster.
    #[error(
        "there is no cluster `{name}`; refer to the resource, as in `cluster_id = msk_cluster.{label}.id`, so that \
         Terraform makes it first"
    )]
    NoCluster {
        /// The cluster.
        name: ClusterName,
        /// The name as a Terraform label.
        label: String,
    },
    /// The cluster is going away.
    #[error("the cluster `{name}` is being deleted")]
    ClusterLeaves {
        /// The cluster.
        name: ClusterName,
    },
    /// The cluster is not the one that the object was made on.
    #[error(
        "the {word} `{object}` was made on another cluster named `{name}`, which is gone; \
         `terraform state rm` forgets it"
    )]
    OtherCluster {
        /// The kind.
        word: &'static str,
        /// The object.
        object: String,
        /// The cluster.
        name: ClusterName,
    },
    /// It is there already.
    #[error("the {word} `{object}` exists already{by}{way_out}")]
    Exists {
        /// The kind.
        word: &'static str,
        /// The object.
        object: String,
        /// Who made it, in words, or nothing.
        by: String,
        /// An import block, or what else to do.
        way_out: String,
    },
    /// Another run makes it now.
    #[error(
        "another run makes the {word} `{object}` now, from {holder}; wait until it has ended, then apply again"
    )]
    Busy {
        /// The kind.
        word: &'static str,
        /// The object.
        object: String,
        /// Who.
        holder: String,
    },
    /// Another create has it.
    #[error(
        "the {word} `{object}` belongs to another create, from {holder}; this state no longer holds it: \
         `terraform state rm` forgets it here"
    )]
    NotOurs {
        /// The kind.
        word: &'static str,
        /// The object.
        object: String,
        /// Who.
        holder: String,
    },
    /// The entry is not in the document.
    #[error(
        "the control store has no entry for the {word} `{object}`; bring the store back from a copy, or run \
         `terraform apply -refresh-only` first"
    )]
    Missing {
        /// The kind.
        word: &'static str,
        /// The object.
        object: String,
    },
    /// Protected.
    #[error(
        "the {word} `{object}` is protected against deletion; set `deletion_protection = false` on it (or on its \
         cluster), apply, and delete it then"
    )]
    Protected {
        /// The kind.
        word: &'static str,
        /// The object.
        object: String,
    },
    /// Kafka or an agent refused.
    #[error("{message} ({code})")]
    Refused {
        /// Kafka's name of the error, or ours.
        code: String,
        /// The sentence.
        message: String,
    },
    /// Terraform asked to stop.
    #[error("stopped on request while {waiting}; apply again to carry on")]
    Cancelled {
        /// What was going on.
        waiting: String,
    },
    /// The time is over.
    #[error("the time limit of {seconds} s is over while {waiting}; apply again to carry on")]
    TimedOut {
        /// The limit.
        seconds: u64,
        /// What was going on.
        waiting: String,
    },
    /// The key of fingerprints.
    #[error(transparent)]
    Vault(#[from] crate::vault::VaultError),
    /// A secret in Secrets Manager.
    #[error(transparent)]
    Managed(#[from] crate::engine::ec2::secret::SecretError),
    /// The engine does not open.
    #[error("look for the users' secrets")]
    Engine(#[source] crate::engine::BoxError),
    /// A secret of AWS, on one machine.
    #[error("`secret_arn` names a secret on AWS; on one machine use `password_wo`, or a random password")]
    NoAccount,
    /// The file of a secret.
    #[error("access the secret file `{path}`")]
    SecretFile {
        /// The file.
        path: Utf8PathBuf,
        /// Why not.
        #[source]
        cause: crate::pki::files::Error,
    },
    /// The file of a secret is not what was written.
    #[error("the secret file `{path}` is damaged; set a new password (raise `password_wo_version`)")]
    SecretDamaged {
        /// The file.
        path: Utf8PathBuf,
    },
    /// A mistake in this program, or a machine without randomness.
    #[error("internal: {what}; please report this")]
    Internal {
        /// What should never be.
        what: &'static str,
    },
}

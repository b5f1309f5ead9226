//! What resources put into Terraform's private state.
//!
//! It lies in the state file, so there are no secrets in it. Fields may be added with
//! `#[serde(default)]`; anything else raises [`FORMAT`].

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::engine::cluster::ClusterHandle;
use crate::engine::configurations::User;
use crate::observed::ObservedCluster;
use crate::planner::step::Step;
use crate::spec::ids::{ClaimId, ClusterUid, StoreId};
use crate::store::documents::WrittenConfiguration;
use crate::tfplugin::{Diagnostics, Private, chain};

/// The format of every document here.
pub const FORMAT: u32 = 1;

/// A cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterPrivate {
    /// Which cluster, under whose claim.
    pub handle: ClusterHandle,
    /// The configuration last applied, as the user wrote it (JSON of the object).
    pub written: serde_json::Value,
    /// The protection last applied.
    pub deletion_protection: bool,
    /// Whether the cluster was ever ACTIVE; protection holds from then on.
    pub was_active: bool,
    /// What the last refresh saw. A plan is made from this.
    #[serde(default)]
    pub observed: Option<ObservedCluster>,
    /// The attached revision's properties, as they were when the cluster was last applied or read.
    #[serde(default)]
    pub configuration: Option<KeptRevision>,
    /// The steps that this plan showed; `None`: they could not be known.
    #[serde(default)]
    pub planned: Option<Vec<Step>>,
    /// Set by a destroy plan: everything goes. Without it a delete is half of a replacement.
    #[serde(default)]
    pub destroy: bool,
}

/// A configuration's revision, kept with the cluster that uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRevision {
    /// The configuration.
    pub id: String,
    /// The revision.
    pub revision: u64,
    /// Its broker properties.
    pub server_properties: std::collections::BTreeMap<String, String>,
}

/// A configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigurationPrivate {
    /// The store that it was made in.
    pub store: StoreId,
    /// The claim of the create that made it.
    pub claim: ClaimId,
    /// The configuration last applied, as the user wrote it.
    pub written: serde_json::Value,
    /// The clusters that use it, as the last refresh saw them.
    #[serde(default)]
    pub users: Vec<User>,
    /// The revisions that are kept, oldest first.
    #[serde(default)]
    pub revisions: Vec<u64>,
    /// Set by a destroy plan: of the clusters that used it then, those that the same plan moves away or
    /// destroys (`true`) and those that stay (`false`), as far as it was known.
    #[serde(default)]
    pub moves: Option<std::collections::BTreeMap<String, bool>>,
}

/// A topic, an ACL or a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectPrivate {
    /// The store that its cluster was made in.
    pub store: StoreId,
    /// Its cluster's identity.
    pub cluster: ClusterUid,
    /// The claim of the create that made it.
    pub claim: ClaimId,
    /// The configuration last applied, as the user wrote it, without secrets.
    pub written: WrittenConfiguration,
    /// Set by a destroy plan: without it a delete is half of a replacement.
    #[serde(default)]
    pub destroy: bool,
    /// Set by an import of what was made elsewhere: the store has no entry until the first change.
    #[serde(default)]
    pub adopted: bool,
}

/// Reads a document of private state; an unreadable one is an error, never "none".
pub fn read<T: DeserializeOwned>(private: &Private, diagnostics: &mut Diagnostics) -> Option<T> {
    match private.read(FORMAT) {
        Ok(document) => document,
        Err(error) => {
            diagnostics.general_error(
                "Private state cannot be read",
                format!(
                    "{}. It was changed outside of Terraform or written by a newer version of the provider. \
                     Bring back a copy of the state, or use that version.",
                    chain(&error)
                ),
            );
            None
        }
    }
}

/// Writes a document of private state.
pub fn write<T: Serialize>(private: &mut Private, document: &T, diagnostics: &mut Diagnostics) {
    if let Err(error) = private.write(FORMAT, document) {
        diagnostics.failure("Private state cannot be written", &error);
    }
}

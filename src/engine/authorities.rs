//! What both engines draw once for a cluster and keep in its vault.

use super::effects::effect;
use crate::pki::{Authority, Role};
use crate::spec::ids::{ClusterName, NodeId};
use crate::vault::{Vault, VaultError};

/// The certificates of a cluster's authorities, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities {
    /// For controllers, replication and agents.
    pub internal_pem: String,
    /// For what clients connect to.
    pub server_pem: String,
}

/// Reads a cluster's authorities, or makes them. What a cut create left is used.
///
/// # Errors
/// [`VaultError`].
pub async fn ensure_authorities(vault: &Vault, cluster: &ClusterName) -> Result<Authorities, VaultError> {
    Ok(Authorities {
        internal_pem: authority(vault, Role::Internal, cluster).await?,
        server_pem: authority(vault, Role::Server, cluster).await?,
    })
}

async fn authority(vault: &Vault, role: Role, cluster: &ClusterName) -> Result<String, VaultError> {
    let found = match vault.authority(role).await? {
        Some(found) => found,
        None => effect("write an authority's key", vault.ensure_authority(role, cluster)).await?,
    };
    Ok(Authority::certificate_pem(&found).to_owned())
}

/// Makes the passwords of the brokers' reserved users that are not there yet. Where nodes may only read what is
/// private this has to be done before the first of them starts, if replication is not encrypted.
///
/// # Errors
/// [`VaultError`].
pub async fn ensure_node_passwords(
    vault: &Vault,
    brokers: impl IntoIterator<Item = NodeId>,
) -> Result<(), VaultError> {
    for broker in brokers {
        vault.ensure_node_password(broker).await?;
    }
    Ok(())
}

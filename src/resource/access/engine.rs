//! The engine's view of topics, ACLs and users, opened once per process.

use crate::engine::ClusterPlace;
use crate::engine::access::{Access, AccessError, SecretsHome};
use crate::engine::any::AnyEngine;
use crate::resource::ProviderData;
use crate::spec::ids::{ClusterName, ClusterUid};
use crate::store::documents::{ClusterRecord, Tombstone, keys};
use crate::store::{DocumentError, Documents};
use crate::tfplugin::Diagnostics;

/// The topics, ACLs and users of the clusters of one control store.
pub(in crate::resource) type OpenAccess = Access<AnyEngine>;

impl ProviderData {
    /// Topics, ACLs and users, on a store that is there already.
    pub(in crate::resource) async fn access(&self, diagnostics: &mut Diagnostics) -> Option<&OpenAccess> {
        let clusters = self.clusters(diagnostics).await?;
        Some(self.access.get_or_init(|| async { Access::new(clusters) }).await)
    }

    /// Where the passwords of a cluster's users lie.
    pub(in crate::resource) async fn secrets_home(
        &self,
        (name, uid): (&ClusterName, &ClusterUid),
    ) -> Result<SecretsHome, AccessError> {
        let clusters = self.clusters.get().ok_or(AccessError::Internal {
            what: "a secret before the engine is open",
        })?;
        let place = ClusterPlace {
            name: name.clone(),
            uid: uid.clone(),
        };
        let home = clusters.engine().secrets(&place, clusters.store()).await;
        home.map_err(AccessError::Engine)
    }
}

/// The record of a cluster, for a plan: `None` if it cannot be had. What matters is judged again at apply.
pub(in crate::resource) async fn cluster_record(
    data: &ProviderData,
    name: &ClusterName,
) -> Option<ClusterRecord> {
    if data.is_unknown() {
        return None;
    }
    let clusters = data.clusters_if_there().await?;
    let key = keys::cluster_record(name).ok()?;
    let read = Documents::of_store(clusters.store())
        .read::<ClusterRecord>(&key)
        .await;
    read.ok().flatten().map(|read| read.body)
}

/// Whether a cluster is protected, as it is recorded now.
pub(in crate::resource) async fn is_cluster_protected(data: &ProviderData, name: &ClusterName) -> bool {
    cluster_record(data, name)
        .await
        .is_some_and(|record| record.deletion_protection)
}

/// Whether a cluster was deleted on purpose.
pub(super) async fn is_buried(
    data: &ProviderData,
    uid: &ClusterUid,
    diagnostics: &mut Diagnostics,
) -> Result<bool, AccessError> {
    let Some(clusters) = data.clusters(diagnostics).await else {
        return Ok(false);
    };
    let read = Documents::of_store(clusters.store())
        .read::<Tombstone>(&keys::tombstone(uid)?)
        .await
        .map_err(|error: DocumentError| AccessError::from(error))?;
    Ok(read.is_some())
}

//! What a cluster on one machine draws once: ids, ports, authorities.

use std::collections::BTreeMap;

use super::ports::{self, PortsWanted};
use super::{LocalEngine, LocalError, bind_address};
use crate::engine::ClusterPlace;
use crate::engine::authorities::ensure_authorities;
use crate::kafka::format::draw_uuid;
use crate::spec::cluster::ClusterSpec;
use crate::store::Store;
use crate::store::documents::ClusterIdentity;
use crate::vault::Vault;

impl LocalEngine {
    pub(super) async fn draw(
        &self,
        store: &Store,
        place: &ClusterPlace,
        wanted: &ClusterSpec,
    ) -> Result<ClusterIdentity, LocalError> {
        let address = bind_address(&wanted.local.listen_address)?;
        let nodes = u16::try_from(wanted.node_ids().len()).unwrap_or(u16::MAX);
        let base_port = ports::claim(
            store,
            PortsWanted {
                place,
                base_port: self.settings.base_port,
                address,
                nodes,
            },
        )
        .await?;
        let vault = Vault::directory(self.data.private(&place.name, &place.uid));
        let authorities = ensure_authorities(&vault, &place.name).await?;
        let mut voter_directory_ids = BTreeMap::new();
        for controller in wanted.controller_ids() {
            voter_directory_ids.insert(controller, draw_uuid()?);
        }
        Ok(ClusterIdentity {
            kafka_cluster_id: draw_uuid()?,
            zones: wanted.zones.iter().cloned().collect(),
            base_port: Some(base_port),
            voter_directory_ids,
            internal_ca_pem: authorities.internal_pem,
            server_ca_pem: authorities.server_pem,
        })
    }
}

//! What a cluster on one machine draws once: ids, ports, authorities.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::ports::{self, PortsWanted};
use super::{LocalEngine, LocalError, bind_address};
use crate::clock::Timestamp;
use crate::engine::ClusterPlace;
use crate::engine::effects::effect;
use crate::kafka::format::draw_uuid;
use crate::node::home::{internal_ca_key, server_ca_key};
use crate::pki::files::{ensure_private_folder, read_private, write_private};
use crate::pki::{Authority, Role};
use crate::spec::cluster::ClusterSpec;
use crate::store::Store;
use crate::store::documents::ClusterIdentity;

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
        let private = self.data.private(&place.name, &place.uid);
        ensure_private_folder(&private)?;
        let internal = authority(&internal_ca_key(&private), Role::Internal, place).await?;
        let server = authority(&server_ca_key(&private), Role::Server, place).await?;
        let mut voter_directory_ids = BTreeMap::new();
        for controller in wanted.controller_ids() {
            voter_directory_ids.insert(controller, draw_uuid()?);
        }
        Ok(ClusterIdentity {
            kafka_cluster_id: draw_uuid()?,
            zones: wanted.zones.iter().cloned().collect(),
            base_port: Some(base_port),
            voter_directory_ids,
            internal_ca_pem: internal.certificate_pem().to_owned(),
            server_ca_pem: server.certificate_pem().to_owned(),
        })
    }
}

/// Reads an authority, or makes it. One that a cut create left is used.
async fn authority(path: &Utf8Path, role: Role, place: &ClusterPlace) -> Result<Authority, LocalError> {
    if let Some(text) = read_private(path)? {
        return Ok(Authority::from_pem(&text)?);
    }
    effect("write an authority's key", async {
        let authority = Authority::create(role, &place.name, Timestamp::now())?;
        write_private(path, &authority.to_pem())?;
        Ok(authority)
    })
    .await
}

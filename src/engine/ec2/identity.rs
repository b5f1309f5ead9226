//! What a cluster in an account draws once: ids and authorities.

use std::collections::BTreeMap;

use super::account::Ec2Engine;
use super::error::Ec2Error;
use crate::engine::ClusterPlace;
use crate::engine::authorities::{ensure_authorities, ensure_node_passwords};
use crate::kafka::format::draw_uuid;
use crate::spec::cluster::ClusterSpec;
use crate::store::Store;
use crate::store::documents::ClusterIdentity;
use crate::vault::Vault;

impl Ec2Engine {
    pub(super) async fn draw(
        &self,
        store: &Store,
        place: &ClusterPlace,
        wanted: &ClusterSpec,
    ) -> Result<ClusterIdentity, Ec2Error> {
        let vault = Vault::of_store(store, &place.uid);
        let authorities = ensure_authorities(&vault, &place.name).await?;
        if !wanted.encryption.in_cluster {
            // Nodes may only read what is private: what they need is there before the first of them starts.
            ensure_node_passwords(&vault, wanted.broker_ids()).await?;
        }
        let mut voter_directory_ids = BTreeMap::new();
        for controller in wanted.controller_ids() {
            voter_directory_ids.insert(controller, draw_uuid()?);
        }
        Ok(ClusterIdentity {
            kafka_cluster_id: draw_uuid()?,
            zones: wanted.zones.iter().cloned().collect(),
            base_port: None,
            voter_directory_ids,
            internal_ca_pem: authorities.internal_pem,
            server_ca_pem: authorities.server_pem,
        })
    }
}

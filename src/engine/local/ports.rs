//! Which ports are free, and which block of them a cluster takes.
//!
//! A port is free if it can be bound now. That another program takes it a moment later cannot be
//! excluded; the agent then says so, and nothing is half done.

use std::net::{IpAddr, SocketAddr, TcpListener};

use crate::engine::ClusterPlace;
use crate::engine::effects::effect;
use crate::store::documents::{PortBlock, keys};
use crate::store::{DocumentError, Documents, KeyError, Put, Store};

/// Ports of one cluster.
pub const BLOCK: u16 = 1000;
/// Ports of one node within its cluster's block.
pub const PER_NODE: u16 = 10;
/// Below are the ports that need privileges.
const FIRST_PORT: u16 = 1024;
/// Blocks that fit below 65,536, with room for overlapping ones.
const MAX_CLAIMS: usize = 1000;

/// Why a cluster gets no ports.
#[derive(Debug, thiserror::Error)]
pub enum PortsError {
    /// The control store.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A key could not be named.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Everything is taken.
    #[error(
        "no block of {BLOCK} ports from {base_port} upwards is free on {address}{taken}; end what uses the \
         ports, or set another `base_port`"
    )]
    NoneFree {
        /// Where blocks begin.
        base_port: u16,
        /// Where listeners bind.
        address: IpAddr,
        /// One port that was in the way, in words.
        taken: String,
    },
}

/// What a cluster needs ports for.
#[derive(Debug, Clone, Copy)]
pub struct PortsWanted<'a> {
    /// The cluster.
    pub place: &'a ClusterPlace,
    /// Where blocks begin.
    pub base_port: u16,
    /// Where listeners bind.
    pub address: IpAddr,
    /// How many nodes there are.
    pub nodes: u16,
}

/// Claims the first block of which every port that the cluster needs is free. A block that the cluster
/// holds already is kept.
///
/// # Errors
/// [`PortsError`].
pub async fn claim(store: &Store, wanted: PortsWanted<'_>) -> Result<u16, PortsError> {
    let claimed = list(store).await?;
    if let Some(own) = claimed.iter().find(|block| block.uid == wanted.place.uid) {
        return Ok(own.base_port);
    }
    let documents = Documents::of_store(store);
    let mut in_the_way = None;
    for base_port in blocks(wanted.base_port) {
        if claimed.iter().any(|other| overlaps(other.base_port, base_port)) {
            continue;
        }
        if let Some(port) = first_taken(wanted.address, needed(base_port, wanted.nodes)) {
            in_the_way = in_the_way.or(Some(port));
            continue;
        }
        let block = PortBlock {
            base_port,
            name: wanted.place.name.clone(),
            uid: wanted.place.uid.clone(),
        };
        let key = keys::port_block(base_port)?;
        if effect("claim ports", documents.create(&key, &block)).await? == Put::Conflict {
            continue;
        }
        // Blocks of another `base_port` may overlap without having the same key.
        let others = list(store).await?;
        let is_alone = !others
            .iter()
            .any(|other| other.uid != block.uid && overlaps(other.base_port, base_port));
        if is_alone {
            return Ok(base_port);
        }
        store.delete(&key).await.map_err(DocumentError::from)?;
    }
    Err(PortsError::NoneFree {
        base_port: wanted.base_port,
        address: wanted.address,
        taken: in_the_way.map_or_else(String::new, |port| format!(" (port {port} is taken)")),
    })
}

/// Gives back what a cluster claimed.
///
/// # Errors
/// [`PortsError`].
pub async fn release(store: &Store, place: &ClusterPlace) -> Result<(), PortsError> {
    for block in list(store).await? {
        if block.uid == place.uid {
            let key = keys::port_block(block.base_port)?;
            store.delete(&key).await.map_err(DocumentError::from)?;
        }
    }
    Ok(())
}

async fn list(store: &Store) -> Result<Vec<PortBlock>, PortsError> {
    let documents = Documents::of_store(store);
    let folder = keys::port_blocks()?;
    let listed = store
        .list_all(&folder, MAX_CLAIMS)
        .await
        .map_err(DocumentError::from)?;
    let mut claimed = Vec::new();
    for key in listed {
        if let Some(read) = documents.read::<PortBlock>(&key).await? {
            claimed.push(read.body);
        }
    }
    Ok(claimed)
}

const fn overlaps(left: u16, right: u16) -> bool {
    left.abs_diff(right) < BLOCK
}

/// The ports that a cluster of so many nodes may use: all ten of each node, so that a listener which
/// is opened later finds its port free.
pub fn needed(base_port: u16, nodes: u16) -> impl Iterator<Item = u16> {
    let end = base_port.saturating_add(nodes.saturating_mul(PER_NODE).min(BLOCK));
    base_port..end
}

/// The starts of the blocks from `base_port` upwards that fit below 65,536.
pub fn blocks(base_port: u16) -> impl Iterator<Item = u16> {
    let first = base_port.max(FIRST_PORT);
    (0..=u16::MAX / BLOCK)
        .map_while(move |number| first.checked_add(number.checked_mul(BLOCK)?))
        .filter(|start| start.checked_add(BLOCK - 1).is_some())
}

/// The first of these ports that cannot be bound on this address.
pub fn first_taken(address: IpAddr, ports: impl IntoIterator<Item = u16>) -> Option<u16> {
    ports
        .into_iter()
        .find(|port| TcpListener::bind(SocketAddr::new(address, *port)).is_err())
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, TcpListener};

    use super::{blocks, first_taken, needed};

    #[test]
    fn blocks_stay_below_the_last_port() {
        assert_eq!(blocks(20000).next(), Some(20000));
        assert_eq!(blocks(20000).nth(1), Some(21000));
        assert_eq!(blocks(20000).last(), Some(64000));
        assert_eq!(blocks(64537).count(), 0);
        assert_eq!(blocks(64536).collect::<Vec<_>>(), [64536]);
        assert_eq!(blocks(0).next(), Some(1024));
    }

    #[test]
    fn a_cluster_needs_ten_ports_for_each_node_and_never_more_than_its_block() {
        assert_eq!(needed(20000, 3).count(), 30);
        assert_eq!(needed(20000, 3).last(), Some(20029));
        assert_eq!(needed(20000, 500).count(), 1000);
    }

    #[test]
    fn a_port_that_another_holds_is_found() {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let other = TcpListener::bind((address, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        assert_eq!(first_taken(address, [port]), Some(port));
        drop(other);
        assert_eq!(first_taken(address, [port]), None);
    }
}

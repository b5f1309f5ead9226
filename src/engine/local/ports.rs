//! Which ports are free, and which block of them a cluster takes.
//!
//! A port is free if it can be bound now. That another program takes it a moment later cannot be
//! excluded; the agent then says so, and nothing is half done.

use std::net::{IpAddr, SocketAddr, TcpListener};

/// Ports of one cluster.
pub const BLOCK: u16 = 1000;
/// Ports of one node within its cluster's block.
pub const PER_NODE: u16 = 10;
/// Below are the ports that need privileges.
const FIRST_PORT: u16 = 1024;

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

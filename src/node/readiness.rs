//! Looks at ports: free before Kafka starts, open when it answers.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::store::documents::{ListenerName, NodeDesired};

/// A connection on one machine or within a VPC is there in this time or not at all.
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);

/// The listener that Kafka opens last. A broker binds its data listeners only when it is caught up,
/// recovered and unfenced (`BrokerServer`, Kafka 4.3), so an open port means RUNNING.
pub(crate) fn last_listener(node: &NodeDesired) -> Option<(ListenerName, u16)> {
    let name = if node.is_broker {
        ListenerName::Agent
    } else {
        ListenerName::Controller
    };
    node.ports.get(&name).map(|port| (name, *port))
}

/// Whether somebody listens there.
pub(crate) async fn is_open(host: &str, port: u16) -> bool {
    let connecting = TcpStream::connect((host, port));
    matches!(
        tokio::time::timeout(CONNECT_PATIENCE, connecting).await,
        Ok(Ok(_))
    )
}

/// The first port of a node that is taken, with its listener.
///
/// # Errors
/// If the address to bind is none of this machine.
pub(crate) fn first_taken(node: &NodeDesired) -> io::Result<Option<(ListenerName, u16)>> {
    for (name, port) in &node.ports {
        let address: Option<SocketAddr> = (node.bind_address.as_str(), *port).to_socket_addrs()?.next();
        let Some(address) = address else { continue };
        match TcpListener::bind(address) {
            Ok(_) => {}
            Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => return Ok(Some((*name, *port))),
            Err(cause) => return Err(cause),
        }
    }
    Ok(None)
}

//! The agent's own connection to its broker: the AGENT listener, always mutual TLS.

use std::fs;
use std::time::Duration;

use zeroize::Zeroizing;

use super::certificates::{internal_keystore, internal_truststore};
use super::context::Context;
use crate::kafka::client::{Admin, ClientConfig, IdentityPem, Tls};
use crate::secret::Secret;
use crate::store::documents::{ListenerName, NodeDesired};

/// Why the broker cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    /// There is no document, or this node is no broker.
    #[error("this node has no AGENT listener")]
    NoListener,
    /// The node's certificates cannot be read.
    #[error("read the node's certificates")]
    Read(#[source] std::io::Error),
    /// The node's certificates cannot be used.
    #[error("use the node's certificates")]
    Tls(#[source] crate::kafka::client::TlsError),
}

/// A connection to this node's own broker; opened with the first request.
///
/// # Errors
/// [`AdminError`].
pub(crate) fn connect(context: &Context, timeout: Duration) -> Result<Admin, AdminError> {
    let desired = context.desired().ok_or(AdminError::NoListener)?;
    let node = desired.node(context.node_id()).ok_or(AdminError::NoListener)?;
    connect_to(context, node, ListenerName::Agent, timeout)
}

/// A connection to one internal listener of any node; opened with the first request.
///
/// # Errors
/// [`AdminError`].
pub(crate) fn connect_to(
    context: &Context,
    node: &NodeDesired,
    listener: ListenerName,
    timeout: Duration,
) -> Result<Admin, AdminError> {
    let port = node.ports.get(&listener).ok_or(AdminError::NoListener)?;
    let mut config = ClientConfig::new(node.advertised_host.clone(), *port);
    config.node = Some(node.id);
    "msk-node".clone_into(&mut config.client_id);
    config.timeout = timeout;
    config.tls = Some(tls(context)?);
    Ok(Admin::new(config))
}

/// Certificates as they lie on the disk now.
///
/// # Errors
/// [`AdminError::Read`] and [`AdminError::Tls`].
pub(crate) fn tls(context: &Context) -> Result<Tls, AdminError> {
    let authorities = fs::read(internal_truststore(&context.directory)).map_err(AdminError::Read)?;
    let keystore = fs::read(internal_keystore(&context.directory)).map_err(AdminError::Read)?;
    let keystore = Secret::new(keystore);
    let chain = Zeroizing::new(keystore.expose().clone());
    let identity = IdentityPem {
        certificate_chain: &chain,
        key: &keystore,
    };
    Tls::from_pem(&authorities, Some(identity)).map_err(AdminError::Tls)
}

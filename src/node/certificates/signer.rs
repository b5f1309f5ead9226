//! Signs what other nodes ask for. Each agent that can read the authorities' keys does it; two that sign for one node
//! at once both sign something valid, and the last one wins.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::Instant;

use super::ask::asker;
use super::wanted::{Wanted, role, wanted};
use crate::clock::Timestamp;
use crate::node::context::Context;
use crate::node::observer::is_fresh;
use crate::node::problem::with_causes;
use crate::pki::{self, Certificate, RequestedKey};
use crate::spec::ids::NodeId;
use crate::store::documents::keys::{self, PerNode};
use crate::store::documents::{CertificateRequest, ClusterDesired, NodeCertificates};
use crate::store::{DocumentError, KeyError, Versioned};
use crate::vault::{Vault, VaultError};

/// A node that still asks is looked at again so soon: its status may be older than what it was given.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Who may not sign tries again so late: roles change with the configuration.
const CLOSED_FOR: Duration = Duration::from_mins(10);
/// A controller may: its role is in force some seconds after it was made.
const CLOSED_FOR_CONTROLLER: Duration = Duration::from_secs(5);

/// Why a node got no certificate.
#[derive(Debug, thiserror::Error)]
enum SignError {
    /// The node is not one of the cluster, or is to go away.
    #[error("the desired document does not have the node")]
    NoNode,
    /// The request is another node's.
    #[error("the request names node {0}")]
    OtherNode(NodeId),
    /// The request or its key cannot be used, or the authority is over.
    #[error(transparent)]
    Pki(#[from] pki::Error),
    /// The authorities' keys.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A document's name.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// An authority's key was lost.
    #[error("the {0} authority's key is not there; restore it")]
    NoAuthority(&'static str),
}

/// Signs until it is dropped.
pub(crate) async fn run(context: &Context) -> Infallible {
    let mut peers = context.peers.subscribe();
    let mut closed_until: Option<Instant> = None;
    // Said once: a bad request stays until its node writes another one.
    let mut refused: BTreeMap<NodeId, String> = BTreeMap::new();
    loop {
        let asking: Vec<NodeId> = peers
            .borrow_and_update()
            .iter()
            .filter(|peer| peer.asks_for_certificates && is_fresh(peer))
            .map(|peer| peer.node_id)
            .collect();
        let is_closed = closed_until.is_some_and(|until| until > Instant::now());
        if !is_closed && let Some(desired) = context.desired() {
            for node in &asking {
                match serve(context, &desired.cluster, *node).await {
                    Ok(()) => {
                        refused.remove(node);
                    }
                    Err(SignError::Vault(cause)) if cause.is_closed() => {
                        let own = desired.node(context.node_id());
                        let pause = match own {
                            Some(own) if own.is_controller => CLOSED_FOR_CONTROLLER,
                            _ => CLOSED_FOR,
                        };
                        closed_until = Some(Instant::now() + pause);
                        break;
                    }
                    Err(cause) => {
                        let cause = with_causes(&cause);
                        if refused.get(node) != Some(&cause) {
                            tracing::warn!(%node, cause, "nothing was signed");
                            refused.insert(*node, cause);
                        }
                    }
                }
            }
        }
        let again = async {
            match (asking.is_empty(), closed_until) {
                (true, _) => std::future::pending().await,
                (false, Some(until)) if until > Instant::now() => tokio::time::sleep_until(until).await,
                (false, _) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        };
        tokio::select! {
            () = again => {}
            _ = peers.changed() => {}
        }
    }
}

/// Signs what one node asks for and does not have yet.
async fn serve(context: &Context, cluster: &ClusterDesired, node: NodeId) -> Result<(), SignError> {
    let documents = &context.documents;
    let uid = &context.home.cluster_uid;
    let asked = keys::per_node(uid, node, PerNode::CertificateRequest)?;
    let Some(asked) = documents.read::<CertificateRequest>(&asked).await? else {
        return Ok(());
    };
    let place = keys::node_certificates(uid, node)?;
    let before: Option<Versioned<NodeCertificates>> = documents.read(&place).await?;
    let known = before.as_ref().map(|before| &before.body);
    let signed = sign(
        &context.vault,
        cluster,
        node,
        (&asked.body, known),
        Timestamp::now(),
    )
    .await?;
    let Some(signed) = signed else { return Ok(()) };
    // Another controller may have been faster: then the next look finds what it has signed.
    match &before {
        Some(before) => documents.replace(&place, before, &signed).await?,
        None => documents.create(&place, &signed).await?,
    };
    tracing::info!(%node, "signed the certificates of a node");
    Ok(())
}

/// What a node is to be given; `None` if it has it already.
async fn sign(
    vault: &Vault,
    cluster: &ClusterDesired,
    node: NodeId,
    (asked, before): (&CertificateRequest, Option<&NodeCertificates>),
    now: Timestamp,
) -> Result<Option<NodeCertificates>, SignError> {
    if asked.node_id != node {
        return Err(SignError::OtherNode(asked.node_id));
    }
    let wanted = wanted(cluster, node);
    if wanted.is_empty() {
        return Err(SignError::NoNode);
    }
    let mut given = before.cloned().unwrap_or(NodeCertificates {
        node_id: node,
        chains: Vec::new(),
    });
    let mut is_new = false;
    for wanted in wanted {
        let Some(request) = asked.of(wanted.trust) else {
            continue;
        };
        let key = RequestedKey::from_request_pem(request, &asker(node))?;
        if given
            .of(wanted.trust)
            .is_some_and(|chain| is_right(chain, &key, &wanted, now))
        {
            continue;
        }
        let role = role(wanted.trust);
        let authority = vault.authority(role).await?;
        let authority = authority.ok_or(SignError::NoAuthority(role.as_str()))?;
        let chain = authority.sign(&key, &wanted.profile, now)?;
        given.set(wanted.trust, chain.to_pem());
        is_new = true;
    }
    Ok(is_new.then_some(given))
}

fn is_right(chain: &str, key: &RequestedKey, wanted: &Wanted, now: Timestamp) -> bool {
    Certificate::from_pem(chain).is_ok_and(|leaf| key.is_of(&leaf) && wanted.is_met_by(&leaf, now))
}

#[cfg(test)]
mod tests;

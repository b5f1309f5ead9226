//! Asks a controller's agent for certificates, and takes them.
//!
//! The keys are made here and stay here. A key that waits for its certificate lies beside the keystore that it is
//! going to be in, so that a new agent goes on with the same request.

use camino::Utf8PathBuf;

use super::wanted::Wanted;
use super::{keystore, read_leaf};
use crate::clock::Timestamp;
use crate::node::context::Context;
use crate::node::problem::{problem, with_causes};
use crate::pki::{Certificate, NodeKey, RequestedKey, files};
use crate::planner::server_properties::node_principal;
use crate::secret::Secret;
use crate::spec::ids::{Generation, NodeId};
use crate::store::documents::keys::{self, PerNode};
use crate::store::documents::{
    CertificateRequest, LeafRequest, NodeCertificates, Problem, ProblemCode, ServerTrust,
};
use crate::store::{DocumentError, Durability};

/// Who asks, as it stands in a request.
pub(super) fn asker(node: NodeId) -> String {
    node_principal(node)
}

/// A certificate that is due and cannot be signed here, with the one that is used meanwhile.
pub(super) type Unsigned = (Wanted, Option<Certificate>);

/// Asks for each certificate and puts those in place that are signed already; in the order of what was asked for.
///
/// # Errors
/// The problem, if one of them is missing; who has one goes on with it.
pub(super) async fn all(
    context: &Context,
    unsigned: &[Unsigned],
    now: Timestamp,
) -> Result<Vec<Option<Certificate>>, Problem> {
    if unsigned.is_empty() {
        return Ok(Vec::new());
    }
    match attempt(context, unsigned, now).await {
        Ok(answers) => Ok(answers),
        Err(what) if unsigned.iter().all(|(_, kept)| kept.is_some()) => {
            tracing::warn!("{}", what.text);
            Ok(unsigned.iter().map(|_| None).collect())
        }
        Err(what) => Err(what),
    }
}

async fn attempt(
    context: &Context,
    unsigned: &[Unsigned],
    now: Timestamp,
) -> Result<Vec<Option<Certificate>>, Problem> {
    let mut keys = Vec::new();
    for (wanted, _) in unsigned {
        keys.push((wanted.trust, waiting_key(context, wanted.trust)?));
    }
    // The answer first: with it no request has to be looked at.
    let answer = read_answer(context).await?;
    let mut taken = Vec::new();
    for ((wanted, _), (_, key)) in unsigned.iter().zip(&keys) {
        let chain = answer.as_ref().and_then(|answer| answer.of(wanted.trust));
        taken.push(match chain {
            Some(chain) => take(context, wanted, key, chain, now)?,
            None => None,
        });
    }
    if taken.iter().any(Option::is_none) {
        let open = keys.iter().zip(&taken).filter(|(_, taken)| taken.is_none());
        let open: Vec<_> = open.map(|((trust, key), _)| (*trust, key)).collect();
        request(context, &open).await?;
    }
    Ok(taken)
}

fn waiting_file(context: &Context, trust: ServerTrust) -> Utf8PathBuf {
    let keystore = keystore(&context.directory, trust);
    keystore.with_extension("next.key.pem")
}

/// The key that waits for its certificate, made if there is none.
fn waiting_key(context: &Context, trust: ServerTrust) -> Result<NodeKey, Problem> {
    let path = waiting_file(context, trust);
    let kept = files::read_private(&path).map_err(|cause| certificate(&cause))?;
    // One that is in use already was left by an agent that died right then.
    let used = files::read_private(&keystore(&context.directory, trust))
        .ok()
        .flatten();
    let used = used.as_ref().and_then(read_leaf);
    let kept = kept.and_then(|text: Secret<String>| NodeKey::from_pem(&text).ok());
    if let Some(kept) = kept
        && used.is_none_or(|used| kept.check_owns(&used).is_err())
    {
        return Ok(kept);
    }
    let key = NodeKey::generate().map_err(|cause| certificate(&cause))?;
    files::write_private(&path, key.pem()).map_err(|cause| certificate(&cause))?;
    Ok(key)
}

async fn read_answer(context: &Context) -> Result<Option<NodeCertificates>, Problem> {
    let key = keys::node_certificates(&context.home.cluster_uid, context.node_id())
        .map_err(|cause| certificate(&cause))?;
    match context.documents.read::<NodeCertificates>(&key).await {
        Ok(read) => Ok(read.map(|read| read.body)),
        Err(cause @ DocumentError::Store(_)) => Err(problem(
            ProblemCode::Certificate,
            format!("look for signed certificates: {}", with_causes(&cause)),
        )),
        // Whoever signs writes it anew.
        Err(cause) => {
            tracing::warn!(cause = %with_causes(&cause), "what was signed cannot be read");
            Ok(None)
        }
    }
}

/// Puts a signed certificate in place, if it is the one that was asked for.
fn take(
    context: &Context,
    wanted: &Wanted,
    key: &NodeKey,
    chain: &str,
    now: Timestamp,
) -> Result<Option<Certificate>, Problem> {
    let Ok(signed) = Certificate::from_pem(chain) else {
        return Ok(None);
    };
    if key.check_owns(&signed).is_err() || !wanted.is_met_by(&signed, now) {
        return Ok(None);
    }
    let path = keystore(&context.directory, wanted.trust);
    files::write_private(&path, &key.with_chain(chain)).map_err(|cause| certificate(&cause))?;
    // The key lies in the keystore now.
    let _ = files::remove_private(&waiting_file(context, wanted.trust));
    Ok(Some(signed))
}

/// Writes down what is asked for, unless it stands there already.
async fn request(context: &Context, open: &[(ServerTrust, &NodeKey)]) -> Result<(), Problem> {
    let node = context.node_id();
    let asker = asker(node);
    let path = keys::per_node(&context.home.cluster_uid, node, PerNode::CertificateRequest)
        .map_err(|cause| certificate(&cause))?;
    let before = context.documents.read::<CertificateRequest>(&path).await;
    let before = match before {
        Ok(before) => before,
        Err(cause @ DocumentError::Store(_)) => return Err(certificate(&cause)),
        // It has one writer; what cannot be read is replaced.
        Err(_) => None,
    };
    let is_asked = |trust: ServerTrust, key: &NodeKey| {
        let text = before.as_ref().and_then(|before| before.body.of(trust))?;
        let there = RequestedKey::from_request_pem(text, &asker).ok()?;
        key.public().ok().filter(|key| *key == there)
    };
    if open.iter().all(|(trust, key)| is_asked(*trust, key).is_some()) {
        return Ok(());
    }
    let mut requests = Vec::new();
    for (trust, key) in open {
        let request_pem = key.request_pem(&asker).map_err(|cause| certificate(&cause))?;
        requests.push(LeafRequest {
            trust: *trust,
            request_pem,
        });
    }
    let generation = before.map_or(Generation(1), |before| before.generation.next());
    let body = CertificateRequest {
        node_id: node,
        requests,
    };
    context
        .documents
        .publish(&path, generation, &body, Durability::Durable)
        .await
        .map_err(|cause| certificate(&cause))?;
    tracing::info!("asks a controller to sign its certificates");
    Ok(())
}

fn certificate(cause: &(dyn std::error::Error + 'static)) -> Problem {
    problem(ProblemCode::Certificate, with_causes(cause))
}

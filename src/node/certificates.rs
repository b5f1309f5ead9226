//! The node's own keys and certificates: made here, kept here, renewed at two thirds of their lifetime.
//!
//! What a certificate says is taken from the desired document alone. On one machine the authorities'
//! keys lie in the cluster's private directory, so the agent signs for itself.

use std::net::IpAddr;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::context::{Context, Desired};
use super::home::{NodeDirectory, write_private};
use super::problem::{code_of, problem, with_causes};
use crate::clock::Timestamp;
use crate::pki::{self, Authority, Certificate, LeafProfile, NodeKey, files};
use crate::planner::server_properties::NodeFiles;
use crate::secret::Secret;
use crate::spec::ids::NodeId;
use crate::store::documents::{ListenerName, NodeDesired, Problem, ProblemCode, ServerTrust};

/// The files to which `server.properties` refers.
pub(crate) fn node_files(context: &Context) -> NodeFiles {
    let tls = context.directory.tls();
    NodeFiles {
        log_directory: context.directory.data().into_string(),
        internal_keystore: internal_keystore(&context.directory).into_string(),
        internal_truststore: internal_truststore(&context.directory).into_string(),
        server_keystore: server_keystore(&context.directory).into_string(),
        client_truststore: tls.join("client-ca.pem").into_string(),
        replication_password: context.home.node_password(context.node_id()).into_string(),
    }
}

/// Key and chain under the internal authority; also what the agent shows on the AGENT listener.
pub(crate) fn internal_keystore(directory: &NodeDirectory) -> Utf8PathBuf {
    directory.tls().join("internal.pem")
}

/// When the certificate ends that lies in the internal keystore; `None` if there is none to be read.
pub(crate) fn internal_expiry(directory: &NodeDirectory) -> Option<Timestamp> {
    let text = files::read_private(&internal_keystore(directory)).ok()??;
    read_leaf(&text).map(|certificate| certificate.not_after())
}

/// The internal authority's certificates.
pub(crate) fn internal_truststore(directory: &NodeDirectory) -> Utf8PathBuf {
    directory.tls().join("internal-ca.pem")
}

/// Key and chain under the server authority.
pub(crate) fn server_keystore(directory: &NodeDirectory) -> Utf8PathBuf {
    directory.tls().join("server.pem")
}

/// What became of the certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificates {
    /// When the first of them ends.
    pub(crate) expire_at: Timestamp,
    /// When the first of them is to be renewed.
    pub(crate) renew_at: Timestamp,
    /// The listeners whose keystore was written anew just now.
    pub(crate) renewed: Vec<ListenerName>,
}

/// Makes every certificate that is missing, due, or says something else than the document.
///
/// # Errors
/// The problem; certificates that are still there stay in place.
pub(crate) fn ensure(context: &Context, desired: &Desired, now: Timestamp) -> Result<Certificates, Problem> {
    let node = desired
        .node(context.node_id())
        .ok_or_else(|| problem(ProblemCode::Other, "the desired document does not have this node"))?;
    write_truststores(context, desired)?;
    let (dns_names, addresses) = names(node);
    let lifetime = Duration::from_secs(desired.cluster.leaf_lifetime_seconds);
    let mut found = Certificates {
        expire_at: Timestamp::from_millis(u64::MAX),
        renew_at: Timestamp::from_millis(u64::MAX),
        renewed: Vec::new(),
    };
    for trust in [ServerTrust::Internal, ServerTrust::Server] {
        let listeners = listeners(desired, node.id, trust);
        if listeners.is_empty() {
            continue;
        }
        let (path, authority, profile) = match trust {
            ServerTrust::Internal => (
                internal_keystore(&context.directory),
                context.home.internal_ca_key(),
                LeafProfile::node(node.id, dns_names.clone(), addresses.clone(), lifetime),
            ),
            ServerTrust::Server => (
                server_keystore(&context.directory),
                context.home.server_ca_key(),
                LeafProfile::server(dns_names.clone(), addresses.clone(), lifetime),
            ),
        };
        let (certificate, is_new) = ensure_leaf(&path, &authority, &profile, now)?;
        found.expire_at = found.expire_at.min(certificate.not_after());
        found.renew_at = found.renew_at.min(certificate.renew_at());
        if is_new {
            found.renewed.extend(listeners);
        }
    }
    Ok(found)
}

/// The TLS listeners of a node under one authority. A broker without a controller's role still dials
/// controllers with the settings of their listener.
fn listeners(desired: &Desired, node: NodeId, trust: ServerTrust) -> Vec<ListenerName> {
    let Some(node) = desired.node(node) else {
        return Vec::new();
    };
    desired
        .cluster
        .listeners
        .iter()
        .filter(|listener| listener.trust == Some(trust))
        .map(|listener| listener.name)
        .filter(|name| node.ports.contains_key(name) || *name == ListenerName::Controller)
        .collect()
}

/// Every name and address under which the node is reached.
fn names(node: &NodeDesired) -> (Vec<String>, Vec<IpAddr>) {
    let mut dns_names = Vec::new();
    let mut addresses = Vec::new();
    let all = [&node.advertised_host, &node.bind_address];
    for name in all.into_iter().chain(&node.certificate_names) {
        match name.parse::<IpAddr>() {
            Ok(address) if address.is_unspecified() || addresses.contains(&address) => {}
            Ok(address) => addresses.push(address),
            Err(_) if name.is_empty() || dns_names.contains(name) => {}
            Err(_) => dns_names.push(name.clone()),
        }
    }
    (dns_names, addresses)
}

fn write_truststores(context: &Context, desired: &Desired) -> Result<(), Problem> {
    let files = node_files(context);
    let stores = [
        (files.internal_truststore, &desired.cluster.internal_ca_pem),
        (files.client_truststore, &desired.cluster.client_ca_pem),
    ];
    for (path, authorities) in stores {
        let path = Utf8PathBuf::from(path);
        let mut text = String::new();
        for authority in authorities {
            text.push_str(authority.trim_end());
            text.push('\n');
        }
        // Kafka looks at the time of the file, so what is right already stays untouched.
        if text.is_empty() || std::fs::read(&path).is_ok_and(|before| before == text.as_bytes()) {
            continue;
        }
        write_private(&path, text.as_bytes())
            .map_err(|cause| problem(code_of(&cause), format!("write `{path}`: {cause}")))?;
    }
    Ok(())
}

fn ensure_leaf(
    path: &Utf8Path,
    authority_path: &Utf8Path,
    profile: &LeafProfile,
    now: Timestamp,
) -> Result<(Certificate, bool), Problem> {
    let broken = |cause: &pki::Error| problem(ProblemCode::Certificate, with_causes(cause));
    let unreadable = |cause: &files::Error| problem(ProblemCode::Certificate, with_causes(cause));
    let authority_pem = files::read_private(authority_path).map_err(|cause| unreadable(&cause))?;
    let kept = files::read_private(path).map_err(|cause| unreadable(&cause))?;
    let kept = kept.as_ref().and_then(read_leaf);
    let Some(authority_pem) = authority_pem else {
        // Without the authority nothing can be renewed, but what is valid may be used.
        return match kept {
            Some(certificate) if certificate.is_valid_at(now) => Ok((certificate, false)),
            _ => Err(problem(
                ProblemCode::Certificate,
                format!("the authority's key `{authority_path}` is not there; restore it"),
            )),
        };
    };
    let authority = Authority::from_pem(&authority_pem).map_err(|cause| broken(&cause))?;
    if let Some(certificate) = kept {
        let is_right = profile.is_met_by(&certificate)
            && certificate.is_issued_by(authority.certificate())
            && now < certificate.renew_at()
            && certificate.is_valid_at(now);
        if is_right {
            return Ok((certificate, false));
        }
    }
    let key = NodeKey::generate().map_err(|cause| broken(&cause))?;
    let public = key.public().map_err(|cause| broken(&cause))?;
    let chain = authority
        .sign(&public, profile, now)
        .map_err(|cause| broken(&cause))?;
    let certificate = Certificate::from_pem(&chain.leaf_pem).map_err(|cause| broken(&cause))?;
    files::write_private(path, &key.with_chain(&chain.to_pem())).map_err(|cause| unreadable(&cause))?;
    Ok((certificate, true))
}

/// The leaf of a keystore; `None` if key and certificate cannot be read or do not belong together.
fn read_leaf(text: &Secret<String>) -> Option<Certificate> {
    let certificate = Certificate::from_pem(text.expose()).ok()?;
    let key = NodeKey::from_pem(text).ok()?;
    key.check_owns(&certificate).ok()?;
    Some(certificate)
}

//! The node's own keys and certificates: made here, kept here, renewed at two thirds of their lifetime.
//!
//! What a certificate says is taken from the desired document alone. Whoever can read the authorities' keys (on one
//! machine everybody, on AWS the controllers) signs for itself; the others ask, and a controller's agent signs.

/// Asks a controller's agent for certificates, and takes them.
mod ask;
/// Signs what other nodes ask for.
pub(crate) mod signer;
/// What a node's certificates should say.
mod wanted;

use camino::{Utf8Path, Utf8PathBuf};

use super::context::{Context, Desired};
use super::home::{NodeDirectory, write_private};
use super::password;
use super::problem::{code_of, problem, with_causes};
use crate::clock::Timestamp;
use crate::pki::{Certificate, NodeKey, files};
use crate::planner::server_properties::NodeFiles;
use crate::secret::Secret;
use crate::store::documents::{ListenerName, Problem, ProblemCode, ServerTrust};
use crate::vault::Entry;
use wanted::{Wanted, wanted};

/// The files to which `server.properties` refers.
pub(crate) fn node_files(context: &Context) -> NodeFiles {
    let tls = context.directory.tls();
    NodeFiles {
        log_directory: context.directory.data().into_string(),
        internal_keystore: internal_keystore(&context.directory).into_string(),
        internal_truststore: internal_truststore(&context.directory).into_string(),
        server_keystore: server_keystore(&context.directory).into_string(),
        client_truststore: tls.join("client-ca.pem").into_string(),
        replication_password: password::own_file(context).into_string(),
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
    /// Whether a controller was asked to sign one that is due.
    pub(crate) is_waiting: bool,
}

/// Whether Kafka can have its certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ensured {
    /// They are there.
    There(Certificates),
    /// A controller has to sign the first ones.
    Awaited,
}

/// Makes every certificate that is missing, due, or says something else than the document; where the authorities'
/// keys are out of reach, asks for it.
///
/// # Errors
/// The problem; certificates that are still there stay in place.
pub(crate) async fn ensure(context: &Context, desired: &Desired, now: Timestamp) -> Result<Ensured, Problem> {
    let node = context.node_id();
    if desired.node(node).is_none() {
        return Err(problem(
            ProblemCode::Other,
            "the desired document does not have this node",
        ));
    }
    write_truststores(context, desired)?;
    let mut found = Found::default();
    let mut unsigned = Vec::new();
    for wanted in wanted(&desired.cluster, node) {
        let kept = read_keystore(&keystore(&context.directory, wanted.trust))?;
        let kept = kept.filter(|kept| wanted.is_usable(kept, now));
        if let Some(kept) = kept.as_ref().filter(|kept| wanted.is_met_by(kept, now)) {
            found.note(kept);
            continue;
        }
        match sign(context, &wanted, now).await {
            Ok(certificate) => found.note_new(&certificate, &wanted),
            Err(NotSigned::Closed) => unsigned.push((wanted, kept)),
            Err(NotSigned::Broken(what)) => match kept {
                // Without the authority nothing can be renewed, but what is valid may be used.
                Some(kept) if wanted.profile.is_met_by(&kept) => {
                    tracing::warn!("{}", what.text);
                    found.note(&kept);
                }
                _ => return Err(what),
            },
        }
    }
    let answers = ask::all(context, &unsigned, now).await?;
    let mut is_missing = false;
    for ((wanted, kept), answer) in unsigned.iter().zip(answers) {
        match (answer, kept) {
            (Some(certificate), _) => found.note_new(&certificate, wanted),
            (None, Some(kept)) => {
                found.0.is_waiting = true;
                found.note(kept);
            }
            (None, None) => is_missing = true,
        }
    }
    context.tell_asking(is_missing || found.0.is_waiting);
    Ok(if is_missing {
        Ensured::Awaited
    } else {
        Ensured::There(found.0)
    })
}

/// The certificates of a node, as they are gone through.
struct Found(Certificates);

impl Default for Found {
    fn default() -> Self {
        Self(Certificates {
            expire_at: Timestamp::from_millis(u64::MAX),
            renew_at: Timestamp::from_millis(u64::MAX),
            renewed: Vec::new(),
            is_waiting: false,
        })
    }
}

impl Found {
    fn note(&mut self, certificate: &Certificate) {
        self.0.expire_at = self.0.expire_at.min(certificate.not_after());
        self.0.renew_at = self.0.renew_at.min(certificate.renew_at());
    }

    fn note_new(&mut self, certificate: &Certificate, wanted: &Wanted) {
        self.note(certificate);
        self.0.renewed.extend(&wanted.listeners);
    }
}

/// Why a node did not sign for itself.
enum NotSigned {
    /// The authority's key is out of its reach.
    Closed,
    /// Something is wrong.
    Broken(Problem),
}

/// Signs with the authority's key, and puts the certificate in place.
async fn sign(context: &Context, wanted: &Wanted, now: Timestamp) -> Result<Certificate, NotSigned> {
    let role = wanted::role(wanted.trust);
    let broken = |cause: &(dyn std::error::Error + 'static)| {
        NotSigned::Broken(problem(ProblemCode::Certificate, with_causes(cause)))
    };
    let authority = match context.vault.authority(role).await {
        Ok(Some(authority)) => authority,
        Ok(None) => {
            let place = context.vault.location(Entry::Authority(role));
            return Err(NotSigned::Broken(problem(
                ProblemCode::Certificate,
                format!("the authority's key `{place}` is not there; restore it"),
            )));
        }
        Err(cause) if cause.is_closed() => return Err(NotSigned::Closed),
        Err(cause) => return Err(broken(&cause)),
    };
    let key = NodeKey::generate().map_err(|cause| broken(&cause))?;
    let public = key.public().map_err(|cause| broken(&cause))?;
    let chain = authority.sign(&public, &wanted.profile, now);
    let chain = chain.map_err(|cause| broken(&cause))?;
    let certificate = Certificate::from_pem(&chain.leaf_pem).map_err(|cause| broken(&cause))?;
    let path = keystore(&context.directory, wanted.trust);
    files::write_private(&path, &key.with_chain(&chain.to_pem())).map_err(|cause| broken(&cause))?;
    Ok(certificate)
}

fn keystore(directory: &NodeDirectory, trust: ServerTrust) -> Utf8PathBuf {
    match trust {
        ServerTrust::Internal => internal_keystore(directory),
        ServerTrust::Server => server_keystore(directory),
    }
}

fn read_keystore(path: &Utf8Path) -> Result<Option<Certificate>, Problem> {
    let text =
        files::read_private(path).map_err(|cause| problem(ProblemCode::Certificate, with_causes(&cause)))?;
    Ok(text.as_ref().and_then(read_leaf))
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

/// The leaf of a keystore; `None` if key and certificate cannot be read or do not belong together.
fn read_leaf(text: &Secret<String>) -> Option<Certificate> {
    let certificate = Certificate::from_pem(text.expose()).ok()?;
    let key = NodeKey::from_pem(text).ok()?;
    key.check_owns(&certificate).ok()?;
    Some(certificate)
}

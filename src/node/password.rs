//! The passwords of the reserved node users: made once, 0600, never shown.

use camino::Utf8PathBuf;

use super::context::{Context, Desired};
use super::problem::{problem, with_causes};
use crate::pki::files;
use crate::secret::Secret;
use crate::spec::ids::NodeId;
use crate::store::documents::{ClusterDesired, ListenerName, Problem, ProblemCode, SecurityProtocol};
use crate::vault::{Entry, Vault, VaultError};

/// Whether brokers log in at each other with passwords.
pub(crate) fn are_used(cluster: &ClusterDesired) -> bool {
    let replication = cluster.listener(ListenerName::Replication);
    replication.is_some_and(|listener| listener.protocol == SecurityProtocol::SaslPlaintext)
}

/// Where Kafka reads the password of its own node: where it lies, or a copy beside the node's keys.
pub(crate) fn own_file(context: &Context) -> Utf8PathBuf {
    let name = Entry::NodePassword(context.node_id());
    match context.vault.as_directory() {
        Some(directory) => name.file(directory),
        None => context.directory.tls().join("replication.password"),
    }
}

/// Reads a password, and makes it first if there is none. Two agents at once make one.
///
/// # Errors
/// Where it should be, and what the vault says.
pub(crate) async fn ensure(vault: &Vault, node: NodeId) -> Result<Secret<String>, Problem> {
    let location = vault.location(Entry::NodePassword(node));
    let text = vault.ensure_node_password(node).await;
    let text = text.map_err(|cause| unreadable(&location, &cause))?;
    crate::vault::password(&text).ok_or_else(|| damaged(&location))
}

/// Puts a copy of the own password where Kafka reads it, if it does not lie there itself.
///
/// # Errors
/// Where it should be, and what the vault says. A copy that is there already is used then.
pub(crate) async fn ensure_own(context: &Context, desired: &Desired) -> Result<(), Problem> {
    let node = desired.node(context.node_id());
    let is_read = node.is_some_and(|node| node.is_broker) && are_used(&desired.cluster);
    if !is_read || context.vault.as_directory().is_some() {
        return Ok(());
    }
    let path = own_file(context);
    let entry = Entry::NodePassword(context.node_id());
    let location = context.vault.location(entry);
    let broken = |cause: &files::Error| problem(ProblemCode::DataUnusable, with_causes(cause));
    let kept = files::read_private(&path).map_err(|cause| broken(&cause))?;
    let text = match context.vault.read(entry).await {
        Ok(Some(text)) => text,
        Err(cause) if kept.is_some() => {
            tracing::warn!(location, error = %with_causes(&cause), "goes on with the password that it has");
            return Ok(());
        }
        Err(cause) => return Err(unreadable(&location, &cause)),
        Ok(None) => {
            return Err(problem(
                ProblemCode::Certificate,
                format!("the password `{location}` is not there; run `terraform apply`, it is written then"),
            ));
        }
    };
    if crate::vault::password(&text).is_none() {
        return Err(damaged(&location));
    }
    if kept.is_some_and(|kept| kept.expose() == text.expose()) {
        return Ok(());
    }
    files::write_private(&path, &text).map_err(|cause| broken(&cause))
}

fn unreadable(location: &str, cause: &VaultError) -> Problem {
    problem(
        ProblemCode::DataUnusable,
        format!("read the password `{location}`: {}", with_causes(cause)),
    )
}

fn damaged(location: &str) -> Problem {
    problem(
        ProblemCode::DataUnusable,
        format!("the password `{location}` is damaged: no line `password=…` in it"),
    )
}

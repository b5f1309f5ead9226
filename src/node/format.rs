//! Formats the node's data directory once in its life, under the first-format claim of the store.
//!
//! An empty directory, a failed mount and a lost disk all look blank, so blank proves nothing: the
//! claim does. `started` is written before the first byte and `done` after the last; Kafka starts only
//! after `done`, and with `done` recorded nothing is ever formatted again.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;

use super::context::{Context, Desired};
use super::password;
use super::problem::{code_of, problem, with_causes};
use crate::clock::Timestamp;
use crate::kafka::format::{self, Bootstrap, Identity, Role, ScramUser, Voter};
use crate::planner::server_properties::node_principal;
use crate::spec::ids::KafkaUuid;
use crate::store::documents::keys::{self, PerNode};
use crate::store::documents::{
    FormatClaim, FormatPhase, ListenerName, NodeDesired, Problem, ProblemCode, SecurityProtocol,
};
use crate::store::{Put, Versioned};

/// Kafka's default; the password is 256 random bits, so more rounds protect nothing.
const ITERATIONS: u32 = 4096;

/// Makes sure that the data directory is formatted, for this node, once.
///
/// # Errors
/// The problem that keeps Kafka from being started.
pub(crate) async fn ensure_formatted(context: &Context, desired: &Desired) -> Result<(), Problem> {
    let data = context.directory.data();
    let node = desired
        .node(context.node_id())
        .ok_or_else(|| problem(ProblemCode::Other, "the desired document does not have this node"))?;
    let disk_id = disk_id(&data)?;
    let claim = take_claim(context, desired, &disk_id).await?;
    let identity = Identity {
        cluster_id: desired.cluster.kafka_cluster_id.clone(),
        node_id: node.id,
        directory_id: claim.body.directory_id.clone(),
    };
    if claim.body.phase == FormatPhase::Done {
        return check_formatted(&data, &identity);
    }
    if claim.body.disk_id != disk_id {
        // Begun on another directory and never done: whether that one holds anything is not known.
        return Err(problem(
            ProblemCode::DataForeign,
            format!(
                "formatting was begun on disk {}, `{data}` is disk {disk_id}; bring the former directory back, \
                 or destroy the cluster",
                claim.body.disk_id
            ),
        ));
    }
    let role = role(context, desired, node)?;
    format::ensure_formatted(&data, &identity, &role, Timestamp::now())
        .map_err(|cause| from_format(&cause))?;
    finish_claim(context, claim).await
}

/// Device and inode: another directory in the same place has another inode.
fn disk_id(data: &Utf8Path) -> Result<String, Problem> {
    let metadata = fs::metadata(data).map_err(|cause| {
        let code = if cause.kind() == std::io::ErrorKind::NotFound {
            ProblemCode::DataMissing
        } else {
            code_of(&cause)
        };
        problem(code, format!("look at the data directory `{data}`: {cause}"))
    })?;
    Ok(format!("{}:{}", metadata.dev(), metadata.ino()))
}

async fn take_claim(
    context: &Context,
    desired: &Desired,
    disk_id: &str,
) -> Result<Versioned<FormatClaim>, Problem> {
    let key = keys::per_node(&context.home.cluster_uid, context.node_id(), PerNode::Format)
        .map_err(|cause| problem(ProblemCode::Other, with_causes(&cause)))?;
    let broken = |cause| problem(ProblemCode::DocumentBroken, with_causes(&cause));
    loop {
        if let Some(claim) = context
            .documents
            .read::<FormatClaim>(&key)
            .await
            .map_err(broken)?
        {
            return Ok(claim);
        }
        let data = context.directory.data();
        // Without a claim the directory must be blank: nothing of ours was ever written there.
        if format::read_identity(&data)
            .map_err(|cause| from_format(&cause))?
            .is_some()
        {
            return Err(problem(
                ProblemCode::DataForeign,
                format!(
                    "`{data}` was formatted by somebody else, or the store was rolled back; \
                     it is left as it is, move it away or restore the store"
                ),
            ));
        }
        let claim = FormatClaim {
            node_id: context.node_id(),
            disk_id: disk_id.to_owned(),
            directory_id: directory_id(context, desired)?,
            phase: FormatPhase::Started,
        };
        // A lost race means that an earlier agent's write came through after all: read it.
        if let Put::Conflict = context.documents.create(&key, &claim).await.map_err(broken)? {
            tracing::info!("the format claim was there already");
        }
    }
}

/// A voter's directory id is part of the quorum's first record; all others draw one.
fn directory_id(context: &Context, desired: &Desired) -> Result<KafkaUuid, Problem> {
    let voter = desired
        .cluster
        .initial_voters
        .iter()
        .find(|voter| voter.node_id == context.node_id());
    match voter {
        Some(voter) => Ok(voter.directory_id.clone()),
        None => format::draw_uuid().map_err(|cause| from_format(&cause)),
    }
}

fn check_formatted(data: &Utf8Path, expected: &Identity) -> Result<(), Problem> {
    let found = format::read_identity(data).map_err(|cause| from_format(&cause))?;
    match found {
        Some(found) if found == *expected => Ok(()),
        Some(found) => Err(problem(
            ProblemCode::DataForeign,
            format!(
                "`{data}` belongs to node {} of cluster {} (directory {}), expected node {} of cluster {} \
                 (directory {}); bring the right directory back",
                found.node_id,
                found.cluster_id,
                found.directory_id,
                expected.node_id,
                expected.cluster_id,
                expected.directory_id
            ),
        )),
        None => Err(problem(
            ProblemCode::DataMissing,
            format!(
                "`{data}` was formatted before and has no meta.properties now: the data is gone or not mounted; \
                 bring it back, it is never formatted again by itself"
            ),
        )),
    }
}

fn role(context: &Context, desired: &Desired, node: &NodeDesired) -> Result<Role, Problem> {
    let voters = &desired.cluster.initial_voters;
    if !voters.iter().any(|voter| voter.node_id == node.id) {
        return Ok(Role::Joiner);
    }
    Ok(Role::InitialVoter(Bootstrap {
        version: desired.cluster.kafka_version,
        listener: ListenerName::Controller.as_str().to_owned(),
        voters: voters
            .iter()
            .map(|voter| Voter {
                node_id: voter.node_id,
                directory_id: voter.directory_id.clone(),
                host: voter.host.clone(),
                port: voter.port,
            })
            .collect(),
        users: reserved_users(context, desired)?,
    }))
}

/// With `in_cluster = false` brokers log in at each other with SCRAM, so their users have to exist before
/// the first broker starts. They are made in any case: switching over later then needs no new format.
fn reserved_users(context: &Context, desired: &Desired) -> Result<Vec<ScramUser>, Problem> {
    let replication = desired.cluster.listener(ListenerName::Replication);
    if replication.is_none_or(|listener| listener.protocol != SecurityProtocol::SaslPlaintext) {
        return Ok(Vec::new());
    }
    let mut users = Vec::new();
    for node in desired.cluster.nodes.iter().filter(|node| node.is_broker) {
        let path = context.home.node_password(node.id);
        let password = password::ensure(&path)
            .map_err(|cause| problem(code_of(&cause), format!("read the password `{path}`: {cause}")))?;
        let name = node_principal(node.id);
        // Every voter has to write the same records, so the salt is the same everywhere: derived, and
        // different for each user and cluster, which is all that a salt is for.
        let salt = format!("{}/{name}", context.home.cluster_uid);
        let user = ScramUser::derive(&name, &password, salt.as_bytes(), ITERATIONS)
            .map_err(|cause| from_format(&cause))?;
        users.push(user);
    }
    Ok(users)
}

async fn finish_claim(context: &Context, claim: Versioned<FormatClaim>) -> Result<(), Problem> {
    let key = keys::per_node(&context.home.cluster_uid, context.node_id(), PerNode::Format)
        .map_err(|cause| problem(ProblemCode::Other, with_causes(&cause)))?;
    let done = FormatClaim {
        phase: FormatPhase::Done,
        ..claim.body.clone()
    };
    match context.documents.replace(&key, &claim, &done).await {
        Ok(Put::Written(..)) => Ok(()),
        Ok(Put::Conflict) => Err(problem(
            ProblemCode::Other,
            "the format claim was changed by somebody else; trying again",
        )),
        Err(cause) => Err(problem(ProblemCode::DocumentBroken, with_causes(&cause))),
    }
}

fn from_format(cause: &format::Error) -> Problem {
    let code = match cause {
        format::Error::OtherOwner { .. } | format::Error::NotBlank { .. } | format::Error::Meta { .. } => {
            ProblemCode::DataForeign
        }
        format::Error::Io { source, .. } => code_of(source),
        _ => ProblemCode::Other,
    };
    problem(code, with_causes(cause))
}

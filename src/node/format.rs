//! Formats the node's data directory once in its life, under the first-format claim of the store.
//!
//! An empty directory, a failed mount and a lost disk all look blank, so blank proves nothing: the
//! claim does. `started` is written before the first byte and `done` after the last; Kafka starts only
//! after `done`, and with `done` recorded nothing is ever formatted again.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;

use super::context::{Context, Desired};
use super::home::write_private;
use super::password;
use super::problem::{code_of, problem, with_causes};
use crate::clock::Timestamp;
use crate::kafka::format::{self, Bootstrap, Identity, Role, ScramUser, Voter};
use crate::planner::server_properties::node_principal;
use crate::spec::ids::{ClusterUid, KafkaUuid, NodeId};
use crate::store::DocumentError;
use crate::store::documents::keys::{self, PerNode};
use crate::store::documents::{
    ClusterDesired, FormatClaim, FormatPhase, ListenerName, NodeDesired, Problem, ProblemCode,
};
use crate::store::{Documents, Key, Put, Versioned};

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
    let disk_id = match &context.machine {
        Some(machine) => machine.volume_id.clone(),
        None => disk_id(&data)?,
    };
    let place = ClaimPlace {
        documents: &context.documents,
        uid: &context.home.cluster_uid,
        node: context.node_id(),
    };
    let taken = place.take(&desired.cluster, &disk_id, Some(&data)).await;
    let claim = match (taken, kept_claim(context)) {
        (Ok(claim), _) => claim,
        // The store is far and may be away: that the format was done is known here, too.
        (Err(away), Some(kept)) if away.code == ProblemCode::DocumentBroken && kept.disk_id == disk_id => {
            return check_formatted(&data, &identity_of(desired, node, &kept));
        }
        (Err(found), _) => return Err(found),
    };
    let identity = identity_of(desired, node, &claim.body);
    if claim.body.phase == FormatPhase::Done {
        if context.machine.is_some() && claim.body.disk_id != disk_id {
            return Err(begun_elsewhere(&claim.body, &data, &disk_id));
        }
        check_formatted(&data, &identity)?;
        keep_claim(context, &claim.body);
        return Ok(());
    }
    if claim.body.disk_id != disk_id {
        return Err(begun_elsewhere(&claim.body, &data, &disk_id));
    }
    let role = role(context, desired, node).await?;
    format::ensure_formatted(&data, &identity, &role, Timestamp::now())
        .map_err(|cause| from_format(&cause))?;
    let done = place.finish(claim).await?;
    keep_claim(context, &done);
    Ok(())
}

/// Begun on another disk: whether that one holds anything is not known.
fn begun_elsewhere(claim: &FormatClaim, data: &Utf8Path, disk_id: &str) -> Problem {
    problem(
        ProblemCode::DataForeign,
        format!(
            "formatting was begun on disk {}, `{data}` is disk {disk_id}; bring the former directory back, \
             or destroy the cluster",
            claim.disk_id
        ),
    )
}

fn identity_of(desired: &Desired, node: &NodeDesired, claim: &FormatClaim) -> Identity {
    Identity {
        cluster_id: desired.cluster.kafka_cluster_id.clone(),
        node_id: node.id,
        directory_id: claim.directory_id.clone(),
    }
}

/// The claim as it is kept beside the data of a node whose store is far.
fn kept_claim(context: &Context) -> Option<FormatClaim> {
    context.machine.as_ref()?;
    let text = fs::read(context.directory.applied().join("format.json")).ok()?;
    serde_json::from_slice::<FormatClaim>(&text)
        .ok()
        .filter(|claim| claim.phase == FormatPhase::Done && claim.node_id == context.node_id())
}

fn keep_claim(context: &Context, claim: &FormatClaim) {
    if context.machine.is_none() || kept_claim(context).as_ref() == Some(claim) {
        return;
    }
    let path = context.directory.applied().join("format.json");
    let kept = serde_json::to_vec(claim)
        .map_err(std::io::Error::other)
        .and_then(|text| write_private(&path, &text));
    if let Err(cause) = kept {
        tracing::warn!(%path, %cause, "the format claim could not be kept");
    }
}

/// Reads a node's claim.
///
/// # Errors
/// The store's.
pub(crate) async fn read_claim(
    documents: &Documents,
    uid: &ClusterUid,
    node: NodeId,
) -> Result<Option<FormatClaim>, DocumentError> {
    let Ok(key) = keys::per_node(uid, node, PerNode::Format) else {
        return Ok(None);
    };
    Ok(documents.read::<FormatClaim>(&key).await?.map(|read| read.body))
}

/// Takes the claim for a disk on which there is no file system yet.
///
/// # Errors
/// The problem; nothing may be written then.
pub(crate) async fn claim_disk(
    documents: &Documents,
    uid: &ClusterUid,
    desired: &ClusterDesired,
    node: NodeId,
    disk_id: &str,
) -> Result<(), Problem> {
    let place = ClaimPlace { documents, uid, node };
    let claim = place.take(desired, disk_id, None).await?;
    if claim.body.phase == FormatPhase::Started && claim.body.disk_id == disk_id {
        return Ok(());
    }
    Err(problem(
        ProblemCode::DataForeign,
        format!(
            "the format of this node is claimed for disk {}",
            claim.body.disk_id
        ),
    ))
}

/// Where a node's claim lies.
struct ClaimPlace<'a> {
    documents: &'a Documents,
    uid: &'a ClusterUid,
    node: NodeId,
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

impl ClaimPlace<'_> {
    fn key(&self) -> Result<Key, Problem> {
        keys::per_node(self.uid, self.node, PerNode::Format)
            .map_err(|cause| problem(ProblemCode::Other, with_causes(&cause)))
    }

    /// The claim, made if there is none. `data` is the data directory, where there is one yet.
    async fn take(
        &self,
        desired: &ClusterDesired,
        disk_id: &str,
        data: Option<&Utf8Path>,
    ) -> Result<Versioned<FormatClaim>, Problem> {
        let key = self.key()?;
        let broken = |cause| problem(ProblemCode::DocumentBroken, with_causes(&cause));
        loop {
            if let Some(claim) = self.documents.read::<FormatClaim>(&key).await.map_err(broken)? {
                return Ok(claim);
            }
            // Without a claim the directory must be blank: nothing of ours was ever written there.
            if let Some(data) = data
                && format::read_identity(data)
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
                node_id: self.node,
                disk_id: disk_id.to_owned(),
                directory_id: directory_id(desired, self.node)?,
                phase: FormatPhase::Started,
            };
            // A lost race means that an earlier agent's write came through after all: read it.
            if let Put::Conflict = self.documents.create(&key, &claim).await.map_err(broken)? {
                tracing::info!("the format claim was there already");
            }
        }
    }

    async fn finish(&self, claim: Versioned<FormatClaim>) -> Result<FormatClaim, Problem> {
        let done = FormatClaim {
            phase: FormatPhase::Done,
            ..claim.body.clone()
        };
        match self.documents.replace(&self.key()?, &claim, &done).await {
            Ok(Put::Written(..)) => Ok(done),
            Ok(Put::Conflict) => Err(problem(
                ProblemCode::Other,
                "the format claim was changed by somebody else; trying again",
            )),
            Err(cause) => Err(problem(ProblemCode::DocumentBroken, with_causes(&cause))),
        }
    }
}

/// A voter's directory id is part of the quorum's first record; all others draw one.
fn directory_id(desired: &ClusterDesired, node: NodeId) -> Result<KafkaUuid, Problem> {
    let voter = desired.initial_voters.iter().find(|voter| voter.node_id == node);
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

async fn role(context: &Context, desired: &Desired, node: &NodeDesired) -> Result<Role, Problem> {
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
        users: reserved_users(context, desired).await?,
    }))
}

/// With `in_cluster = false` brokers log in at each other with SCRAM, so their users have to exist before
/// the first broker starts. They are made in any case: switching over later then needs no new format.
async fn reserved_users(context: &Context, desired: &Desired) -> Result<Vec<ScramUser>, Problem> {
    if !password::are_used(&desired.cluster) {
        return Ok(Vec::new());
    }
    let mut users = Vec::new();
    for node in desired.cluster.nodes.iter().filter(|node| node.is_broker) {
        let password = password::ensure(&context.vault, node.id).await?;
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

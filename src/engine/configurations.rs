//! Configurations in the control store: made, changed, hidden and removed under their claims.
//!
//! A configuration's record is its only effect, so a create is one conditional write and is at once
//! `made`. Rules as for clusters (docs/decisions/0002-claims.md).

use std::collections::{BTreeMap, BTreeSet};

use super::effects::effect;
use crate::clock::Timestamp;
use crate::spec::ids::{ClaimId, ClusterName, ClusterUid};
use crate::store::documents::{
    Caller, Claim, ClusterRecord, ConfigurationRecord, ConfigurationRevision, Phase, Tombstone, keys,
};
use crate::store::{Deleted, DocumentError, Documents, Key, KeyError, Put, Store};

/// How many revisions of a configuration are kept.
pub const MAX_REVISIONS: usize = 50;
/// More clusters than this in one store are not ours.
const MAX_CLUSTERS: usize = 10_000;

/// Why a configuration could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The store.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The name was never checked.
    #[error("name the record of the configuration")]
    Key(#[from] KeyError),
    /// The name is taken.
    #[error(
        "a configuration `{name}` exists already, made from {holder}; to manage it here, import it:\n\n\
         import {{\n  to = msk_configuration.{label}\n  id = \"{name}\"\n}}\n\nor choose another name. \
         `create_before_destroy` cannot work: names are unique, so take it out of `lifecycle` if this is half of a \
         replacement"
    )]
    Exists {
        /// The configuration.
        name: String,
        /// Who made it.
        holder: String,
        /// The name as a Terraform label.
        label: String,
    },
    /// A deleted one still has users.
    #[error(
        "the configuration `{name}` was deleted while a cluster still used it, and goes with the last cluster that \
         does; choose another name, or give that cluster another configuration first"
    )]
    Leaving {
        /// The configuration.
        name: String,
    },
    /// Neither record nor deletion.
    #[error(
        "the control store has no record of the configuration `{name}`; bring the store back from a copy, or forget \
         the configuration with `terraform state rm`"
    )]
    Missing {
        /// The configuration.
        name: String,
    },
    /// Another create has taken it.
    #[error(
        "the configuration `{name}` belongs to another create, from {holder}; this state no longer holds it: \
         `terraform state rm` forgets it here"
    )]
    NotOurs {
        /// The configuration.
        name: String,
        /// Who holds it.
        holder: String,
    },
    /// Somebody added a revision since the plan.
    #[error(
        "the configuration `{name}` was changed elsewhere: its latest revision is {found}, the plan was made for {planned}; plan again"
    )]
    ChangedElsewhere {
        /// The configuration.
        name: String,
        /// The latest revision in the store.
        found: u64,
        /// The latest revision that the plan was made for.
        planned: u64,
    },
    /// A cluster runs a version that the configuration would no longer cover.
    #[error(
        "the cluster `{cluster}` uses the configuration `{name}` and runs Kafka {version}; add that version to `kafka_versions`"
    )]
    NotCovered {
        /// The configuration.
        name: String,
        /// The cluster.
        cluster: String,
        /// What it runs.
        version: String,
    },
    /// All revisions are in use.
    #[error(
        "all {MAX_REVISIONS} revisions of the configuration `{name}` are used by clusters; move one to a newer revision first"
    )]
    Full {
        /// The configuration.
        name: String,
    },
}

/// A cluster that uses a configuration.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct User {
    /// The cluster.
    pub cluster: String,
    /// The Kafka version that it runs; empty if its record does not tell.
    pub kafka_version: String,
    /// The revision that it uses.
    pub revision: u64,
    /// Where the cluster was made from.
    #[serde(default)]
    pub caller: Option<Caller>,
}

/// What a revision is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The description.
    pub description: Option<String>,
    /// The Kafka versions that the configuration may be used with; empty: all. Not part of a revision.
    pub kafka_versions: BTreeSet<String>,
    /// The broker properties.
    pub server_properties: BTreeMap<String, String>,
}

impl Content {
    fn is_latest_of(&self, record: &ConfigurationRecord) -> bool {
        record.revisions.last().is_some_and(|latest| {
            latest.description == self.description && latest.server_properties == self.server_properties
        })
    }

    fn revision(&self, revision: u64) -> ConfigurationRevision {
        ConfigurationRevision {
            revision,
            description: self.description.clone(),
            server_properties: self.server_properties.clone(),
            created_at: Timestamp::now(),
        }
    }
}

/// Reads a configuration; `None` if there is none, or only a hidden one.
///
/// # Errors
/// [`RecordError`].
pub async fn read(store: &Store, name: &str) -> Result<Option<ConfigurationRecord>, RecordError> {
    let read = Documents::of_store(store)
        .read::<ConfigurationRecord>(&keys::configuration_record(name)?)
        .await?;
    Ok(read
        .map(|read| read.body)
        .filter(|record| record.deleted_at.is_none()))
}

/// The properties of one revision, hidden or not.
///
/// # Errors
/// [`RecordError`].
pub async fn revision(
    store: &Store,
    name: &str,
    revision: u64,
) -> Result<Option<(Vec<String>, ConfigurationRevision)>, RecordError> {
    let Ok(key) = keys::configuration_record(name) else {
        return Ok(None);
    };
    let read = Documents::of_store(store)
        .read::<ConfigurationRecord>(&key)
        .await?;
    Ok(read.and_then(|read| {
        let found = read
            .body
            .revisions
            .into_iter()
            .find(|found| found.revision == revision)?;
        Some((read.body.kafka_versions, found))
    }))
}

/// The clusters of the store that use a configuration.
///
/// # Errors
/// [`RecordError`].
pub async fn users(store: &Store, name: &str) -> Result<Vec<User>, RecordError> {
    let documents = Documents::of_store(store);
    let mut users = Vec::new();
    for key in store
        .list_all(&keys::cluster_records()?, MAX_CLUSTERS)
        .await
        .map_err(DocumentError::from)?
    {
        let Some(record) = documents.read::<ClusterRecord>(&key).await? else {
            continue;
        };
        match record.body.configuration {
            Some((id, revision)) if id == name => users.push(User {
                cluster: record.body.name.to_string(),
                kafka_version: record
                    .body
                    .written
                    .get("kafka_version")
                    .and_then(serde_json::Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
                revision,
                caller: Some(record.body.claim.caller),
            }),
            _ => {}
        }
    }
    Ok(users)
}

/// What a create needs beside the content.
pub struct Creation<'a> {
    /// The name.
    pub name: &'a str,
    /// The claim of this create.
    pub claim: ClaimId,
    /// Where Terraform was started.
    pub caller: &'a Caller,
    /// The configuration as the user wrote it.
    pub written: serde_json::Value,
    /// Whether the state of some address has shown a claim in this walk.
    pub was_presented: &'a (dyn Fn(&ClaimId) -> bool + Sync),
}

/// Makes a configuration with revision 1, or takes over what this caller's killed run made.
///
/// # Errors
/// [`RecordError`].
pub async fn create(
    store: &Store,
    creation: Creation<'_>,
    content: &Content,
) -> Result<ConfigurationRecord, RecordError> {
    let documents = Documents::of_store(store);
    let key = keys::configuration_record(creation.name)?;
    let record = ConfigurationRecord {
        name: creation.name.to_owned(),
        claim: Claim {
            id: creation.claim.clone(),
            caller: creation.caller.clone(),
            holder: None,
        },
        phase: Phase::Made,
        kafka_versions: content.kafka_versions.iter().cloned().collect(),
        revisions: vec![content.revision(1)],
        deleted_at: None,
        written: creation.written,
    };
    loop {
        match effect("create a configuration", documents.create(&key, &record)).await? {
            Put::Written(..) => return Ok(record),
            Put::Conflict => {}
        }
        let Some(found) = documents.read::<ConfigurationRecord>(&key).await? else {
            continue;
        };
        let body = &found.body;
        if body.deleted_at.is_some() {
            return Err(RecordError::Leaving {
                name: creation.name.to_owned(),
            });
        }
        let may_take_over = body.phase != Phase::Held
            && body.claim.caller == *creation.caller
            && body.revisions.len() == 1
            && body.written == record.written
            && content.is_latest_of(body)
            && !(creation.was_presented)(&body.claim.id);
        if !may_take_over {
            return Err(RecordError::Exists {
                name: creation.name.to_owned(),
                holder: super::cluster::claim::describe(&body.claim),
                label: creation
                    .name
                    .replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_"),
            });
        }
        let mut taken = body.clone();
        taken.claim.id = creation.claim.clone();
        if let Put::Written(..) = effect(
            "take over a configuration",
            documents.replace(&key, &found, &taken),
        )
        .await?
        {
            return Ok(taken);
        }
    }
}

/// What an update was planned for.
pub struct Update<'a> {
    /// The name.
    pub name: &'a str,
    /// The claim in private state.
    pub claim: &'a ClaimId,
    /// The latest revision when the plan was made.
    pub planned_for: u64,
    /// The configuration as the user wrote it.
    pub written: serde_json::Value,
}

/// Changes a configuration: a new revision if description or properties differ from the latest one.
///
/// # Errors
/// [`RecordError`].
pub async fn update(
    store: &Store,
    update: &Update<'_>,
    content: &Content,
) -> Result<ConfigurationRecord, RecordError> {
    let documents = Documents::of_store(store);
    let key = keys::configuration_record(update.name)?;
    loop {
        let Some(found) = documents
            .read::<ConfigurationRecord>(&key)
            .await?
            .filter(|it| it.body.deleted_at.is_none())
        else {
            return Err(RecordError::Missing {
                name: update.name.to_owned(),
            });
        };
        let mut record = found.body.clone();
        check_claim(&record, update.name, update.claim)?;
        let latest = record.revisions.last().map_or(0, |latest| latest.revision);
        // A run that was killed after the write comes again with the same content.
        let is_done = content.is_latest_of(&record) && latest == update.planned_for + 1;
        if latest != update.planned_for && !is_done {
            let name = update.name.to_owned();
            return Err(RecordError::ChangedElsewhere {
                name,
                found: latest,
                planned: update.planned_for,
            });
        }
        let users = users(store, update.name).await?;
        check_cover(update.name, &content.kafka_versions, &users)?;
        if !content.is_latest_of(&record) {
            if record.revisions.len() >= MAX_REVISIONS {
                let numbers: Vec<u64> = record
                    .revisions
                    .iter()
                    .map(|revision| revision.revision)
                    .collect();
                let dropped = oldest_unused(&numbers, &users).ok_or_else(|| RecordError::Full {
                    name: update.name.to_owned(),
                })?;
                record.revisions.retain(|revision| revision.revision != dropped);
            }
            record.revisions.push(content.revision(latest + 1));
        }
        record.kafka_versions = content.kafka_versions.iter().cloned().collect();
        record.written = update.written.clone();
        record.phase = Phase::Held;
        if record == found.body {
            return Ok(record);
        }
        if let Put::Written(..) =
            effect("change a configuration", documents.replace(&key, &found, &record)).await?
        {
            return Ok(record);
        }
    }
}

/// The revision that goes when a new one comes and the limit is reached.
pub fn oldest_unused(revisions: &[u64], users: &[User]) -> Option<u64> {
    // The latest stays: it is what the configuration says now.
    let (_, older) = revisions.split_last()?;
    let is_used = |revision: u64| users.iter().any(|user| user.revision == revision);
    older.iter().copied().find(|revision| !is_used(*revision))
}

/// The first cluster that a set of versions does not cover.
///
/// # Errors
/// [`RecordError`].
pub fn check_cover(name: &str, kafka_versions: &BTreeSet<String>, users: &[User]) -> Result<(), RecordError> {
    let uncovered = users.iter().find(|user| {
        !kafka_versions.is_empty()
            && !user.kafka_version.is_empty()
            && !kafka_versions.contains(&user.kafka_version)
    });
    match uncovered {
        None => Ok(()),
        Some(user) => Err(RecordError::NotCovered {
            name: name.to_owned(),
            cluster: user.cluster.clone(),
            version: user.kafka_version.clone(),
        }),
    }
}

fn check_claim(record: &ConfigurationRecord, name: &str, claim: &ClaimId) -> Result<(), RecordError> {
    if record.claim.id == *claim {
        return Ok(());
    }
    let holder = super::cluster::claim::describe(&record.claim);
    Err(RecordError::NotOurs {
        name: name.to_owned(),
        holder,
    })
}

/// What a delete did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Removed,
    /// Another create holds it; nothing was done.
    NotOurs,
}

/// Whether the configuration of this claim was deleted on purpose.
///
/// # Errors
/// [`RecordError`].
pub async fn is_gone(store: &Store, claim: &ClaimId) -> Result<bool, RecordError> {
    let tombstone = Documents::of_store(store)
        .read::<Tombstone>(&tombstone_of(claim)?)
        .await?;
    Ok(tombstone.is_some())
}

/// A configuration's identity is the claim of the create that made it.
fn tombstone_of(claim: &ClaimId) -> Result<Key, KeyError> {
    keys::tombstone(&ClusterUid::new(claim.as_str()))
}

/// Written before the record goes, so that a run that is killed in between leaves no riddle.
async fn bury(documents: &Documents, name: &str, claim: &ClaimId) -> Result<(), RecordError> {
    let tombstone = Tombstone {
        name: ClusterName::new(name),
        uid: ClusterUid::new(claim.as_str()),
        deleted_at: Timestamp::now(),
    };
    let key = tombstone_of(claim)?;
    effect(
        "write the tombstone of a configuration",
        documents.create(&key, &tombstone),
    )
    .await?;
    Ok(())
}

/// Removes a configuration that nobody uses.
///
/// # Errors
/// [`RecordError`].
pub async fn remove(store: &Store, name: &str, claim: &ClaimId) -> Result<Removal, RecordError> {
    let documents = Documents::of_store(store);
    let key = keys::configuration_record(name)?;
    loop {
        let Some(found) = documents.read::<ConfigurationRecord>(&key).await? else {
            return Ok(Removal::Removed);
        };
        if found.body.claim.id != *claim {
            return Ok(Removal::NotOurs);
        }
        bury(&documents, name, claim).await?;
        match effect("remove a configuration", documents.delete(&key, &found)).await? {
            Deleted::Deleted | Deleted::Absent => return Ok(Removal::Removed),
            Deleted::Conflict => {}
        }
    }
}

/// Hides a configuration that a cluster still uses and leaves later in the same apply.
///
/// # Errors
/// [`RecordError`].
pub async fn hide(store: &Store, name: &str, claim: &ClaimId) -> Result<Removal, RecordError> {
    let documents = Documents::of_store(store);
    let key = keys::configuration_record(name)?;
    loop {
        let Some(found) = documents.read::<ConfigurationRecord>(&key).await? else {
            return Ok(Removal::Removed);
        };
        if found.body.claim.id != *claim {
            return Ok(Removal::NotOurs);
        }
        bury(&documents, name, claim).await?;
        let mut hidden = found.body.clone();
        hidden.deleted_at = Some(Timestamp::now());
        if let Put::Written(..) =
            effect("hide a configuration", documents.replace(&key, &found, &hidden)).await?
        {
            return Ok(Removal::Removed);
        }
    }
}

/// Removes a hidden configuration that no cluster uses any more. Called when a cluster has left it.
///
/// # Errors
/// [`RecordError`].
pub async fn sweep(store: &Store, name: &str) -> Result<(), RecordError> {
    let documents = Documents::of_store(store);
    let key = keys::configuration_record(name)?;
    let Some(found) = documents.read::<ConfigurationRecord>(&key).await? else {
        return Ok(());
    };
    if found.body.deleted_at.is_some() && users(store, name).await?.is_empty() {
        effect("remove a hidden configuration", documents.delete(&key, &found)).await?;
    }
    Ok(())
}

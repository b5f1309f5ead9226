//! What people list and discard on the command line: `terraform-provider-msk clusters …`.

use std::collections::BTreeSet;

use super::Clusters;
use super::claim::describe;
use super::error::ClusterError;
use super::update::refuse_if_busy;
use crate::engine::run::Limits;
use crate::engine::{ClusterPlace, Engine};
use crate::observed::Seen;
use crate::process::holder_lives;
use crate::spec::ids::{ClusterName, ClusterUid};
use crate::store::Documents;
use crate::store::documents::{ClusterRecord, Phase, keys};

/// More clusters than one machine or account of ours has.
const MAX_CLUSTERS: usize = 10_000;

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryLine {
    /// The name.
    pub name: ClusterName,
    /// The identity.
    pub uid: ClusterUid,
    /// In one or two words: `making (cut off)`, `made`, `held`, `being deleted`, `left over`.
    pub standing: String,
    /// How many nodes have a living agent, of how many that are there.
    pub agents: (usize, usize),
    /// Where it was made, for people.
    pub made_by: String,
}

/// What became of a discard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discarded {
    /// It and everything of it is removed.
    Removed,
    /// There is nothing of that name.
    NothingThere,
    /// A Terraform state holds it: destroy it there, or ask for it explicitly.
    Held(String),
}

impl<E: Engine> Clusters<E> {
    /// Lists every cluster: those with a record, and what is left of others.
    ///
    /// # Errors
    /// [`ClusterError`] if a record cannot be read.
    pub async fn inventory(&self) -> Result<Vec<InventoryLine>, ClusterError> {
        let mut lines = Vec::new();
        let mut known = BTreeSet::new();
        let documents = Documents::of_store(&self.store);
        for key in self
            .store
            .list_all(&keys::cluster_records()?, MAX_CLUSTERS)
            .await?
        {
            let Some(read) = documents.read::<ClusterRecord>(&key).await? else {
                continue;
            };
            let record = read.body;
            known.insert(record.uid.clone());
            let place = place_of(&record);
            lines.push(InventoryLine {
                standing: standing(&record),
                agents: self.agents(&place).await?,
                made_by: describe(&record.claim),
                name: record.name,
                uid: record.uid,
            });
        }
        for place in self.places().await? {
            if !known.contains(&place.uid) {
                lines.push(InventoryLine {
                    standing: "left over".to_owned(),
                    agents: self.agents(&place).await?,
                    made_by: String::new(),
                    name: place.name,
                    uid: place.uid,
                });
            }
        }
        Ok(lines)
    }

    /// Removes a cluster that no Terraform state holds, with its data; `even_if_held` also one whose
    /// state is lost.
    ///
    /// # Errors
    /// [`ClusterError`], such as a run that works on it now.
    pub async fn discard(
        &self,
        name: &ClusterName,
        even_if_held: bool,
        limits: &Limits,
    ) -> Result<Discarded, ClusterError> {
        let mut found = false;
        let record = self.read_record(name).await?;
        if let Some(read) = record {
            if read.body.phase == Phase::Held && !even_if_held && !read.body.deleting {
                return Ok(Discarded::Held(describe(&read.body.claim)));
            }
            refuse_if_busy(&read.body)?;
            self.remove(read, limits).await?;
            found = true;
        }
        for place in self.places().await? {
            if place.name == *name {
                self.engine
                    .remove_cluster(&self.store, &place)
                    .await
                    .map_err(ClusterError::Host)?;
                found = true;
            }
        }
        Ok(if found {
            Discarded::Removed
        } else {
            Discarded::NothingThere
        })
    }

    async fn places(&self) -> Result<Vec<ClusterPlace>, ClusterError> {
        self.engine.find_places().await.map_err(ClusterError::Host)
    }

    async fn agents(&self, place: &ClusterPlace) -> Result<(usize, usize), ClusterError> {
        let sight = self.engine.observe(&self.store, place, None, None);
        let nodes = sight.await.map_err(ClusterError::Host)?.nodes;
        let alive = nodes
            .values()
            .filter(|node| node.agent == Seen::Known(()))
            .count();
        Ok((alive, nodes.len()))
    }
}

fn place_of(record: &ClusterRecord) -> ClusterPlace {
    ClusterPlace {
        name: record.name.clone(),
        uid: record.uid.clone(),
    }
}

fn standing(record: &ClusterRecord) -> String {
    let is_working = record.claim.holder.as_ref().is_some_and(holder_lives);
    let word = match (record.deleting, record.phase) {
        (true, _) => "being deleted",
        (false, Phase::Making) => "making",
        (false, Phase::Made) => "made",
        (false, Phase::Held) => return "held".to_owned(),
    };
    let is_unfinished = record.deleting || record.phase == Phase::Making;
    if is_unfinished && !is_working {
        format!("{word} (cut off)")
    } else {
        word.to_owned()
    }
}

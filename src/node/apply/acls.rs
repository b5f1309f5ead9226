//! ACLs: both requests are harmless when repeated, so there is little to remember.

use std::collections::{BTreeMap, BTreeSet};

use super::ApplyError;
use super::kind::{Kind, Work};
use super::shared::{Outcome, Remaining, judge};
use crate::kafka::acl::AclEntry;
use crate::kafka::client::{AclFilter, Admin, KafkaError};
use crate::node::context::Context;
use crate::planner::access::acls::{key_of, plan_acls};
use crate::spec::ids::Generation;
use crate::store::documents::keys::{PerNode, Single};
use crate::store::documents::{AclObserved, AclsDesired, AclsStatus};

pub(super) struct Acls {
    work: Work<AclsDesired, AclsStatus>,
    seen: BTreeSet<AclEntry>,
}

impl Acls {
    pub(super) async fn load(context: &Context) -> Result<Self, ApplyError> {
        Ok(Self {
            work: Work::load(context, Single::Acls, PerNode::Acls).await?,
            seen: BTreeSet::new(),
        })
    }

    /// The generation of each key's entry; of one that is only deleted, its tombstone's.
    fn generations(&self) -> BTreeMap<String, Generation> {
        let desired = &self.work.desired.body;
        let tombstones = desired.tombstones.iter();
        let mut generations: BTreeMap<String, Generation> = tombstones
            .map(|tombstone| (tombstone.key.id(), tombstone.generation))
            .collect();
        for (id, entry) in &desired.keep {
            generations.insert(id.clone(), entry.generation);
        }
        generations
    }

    /// Remembers what became of one entry; answers whether it is as wanted now.
    fn note<T>(
        &mut self,
        entry: &AclEntry,
        result: Result<T, KafkaError>,
        generation: Generation,
        remaining: &mut Remaining,
    ) -> bool {
        let Err(error) = result else { return true };
        match judge(&error, generation) {
            Outcome::Done => {}
            Outcome::Failed(failure) => {
                self.work.status.failures.insert(key_of(entry).id(), failure);
            }
            Outcome::Pending(what) => remaining.add(generation, what),
        }
        false
    }
}

impl Kind for Acls {
    type Desired = AclsDesired;
    type Status = AclsStatus;

    fn work(&mut self) -> &mut Work<AclsDesired, AclsStatus> {
        &mut self.work
    }

    async fn look(&mut self, admin: &Admin) -> Result<(), ApplyError> {
        let listing = admin.describe_acls(&AclFilter::default()).await?;
        self.seen = listing.entries.into_iter().collect();
        Ok(())
    }

    async fn send(
        &mut self,
        _context: &Context,
        admin: &Admin,
        remaining: &mut Remaining,
    ) -> Result<(), ApplyError> {
        let plan = plan_acls(&self.work.desired.body, &self.seen, &self.work.status);
        let generations = self.generations();
        let document = self.work.desired.generation;
        let generation_of = |entry: &AclEntry| {
            let id = key_of(entry).id();
            generations.get(&id).copied().unwrap_or(document)
        };
        let failures = &mut self.work.status.failures;
        failures.retain(|id, failure| generations.get(id) == Some(&failure.generation));
        let delete: Vec<AclEntry> = plan.delete.into_iter().collect();
        let create: Vec<AclEntry> = plan.create.into_iter().collect();
        self.work.desired.check_fresh()?;
        if !delete.is_empty() {
            let answers = admin.delete_acls(&delete).await?;
            for (entry, result) in delete.into_iter().zip(answers) {
                if self.note(&entry, result, generation_of(&entry), remaining) {
                    self.seen.remove(&entry);
                    self.work.unproven.remove(entry);
                }
            }
        }
        if !create.is_empty() {
            let answers = admin.create_acls(&create).await?;
            for (entry, result) in create.into_iter().zip(answers) {
                if self.note(&entry, result, generation_of(&entry), remaining) {
                    self.seen.insert(entry.clone());
                    self.work.unproven.add(entry);
                }
            }
        }
        Ok(())
    }

    fn show(&mut self) {
        self.work.status.acls = by_key(&self.seen);
    }
}

fn by_key(entries: &BTreeSet<AclEntry>) -> BTreeMap<String, AclObserved> {
    let mut acls: BTreeMap<String, AclObserved> = BTreeMap::new();
    for entry in entries {
        let key = key_of(entry);
        acls.entry(key.id())
            .or_insert_with(|| AclObserved {
                key,
                operations: BTreeSet::new(),
            })
            .operations
            .insert(entry.operation);
    }
    acls
}

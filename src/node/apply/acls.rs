//! ACLs: both requests are harmless when repeated, so there is little to remember.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::ApplyError;
use super::shared::{Followed, Outcome, Published, Remaining, Snapshot, judge, statuses};
use super::spread::wait_for_followers;
use crate::clock::Timestamp;
use crate::kafka::acl::AclEntry;
use crate::kafka::client::{AclFilter, Admin};
use crate::node::context::Context;
use crate::planner::access::acls::{key_of, plan_acls};
use crate::spec::ids::Generation;
use crate::store::documents::keys::{PerNode, Single};
use crate::store::documents::{AclObserved, AclsDesired, AclsStatus};

pub(super) struct Acls {
    desired: Followed<AclsDesired>,
    status: AclsStatus,
    published: Published<AclsStatus>,
    seen: BTreeSet<AclEntry>,
    snapshot: Snapshot,
}

impl Acls {
    pub(super) async fn load(context: &Context) -> Result<Self, ApplyError> {
        let all = statuses::<AclsStatus>(context, PerNode::Acls).await?;
        let status = all
            .into_iter()
            .max_by_key(|status| (status.applied, status.observed_at))
            .unwrap_or_default();
        Ok(Self {
            desired: Followed::new(context, Single::Acls)?,
            status,
            published: Published::new(context, PerNode::Acls).await?,
            seen: BTreeSet::new(),
            snapshot: Snapshot::none(),
        })
    }

    pub(super) async fn apply(&mut self, context: &Context, admin: &Admin) -> Result<Instant, ApplyError> {
        if self.snapshot.is_due() {
            self.look(admin).await?;
        }
        self.desired.refresh(context).await?;
        let mut remaining = Remaining::default();
        if self.desired.generation > self.status.applied {
            let done = self.send(admin, &mut remaining).await;
            if done.is_err() {
                self.snapshot.forget();
            }
            done?;
            wait_for_followers(admin).await?;
            self.status.applied = remaining.applied(self.desired.generation, self.status.applied);
        }
        self.status.acls = by_key(&self.seen);
        self.published.publish(context, &self.status).await?;
        remaining.check()?;
        Ok(self.snapshot.next())
    }

    async fn look(&mut self, admin: &Admin) -> Result<(), ApplyError> {
        let observed_at = Timestamp::now();
        let listing = admin.describe_acls(&AclFilter::default()).await?;
        self.seen = listing.entries.into_iter().collect();
        self.status.observed_at = observed_at;
        self.snapshot.taken();
        Ok(())
    }

    async fn send(&mut self, admin: &Admin, remaining: &mut Remaining) -> Result<(), ApplyError> {
        let plan = plan_acls(&self.desired.body, &self.seen, &self.status);
        let generations = self.generations();
        let document = self.desired.generation;
        let generation_of = |entry: &AclEntry| {
            let id = key_of(entry).id();
            generations.get(&id).copied().unwrap_or(document)
        };
        self.status
            .failures
            .retain(|id, failure| generations.get(id) == Some(&failure.generation));
        let delete: Vec<AclEntry> = plan.delete.into_iter().collect();
        let create: Vec<AclEntry> = plan.create.into_iter().collect();
        self.desired.check_fresh()?;
        if !delete.is_empty() {
            for (entry, result) in delete.iter().zip(admin.delete_acls(&delete).await?) {
                match result.map_err(|error| judge(&error, generation_of(entry))) {
                    Ok(_) => {
                        self.seen.remove(entry);
                    }
                    Err(Outcome::Failed(failure)) => {
                        self.status.failures.insert(key_of(entry).id(), failure);
                    }
                    Err(Outcome::Pending(what)) => remaining.add(generation_of(entry), what),
                    Err(Outcome::Done) => {}
                }
            }
        }
        if !create.is_empty() {
            for (entry, result) in create.iter().zip(admin.create_acls(&create).await?) {
                match result.map_err(|error| judge(&error, generation_of(entry))) {
                    Ok(()) => {
                        self.seen.insert(entry.clone());
                    }
                    Err(Outcome::Failed(failure)) => {
                        self.status.failures.insert(key_of(entry).id(), failure);
                    }
                    Err(Outcome::Pending(what)) => remaining.add(generation_of(entry), what),
                    Err(Outcome::Done) => {}
                }
            }
        }
        Ok(())
    }

    /// The generation of each key's entry; of one that is only deleted, its tombstone's.
    fn generations(&self) -> BTreeMap<String, Generation> {
        let tombstones = self.desired.body.tombstones.iter();
        let mut generations: BTreeMap<String, Generation> = tombstones
            .map(|tombstone| (tombstone.key.id(), tombstone.generation))
            .collect();
        for (id, entry) in &self.desired.body.keep {
            generations.insert(id.clone(), entry.generation);
        }
        generations
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

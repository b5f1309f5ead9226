//! ACL entries: what an agent does for a desired document, and what the provider shows as drift.

use std::collections::BTreeSet;

use crate::kafka::acl::{AclEntry, AclOperation};
use crate::spec::ids::Generation;
use crate::store::documents::{AclDesired, AclKey, AclObserved, AclTombstone, AclsDesired, AclsStatus};

/// What to do for a desired document. Creating what is there and deleting what is not are harmless, so
/// each is safe when done twice, late, or by two agents.
#[must_use]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AclsPlan {
    /// Entries to create.
    pub create: BTreeSet<AclEntry>,
    /// Entries to delete.
    pub delete: BTreeSet<AclEntry>,
}

/// The stored entry of one operation of a key.
pub fn entry(key: &AclKey, operation: AclOperation) -> AclEntry {
    AclEntry {
        resource_type: key.resource_type,
        resource_name: key.resource_name.clone(),
        pattern_type: key.pattern_type,
        principal: key.principal.clone(),
        host: key.host.clone(),
        operation,
        permission: key.permission,
    }
}

/// The key of a stored entry.
pub fn key_of(entry: &AclEntry) -> AclKey {
    AclKey {
        principal: entry.principal.clone(),
        host: entry.host.clone(),
        resource_type: entry.resource_type,
        pattern_type: entry.pattern_type,
        resource_name: entry.resource_name.clone(),
        permission: entry.permission,
    }
}

/// Compares what is wanted with the entries that Kafka has.
///
/// A tombstone older than an entry that keeps the same operation has nothing to say any more.
pub fn plan_acls(desired: &AclsDesired, seen: &BTreeSet<AclEntry>, last: &AclsStatus) -> AclsPlan {
    let mut plan = AclsPlan::default();
    for tombstone in &desired.tombstones {
        for operation in &tombstone.operations {
            let gone = entry(&tombstone.key, *operation);
            if seen.contains(&gone) && !is_kept_since(desired, tombstone, *operation) {
                plan.delete.insert(gone);
            }
        }
    }
    let is_new = |generation: Generation| generation > last.applied;
    for wanted in desired.keep.values().filter(|wanted| is_new(wanted.generation)) {
        for operation in &wanted.operations {
            let kept = entry(&wanted.key, *operation);
            if !seen.contains(&kept) {
                plan.create.insert(kept);
            }
        }
    }
    plan
}

fn is_kept_since(desired: &AclsDesired, tombstone: &AclTombstone, operation: AclOperation) -> bool {
    desired.keep.values().any(|wanted| {
        wanted.key == tombstone.key
            && wanted.generation >= tombstone.generation
            && wanted.operations.contains(&operation)
    })
}

/// How an ACL that Terraform keeps differs from what was seen of it.
#[must_use]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AclDrift {
    /// Operations that are kept and were not seen.
    pub missing: BTreeSet<AclOperation>,
    /// Operations that were seen and are not kept. Taking them away needs a tombstone.
    pub foreign: BTreeSet<AclOperation>,
}

impl AclDrift {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.foreign.is_empty()
    }
}

/// Compares an entry with a fresh snapshot of its key; `None`: no operation of that key is there.
pub fn acl_drift(wanted: &AclDesired, seen: Option<&AclObserved>) -> AclDrift {
    let nothing = BTreeSet::new();
    let seen = seen.map_or(&nothing, |seen| &seen.operations);
    AclDrift {
        missing: wanted.operations.difference(seen).copied().collect(),
        foreign: seen.difference(&wanted.operations).copied().collect(),
    }
}

#[cfg(test)]
mod tests;

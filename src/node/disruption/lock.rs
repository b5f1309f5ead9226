//! The disruption lock of a cluster, as one node uses it: `locks/disruption.json`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::node::context::Context;
use crate::spec::ids::NodeId;
use crate::store::documents::DisruptionLock;
use crate::store::documents::keys::{self, Single};
use crate::store::{Change, DocumentError, Key, KeyError};

/// For so long a holder is believed that says nothing more.
pub(super) const HOLD: Duration = Duration::from_mins(1);

/// The lock's document, with the node that asks.
pub(super) struct Lock<'a> {
    context: &'a Context,
    key: Key,
}

impl<'a> Lock<'a> {
    pub(super) fn of(context: &'a Context) -> Result<Self, KeyError> {
        let key = keys::single(&context.home.cluster_uid, Single::DisruptionLock)?;
        Ok(Self { context, key })
    }

    /// The document; `None` if the lock was never taken.
    pub(super) async fn read(&self) -> Result<Option<DisruptionLock>, DocumentError> {
        let read = self.context.documents.read::<DisruptionLock>(&self.key).await?;
        Ok(read.map(|read| read.body))
    }

    /// Takes the lock if nobody has it, and answers whether this node has it now.
    pub(super) async fn take(&self, reason: &str) -> Result<bool, DocumentError> {
        let (node, now) = (self.context.node_id(), self.now().await?);
        if self.read().await?.is_none() {
            // Whoever comes first makes it; the update below tells who got it.
            self.context.documents.create(&self.key, &free(now)).await?;
        }
        self.change(|lock| take(lock, node, now, reason)).await
    }

    /// Says that this node still works under the lock; answers whether it has it.
    pub(super) async fn hold_on(&self) -> Result<bool, DocumentError> {
        let (node, now) = (self.context.node_id(), self.now().await?);
        self.change(|lock| hold_on(lock, node, now)).await
    }

    /// Writes down that this node is stopped now; answers whether it has the lock.
    pub(super) async fn note_stop(&self) -> Result<bool, DocumentError> {
        let (node, now) = (self.context.node_id(), self.now().await?);
        self.change(|lock| {
            let is_ours = hold_on(lock, node, now);
            if is_ours {
                lock.last_stops.insert(node, now);
            }
            is_ours
        })
        .await
    }

    /// Frees the lock, if it is this node's.
    pub(super) async fn give_back(&self) -> Result<(), DocumentError> {
        let node = self.context.node_id();
        let free = |lock: &mut DisruptionLock| lock.holder.take_if(|holder| *holder == node).is_some();
        self.change(free).await?;
        Ok(())
    }

    /// Changes the lock's document if the closure did; answers whether it did.
    async fn change(
        &self,
        mut change: impl FnMut(&mut DisruptionLock) -> bool,
    ) -> Result<bool, DocumentError> {
        let mut is_changed = false;
        let write = |lock: &mut DisruptionLock| {
            is_changed = change(lock);
            if is_changed { Change::Write } else { Change::Keep }
        };
        self.context.documents.update(&self.key, write).await?;
        Ok(is_changed)
    }

    async fn now(&self) -> Result<Timestamp, DocumentError> {
        Ok(self.context.documents.store().now().await?)
    }
}

/// Takes a lock that is free, ran out, or is this node's already.
fn take(lock: &mut DisruptionLock, node: NodeId, now: Timestamp, reason: &str) -> bool {
    let is_taken = lock.holder.is_some_and(|holder| holder != node) && lock.expires_at > now;
    if is_taken {
        return false;
    }
    lock.holder = Some(node);
    reason.clone_into(&mut lock.reason);
    lock.taken_at = now;
    lock.expires_at = now.after(HOLD);
    true
}

/// A lock that ran out is not taken up again this way: another node may be about to take it.
fn hold_on(lock: &mut DisruptionLock, node: NodeId, now: Timestamp) -> bool {
    let is_ours = lock.holder == Some(node) && lock.expires_at > now;
    if is_ours {
        lock.expires_at = now.after(HOLD);
    }
    is_ours
}

/// The lock as it would be if this node held it; as it is if another node does.
pub(super) fn as_if_held(lock: Option<DisruptionLock>, node: NodeId, now: Timestamp) -> DisruptionLock {
    let mut lock = lock.unwrap_or_else(|| free(now));
    take(&mut lock, node, now, "");
    lock
}

const fn free(now: Timestamp) -> DisruptionLock {
    DisruptionLock {
        holder: None,
        reason: String::new(),
        taken_at: now,
        expires_at: now,
        last_stops: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_holder_until_it_is_given_back_or_runs_out() {
        let now = Timestamp::from_millis(1_000_000);
        let mut lock = free(now);
        assert!(!hold_on(&mut lock, NodeId(1), now));
        assert!(take(&mut lock, NodeId(1), now, "why"));
        assert_eq!(lock.reason, "why");
        assert!(!take(&mut lock, NodeId(2), now, "why"));
        assert_eq!(
            as_if_held(Some(lock.clone()), NodeId(2), now).holder,
            Some(NodeId(1))
        );
        let later = now.after(HOLD / 2);
        assert!(hold_on(&mut lock, NodeId(1), later));
        assert!(!take(&mut lock, NodeId(2), now.after(HOLD), "why"));
        let end = later.after(HOLD);
        assert!(!hold_on(&mut lock, NodeId(1), end));
        assert!(take(&mut lock, NodeId(2), end, "why"));
        assert!(!hold_on(&mut lock, NodeId(1), end));
    }
}

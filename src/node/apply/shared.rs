//! What the kinds have in common: following a desired document, finding the newest status, publishing.

use std::time::Duration;

use tokio::time::Instant;

use super::{ApplyError, SNAPSHOT_EVERY, STALE_AFTER};
use crate::kafka::client::{KafkaError, RetryClass};
use crate::node::context::Context;
use crate::spec::ids::{Generation, NodeId};
use crate::store::documents::AppliedFailure;
use crate::store::documents::keys::{self, PerNode, Single};
use crate::store::{Document, Durability, Key, Version};

/// A desired document as it was last read, parsed again only when it has changed.
pub(super) struct Followed<T> {
    key: Key,
    version: Option<Version>,
    pub(super) generation: Generation,
    pub(super) body: T,
    read_at: Instant,
}

impl<T: Document + Default> Followed<T> {
    pub(super) fn new(context: &Context, which: Single) -> Result<Self, ApplyError> {
        Ok(Self {
            key: keys::single(&context.home.cluster_uid, which)?,
            version: None,
            generation: Generation::default(),
            body: T::default(),
            read_at: Instant::now(),
        })
    }

    /// Reads the document if it has changed. A missing one says nothing; one that cannot be read is an
    /// error, and what was read before is not acted on.
    pub(super) async fn refresh(&mut self, context: &Context) -> Result<(), ApplyError> {
        self.read_at = Instant::now();
        let stored = context.documents.store().get(&self.key).await;
        let stored = stored.map_err(crate::store::DocumentError::from)?;
        let Some(stored) = stored else { return Ok(()) };
        if self.version.as_ref() == Some(&stored.version) {
            return Ok(());
        }
        if let Some(read) = context.documents.read::<T>(&self.key).await? {
            // An older document than the one seen before is a store that was rolled back: no order.
            if read.generation < self.generation {
                tracing::warn!(key = %self.key, "an older document than before; nothing is done for it");
                return Ok(());
            }
            self.version = Some(read.version);
            self.generation = read.generation;
            self.body = read.body;
        }
        Ok(())
    }

    /// To be asked right before acting.
    pub(super) fn check_fresh(&self) -> Result<(), ApplyError> {
        if self.read_at.elapsed() > STALE_AFTER {
            return Err(ApplyError::Stale);
        }
        Ok(())
    }
}

/// A status document of this node.
pub(super) struct Published<T> {
    key: Key,
    generation: Generation,
    last: Option<T>,
    at: Instant,
}

impl<T: Document + PartialEq + Clone> Published<T> {
    pub(super) async fn new(context: &Context, which: PerNode) -> Result<Self, ApplyError> {
        let key = keys::per_node(&context.home.cluster_uid, context.node_id(), which)?;
        let generation = match context.documents.read::<T>(&key).await {
            Ok(Some(read)) => read.generation,
            // It has one writer; what cannot be read is replaced by what is true now.
            Ok(None) | Err(_) => Generation::default(),
        };
        Ok(Self {
            key,
            generation,
            last: None,
            at: Instant::now(),
        })
    }

    /// Writes a status that says something new.
    pub(super) async fn publish(&mut self, context: &Context, status: &T) -> Result<(), ApplyError> {
        if self.last.as_ref() == Some(status) {
            return Ok(());
        }
        let next = self.generation.next();
        context
            .documents
            .publish(&self.key, next, status, Durability::Volatile)
            .await?;
        self.generation = next;
        self.last = Some(status.clone());
        self.at = Instant::now();
        Ok(())
    }
}

/// The status of every broker of one kind.
pub(super) async fn statuses<T: Document>(
    context: &Context,
    which: PerNode,
) -> Result<Vec<(NodeId, T)>, ApplyError> {
    let mut found = Vec::new();
    let Some(desired) = context.desired() else {
        return Ok(found);
    };
    for node in desired.cluster.nodes.iter().filter(|node| node.is_broker) {
        let key = keys::per_node(&context.home.cluster_uid, node.id, which)?;
        // What cannot be read says nothing. At worst entries are applied a second time.
        if let Ok(Some(read)) = context.documents.read::<T>(&key).await {
            found.push((node.id, read.body));
        }
    }
    Ok(found)
}

/// When Kafka has to be looked at again.
pub(super) struct Snapshot {
    taken_at: Option<Instant>,
}

impl Snapshot {
    pub(super) const fn none() -> Self {
        Self { taken_at: None }
    }

    pub(super) fn is_due(&self) -> bool {
        self.taken_at.is_none_or(|at| at.elapsed() >= SNAPSHOT_EVERY)
    }

    pub(super) fn taken(&mut self) {
        self.taken_at = Some(Instant::now());
    }

    /// What is in memory may be wrong: look before the next plan.
    pub(super) fn forget(&mut self) {
        self.taken_at = None;
    }

    pub(super) fn next(&self) -> Instant {
        self.taken_at.unwrap_or_else(Instant::now) + SNAPSHOT_EVERY + Duration::from_millis(10)
    }
}

/// What became of one request's item.
pub(super) enum Outcome {
    /// It is done.
    Done,
    /// It may work later.
    Pending(String),
    /// It never will.
    Failed(AppliedFailure),
}

/// Judges an item's error.
pub(super) fn judge(error: &KafkaError, generation: Generation) -> Outcome {
    match error.retry_class() {
        RetryClass::Retry | RetryClass::After(_) => Outcome::Pending(error.to_string()),
        RetryClass::MaybeDone | RetryClass::Never => Outcome::Failed(failure(error, generation)),
    }
}

/// An error as a failure for the status.
pub(super) fn failure(error: &KafkaError, generation: Generation) -> AppliedFailure {
    let code = error
        .code
        .name()
        .map_or_else(|| error.code.0.to_string(), str::to_owned);
    AppliedFailure {
        generation,
        code,
        message: error.to_string(),
    }
}

/// What is still to be done of one document.
#[derive(Default)]
pub(super) struct Remaining {
    lowest: Option<Generation>,
    what: Option<String>,
}

impl Remaining {
    pub(super) fn add(&mut self, generation: Generation, what: String) {
        self.lowest = Some(self.lowest.map_or(generation, |lowest| lowest.min(generation)));
        self.what.get_or_insert(what);
    }

    /// The generation up to which everything is done.
    pub(super) fn applied(&self, document: Generation, before: Generation) -> Generation {
        match self.lowest {
            None => document.max(before),
            Some(lowest) => Generation(lowest.0.saturating_sub(1)).max(before),
        }
    }

    /// An error if something remains.
    pub(super) fn check(self) -> Result<(), ApplyError> {
        match self.what {
            None => Ok(()),
            Some(what) => Err(ApplyError::Pending { what }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applied_stops_before_the_first_entry_that_waits_and_never_goes_back() {
        let mut remaining = Remaining::default();
        assert_eq!(remaining.applied(Generation(9), Generation(3)), Generation(9));
        remaining.add(Generation(7), "a".to_owned());
        remaining.add(Generation(5), "b".to_owned());
        assert_eq!(remaining.applied(Generation(9), Generation(3)), Generation(4));
        assert_eq!(remaining.applied(Generation(9), Generation(6)), Generation(6));
        assert!(matches!(remaining.check(), Err(ApplyError::Pending { what }) if what == "a"));
        assert!(Remaining::default().check().is_ok());
    }
}

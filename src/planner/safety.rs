//! May this node be stopped now? The one function that decides it for every stop we make.
//!
//! Pure: provider and agents call it with the facts that they have. It never errs on the side of
//! stopping: whatever is not known is a reason against it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::spec::ids::NodeId;
use crate::store::documents::{ClusterDesired, DisruptionLock, NodePhase, NodeStatus, PeerView};

/// A view of the cluster is believed for so long (design, section 6).
pub const VIEW_AGE: Duration = Duration::from_secs(5);

/// An agent stops its own Kafka at most once in this time (design, section 6).
pub const BETWEEN_STOPS: Duration = Duration::from_mins(30);

/// The same for a cluster whose certificates live so short that each of them would end before: a sixth
/// of their lifetime, which is half of the time that is left for a renewal.
pub fn between_stops(desired: &ClusterDesired) -> Duration {
    BETWEEN_STOPS.min(Duration::from_secs(desired.leaf_lifetime_seconds) / 6)
}

/// One partition, from the metadata of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionFacts {
    /// All replicas.
    pub replicas: Vec<NodeId>,
    /// Those in sync.
    pub in_sync: Vec<NodeId>,
    /// The topic's `min.insync.replicas`.
    pub min_in_sync: u16,
    /// Whether it has a leader.
    pub has_leader: bool,
}

/// What partitions say about brokers: the numbers of a [`PeerView`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionCounts {
    /// For each broker with replicas that are not in sync: how many.
    pub out_of_sync: BTreeMap<NodeId, u32>,
    /// For each broker: how many partitions its stop would bring, or keep, below `min.insync.replicas`.
    pub would_fall_below: BTreeMap<NodeId, u32>,
    /// How many partitions have fewer in-sync replicas than `min.insync.replicas`.
    pub under_min_isr: u32,
    /// How many partitions have no leader.
    pub offline: u32,
}

/// Counts partitions. Agents do this with the metadata of their own broker, internal topics included.
///
/// A partition with no more replicas than `min.insync.replicas` counts against a stop only if it is short
/// already: no order of stops could keep it writable, so it would block every restart for ever.
pub fn count_partitions<'a>(partitions: impl IntoIterator<Item = &'a PartitionFacts>) -> PartitionCounts {
    let mut counts = PartitionCounts::default();
    for partition in partitions {
        let in_sync = partition.in_sync.len();
        let minimum = usize::from(partition.min_in_sync);
        let is_short = in_sync < minimum;
        counts.under_min_isr += u32::from(is_short);
        counts.offline += u32::from(!partition.has_leader);
        for node in &partition.replicas {
            let is_in_sync = partition.in_sync.contains(node);
            if !is_in_sync {
                *counts.out_of_sync.entry(*node).or_default() += 1;
            }
            let would_fall = is_in_sync && in_sync == minimum && partition.replicas.len() > minimum;
            if is_short || would_fall {
                *counts.would_fall_below.entry(*node).or_default() += 1;
            }
        }
    }
    counts
}

/// Everything that the decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct StopQuestion<'a> {
    /// The node that would be stopped.
    pub node: NodeId,
    /// The time by the store's clock.
    pub now: Timestamp,
    /// What the cluster should be.
    pub desired: &'a ClusterDesired,
    /// The last status of each node, this one included.
    pub statuses: &'a BTreeMap<NodeId, NodeStatus>,
    /// The lock, if it was ever taken.
    pub lock: Option<&'a DisruptionLock>,
}

/// Why a node may not be stopped now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The desired document has no such node.
    #[error("node {0} is not part of the cluster")]
    NotOurs(NodeId),
    /// The disruption lock is free, expired, or another node's.
    #[error("node {0} does not hold the disruption lock")]
    NoLock(NodeId),
    /// It was stopped a moment ago.
    #[error("node {node} was stopped {seconds} s ago; at most once in {at_most_every} s")]
    TooSoon {
        /// The node.
        node: NodeId,
        /// How long ago.
        seconds: u64,
        /// The time between two stops, in seconds.
        at_most_every: u64,
    },
    /// It checks its logs.
    #[error("node {0} is recovering and is never stopped meanwhile")]
    Recovering(NodeId),
    /// No other broker has told lately how the cluster is.
    #[error("no other broker has reported on the cluster within the last 5 s")]
    NoView,
    /// Too many others are not well.
    #[error("{unwell} of the other brokers are unwell, which is a third of {brokers} or more")]
    TooManyUnwell {
        /// How many.
        unwell: usize,
        /// Of how many brokers in all.
        brokers: usize,
    },
    /// Partitions would not be writable.
    #[error("{0} partitions would have fewer in-sync replicas than `min.insync.replicas`")]
    BelowMinimum(u32),
    /// Partitions have no leader.
    #[error("{0} partitions have no leader")]
    Offline(u32),
    /// The controllers would have no majority.
    #[error("only {others} of {voters} controllers would be up and caught up, {needed} are needed")]
    NoMajority {
        /// Caught up without the node.
        others: usize,
        /// All voters.
        voters: usize,
        /// How many are needed.
        needed: usize,
    },
}

/// Whether the node may be stopped now: an empty list, or every reason against it.
#[must_use]
pub fn refusals(question: &StopQuestion<'_>) -> Vec<Refusal> {
    let StopQuestion {
        node, now, desired, ..
    } = *question;
    let Some(wanted) = desired.node(node) else {
        return vec![Refusal::NotOurs(node)];
    };
    let mut against = Vec::new();
    against.extend(lock_refusals(question));
    let own = question.statuses.get(&node);
    if own.is_some_and(|status| status.phase == NodePhase::Recovering) {
        against.push(Refusal::Recovering(node));
    }
    let brokers: Vec<NodeId> = desired
        .nodes
        .iter()
        .filter(|node| node.is_broker)
        .map(|node| node.id)
        .collect();
    let unwell = brokers
        .iter()
        .filter(|broker| **broker != node && !is_well(question.statuses.get(*broker), now))
        .count();
    if unwell > 0 && unwell * 3 >= brokers.len() {
        against.push(Refusal::TooManyUnwell {
            unwell,
            brokers: brokers.len(),
        });
    }
    let Some(view) = view(question, &brokers) else {
        against.push(Refusal::NoView);
        return against;
    };
    if wanted.is_broker {
        let falling = view.would_fall_below.get(&node).copied().unwrap_or_default();
        if falling > 0 {
            against.push(Refusal::BelowMinimum(falling));
        }
        // Without its leader a partition may hang on exactly this node's replica.
        if view.offline > 0 {
            against.push(Refusal::Offline(view.offline));
        }
    }
    against.extend(quorum_refusal(node, view));
    against
}

fn lock_refusals(question: &StopQuestion<'_>) -> Vec<Refusal> {
    let node = question.node;
    let mut against = Vec::new();
    let holds = question
        .lock
        .is_some_and(|lock| lock.holder == Some(node) && lock.expires_at > question.now);
    if !holds {
        against.push(Refusal::NoLock(node));
    }
    let last_stop = question.lock.and_then(|lock| lock.last_stops.get(&node));
    if let Some(stopped_at) = last_stop {
        let since = question.now.since(*stopped_at);
        let between = between_stops(question.desired);
        if since < between {
            against.push(Refusal::TooSoon {
                node,
                seconds: since.as_secs(),
                at_most_every: between.as_secs(),
            });
        }
    }
    against
}

/// In sync or catching up, by a report younger than three heartbeats.
fn is_well(status: Option<&NodeStatus>, now: Timestamp) -> bool {
    status.is_some_and(|status| {
        let believed = Duration::from_secs(3 * u64::from(status.heartbeat_seconds));
        now.since(status.written_at) < believed
            && matches!(status.phase, NodePhase::InSync | NodePhase::Running)
    })
}

/// The newest view of another broker; a cluster's only broker has nobody but itself to ask.
fn view<'a>(question: &StopQuestion<'a>, brokers: &[NodeId]) -> Option<&'a PeerView> {
    brokers
        .iter()
        .filter(|broker| **broker != question.node || brokers.len() == 1)
        .filter_map(|broker| question.statuses.get(broker)?.view.as_ref())
        .filter(|view| question.now.since(view.observed_at) <= VIEW_AGE)
        .max_by_key(|view| view.observed_at)
}

/// Counted without the node, a majority of the voters must be caught up with a known leader. One voter:
/// nothing can be kept. Two: the other one must be caught up.
fn quorum_refusal(node: NodeId, view: &PeerView) -> Option<Refusal> {
    if !view.voters.contains(&node) {
        return None;
    }
    let voters = view.voters.len();
    let needed = match voters {
        0 | 1 => 0,
        2 => 1,
        many => many / 2 + 1,
    };
    let others = if view.quorum_leader.is_some() {
        let caught_up = |voter: &&NodeId| **voter != node && view.voters.contains(*voter);
        view.caught_up_voters.iter().filter(caught_up).count()
    } else {
        0
    };
    (others < needed).then_some(Refusal::NoMajority {
        others,
        voters,
        needed,
    })
}

#[cfg(test)]
mod tests;

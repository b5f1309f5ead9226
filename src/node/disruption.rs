//! Restarts a running Kafka where nothing else helps, under the cluster's one disruption lock.
//!
//! The reason today: Kafka reads the certificate with which it dials the controllers at its start and
//! never again, in every version (the channel of its `KafkaRaftManager` cannot be reconfigured). Open
//! connections outlive a certificate, so nothing happens when it ends; but the next election finds
//! voters that nobody lets in. So each node is restarted between the renewal of its certificate and the
//! end of the former one, one node after the other, the active controller last.
//!
//! *Guarantees*: Kafka is stopped only while this node holds the lock, right after the safety function
//! found nothing against it on another broker's view of at most 5 s, and after the stop was written into
//! the lock. What cannot be read is a reason against a stop.
//!
//! *Cancellation*: an agent may die at any point. The lock runs out, or the next agent of the node finds
//! itself as its holder and gives it back when Kafka is in sync.

/// The lock's document.
mod lock;
/// When it is a node's turn.
mod turn;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::Instant;

use super::certificates::internal_expiry;
use super::context::{Context, Desired, KafkaState};
use super::problem::{problem, with_causes};
use crate::clock::Timestamp;
use crate::planner::safety::{StopQuestion, refusals};
use crate::spec::ids::NodeId;
use crate::store::documents::keys::{self, PerNode};
use crate::store::documents::{DisruptionLock, NodePhase, NodeStatus, Problem, ProblemCode};
use crate::store::{DocumentError, KeyError};
use lock::{HOLD, Lock};

/// The longest time without a look: a machine may sleep, and its clock may be set.
const LONGEST_REST: Duration = Duration::from_mins(1);
/// Between two looks while a restart is due, or under way. Views of others are 5 s apart.
const LOOK: Duration = Duration::from_millis(500);
/// For so long the lock is held while the safety function still finds something against the stop.
const PATIENCE: Duration = Duration::from_secs(15);
/// Why the lock is taken, as it stands in its document.
const REASON: &str = "restart for a renewed certificate";

/// Why a turn ended early.
#[derive(Debug, thiserror::Error)]
enum DisruptionError {
    #[error("use the disruption lock")]
    Document(#[from] DocumentError),
    #[error("internal: bad key")]
    Key(#[from] KeyError),
}

/// Restarts when it has to, until it is dropped.
pub(crate) async fn run(context: &Context) -> Infallible {
    let mut disruption = Disruption {
        context,
        // An agent before us may have held the lock.
        is_holder: None,
    };
    let mut kafka = context.kafka.subscribe();
    let mut certificates = context.certificates.subscribe();
    loop {
        let rest = match disruption.turn().await {
            Ok(rest) => rest,
            Err(cause) => {
                tracing::warn!(cause = %with_causes(&cause), "the disruption lock cannot be used");
                LONGEST_REST
            }
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            _ = kafka.changed() => {}
            _ = certificates.changed() => {}
        }
    }
}

/// What is wrong with a Kafka that still dials the controllers with a certificate that has ended.
/// `None` while it has not, or where nobody is dialed.
pub(crate) fn overdue(context: &Context, dials_until: Timestamp, now: Timestamp) -> Option<Problem> {
    let desired = context.desired()?;
    let is_overdue = now >= dials_until && turn::dials_others(&desired.cluster, context.node_id());
    is_overdue.then(|| not_restarted(dials_until, &context.restart_waits.borrow()))
}

fn not_restarted(dials_until: Timestamp, waits_for: &str) -> Problem {
    let why = match waits_for {
        "" => String::new(),
        reasons => format!(" ({reasons})"),
    };
    problem(
        ProblemCode::Certificate,
        format!(
            "Kafka dials the controllers with a certificate that ended at {dials_until}, so it may not find the \
             active controller after the next election; it takes the renewed one only when it is restarted, \
             which waits until that is safe{why}; `msk-node stop` and `msk-node start` restart the whole \
             cluster at once"
        ),
    )
}

struct Disruption<'a> {
    context: &'a Context,
    /// Whether the lock is this node's; `None`: not known.
    is_holder: Option<bool>,
}

impl Disruption<'_> {
    /// One look; answers when the next one is due.
    async fn turn(&mut self) -> Result<Duration, DisruptionError> {
        let lock = Lock::of(self.context)?;
        if self.is_holder != Some(false) {
            return self.give_back(&lock).await;
        }
        let KafkaState::Ready(_) = *self.context.kafka.borrow() else {
            return Ok(LONGEST_REST);
        };
        let Some(desired) = self.context.desired() else {
            return Ok(LONGEST_REST);
        };
        let statuses = self.statuses(&desired).await?;
        let own = self.context.node_id();
        let dials_until = statuses.get(&own).and_then(|status| status.dials_until);
        let (Some(dials_until), Some(renewed_until)) =
            (dials_until, internal_expiry(&self.context.directory))
        else {
            return Ok(LONGEST_REST);
        };
        let Some(due) = turn::due_at(&desired.cluster, own, dials_until, renewed_until) else {
            self.wait_for("");
            return Ok(LONGEST_REST);
        };
        let now = Timestamp::now();
        if now < due {
            self.wait_for("");
            return Ok(due.since(now).min(LONGEST_REST));
        }
        if !turn::others_could_elect(&desired.cluster, own, &statuses, now) {
            self.wait_for("it is the active controller, and the others could not elect another one");
            return Ok(LOOK);
        }
        // Asked without the lock first: nobody else waits for a lock that is held for nothing.
        if !self.is_allowed(&desired, None).await? {
            return Ok(LOOK);
        }
        if !lock.take(REASON).await? {
            self.wait_for("another node holds the disruption lock");
            return Ok(LOOK);
        }
        self.is_holder = Some(true);
        self.stop_when_allowed(&desired, &lock).await
    }

    /// Waits for the moment with the lock in hand, writes the stop down, and asks for it.
    async fn stop_when_allowed(
        &mut self,
        desired: &Desired,
        lock: &Lock<'_>,
    ) -> Result<Duration, DisruptionError> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let held = lock.read().await?;
            if self.is_allowed(desired, held).await? {
                if lock.note_stop().await? {
                    tracing::info!("Kafka may be stopped now: {REASON}");
                    self.context.restart.send_replace(true);
                    return self.wait_for_the_stop().await;
                }
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        lock.give_back().await?;
        self.is_holder = Some(false);
        Ok(LOOK)
    }

    /// The supervisor takes the request within a moment; until then Kafka still looks well.
    async fn wait_for_the_stop(&self) -> Result<Duration, DisruptionError> {
        let mut kafka = self.context.kafka.subscribe();
        let stopped = kafka.wait_for(|state| *state == KafkaState::Down);
        if tokio::time::timeout(LONGEST_REST, stopped).await.is_err() {
            self.context.take_restart();
        }
        Ok(LOOK)
    }

    /// Keeps the lock until Kafka is in sync again.
    async fn give_back(&mut self, lock: &Lock<'_>) -> Result<Duration, DisruptionError> {
        let own = self.context.node_id();
        let Some(held) = lock.read().await?.filter(|lock| lock.holder == Some(own)) else {
            self.is_holder = Some(false);
            return Ok(Duration::ZERO);
        };
        self.is_holder = Some(true);
        if self.is_in_sync().await? {
            lock.give_back().await?;
            self.is_holder = Some(false);
            tracing::info!("back in sync; the disruption lock is free");
            return Ok(Duration::ZERO);
        }
        if held.expires_at.since(Timestamp::now()) < HOLD / 2 && !lock.hold_on().await? {
            self.is_holder = Some(false);
        }
        Ok(LOOK)
    }

    async fn is_in_sync(&self) -> Result<bool, DisruptionError> {
        let KafkaState::Ready(since) = *self.context.kafka.borrow() else {
            return Ok(false);
        };
        let status = self.status(self.context.node_id()).await?;
        Ok(status.is_some_and(|status| status.phase == NodePhase::InSync && status.written_at >= since))
    }

    /// Whether the safety function has nothing against the stop of this node; without a lock it is asked
    /// as if this node had it.
    async fn is_allowed(
        &mut self,
        desired: &Desired,
        lock: Option<DisruptionLock>,
    ) -> Result<bool, DisruptionError> {
        let node = self.context.node_id();
        let statuses = self.statuses(desired).await?;
        let store = self.context.documents.store();
        let now = store.now().await.map_err(DocumentError::from)?;
        let lock = match lock {
            Some(lock) => lock,
            None => lock::as_if_held(Lock::of(self.context)?.read().await?, node, now),
        };
        let against = refusals(&StopQuestion {
            node,
            now,
            desired: &desired.cluster,
            statuses: &statuses,
            lock: Some(&lock),
        });
        let reasons: Vec<String> = against.iter().map(ToString::to_string).collect();
        self.wait_for(&reasons.join(", "));
        Ok(against.is_empty())
    }

    /// Tells what a restart that is due waits for; empty: nothing.
    fn wait_for(&self, reasons: &str) {
        let is_new = self.context.restart_waits.send_if_modified(|before| {
            let differs = before != reasons;
            if differs {
                reasons.clone_into(before);
            }
            differs
        });
        if is_new && !reasons.is_empty() {
            tracing::debug!("Kafka waits for its restart: {reasons}");
        }
    }

    /// The statuses as they lie in the store now; one that cannot be read counts as none.
    async fn statuses(&self, desired: &Desired) -> Result<BTreeMap<NodeId, NodeStatus>, DisruptionError> {
        let mut found = BTreeMap::new();
        for node in &desired.cluster.nodes {
            if let Some(status) = self.status(node.id).await? {
                found.insert(node.id, status);
            }
        }
        Ok(found)
    }

    async fn status(&self, node: NodeId) -> Result<Option<NodeStatus>, DisruptionError> {
        let key = keys::per_node(&self.context.home.cluster_uid, node, PerNode::Node)?;
        let read = self.context.documents.read::<NodeStatus>(&key).await;
        Ok(read.ok().flatten().map(|read| read.body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_was_not_restarted_in_time_tells_since_when_what_follows_and_why() {
        let ended = Timestamp::from_millis(1_000_000_000_000);
        let what = not_restarted(ended, "3 partitions have no leader");
        assert_eq!(what.code, ProblemCode::Certificate);
        assert!(
            what.text.contains("ended at 2001-09-09T01:46:40"),
            "{}",
            what.text
        );
        assert!(
            what.text
                .contains("is safe (3 partitions have no leader); `msk-node stop`"),
            "{}",
            what.text
        );
        assert!(not_restarted(ended, "").text.contains("is safe; `msk-node stop`"));
    }
}

//! Publishes the node's status: on change, and as a heartbeat.

use std::time::Duration;

use tokio::time::Instant;

use super::context::Context;
use super::reserve::Reserve;
use crate::clock::Timestamp;
use crate::process;
use crate::spec::ids::{Generation, NodeId};
use crate::store::documents::keys::{self, PerNode};
use crate::store::documents::{Incarnation, NodePhase, NodeStatus, ProblemCode};
use crate::store::{DocumentError, Durability, Error, Key, KeyError, Version};

/// How often a status is written when nothing changes. Fifteen seconds without one and nobody believes
/// it any more; each write costs a small file.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(5);
/// The same for documents.
pub(crate) const HEARTBEAT_SECONDS: u32 = 5;
/// How often a status is written where each write costs money, while nothing waits for it.
const LONG_HEARTBEAT: Duration = Duration::from_mins(1);
/// How soon a status that could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The status of a life that begins.
pub(crate) fn begin(node_id: NodeId, instance_id: String) -> NodeStatus {
    NodeStatus {
        node_id,
        incarnation: Incarnation {
            boot_id: process::boot_id().to_owned(),
            instance_id,
            agent: process::own(),
            kafka: None,
        },
        written_at: Timestamp::default(),
        heartbeat_seconds: HEARTBEAT_SECONDS,
        agent_version: crate::version::VERSION.to_owned(),
        phase: NodePhase::Preparing,
        progress: String::new(),
        problem: None,
        applied: Generation::default(),
        certificates_expire_at: None,
        dials_until: None,
        asks_for_certificates: false,
        view: None,
        unexpected_exits: 0,
        machine: None,
    }
}

/// The status as it is, and what of it the store has.
pub(crate) struct StatusPublisher {
    key: Key,
    generation: Option<Generation>,
    published: Option<NodeStatus>,
    published_at: Option<Instant>,
    /// When it was last tried in vain.
    failed_at: Option<Instant>,
    reserve: Reserve,
    /// The status as it is now.
    pub(crate) now: NodeStatus,
}

impl StatusPublisher {
    /// Begins with a node that is preparing.
    pub(crate) fn new(context: &Context) -> Result<Self, KeyError> {
        let node_id = context.node_id();
        let machine = context.machine.as_ref();
        Ok(Self {
            key: keys::per_node(&context.home.cluster_uid, node_id, PerNode::Node)?,
            generation: None,
            published: None,
            published_at: None,
            failed_at: None,
            reserve: Reserve::at(&context.directory.reserve(), machine.is_some()),
            now: begin(
                node_id,
                machine
                    .map(|machine| machine.instance_id.clone())
                    .unwrap_or_default(),
            ),
        })
    }

    /// Writes the status if it says something new or the heartbeat is due. A store that cannot be
    /// written is logged and tried again with the next beat: Kafka does not depend on it.
    pub(crate) async fn publish(&mut self, context: &Context) {
        let heartbeat = self.heartbeat(context);
        self.now.heartbeat_seconds = u32::try_from(heartbeat.as_secs()).unwrap_or(HEARTBEAT_SECONDS);
        if let Some(machine) = &context.machine {
            self.now.machine = Some(machine.volume.borrow().clone());
        }
        let is_due = self
            .published_at
            .is_none_or(|at| at.elapsed() + Duration::from_millis(50) >= heartbeat);
        if !is_due && !self.says_something_new(context) {
            return;
        }
        if self.failed_at.is_some_and(|at| at.elapsed() < AGAIN) {
            return;
        }
        self.now.written_at = match context.documents.store().now().await {
            Ok(now) => now,
            Err(cause) => {
                tracing::warn!(%cause, "the store's clock cannot be read");
                Timestamp::now()
            }
        };
        let generation = self.next_generation(context).await;
        self.published_at = Some(Instant::now());
        let mut written = self.write(context, generation).await;
        if matches!(written, Err(DocumentError::Store(Error::NoSpace { .. }))) && self.reserve.give_up() {
            written = self.write(context, generation).await;
        }
        match written {
            Ok(_) => {
                self.failed_at = None;
                self.generation = Some(generation);
                self.published = Some(self.now.clone());
                let problem = self.now.problem.as_ref();
                if problem.is_none_or(|problem| problem.code != ProblemCode::DiskFull) {
                    self.reserve.keep();
                } else {
                    self.reserve.give_up_for_kafka();
                }
            }
            Err(cause) => {
                // Said once: the log may lie on the very disk that is full.
                if self.failed_at.is_none() {
                    tracing::warn!(%cause, "the status cannot be written");
                }
                self.failed_at = Some(Instant::now());
            }
        }
    }

    /// Every 5 s while somebody may wait for a change; once a minute on S3 otherwise.
    fn heartbeat(&self, context: &Context) -> Duration {
        let is_quiet = self.now.phase == NodePhase::InSync
            && self.now.problem.is_none()
            && context
                .desired()
                .is_none_or(|desired| desired.generation <= self.now.applied);
        if context.home.store.is_far() && is_quiet {
            LONG_HEARTBEAT
        } else {
            HEARTBEAT
        }
    }

    fn says_something_new(&self, context: &Context) -> bool {
        let Some(before) = &self.published else {
            return true;
        };
        if !context.home.store.is_far() {
            return *before != self.now;
        }
        // That the same was seen again is told with the next heartbeat.
        let mut same = before.clone();
        same.written_at = self.now.written_at;
        if let (Some(same), Some(now)) = (&mut same.view, &self.now.view) {
            same.observed_at = now.observed_at;
        }
        same != self.now
    }

    async fn write(&self, context: &Context, generation: Generation) -> Result<Version, DocumentError> {
        let documents = &context.documents;
        documents
            .publish(&self.key, generation, &self.now, Durability::Volatile)
            .await
    }

    /// When the next heartbeat is due.
    pub(crate) fn next_beat(&self) -> Duration {
        let heartbeat = Duration::from_secs(self.now.heartbeat_seconds.into());
        self.published_at
            .map_or(Duration::ZERO, |at| heartbeat.saturating_sub(at.elapsed()))
    }

    async fn next_generation(&self, context: &Context) -> Generation {
        if let Some(generation) = self.generation {
            return generation.next();
        }
        match context.documents.read::<NodeStatus>(&self.key).await {
            Ok(Some(read)) => read.generation.next(),
            // A status has one writer; what cannot be read is replaced by what is true now.
            Ok(None) | Err(_) => Generation(1),
        }
    }
}

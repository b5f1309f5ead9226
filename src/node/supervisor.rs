//! Keeps Kafka's process as the desired document wants it. Owns the process and the node's status.
//!
//! One pass of [`Supervisor::step`] looks at everything and does what is due; [`Supervisor::run`] waits
//! until something may have changed and steps again. A pass never waits for Kafka, so a hanging broker
//! keeps nobody from stopping it.

/// The ends of Kafka's process.
mod end;
/// How Kafka's process stands.
mod life;
/// From no process to one that answers.
mod start;

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::time::Instant;

use super::context::{Context, Desired};
use super::desired::DesiredReader;
use super::disruption;
use super::kafka;
use super::log_file;
use super::phase;
use super::restarts::Restarts;
use super::status::StatusPublisher;
use super::sync;
use crate::clock::Timestamp;
use crate::store::documents::{NodePhase, Problem, RunTarget};
use crate::store::{Changes, KeyError, Prefix};
use life::Life;

/// How often a starting Kafka is asked whether it answers. A connection within a machine costs some
/// 50 µs, and the whole way from apply to ready has several such waits behind each other.
const START_POLL: Duration = Duration::from_millis(25);
/// How often documents are looked at when no hint came.
const IDLE_LOOK: Duration = Duration::from_secs(2);
/// The longest controlled shutdown: Kafka itself gives up after five minutes.
const STOP_PATIENCE: Duration = Duration::from_secs(330);
/// A node that is stopped by hand together with all others finds no quorum for a controlled shutdown.
const REQUESTED_STOP_PATIENCE: Duration = Duration::from_mins(1);

/// How an agent's work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The agent was asked to end (SIGTERM); Kafka goes on.
    Asked,
    /// Kafka was stopped on a person's request.
    Stopped,
    /// The node was removed; Kafka was ended at once.
    Removed,
}

/// What the node's process should be doing, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// The document: run.
    Run,
    /// The document: stay stopped.
    Stop,
    /// A person: stop, and the agent ends.
    StopAndEnd,
    /// The document: go away.
    Remove,
}

/// Keeps Kafka as it should be.
pub(crate) struct Supervisor<'a> {
    context: &'a Context,
    reader: DesiredReader,
    changes: Changes,
    status: StatusPublisher,
    life: Life,
    restarts: Restarts,
    looked_at: Option<Instant>,
    /// What is wrong with Kafka's process; stays until it answers or is stopped.
    process_problem: Option<Problem>,
    /// What is wrong with the desired document.
    document_problem: Option<Problem>,
}

impl<'a> Supervisor<'a> {
    /// Adopts a Kafka that runs already.
    pub(crate) fn new(context: &'a Context, folder: &Prefix) -> Result<Self, KeyError> {
        let changes = context.documents.store().changes(folder);
        // A request that an earlier agent did not live to fulfil: whoever starts an agent wants Kafka.
        let _ = std::fs::remove_file(context.directory.stop_request());
        Ok(Self {
            reader: DesiredReader::new(context)?,
            status: StatusPublisher::new(context)?,
            context,
            changes,
            life: kafka::adopt(context).map_or(Life::DOWN, Life::Starting),
            restarts: Restarts::default(),
            looked_at: None,
            process_problem: None,
            document_problem: None,
        })
    }

    /// Works until the node is removed, stopped by hand, or the agent is asked to end.
    pub(crate) async fn run(mut self, mut terminate: Signal, mut wake: Signal) -> Ended {
        let mut view = self.context.view.subscribe();
        let mut peers = self.context.peers.subscribe();
        let mut renewal = self.context.renewal.subscribe();
        let mut restart = self.context.restart.subscribe();
        let mut asks = self.context.asks.subscribe();
        loop {
            if let Some(ended) = self.step().await {
                return ended;
            }
            self.publish().await;
            let wait = self.next_look();
            let process = self.life.kafka().map(|kafka| &kafka.process);
            let ended = async {
                match process {
                    Some(process) => process.ended().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = ended => {}
                is_due = self.changes.changed(wait) => if is_due {
                    self.looked_at = None;
                },
                _ = view.changed() => {}
                _ = peers.changed() => {}
                _ = renewal.changed() => {}
                _ = restart.changed() => {}
                _ = asks.changed() => {}
                _ = wake.recv() => {}
                _ = terminate.recv() => {
                    tracing::info!("asked to end; Kafka goes on");
                    return Ended::Asked;
                }
            }
        }
    }

    fn next_look(&self) -> Duration {
        if self.life.is_on_its_way() {
            return START_POLL;
        }
        let mut wait = IDLE_LOOK.min(self.status.next_beat());
        if let Some(at) = self.life.due_at() {
            wait = wait.min(at.saturating_duration_since(Instant::now()));
        }
        wait.max(Duration::from_millis(1))
    }

    async fn step(&mut self) -> Option<Ended> {
        self.look_at_documents().await;
        self.notice_death();
        let desired = self.context.desired();
        match self.target(desired.as_deref()) {
            None => self.phase(NodePhase::Preparing, "waits for the desired document"),
            Some(Target::Remove) => return Some(self.remove().await),
            Some(Target::Stop) => {
                self.stop(STOP_PATIENCE);
            }
            Some(Target::StopAndEnd) => {
                if self.stop(REQUESTED_STOP_PATIENCE) {
                    let _ = std::fs::remove_file(self.context.directory.stop_request());
                    self.publish().await;
                    return Some(Ended::Stopped);
                }
            }
            Some(Target::Run) => {
                if let Some(desired) = desired {
                    self.keep_running(&desired).await;
                }
            }
        }
        None
    }

    /// Kafka's own problems are shown first, then what is wrong beside its process.
    async fn publish(&mut self) {
        let problem = self.process_problem.clone();
        self.status.now.problem = problem
            .or_else(|| self.document_problem.clone())
            .or_else(|| self.context.renewal.borrow().clone())
            .or_else(|| self.overdue());
        self.status.now.asks_for_certificates = *self.context.asks.borrow();
        self.status.now.view.clone_from(&self.context.view.borrow());
        self.status.publish(self.context).await;
    }

    /// What is wrong with a Kafka that should have been restarted for its renewed certificate by now.
    fn overdue(&self) -> Option<Problem> {
        let Life::Ready(kafka, _) = &self.life else {
            return None;
        };
        disruption::overdue(self.context, kafka.dials_until?, Timestamp::now())
    }

    async fn look_at_documents(&mut self) {
        if self.looked_at.is_some_and(|at| at.elapsed() < IDLE_LOOK) {
            return;
        }
        self.looked_at = Some(Instant::now());
        self.document_problem = self.reader.refresh(self.context).await;
        let agent_log = match &self.context.machine {
            Some(machine) => machine.agent_log.clone(),
            None => self.context.directory.agent_log(),
        };
        for log in [self.context.directory.kafka_log(), agent_log] {
            if let Err(cause) = log_file::bound(&log) {
                tracing::warn!(%log, %cause, "the log could not be bounded");
            }
        }
    }

    fn target(&self, desired: Option<&Desired>) -> Option<Target> {
        let wanted = desired.and_then(|desired| desired.node(self.context.node_id()));
        match wanted.map(|node| node.run) {
            Some(RunTarget::Removed) => Some(Target::Remove),
            _ if self.context.directory.stop_request().exists() => Some(Target::StopAndEnd),
            Some(RunTarget::Running) => Some(Target::Run),
            Some(RunTarget::Stopped) => Some(Target::Stop),
            None => None,
        }
    }

    fn phase(&mut self, to: NodePhase, progress: impl Into<String>) {
        let from = self.status.now.phase;
        self.status.now.progress = progress.into();
        if from == to {
            return;
        }
        if !phase::may_follow(from, to) {
            tracing::error!("internal: no way leads from {from:?} to {to:?}");
        }
        tracing::info!("{} -> {}", phase::name(from), phase::name(to));
        self.status.now.phase = to;
    }

    async fn keep_running(&mut self, desired: &Arc<Desired>) {
        match &self.life {
            Life::Down { .. } | Life::Held { .. } => self.start(desired).await,
            // A stop that was begun is finished first; its end leads back here.
            Life::Stopping { .. } => {
                self.stop(STOP_PATIENCE);
            }
            Life::Ready(..) if self.context.take_restart() => {
                tracing::info!("Kafka is restarted under the disruption lock");
                self.stop(STOP_PATIENCE);
            }
            Life::Starting(_) | Life::Ready(..) => self.watch(desired).await,
        }
    }

    async fn watch(&mut self, desired: &Arc<Desired>) {
        let (Some(kafka), Some(node)) = (self.life.kafka(), desired.node(self.context.node_id())) else {
            return;
        };
        let status = &mut self.status.now;
        status.incarnation.kafka = Some(kafka.identity().clone());
        status.applied = kafka.generation;
        status.dials_until = kafka.dials_until;
        let certificates = self.context.certificates.borrow();
        status.certificates_expire_at = certificates.as_ref().map(|found| found.expire_at);
        drop(certificates);
        let Life::Ready(_, since) = self.life else {
            return self.look_for_an_answer(node).await;
        };
        let peers = self.context.peers.borrow().clone();
        let view = self.context.view.borrow().clone();
        match sync::judge(desired, node, since, view.as_ref(), &peers) {
            Ok(()) => self.phase(NodePhase::InSync, ""),
            Err(missing) => self.phase(NodePhase::Running, missing),
        }
    }
}

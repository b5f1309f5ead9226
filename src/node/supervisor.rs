//! Keeps Kafka's process as the desired document wants it. Owns the process and the node's status.
//!
//! One pass of [`Supervisor::step`] looks at everything and does what is due; [`Supervisor::run`] waits
//! until something may have changed and steps again. A pass never waits for Kafka, so a hanging broker
//! keeps nobody from stopping it.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::time::Instant;

use super::certificates;
use super::context::{Context, Desired, KafkaState};
use super::desired::DesiredReader;
use super::format;
use super::kafka::{self, Kafka};
use super::log_file;
use super::phase;
use super::problem::problem;
use super::readiness;
use super::restarts::{Restarts, Verdict};
use super::status::StatusPublisher;
use super::sync;
use crate::clock::Timestamp;
use crate::spec::ids::Generation;
use crate::store::documents::{NodePhase, Problem, ProblemCode, RunTarget};
use crate::store::{Changes, KeyError, Prefix};

/// How often a starting Kafka is asked whether it answers. A connection within a machine costs some
/// 50 µs, and the whole way from apply to ready has several such waits behind each other.
const START_POLL: Duration = Duration::from_millis(25);
/// How often documents are looked at when no hint came.
const IDLE_LOOK: Duration = Duration::from_secs(2);
/// The longest controlled shutdown: Kafka itself gives up after five minutes.
const STOP_PATIENCE: Duration = Duration::from_secs(330);
/// A node that is stopped by hand together with all others finds no quorum for a controlled shutdown.
const REQUESTED_STOP_PATIENCE: Duration = Duration::from_mins(1);
/// How many of Kafka's last lines go into a problem.
const LAST_LINES: usize = 12;
/// After a failure that may pass by itself (a port is taken, a disk is full): wait this long.
const RETRY_FAILED_START: Duration = Duration::from_secs(5);
/// How often data that was not there, or another's, is looked for again. A person brings it back.
const LOOK_FOR_DATA: Duration = Duration::from_secs(10);

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

/// A stop that is under way.
struct Stopping {
    kill_at: Instant,
    killed: bool,
}

/// Keeps Kafka as it should be.
pub(crate) struct Supervisor<'a> {
    context: &'a Context,
    reader: DesiredReader,
    changes: Changes,
    status: StatusPublisher,
    restarts: Restarts,
    kafka: Option<Kafka>,
    stopping: Option<Stopping>,
    /// Since when Kafka answers.
    ready_since: Option<Timestamp>,
    /// No start before this moment.
    start_at: Option<Instant>,
    /// The generation under which the agent gave up; another one is a new try.
    held: Option<Generation>,
    looked_at: Option<Instant>,
    document_problem: Option<Problem>,
    renewal_problem: Option<Problem>,
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
            restarts: Restarts::default(),
            kafka: kafka::adopt(context),
            stopping: None,
            ready_since: None,
            start_at: None,
            held: None,
            renewal_problem: None,
            looked_at: None,
            document_problem: None,
        })
    }

    /// Works until the node is removed, stopped by hand, or the agent is asked to end.
    pub(crate) async fn run(mut self, mut terminate: Signal, mut wake: Signal) -> Ended {
        let mut view = self.context.view.subscribe();
        let mut peers = self.context.peers.subscribe();
        let mut renewal = self.context.renewal.subscribe();
        let mut restart = self.context.restart.subscribe();
        loop {
            if let Some(ended) = self.step().await {
                return ended;
            }
            self.status.publish(self.context).await;
            let wait = self.next_look();
            let process = self.kafka.as_ref().map(|kafka| &kafka.process);
            let ended = async {
                match process {
                    Some(process) => process.ended().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = ended => {}
                () = self.changes.changed(wait) => self.looked_at = None,
                _ = view.changed() => {}
                _ = peers.changed() => {}
                _ = renewal.changed() => {}
                _ = restart.changed() => {}
                _ = wake.recv() => {}
                _ = terminate.recv() => {
                    tracing::info!("asked to end; Kafka goes on");
                    return Ended::Asked;
                }
            }
        }
    }

    fn next_look(&self) -> Duration {
        let busy = (self.kafka.is_some() && self.ready_since.is_none()) || self.stopping.is_some();
        if busy {
            return START_POLL;
        }
        let mut wait = IDLE_LOOK.min(self.status.next_beat());
        if let Some(at) = self.start_at {
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
                    self.status.publish(self.context).await;
                    return Some(Ended::Stopped);
                }
            }
            Some(Target::Run) => {
                if let Some(desired) = desired {
                    self.keep_running(&desired).await;
                }
            }
        }
        self.show_problems();
        self.status.now.view.clone_from(&self.context.view.borrow());
        None
    }

    /// What is wrong beside Kafka's process; its own problems come first.
    fn show_problems(&mut self) {
        let renewal = self.context.renewal.borrow().clone();
        let before = std::mem::replace(&mut self.renewal_problem, renewal);
        let shown = &mut self.status.now.problem;
        if before.is_some() && *shown == before {
            *shown = None;
        }
        *shown = shown
            .take()
            .or_else(|| self.document_problem.clone())
            .or_else(|| self.renewal_problem.clone());
    }

    async fn look_at_documents(&mut self) {
        if self.looked_at.is_some_and(|at| at.elapsed() < IDLE_LOOK) {
            return;
        }
        self.looked_at = Some(Instant::now());
        let before = self.document_problem.take();
        self.document_problem = self.reader.refresh(self.context).await;
        if before.is_some() && self.status.now.problem == before {
            self.status.now.problem = None;
        }
        for log in [
            self.context.directory.kafka_log(),
            self.context.directory.agent_log(),
        ] {
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

    /// What is wrong keeps Kafka down until `retry` is over, or, without one, until another document comes.
    fn fail(&mut self, what: Problem, retry: Option<Duration>) {
        tracing::warn!(code = ?what.code, "{}", what.text);
        if let Some(wait) = retry {
            self.start_at = Some(Instant::now() + wait);
            let progress = format!("tries again in {} s", wait.as_secs().max(1));
            self.phase(NodePhase::BackingOff, progress);
        } else {
            self.held = self.context.desired().map(|desired| desired.generation);
            // Data that was moved or not mounted may be brought back, without a new document.
            let may_come_back = matches!(what.code, ProblemCode::DataMissing | ProblemCode::DataForeign);
            self.start_at = may_come_back.then(|| Instant::now() + LOOK_FOR_DATA);
            self.phase(NodePhase::Failed, "waits for a person");
        }
        self.status.now.problem = Some(what);
    }

    fn notice_death(&mut self) {
        let Some(kafka) = self.kafka.as_mut().filter(|kafka| !kafka.process.is_alive()) else {
            return;
        };
        let how = kafka.reap();
        let lines = kafka.last_lines(self.context, LAST_LINES).join("\n");
        self.kafka = None;
        self.ready_since = None;
        self.context.kafka.send_replace(KafkaState::Down);
        self.context.view.send_replace(None);
        self.status.now.incarnation.kafka = None;
        if self.stopping.take().is_some() {
            return;
        }
        let verdict = self.restarts.after_death(Timestamp::now(), jitter());
        self.status.now.unexpected_exits = self.restarts.total();
        let (code, retry) = match verdict {
            Verdict::StartAfter(wait) => (cause_of_death(&lines), Some(wait)),
            Verdict::Hold => (ProblemCode::CrashLoop, None),
        };
        let text = format!("Kafka ended by itself ({how}); its last words:\n{lines}");
        self.fail(problem(code, text), retry);
    }

    /// Ends Kafka at once; its data goes away.
    async fn remove(&mut self) -> Ended {
        self.stopping = Some(Stopping {
            kill_at: Instant::now(),
            killed: true,
        });
        // An agent that died between start and record leaves a Kafka behind: look again until none is found.
        while let Some(kafka) = self.kafka.take().or_else(|| kafka::adopt(self.context)) {
            if let Err(cause) = kafka.process.kill() {
                tracing::warn!(%cause, "Kafka cannot be killed");
            }
            let mut kafka = kafka;
            kafka.process.ended().await;
            kafka.reap();
        }
        Ended::Removed
    }

    /// Stops Kafka cleanly. Answers whether it is down.
    fn stop(&mut self, patience: Duration) -> bool {
        self.held = None;
        self.start_at = None;
        let Some(kafka) = &self.kafka else {
            self.phase(NodePhase::Stopped, "");
            self.status.now.problem = None;
            return true;
        };
        let now = Instant::now();
        match &mut self.stopping {
            None => {
                if let Err(cause) = kafka.process.terminate() {
                    tracing::warn!(%cause, "Kafka cannot be asked to stop");
                }
                self.stopping = Some(Stopping {
                    kill_at: now + patience,
                    killed: false,
                });
            }
            Some(stopping) if now >= stopping.kill_at && !stopping.killed => {
                tracing::warn!("Kafka did not stop within {} s; it is killed", patience.as_secs());
                stopping.killed = true;
                let _ = kafka.process.kill();
            }
            Some(_) => {}
        }
        self.ready_since = None;
        self.context.kafka.send_replace(KafkaState::Down);
        self.phase(NodePhase::Stopping, "waits for Kafka's controlled shutdown");
        false
    }

    async fn keep_running(&mut self, desired: &Arc<Desired>) {
        if self.stopping.is_some() {
            // A stop that was begun is finished first; its end leads back here.
            self.stop(STOP_PATIENCE);
            return;
        }
        if self.kafka.is_none() {
            return self.start(desired).await;
        }
        if self.ready_since.is_some() && self.context.take_restart() {
            tracing::info!("Kafka is restarted under the disruption lock");
            self.stop(STOP_PATIENCE);
            return;
        }
        self.watch(desired).await;
    }

    async fn start(&mut self, desired: &Arc<Desired>) {
        if self.held == Some(desired.generation) {
            return self.look_for_data(desired).await;
        }
        if self.held.take().is_some() {
            self.restarts.forget();
        }
        if self.start_at.is_some_and(|at| at > Instant::now()) {
            return;
        }
        self.start_at = None;
        // Whoever asked for a restart gets it this way as well.
        self.context.take_restart();
        self.phase(NodePhase::Preparing, "");
        match self.prepare_and_start(desired).await {
            Ok(kafka) => self.follow(kafka),
            Err(what) => {
                let retry = match what.code {
                    ProblemCode::DataMissing | ProblemCode::DataForeign => None,
                    _ => Some(RETRY_FAILED_START),
                };
                self.fail(what, retry);
            }
        }
    }

    /// Tries again under the same document once in a while, quietly: only data that is right again ends it.
    async fn look_for_data(&mut self, desired: &Arc<Desired>) {
        if self.start_at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        match self.prepare_and_start(desired).await {
            Ok(kafka) => {
                self.held = None;
                self.start_at = None;
                self.phase(NodePhase::Preparing, "");
                self.follow(kafka);
            }
            Err(what) => {
                self.start_at = Some(Instant::now() + LOOK_FOR_DATA);
                self.status.now.problem = Some(what);
            }
        }
    }

    /// Takes charge of a Kafka that was just started.
    fn follow(&mut self, kafka: Kafka) {
        let (next, progress) = if kafka.is_recovering {
            (NodePhase::Recovering, "checks its logs after an unclean stop")
        } else {
            (NodePhase::Starting, "waits for Kafka to answer")
        };
        self.kafka = Some(kafka);
        self.phase(NodePhase::Starting, "");
        self.phase(next, progress);
    }

    async fn prepare_and_start(&mut self, desired: &Arc<Desired>) -> Result<Kafka, Problem> {
        // An agent before us may have started one and died before it was recorded.
        if let Some(running) = kafka::adopt(self.context) {
            return Ok(running);
        }
        format::ensure_formatted(self.context, desired).await?;
        let found = certificates::ensure(self.context, desired, Timestamp::now())?;
        self.context.certificates.send_replace(Some(found));
        kafka::write_properties(self.context, desired)?;
        let node = desired
            .node(self.context.node_id())
            .ok_or_else(|| problem(ProblemCode::Other, "the desired document does not have this node"))?;
        match readiness::first_taken(node) {
            Ok(None) => {}
            Ok(Some((listener, port))) => {
                return Err(problem(
                    ProblemCode::PortTaken,
                    format!("port {port} (listener {listener}) is taken by another process; end it"),
                ));
            }
            Err(cause) => {
                return Err(problem(
                    ProblemCode::PortTaken,
                    format!("cannot listen on `{}`: {cause}", node.bind_address),
                ));
            }
        }
        kafka::start(self.context, desired)
    }

    async fn watch(&mut self, desired: &Arc<Desired>) {
        let Some(kafka) = &self.kafka else { return };
        let Some(node) = desired.node(self.context.node_id()) else {
            return;
        };
        self.status.now.incarnation.kafka = Some(kafka.identity().clone());
        self.status.now.applied = kafka.generation;
        let expire_at = self
            .context
            .certificates
            .borrow()
            .as_ref()
            .map(|found| found.expire_at);
        self.status.now.certificates_expire_at = expire_at;
        self.status.now.dials_until = kafka.dials_until;
        let Some(since) = self.ready_since else {
            let open = match readiness::last_listener(node) {
                Some((_, port)) => readiness::is_open(&node.advertised_host, port).await,
                None => false,
            };
            if open {
                let now = Timestamp::now();
                self.ready_since = Some(now);
                self.context.kafka.send_replace(KafkaState::Ready(now));
                self.status.now.problem = None;
                self.phase(NodePhase::Running, "waits for its replicas to be in sync");
            } else if kafka.is_recovering {
                let progress = sync::recovery_progress(&kafka.last_lines(self.context, 40));
                self.phase(NodePhase::Recovering, progress);
            } else if self.status.now.phase == NodePhase::Preparing {
                self.phase(NodePhase::Starting, "waits for Kafka to answer");
            }
            return;
        };
        let peers = self.context.peers.borrow().clone();
        let view = self.context.view.borrow().clone();
        match sync::judge(desired, node, since, view.as_ref(), &peers) {
            Ok(()) => self.phase(NodePhase::InSync, ""),
            Err(missing) => self.phase(NodePhase::Running, missing),
        }
    }
}

/// Whether Kafka's last words name a reason that people can mend.
fn cause_of_death(lines: &str) -> ProblemCode {
    if lines.contains("No space left on device") {
        ProblemCode::DiskFull
    } else if lines.contains("Address already in use") {
        ProblemCode::PortTaken
    } else if lines.contains("UnsupportedClassVersionError") || lines.contains("Unrecognized VM option") {
        ProblemCode::Java
    } else {
        ProblemCode::Other
    }
}

/// Spreads restarts; any number will do if the system gives no randomness.
fn jitter() -> u8 {
    let mut byte = [0];
    let _ = aws_lc_rs::rand::fill(&mut byte);
    byte[0]
}

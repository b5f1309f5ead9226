//! From no process to one that answers: what has to be right before a start, and when it is tried again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Life, Supervisor};
use crate::clock::Timestamp;
use crate::node::certificates::Ensured;
use crate::node::context::{Desired, KafkaState};
use crate::node::kafka::{self, Kafka};
use crate::node::problem::problem;
use crate::node::{certificates, format, password, readiness, sync};
use crate::store::documents::{NodeDesired, NodePhase, Problem, ProblemCode};

/// After a failure that may pass by itself (a port is taken, a disk is full): wait this long.
const RETRY_FAILED_START: Duration = Duration::from_secs(5);
/// How often data that was not there, or another's, is looked for again. A person brings it back.
const LOOK_FOR_DATA: Duration = Duration::from_secs(10);
/// How often it is looked whether a controller has signed.
const LOOK_FOR_CERTIFICATES: Duration = Duration::from_secs(1);
/// How many lines of Kafka's log tell how far a recovery is.
const RECOVERY_LINES: usize = 40;

impl Supervisor<'_> {
    /// Starts Kafka if that is due.
    pub(super) async fn start(&mut self, desired: &Arc<Desired>) {
        let now = Instant::now();
        match self.life {
            Life::Held { under, look_at } if under == Some(desired.generation) => {
                if look_at.is_some_and(|at| at <= now) {
                    self.look_for_data(desired).await;
                }
                return;
            }
            Life::Held { .. } => self.restarts.forget(),
            Life::Down { start_at: Some(at) } if at > now => return,
            _ => {}
        }
        self.life = Life::DOWN;
        // Whoever asked for a restart gets it this way as well.
        self.context.take_restart();
        self.phase(NodePhase::Preparing, "");
        match self.prepare_and_start(desired).await {
            Ok(Some(kafka)) => self.follow(kafka),
            Ok(None) => self.wait_for_certificates(),
            Err(what) => {
                let retry = match what.code {
                    ProblemCode::DataMissing | ProblemCode::DataForeign => None,
                    _ => Some(RETRY_FAILED_START),
                };
                self.fail(what, retry);
            }
        }
    }

    /// What is wrong keeps Kafka down until `retry` is over, or, without one, until another document comes.
    pub(super) fn fail(&mut self, what: Problem, retry: Option<Duration>) {
        tracing::warn!(code = ?what.code, "{}", what.text);
        let now = Instant::now();
        if let Some(wait) = retry {
            self.life = Life::Down {
                start_at: Some(now + wait),
            };
            let progress = format!("tries again in {} s", wait.as_secs().max(1));
            self.phase(NodePhase::BackingOff, progress);
        } else {
            // Data that was moved or not mounted may be brought back, without a new document.
            let may_come_back = matches!(what.code, ProblemCode::DataMissing | ProblemCode::DataForeign);
            self.life = Life::Held {
                under: self.context.desired().map(|desired| desired.generation),
                look_at: may_come_back.then(|| now + LOOK_FOR_DATA),
            };
            self.phase(NodePhase::Failed, "waits for a person");
        }
        self.process_problem = Some(what);
    }

    /// Tries again under the same document once in a while, quietly: only data that is right again ends it.
    async fn look_for_data(&mut self, desired: &Arc<Desired>) {
        match self.prepare_and_start(desired).await {
            Ok(Some(kafka)) => {
                self.phase(NodePhase::Preparing, "");
                self.follow(kafka);
            }
            Ok(None) => self.wait_for_certificates(),
            Err(what) => {
                self.life = Life::Held {
                    under: Some(desired.generation),
                    look_at: Some(Instant::now() + LOOK_FOR_DATA),
                };
                self.process_problem = Some(what);
            }
        }
    }

    /// Kafka cannot start before a controller has signed for this node.
    fn wait_for_certificates(&mut self) {
        self.life = Life::Down {
            start_at: Some(Instant::now() + LOOK_FOR_CERTIFICATES),
        };
        self.process_problem = None;
        self.phase(
            NodePhase::Preparing,
            "waits for a controller to sign its certificate",
        );
    }

    /// Takes charge of a Kafka that was just started.
    fn follow(&mut self, kafka: Kafka) {
        let (next, progress) = if kafka.is_recovering {
            (NodePhase::Recovering, "checks its logs after an unclean stop")
        } else {
            (NodePhase::Starting, "waits for Kafka to answer")
        };
        self.life = Life::Starting(kafka);
        self.phase(NodePhase::Starting, "");
        self.phase(next, progress);
    }

    /// Starts Kafka; `None` if it has to wait for its certificates.
    async fn prepare_and_start(&mut self, desired: &Arc<Desired>) -> Result<Option<Kafka>, Problem> {
        // An agent before us may have started one and died before it was recorded.
        if let Some(running) = kafka::adopt(self.context) {
            return Ok(Some(running));
        }
        format::ensure_formatted(self.context, desired).await?;
        match certificates::ensure(self.context, desired, Timestamp::now()).await? {
            Ensured::There(found) => self.context.certificates.send_replace(Some(found)),
            Ensured::Awaited => return Ok(None),
        };
        password::ensure_own(self.context, desired).await?;
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
        kafka::start(self.context, desired).map(Some)
    }

    /// Looks whether a Kafka that was started answers by now.
    pub(super) async fn look_for_an_answer(&mut self, node: &NodeDesired) {
        let open = match readiness::last_listener(node) {
            Some((_, port)) => readiness::is_open(&node.advertised_host, port).await,
            None => false,
        };
        let Some(kafka) = self.life.kafka() else { return };
        if open {
            let now = Timestamp::now();
            if let Some(kafka) = self.life.take().into_kafka() {
                self.life = Life::Ready(kafka, now);
            }
            self.context.kafka.send_replace(KafkaState::Ready(now));
            self.process_problem = None;
            self.phase(NodePhase::Running, "waits for its replicas to be in sync");
        } else if kafka.is_recovering {
            let progress = sync::recovery_progress(&kafka.last_lines(self.context, RECOVERY_LINES));
            self.phase(NodePhase::Recovering, progress);
        } else if self.status.now.phase == NodePhase::Preparing {
            self.phase(NodePhase::Starting, "waits for Kafka to answer");
        }
    }
}

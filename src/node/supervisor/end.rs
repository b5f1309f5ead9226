//! The ends of Kafka's process: stopped cleanly, dead by itself, removed.

use std::time::Duration;

use tokio::time::Instant;

use super::{Ended, Life, Supervisor};
use crate::clock::Timestamp;
use crate::node::context::KafkaState;
use crate::node::kafka;
use crate::node::problem::problem;
use crate::node::restarts::Verdict;
use crate::store::documents::{NodePhase, ProblemCode};

/// How many of Kafka's last lines go into a problem.
const LAST_LINES: usize = 12;

impl Supervisor<'_> {
    /// Stops Kafka cleanly. Answers whether it is down.
    pub(super) fn stop(&mut self, patience: Duration) -> bool {
        let now = Instant::now();
        self.life = match self.life.take() {
            Life::Down { .. } | Life::Held { .. } => {
                self.phase(NodePhase::Stopped, "");
                self.process_problem = None;
                return true;
            }
            Life::Starting(kafka) | Life::Ready(kafka, _) => {
                if let Err(cause) = kafka.process.terminate() {
                    tracing::warn!(%cause, "Kafka cannot be asked to stop");
                }
                Life::Stopping {
                    kafka,
                    kill_at: now + patience,
                    killed: false,
                }
            }
            Life::Stopping {
                kafka,
                kill_at,
                killed,
            } => {
                let is_late = !killed && now >= kill_at;
                if is_late {
                    tracing::warn!("Kafka did not stop within {} s; it is killed", patience.as_secs());
                    let _ = kafka.process.kill();
                }
                Life::Stopping {
                    kafka,
                    kill_at,
                    killed: killed || is_late,
                }
            }
        };
        self.context.kafka.send_replace(KafkaState::Down);
        self.phase(NodePhase::Stopping, "waits for Kafka's controlled shutdown");
        false
    }

    /// Sees whether the process has ended, and judges an end that nobody asked for.
    pub(super) fn notice_death(&mut self) {
        if self.life.kafka().is_none_or(|kafka| kafka.process.is_alive()) {
            return;
        }
        let was_asked = matches!(self.life, Life::Stopping { .. });
        let Some(mut kafka) = self.life.take().into_kafka() else {
            return;
        };
        let how = kafka.reap();
        let lines = kafka.last_lines(self.context, LAST_LINES).join("\n");
        self.context.kafka.send_replace(KafkaState::Down);
        self.context.view.send_replace(None);
        self.status.now.incarnation.kafka = None;
        if was_asked {
            return;
        }
        let cause = cause_of_death(&lines);
        let now = Timestamp::now();
        let (code, retry) = match self.restarts.after_death(now, jitter(), cause) {
            Verdict::StartAfter(wait) => (cause, Some(wait)),
            Verdict::Hold => (ProblemCode::CrashLoop, None),
        };
        self.status.now.unexpected_exits = self.restarts.total();
        let text = format!("Kafka ended by itself ({how}); its last words:\n{lines}");
        self.fail(problem(code, text), retry);
    }

    /// Ends Kafka at once; its data goes away.
    pub(super) async fn remove(&mut self) -> Ended {
        // An agent that died between start and record leaves a Kafka behind: look again until none is found.
        let mut next = self.life.take().into_kafka();
        while let Some(mut kafka) = next.or_else(|| kafka::adopt(self.context)) {
            if let Err(cause) = kafka.process.kill() {
                tracing::warn!(%cause, "Kafka cannot be killed");
            }
            kafka.process.ended().await;
            kafka.reap();
            next = None;
        }
        Ended::Removed
    }
}

/// Whether Kafka's last words name a reason that people can mend.
fn cause_of_death(lines: &str) -> ProblemCode {
    // A page of a mapped index that cannot be had is a fault and no error (`InternalError`, HotSpot).
    if lines.contains("No space left on device") || lines.contains("unsafe memory access operation") {
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

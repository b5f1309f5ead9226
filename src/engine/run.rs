//! Runs the steps of a plan: one order at a time, the steps of one order together.
//!
//! Every step can be performed twice with the same result and can be cancelled at any await, so a run
//! that was cut off anywhere is simply planned and run again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::journal::{EntryIndex, JournalError, JournalWriter, chain};
use crate::planner::report;
use crate::planner::step::{Action, Step};
use crate::store::documents::JournalState;

/// How often a step that waits says so in the log.
const SAY_EVERY: Duration = Duration::from_secs(3);
/// How often the journal is written while steps only wait.
const SAVE_EVERY: Duration = Duration::from_secs(5);

/// What performs single steps: an engine, or a stand-in in tests.
pub trait Perform: Send + Sync + 'static {
    /// Why a step failed.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Performs one step; may be called again after a success, a failure or a cut.
    ///
    /// *Cancellation*: the future may be dropped at any await.
    ///
    /// # Errors
    /// What kept the step from being done.
    fn perform(
        &self,
        step: &Step,
        progress: &Progress,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Why a run ended before its last step.
#[derive(Debug, thiserror::Error)]
pub enum RunError<E: std::error::Error + 'static> {
    /// A step failed.
    #[error("{operation} of {target} failed")]
    Step {
        /// The operation's name.
        operation: &'static str,
        /// What it acts on.
        target: String,
        /// Why.
        #[source]
        cause: E,
    },
    /// Terraform asked to stop.
    #[error("stopped on request while {waiting}; what was done stays, apply again to carry on")]
    Cancelled {
        /// What was going on.
        waiting: String,
    },
    /// The time that the configuration allows is over.
    #[error("the time limit of {} s is over while {waiting}; apply again to carry on, or raise `timeouts`", limit.as_secs())]
    TimedOut {
        /// The limit.
        limit: Duration,
        /// What was going on.
        waiting: String,
    },
    /// The journal must be written before a step's effect, and was not.
    #[error("the operation did not go on")]
    Journal(#[source] JournalError),
    /// A step ended in a way that it never should.
    #[error("internal: {operation} of {target} broke off; please report this")]
    Broken {
        /// The operation's name.
        operation: &'static str,
        /// What it acts on.
        target: String,
    },
}

/// When a run ends although it is not done.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Terraform's request to stop.
    pub cancel: CancellationToken,
    /// The moment when the time is over.
    pub deadline: Instant,
    /// The time there was, for messages.
    pub limit: Duration,
}

impl Limits {
    /// Limits that begin now.
    pub fn starting_now(limit: Duration, cancel: CancellationToken) -> Self {
        // A limit beyond what the clock can count is no limit; a year is as good.
        let far = Duration::from_hours(365 * 24);
        Self {
            cancel,
            deadline: Instant::now() + limit.min(far),
            limit,
        }
    }
}

/// Where a step says how far it has come.
#[derive(Debug, Clone)]
pub struct Progress(Arc<ProgressState>);

#[derive(Debug)]
struct ProgressState {
    operation: &'static str,
    target: String,
    started: Instant,
    journal: Option<(Arc<JournalWriter>, EntryIndex)>,
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    text: String,
    at: Option<Instant>,
}

impl Progress {
    fn new(step: &Step, journal: Option<(Arc<JournalWriter>, EntryIndex)>) -> Self {
        Self(Arc::new(ProgressState {
            operation: step.action.operation(),
            target: report::target(&step.action),
            started: Instant::now(),
            journal,
            said: Mutex::new(Said::default()),
        }))
    }

    /// A progress that nobody reads, for a step that is performed on its own.
    pub fn silent(step: &Step) -> Self {
        Self::new(step, None)
    }

    /// Says how far the step has come: into the journal, and into the log every few seconds.
    pub fn say(&self, text: &str) {
        let mut said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.text != text {
            text.clone_into(&mut said.text);
            if let Some((journal, entry)) = &self.0.journal {
                journal.note_progress(*entry, text);
            }
        }
        if said.at.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            said.at = Some(Instant::now());
            let seconds = self.0.started.elapsed().as_secs();
            tracing::info!(operation = self.0.operation, target_object = %self.0.target, seconds, "{text}");
        }
    }

    /// What was said last, with the step.
    fn last(&self) -> String {
        let said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        let (operation, target) = (self.0.operation, &self.0.target);
        if said.text.is_empty() {
            format!("{operation} of {target} was going on")
        } else {
            format!("{operation} of {target} was going on ({})", said.text)
        }
    }
}

/// Runs steps until all are done, one fails, or a limit is reached.
///
/// # Errors
/// [`RunError`] with the first failure; the other steps of that order are cut off.
pub async fn run<P: Perform>(
    steps: &[Step],
    performer: &Arc<P>,
    journal: &Arc<JournalWriter>,
    limits: &Limits,
) -> Result<(), RunError<P::Error>> {
    let mut rest = steps;
    while let Some(first) = rest.first() {
        let together = rest.iter().take_while(|step| step.order == first.order).count();
        let (now, later) = rest.split_at(together);
        let result = run_order(now, performer, journal, limits).await;
        if result.is_err() {
            journal.end().await;
            return result;
        }
        rest = later;
    }
    journal.end().await;
    Ok(())
}

async fn run_order<P: Perform>(
    steps: &[Step],
    performer: &Arc<P>,
    journal: &Arc<JournalWriter>,
    limits: &Limits,
) -> Result<(), RunError<P::Error>> {
    let entries = journal.begin_steps(steps).await.map_err(RunError::Journal)?;
    let progresses: Vec<Progress> = steps
        .iter()
        .zip(&entries)
        .map(|(step, entry)| Progress::new(step, Some((Arc::clone(journal), *entry))))
        .collect();
    if steps.iter().any(|step| step.action == Action::RemoveCluster) {
        journal.close();
    }
    let mut running = JoinSet::new();
    for ((step, progress), entry) in steps.iter().cloned().zip(progresses.clone()).zip(entries) {
        let performer = Arc::clone(performer);
        tracing::info!(operation = step.action.operation(), target_object = %report::target(&step.action), "begins");
        running.spawn(async move {
            let result = performer.perform(&step, &progress).await;
            (step, entry, result)
        });
    }
    let waiting = || {
        let texts: Vec<String> = progresses.iter().map(Progress::last).collect();
        texts.join("; ")
    };
    let mut ticks = tokio::time::interval_at(Instant::now() + SAVE_EVERY, SAVE_EVERY);
    loop {
        tokio::select! {
            biased;
            () = limits.cancel.cancelled() => return Err(RunError::Cancelled { waiting: waiting() }),
            () = tokio::time::sleep_until(limits.deadline) => {
                return Err(RunError::TimedOut { limit: limits.limit, waiting: waiting() });
            }
            joined = running.join_next() => match joined {
                None => return Ok(()),
                Some(Ok((step, entry, result))) => finish(journal, step, entry, result).await?,
                Some(Err(_)) => return Err(broken(steps)),
            },
            _ = ticks.tick() => journal.save_or_warn().await,
        }
    }
}

async fn finish<E: std::error::Error + 'static>(
    journal: &JournalWriter,
    step: Step,
    entry: EntryIndex,
    result: Result<(), E>,
) -> Result<(), RunError<E>> {
    match result {
        Ok(()) => {
            journal.end_step(entry, JournalState::Done).await;
            Ok(())
        }
        Err(cause) => {
            journal.end_step(entry, JournalState::Failed(chain(&cause))).await;
            Err(RunError::Step {
                operation: step.action.operation(),
                target: report::target(&step.action),
                cause,
            })
        }
    }
}

/// A step's task panicked; which one is not known when several ran.
fn broken<E: std::error::Error + 'static>(steps: &[Step]) -> RunError<E> {
    let targets: Vec<String> = steps.iter().map(|step| report::target(&step.action)).collect();
    RunError::Broken {
        operation: steps.first().map_or("a step", |step| step.action.operation()),
        target: targets.join(", "),
    }
}

#[cfg(test)]
mod tests;

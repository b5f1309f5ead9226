//! Observes, plans and runs until nothing is left to do.

use std::sync::Arc;

use super::Clusters;
use super::error::{ClusterError, StepError};
use super::observe::observe;
use super::perform::ClusterPerformer;
use super::record::{Heartbeat, RecordKeeper};
use crate::engine::journal::JournalWriter;
use crate::engine::run::{Limits, run};
use crate::engine::{ClusterPlace, Engine};
use crate::observed::ObservedCluster;
use crate::planner::step::{Action, Step};
use crate::planner::{FollowUp, plan_cluster, report};
use crate::spec::cluster::ClusterSpec;

/// One plan does the work and the second one is empty; more mean that something changes under us.
const ROUNDS: u32 = 4;

/// What is worked on, under whose claim, until when.
pub(super) struct Work<'a> {
    pub(super) operation: &'static str,
    pub(super) wanted: Option<&'a ClusterSpec>,
    /// The steps of Terraform's plan; `None`: anything may be needed.
    pub(super) planned: Option<&'a [Step]>,
    pub(super) keeper: &'a Arc<RecordKeeper>,
    pub(super) heartbeat: &'a Heartbeat,
    pub(super) limits: &'a Limits,
}

/// How it came to an end.
pub(super) enum Converged {
    /// Nothing is left to do; this is what is there.
    Done(Box<ObservedCluster>, Vec<String>),
    /// The parts that were there did not fit and are removed: create anew.
    Removed,
}

impl<E: Engine> Clusters<E> {
    pub(super) async fn converge(&self, work: &Work<'_>) -> Result<Converged, ClusterError> {
        let mut warnings = Vec::new();
        let mut journal = None;
        for _ in 0..ROUNDS {
            let record = work.keeper.record().await?;
            let seen = observe(self.engine.as_ref(), &self.store, &record).await?;
            let plan = plan_cluster(work.wanted, Some(&seen), seen.observed_at);
            if plan.is_empty() {
                if let Some(reason) = plan.report.blocked.into_iter().next() {
                    return Err(ClusterError::Blocked { reason });
                }
                warnings.extend(plan.report.warnings);
                warnings.dedup();
                return Ok(Converged::Done(Box::new(seen), warnings));
            }
            if let Some(planned) = work.planned {
                check_planned(planned, &plan.steps)?;
            }
            let place = ClusterPlace {
                name: record.name,
                uid: record.uid,
            };
            let journal = if let Some(journal) = &journal {
                Arc::clone(journal)
            } else {
                let begun = JournalWriter::begin(&self.store, &place.uid, work.operation).await?;
                Arc::clone(journal.insert(Arc::new(begun)))
            };
            let performer = Arc::new(ClusterPerformer {
                engine: Arc::clone(&self.engine),
                store: self.store.clone(),
                place,
                record: Arc::clone(work.keeper),
                wanted: work.wanted.cloned(),
            });
            tokio::select! {
                biased;
                () = work.heartbeat.lost.cancelled() => return Err(StepError::TakenOver.into()),
                result = run(&plan.steps, &performer, &journal, work.limits) => result?,
            }
            if work.wanted.is_none() || plan.follow_up == FollowUp::CreateAnew {
                return Ok(Converged::Removed);
            }
        }
        let record = work.keeper.record().await?;
        let seen = observe(self.engine.as_ref(), &self.store, &record).await?;
        let plan = plan_cluster(work.wanted, Some(&seen), seen.observed_at);
        match plan.steps.first() {
            None => Ok(Converged::Done(Box::new(seen), warnings)),
            Some(step) => Err(ClusterError::NotConverging {
                rounds: ROUNDS,
                step: describe(step),
            }),
        }
    }
}

/// Fewer steps than planned are fine; one that nobody saw in the plan is not, unless it only waits.
pub(super) fn check_planned(planned: &[Step], fresh: &[Step]) -> Result<(), ClusterError> {
    for step in fresh {
        let only_waits = matches!(
            step.action,
            Action::AwaitNodes(_) | Action::AwaitProperties | Action::FetchKafka(_)
        );
        let was_planned = planned
            .iter()
            .any(|planned| planned.action == step.action && step.effect <= planned.effect);
        if !only_waits && !was_planned {
            return Err(ClusterError::PlanChanged { step: describe(step) });
        }
    }
    Ok(())
}

fn describe(step: &Step) -> String {
    format!(
        "{} of {} ({})",
        step.action.operation(),
        report::target(&step.action),
        step.reason
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::check_planned;
    use crate::planner::step::{Action, Effect, Step};
    use crate::spec::ids::NodeId;

    fn step(action: Action, effect: Effect) -> Step {
        Step {
            order: 1,
            action,
            reason: "a reason".to_owned(),
            effect,
            estimate: Duration::ZERO,
        }
    }

    #[test]
    fn fewer_steps_pass_and_another_target_or_a_higher_effect_stops() {
        let start = |node, effect| step(Action::StartNode(NodeId(node)), effect);
        let planned = [start(1, Effect::None), start(2, Effect::None)];
        assert!(check_planned(&planned, &[start(2, Effect::None)]).is_ok());
        assert!(check_planned(&planned, &[]).is_ok());
        let wait = step(Action::AwaitNodes(vec![NodeId(3)]), Effect::None);
        assert!(check_planned(&planned, &[wait]).is_ok());
        let other = check_planned(&planned, &[start(3, Effect::None)]).unwrap_err();
        assert!(other.to_string().contains("broker 3"), "{other}");
        assert!(check_planned(&planned, &[start(1, Effect::Restart)]).is_err());
    }
}

//! Checks of a finished plan by rules of their own. Shares no code with the steps, so that a mistake there
//! is not made here a second time. Runs in every test of the planner and before an engine begins.

use std::collections::BTreeSet;

use super::Plan;
use super::step::{Action, Effect, Step};
use crate::spec::ids::NodeId;

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// Orders do not rise 1, 2, 3 … without a gap.
    #[error("step {position} has order {order}, expected {expected} or {next}", next = .expected + 1)]
    Order {
        /// The step, from 0.
        position: usize,
        /// Its order.
        order: u32,
        /// The order of the step before.
        expected: u32,
    },
    /// The same action stands there twice.
    #[error("step {position} repeats an earlier one")]
    Repeated {
        /// The step, from 0.
        position: usize,
    },
    /// A step does not say why it is there.
    #[error("step {position} gives no reason")]
    NoReason {
        /// The step, from 0.
        position: usize,
    },
    /// Something that cannot be undone is not called so, or the other way round.
    #[error("step {position} has the wrong effect")]
    Effect {
        /// The step, from 0.
        position: usize,
    },
    /// A step needs another one in an earlier order.
    #[error("step {position} needs {needs} before it")]
    Before {
        /// The step, from 0.
        position: usize,
        /// What it needs.
        needs: &'static str,
    },
    /// A node is started and nobody waits for it.
    #[error("node {0} is started and not waited for")]
    NotAwaited(NodeId),
    /// A plan makes and removes at once.
    #[error("the plan both makes and removes")]
    MakesAndRemoves,
    /// Nothing may follow the end of the cluster.
    #[error("something follows the removal of the cluster")]
    AfterTheEnd,
    /// Facts are uncertain, and yet there are steps that cannot be undone.
    #[error("facts are uncertain, and the plan removes")]
    RemovesOnAGuess,
}

/// Every finding; none for a sound plan.
#[must_use]
pub fn lint(plan: &Plan) -> Vec<Finding> {
    let steps = &plan.steps;
    let mut findings = Vec::new();
    let mut last = 0;
    for (position, step) in steps.iter().enumerate() {
        if step.order != last && step.order != last + 1 || step.order == 0 {
            findings.push(Finding::Order {
                position,
                order: step.order,
                expected: last,
            });
        }
        last = step.order;
        if steps
            .iter()
            .take(position)
            .any(|other| other.action == step.action)
        {
            findings.push(Finding::Repeated { position });
        }
        if step.reason.trim().is_empty() {
            findings.push(Finding::NoReason { position });
        }
        if removes(&step.action) != (step.effect == Effect::Irreversible) {
            findings.push(Finding::Effect { position });
        }
        findings.extend(missing_before(steps, position, step));
    }
    findings.extend(unawaited(steps));
    let removals = steps.iter().filter(|step| removes(&step.action)).count();
    if removals > 0 && removals < steps.len() {
        findings.push(Finding::MakesAndRemoves);
    }
    let end = steps.iter().position(|step| step.action == Action::RemoveCluster);
    if end.is_some_and(|end| end + 1 != steps.len()) {
        findings.push(Finding::AfterTheEnd);
    }
    if removals > 0 && !plan.report.blocked.is_empty() {
        findings.push(Finding::RemovesOnAGuess);
    }
    findings
}

fn removes(action: &Action) -> bool {
    matches!(
        action,
        Action::WriteRemoval | Action::RemoveNode(_) | Action::RemoveCluster
    )
}

/// What must be done before a step, if the plan does it at all, or must be in the plan.
fn missing_before(steps: &[Step], position: usize, step: &Step) -> Vec<Finding> {
    let comes_late = |wanted: fn(&Action) -> bool| {
        steps
            .iter()
            .any(|other| wanted(&other.action) && other.order >= step.order)
    };
    let is_missing = |wanted: fn(&Action) -> bool| {
        !steps
            .iter()
            .any(|other| wanted(&other.action) && other.order < step.order)
    };
    let mut needs = Vec::new();
    match &step.action {
        Action::WriteDesired => {
            if comes_late(|action| matches!(action, Action::ClaimIdentity)) {
                needs.push("claim_identity");
            }
            if comes_late(|action| matches!(action, Action::MakePlaces)) {
                needs.push("make_places");
            }
        }
        Action::StartNode(_) => {
            if comes_late(|action| matches!(action, Action::MakePlaces)) {
                needs.push("make_places");
            }
            if comes_late(|action| matches!(action, Action::WriteDesired)) {
                needs.push("write_desired");
            }
            if is_missing(|action| matches!(action, Action::FetchKafka(_))) {
                needs.push("fetch_kafka");
            }
        }
        Action::RecordActive if is_missing(|action| matches!(action, Action::AwaitNodes(_))) => {
            needs.push("await_nodes");
        }
        Action::RemoveNode(_) if comes_late(|action| matches!(action, Action::WriteRemoval)) => {
            needs.push("write_removal");
        }
        Action::RemoveCluster if comes_late(|action| matches!(action, Action::RemoveNode(_))) => {
            needs.push("remove_node");
        }
        _ => {}
    }
    needs
        .into_iter()
        .map(|needs| Finding::Before { position, needs })
        .collect()
}

fn unawaited(steps: &[Step]) -> Vec<Finding> {
    let mut started: BTreeSet<NodeId> = BTreeSet::new();
    for step in steps {
        match &step.action {
            Action::StartNode(node) => {
                started.insert(*node);
            }
            Action::AwaitNodes(nodes) => {
                started.retain(|node| !nodes.contains(node));
            }
            _ => {}
        }
    }
    started.into_iter().map(Finding::NotAwaited).collect()
}

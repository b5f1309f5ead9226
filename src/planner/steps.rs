//! Gathers the steps of a plan, in their order.

use std::time::Duration;

use super::report::Report;
use super::step::{Action, Effect, Step};
use super::{FollowUp, Plan};

/// Gathers steps; each `next` begins the next order.
#[derive(Default)]
pub(super) struct Steps {
    steps: Vec<Step>,
    order: u32,
}

impl Steps {
    pub(super) fn next(&mut self) -> &mut Self {
        self.order += 1;
        self
    }

    pub(super) fn add(&mut self, action: Action, reason: impl Into<String>) -> &mut Self {
        let (effect, estimate) = judge(&action);
        self.steps.push(Step {
            order: self.order,
            action,
            reason: reason.into(),
            effect,
            estimate,
        });
        self
    }

    pub(super) fn into_plan(self, report: Report) -> Plan {
        Plan {
            steps: self.steps,
            report,
            follow_up: FollowUp::Nothing,
        }
    }
}

/// What an action means for users of the cluster, and how long it usually takes on one machine.
fn judge(action: &Action) -> (Effect, Duration) {
    let (effect, seconds) = match action {
        Action::FetchKafka(_) => (Effect::None, 10),
        Action::ClaimIdentity | Action::WriteDesired | Action::RecordActive | Action::StartNode(_) => {
            (Effect::None, 1)
        }
        Action::MakePlaces | Action::AlignObjects => (Effect::None, 20),
        Action::AlignNetwork => (Effect::None, 2),
        Action::ChangeVolume(_) => (Effect::None, 30),
        // Every replica of the broker is copied from others.
        Action::ReplaceVolume(_) => (Effect::MovesData, 60),
        Action::AwaitNodes(nodes) => (Effect::None, 10 + 2 * nodes.len()),
        Action::AwaitProperties => (Effect::None, 3),
        Action::WriteRemoval | Action::RemoveCluster => (Effect::Irreversible, 1),
        Action::RemoveNode(_) => (Effect::Irreversible, 3),
    };
    (
        effect,
        Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX)),
    )
}

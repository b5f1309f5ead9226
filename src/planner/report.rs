//! What users see of a plan: the rows of `planned_operations`, warnings, what is waited for.

use super::Plan;
use super::step::{Action, Effect};
use crate::spec::cluster::FIRST_CONTROLLER_ID;
use crate::spec::ids::NodeId;

/// What people should know of a plan besides its steps. Plain sentences.
#[must_use]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Why nothing was planned although something may be wrong: facts are uncertain or a person must act.
    pub blocked: Vec<String>,
    /// What is not as it should be and no step mends.
    pub warnings: Vec<String>,
    /// What was lost and is made anew only if the user says so.
    pub lost: Vec<String>,
    /// What goes on by itself and needs no step.
    pub waits: Vec<String>,
}

/// One row of `planned_operations`. Holds nothing that only apply decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedOperation {
    /// 1, 2, 3 …; rows with the same order run at the same time.
    pub order: u32,
    /// The operation's name.
    pub operation: &'static str,
    /// What it acts on: `broker 2`, `brokers 1, 2, 3`, `cluster`.
    pub target: String,
    /// Why.
    pub reason: String,
    /// `none`, `restart`, `moves_data` or `irreversible`.
    pub effect: &'static str,
    /// How long it usually takes.
    pub estimated_seconds: u64,
}

/// The rows of `planned_operations`, in the order of the steps.
pub fn planned_operations(plan: &Plan) -> Vec<PlannedOperation> {
    plan.steps
        .iter()
        .map(|step| PlannedOperation {
            order: step.order,
            operation: step.action.operation(),
            target: target(&step.action),
            reason: step.reason.clone(),
            effect: effect_name(step.effect),
            estimated_seconds: step.estimate.as_secs(),
        })
        .collect()
}

/// What an action acts on, for people and for the journal.
pub fn target(action: &Action) -> String {
    match action {
        Action::FetchKafka(version) => format!("Kafka {version}"),
        Action::StartNode(node)
        | Action::ChangeVolume(node)
        | Action::ReplaceVolume(node)
        | Action::RemoveNode(node) => node_name(*node),
        Action::AwaitNodes(nodes) => node_names(nodes),
        Action::ClaimIdentity
        | Action::MakePlaces
        | Action::AlignNetwork
        | Action::AlignObjects
        | Action::WriteDesired
        | Action::AwaitProperties
        | Action::RecordActive
        | Action::WriteRemoval
        | Action::RemoveCluster => "cluster".to_owned(),
    }
}

/// The word for an effect in `planned_operations`.
pub const fn effect_name(effect: Effect) -> &'static str {
    match effect {
        Effect::None => "none",
        Effect::Restart => "restart",
        Effect::MovesData => "moves_data",
        Effect::Irreversible => "irreversible",
    }
}

/// `broker 2` or `controller 10001`.
pub fn node_name(node: NodeId) -> String {
    if node.0 >= FIRST_CONTROLLER_ID {
        format!("controller {node}")
    } else {
        format!("broker {node}")
    }
}

/// `brokers 1, 2, 3`, `controllers 10001, 10002`, or both with `and`.
pub fn node_names(nodes: &[NodeId]) -> String {
    let (controllers, brokers): (Vec<NodeId>, Vec<NodeId>) =
        nodes.iter().partition(|node| node.0 >= FIRST_CONTROLLER_ID);
    let group = |word: &str, group: &[NodeId]| match group {
        [] => None,
        [one] => Some(format!("{word} {one}")),
        many => {
            let ids: Vec<String> = many.iter().map(ToString::to_string).collect();
            Some(format!("{word}s {}", ids.join(", ")))
        }
    };
    let groups: Vec<String> = [group("broker", &brokers), group("controller", &controllers)]
        .into_iter()
        .flatten()
        .collect();
    groups.join(" and ")
}

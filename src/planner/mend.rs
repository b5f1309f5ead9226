//! Nodes that are down or in trouble: who needs help, and which.

use std::time::Duration;

use super::report::{Report, node_name};
use super::step::Action;
use super::steps::Steps;
use crate::clock::Timestamp;
use crate::observed::cloud::ObservedMachine;
use crate::observed::{ObservedCluster, ObservedNode, Seen};
use crate::spec::ids::NodeId;
use crate::store::documents::{ClusterDesired, NodePhase, ProblemCode};

/// A living agent that has said nothing for so long is taken for hung. Longer than any pause of a busy
/// machine, so that a plan made right after an apply is empty.
const SILENCE: Duration = Duration::from_mins(1);

/// What one node needs.
enum Help {
    /// Nothing.
    None,
    /// It comes up by itself; wait for it.
    Wait(String),
    /// Start its agent, which starts Kafka if it is down, and wait.
    Start(String),
    /// No step can help; a person must.
    Person(String),
    /// It goes on by itself and serves meanwhile.
    Note(String),
}

/// Steps for nodes that need help, and words for those that no step can help. `placements`: nodes for which
/// something must keep an instance again.
pub(super) fn mend(
    steps: &mut Steps,
    report: &mut Report,
    (before, placements): (&ClusterDesired, Vec<(NodeId, String)>),
    seen: &ObservedCluster,
    now: Timestamp,
) {
    let mut start: Vec<(NodeId, String)> = placements;
    let mut wait: Vec<(NodeId, String)> = Vec::new();
    for node in &before.nodes {
        let Some(observed) = seen.nodes.get(&node.id) else {
            report
                .blocked
                .push(format!("Nothing is known of {}.", node_name(node.id)));
            continue;
        };
        if start.iter().any(|(started, _)| *started == node.id) {
            continue;
        }
        match help(observed, now) {
            Help::None => {}
            Help::Wait(reason) => wait.push((node.id, reason)),
            Help::Start(reason) => start.push((node.id, reason)),
            Help::Person(text) => report.warnings.push(format!("{}: {text}", node_name(node.id))),
            Help::Note(text) => report.waits.push(format!("{}: {text}", node_name(node.id))),
        }
    }
    if start.is_empty() && wait.is_empty() {
        return;
    }
    if !start.is_empty() {
        // The distribution may have been removed with the machine's temporary files; it costs nothing if
        // it is there.
        steps.next().add(
            Action::FetchKafka(before.kafka_version),
            "nodes that start need their version of Kafka",
        );
        steps.next();
        for (node, reason) in &start {
            steps.add(Action::StartNode(*node), reason.as_str());
        }
    }
    let reason = match wait.as_slice() {
        [] => "nodes that were started must be in sync".to_owned(),
        [(_, reason), ..] => reason.clone(),
    };
    let mut nodes: Vec<NodeId> = start.iter().chain(&wait).map(|(node, _)| *node).collect();
    nodes.sort_unstable();
    steps.next().add(Action::AwaitNodes(nodes), reason);
}

fn help(node: &ObservedNode, now: Timestamp) -> Help {
    if let Some(machine) = &node.machine {
        return help_machine(node, machine, now);
    }
    if matches!(node.disk, Seen::Absent) {
        return Help::Person(
            "its data directory is gone. It is not made anew, because an empty directory would look like a node \
             that lost nothing. Bring it back, or destroy the cluster."
                .to_owned(),
        );
    }
    match node.agent {
        Seen::Uncertain => return Help::Note("whether its agent runs is not known".to_owned()),
        Seen::Absent => return Help::Start("its agent does not run".to_owned()),
        Seen::Known(()) => {}
    }
    let Some(status) = &node.status else {
        return Help::Wait("its agent has not reported yet".to_owned());
    };
    if !node.status_is_fresh {
        let silence = now.since(status.written_at);
        return if silence >= SILENCE {
            Help::Start(format!("its agent has not reported for {} s", silence.as_secs()))
        } else {
            Help::Note(format!("its last report is {} s old", silence.as_secs()))
        };
    }
    match status.phase {
        NodePhase::InSync => Help::None,
        NodePhase::Running => Help::Note("its replicas catch up".to_owned()),
        NodePhase::Failed => failed(
            status
                .problem
                .as_ref()
                .map(|problem| (problem.code, &problem.text)),
        ),
        NodePhase::Stopped => Help::Start("Kafka is stopped".to_owned()),
        NodePhase::BackingOff => Help::Wait("Kafka ended and is started again by its agent".to_owned()),
        NodePhase::Preparing
        | NodePhase::Formatting
        | NodePhase::Starting
        | NodePhase::Recovering
        | NodePhase::Stopping => Help::Wait("Kafka is on its way up".to_owned()),
    }
}

/// On AWS systemd starts agents, and a group instances: what is down comes back by itself.
fn help_machine(node: &ObservedNode, machine: &ObservedMachine, now: Timestamp) -> Help {
    // A node without its volume can do nothing: see `account::needs`.
    if matches!(machine.volume, Seen::Absent) {
        return Help::None;
    }
    let instance = match &machine.placement {
        Seen::Known(placement) => placement.instance_id.as_deref(),
        Seen::Absent | Seen::Uncertain => {
            return Help::Note("whether it has an instance is not known".to_owned());
        }
    };
    let Some(instance) = instance else {
        return Help::Wait("its group starts another instance".to_owned());
    };
    let Some(status) = &node.status else {
        return Help::Wait(format!("the agent on {instance} has not reported yet"));
    };
    if status.incarnation.instance_id != instance {
        return Help::Wait(format!(
            "the agent on the new instance {instance} has not reported yet"
        ));
    }
    if !node.status_is_fresh {
        let silence = now.since(status.written_at).as_secs();
        return Help::Person(format!(
            "the agent on {instance} has not reported for {silence} s. Kafka may serve nevertheless. Look whether the \
             instance reaches S3; if its machine is ill, end the instance: its group, or the next apply, starts another one"
        ));
    }
    match status.phase {
        NodePhase::InSync => Help::None,
        NodePhase::Running => Help::Note("its replicas catch up".to_owned()),
        NodePhase::Stopped => Help::Person(format!(
            "Kafka on {instance} was stopped by hand; `msk-node start` starts it"
        )),
        NodePhase::Failed => Help::Person(status.problem.as_ref().map_or_else(
            || "its agent has given up and does not say why".to_owned(),
            |problem| problem.text.clone(),
        )),
        NodePhase::BackingOff => Help::Wait("Kafka ended and is started again by its agent".to_owned()),
        NodePhase::Preparing
        | NodePhase::Formatting
        | NodePhase::Starting
        | NodePhase::Recovering
        | NodePhase::Stopping => Help::Wait("Kafka is on its way up".to_owned()),
    }
}

fn failed(problem: Option<(ProblemCode, &String)>) -> Help {
    match problem {
        Some((
            ProblemCode::DataMissing
            | ProblemCode::DataForeign
            | ProblemCode::StoreRolledBack
            | ProblemCode::DocumentBroken,
            text,
        )) => Help::Person(text.clone()),
        Some((_, text)) => Help::Start(format!("it had given up: {text}")),
        None => Help::Start("it had given up".to_owned()),
    }
}

//! The plan of one cluster: create, carry on with a create, mend, change live, remove.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::document::{first_document, next_document, waiting_for_restart};
use super::report::{Report, node_name};
use super::step::{Action, Effect, Step};
use super::{FollowUp, Plan};
use crate::clock::Timestamp;
use crate::observed::{ObservedCluster, ObservedNode, Seen};
use crate::spec::cluster::ClusterSpec;
use crate::spec::ids::{Generation, NodeId};
use crate::store::documents::{ClusterDesired, ClusterIdentity, NodePhase, ProblemCode};

/// A living agent that has said nothing for so long is taken for hung. Longer than any pause of a busy
/// machine, so that a plan made right after an apply is empty.
const SILENCE: Duration = Duration::from_mins(1);

/// Makes the plan for one cluster.
///
/// `wanted` is `None` to remove it; `seen` is `None` if the store has no record of it. The same input
/// gives the same plan. Uncertain facts give no step; the report says so in `blocked`.
pub fn plan_cluster(wanted: Option<&ClusterSpec>, seen: Option<&ObservedCluster>, now: Timestamp) -> Plan {
    match (wanted, seen) {
        (None, None) => Plan::default(),
        (None, Some(seen)) => remove(seen),
        (Some(wanted), None) => create(wanted),
        (Some(wanted), Some(seen)) if !seen.was_active => carry_on(wanted, seen),
        (Some(wanted), Some(seen)) => keep(wanted, seen, now),
    }
}

/// Gathers steps; each `next` begins the next order.
#[derive(Default)]
struct Steps {
    steps: Vec<Step>,
    order: u32,
}

impl Steps {
    fn next(&mut self) -> &mut Self {
        self.order += 1;
        self
    }

    fn add(&mut self, action: Action, reason: impl Into<String>) -> &mut Self {
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

    fn into_plan(self, report: Report) -> Plan {
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

fn blocked(reason: impl Into<String>) -> Plan {
    Plan {
        report: Report {
            blocked: vec![reason.into()],
            ..Report::default()
        },
        ..Plan::default()
    }
}

fn create(wanted: &ClusterSpec) -> Plan {
    let mut steps = Steps::default();
    begin(&mut steps, wanted);
    steps
        .next()
        .add(Action::WriteDesired, "tells the nodes what they are");
    bring_up(&mut steps, &wanted.node_ids(), "the cluster is new");
    steps.into_plan(Report::default())
}

fn begin(steps: &mut Steps, wanted: &ClusterSpec) {
    steps
        .next()
        .add(
            Action::FetchKafka(wanted.kafka_version),
            "the nodes run this version",
        )
        .add(
            Action::ClaimIdentity,
            "draws the cluster's ids, ports and authorities",
        );
}

/// Starts all of a cluster's nodes at once and waits for the first time that all are in sync.
fn bring_up(steps: &mut Steps, nodes: &[NodeId], reason: &str) {
    steps.next();
    for node in nodes {
        steps.add(Action::StartNode(*node), reason);
    }
    steps
        .next()
        .add(
            Action::AwaitNodes(nodes.to_vec()),
            "all nodes serve before the cluster counts as made",
        )
        .next()
        .add(Action::RecordActive, "all nodes serve");
}

/// A create that was cut off, or failed: what is there is used if it is what is wanted now.
fn carry_on(wanted: &ClusterSpec, seen: &ObservedCluster) -> Plan {
    let identity = match &seen.identity {
        Seen::Known(identity) => Some(identity),
        Seen::Absent => None,
        Seen::Uncertain => {
            return blocked("The cluster's identity cannot be read; nothing is made on a guess.");
        }
    };
    let written = match &seen.desired {
        Seen::Known((_, written)) => Some(written),
        Seen::Absent => None,
        Seen::Uncertain => {
            return blocked("The cluster's desired document cannot be read; nothing is made on a guess.");
        }
    };
    if let (Some(identity), Some(written)) = (identity, written)
        && *written != first_document(wanted, identity)
    {
        return make_anew(seen);
    }
    if let (Some(identity), None) = (identity, written)
        && !fits(wanted, identity)
    {
        return make_anew(seen);
    }
    let mut steps = Steps::default();
    begin(&mut steps, wanted);
    if written.is_none() {
        steps
            .next()
            .add(Action::WriteDesired, "tells the nodes what they are");
    }
    bring_up(&mut steps, &wanted.node_ids(), "the cluster is not finished");
    steps.into_plan(Report::default())
}

/// Whether an identity was drawn for a cluster of this shape.
fn fits(wanted: &ClusterSpec, identity: &ClusterIdentity) -> bool {
    let zones: Vec<&String> = wanted.zones.iter().collect();
    let drawn_zones: Vec<&String> = identity.zones.iter().collect();
    let voters: Vec<NodeId> = identity.voter_directory_ids.keys().copied().collect();
    zones == drawn_zones && voters == wanted.controller_ids()
}

/// The quorum is fixed by the first format, so parts that were made for another cluster are removed.
fn make_anew(seen: &ObservedCluster) -> Plan {
    let mut plan = remove(seen);
    for step in &mut plan.steps {
        "it was made for another configuration by a create that did not finish".clone_into(&mut step.reason);
    }
    plan.follow_up = FollowUp::CreateAnew;
    plan
}

fn remove(seen: &ObservedCluster) -> Plan {
    if matches!(seen.desired, Seen::Uncertain) {
        return blocked(
            "The cluster's desired document cannot be read, so its nodes are not known; nothing is removed on a \
             guess.",
        );
    }
    let mut nodes: BTreeSet<NodeId> = seen.nodes.keys().copied().collect();
    let mut steps = Steps::default();
    if let Seen::Known((_, desired)) = &seen.desired {
        nodes.extend(desired.nodes.iter().map(|node| node.id));
        steps.next().add(
            Action::WriteRemoval,
            "tells the nodes that they go away with their data",
        );
    }
    if !nodes.is_empty() {
        steps.next();
        for node in nodes {
            steps.add(Action::RemoveNode(node), "the cluster is destroyed");
        }
    }
    steps
        .next()
        .add(Action::RemoveCluster, "nothing of the cluster is left to run");
    steps.into_plan(Report::default())
}

/// A cluster that was ACTIVE: live changes, then nodes that need help.
fn keep(wanted: &ClusterSpec, seen: &ObservedCluster, now: Timestamp) -> Plan {
    let Seen::Known(identity) = &seen.identity else {
        return blocked(unreadable("identity", matches!(seen.identity, Seen::Absent)));
    };
    let Seen::Known((generation, before)) = &seen.desired else {
        return blocked(unreadable(
            "desired document",
            matches!(seen.desired, Seen::Absent),
        ));
    };
    let mut steps = Steps::default();
    let mut report = Report::default();
    let properties = live_properties((wanted, identity), (*generation, before), seen);
    if let Properties::Write(reason) = &properties {
        steps.next().add(Action::WriteDesired, reason.as_str());
    }
    // Nodes that start do so with the new document, and only living ones can take properties.
    mend(&mut steps, &mut report, before, seen, now);
    match properties {
        Properties::Settled => {}
        Properties::Write(_) => {
            steps
                .next()
                .add(Action::AwaitProperties, "the agents set them without a restart");
        }
        Properties::Await(reason) => {
            steps.next().add(Action::AwaitProperties, reason);
        }
    }
    for waiting in waiting_for_restart(wanted, identity, before) {
        report.waits.push(format!(
            "`{waiting}` takes effect with a restart of the nodes, which is not in this version"
        ));
    }
    steps.into_plan(report)
}

fn unreadable(what: &str, is_absent: bool) -> String {
    if is_absent {
        format!(
            "The cluster's record is there but its {what} is missing from the control store. The nodes go on as \
             before and nothing is changed. Bring the file back from a backup of the store."
        )
    } else {
        format!("The cluster's {what} cannot be read; nothing is changed on a guess.")
    }
}

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

fn mend(
    steps: &mut Steps,
    report: &mut Report,
    before: &ClusterDesired,
    seen: &ObservedCluster,
    now: Timestamp,
) {
    let mut start: Vec<(NodeId, String)> = Vec::new();
    let mut wait: Vec<(NodeId, String)> = Vec::new();
    for node in &before.nodes {
        let Some(observed) = seen.nodes.get(&node.id) else {
            report
                .blocked
                .push(format!("Nothing is known of {}.", node_name(node.id)));
            continue;
        };
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

/// What the live properties need.
enum Properties {
    /// Nothing.
    Settled,
    /// The document must say other ones, for this reason; then the agents set them.
    Write(String),
    /// The document is right, and the agents are to set them, for this reason.
    Await(String),
}

fn live_properties(
    (wanted, identity): (&ClusterSpec, &ClusterIdentity),
    (generation, before): (Generation, &ClusterDesired),
    seen: &ObservedCluster,
) -> Properties {
    let next = next_document(wanted, identity, before);
    if next != *before {
        let names: Vec<&str> = next
            .live_properties
            .iter()
            .filter(|(name, value)| before.live_properties.get(*name) != Some(value))
            .map(|(name, _)| name.as_str())
            .collect();
        return Properties::Write(format!("changes live: {}", names.join(", ")));
    }
    let under_way = || Properties::Await("an earlier change of live properties is under way".to_owned());
    let status = match &seen.properties {
        Seen::Known(status) => status,
        // Every node was started with the first document's, so only a later one waits for agents.
        Seen::Absent if generation > Generation(1) => return under_way(),
        Seen::Absent | Seen::Uncertain => return Properties::Settled,
    };
    if status.applied < generation && !is_applied_in_effect(before, &status.dynamic) {
        return under_way();
    }
    let drifted: Vec<&str> = before
        .live_properties
        .iter()
        .filter(|(name, value)| status.dynamic.get(*name).is_some_and(|seen| seen != *value))
        .map(|(name, _)| name.as_str())
        .collect();
    if drifted.is_empty() {
        Properties::Settled
    } else {
        Properties::Await(format!("changed outside: {}", drifted.join(", ")))
    }
}

/// Whether every live property is already the dynamic cluster default.
fn is_applied_in_effect(desired: &ClusterDesired, dynamic: &BTreeMap<String, String>) -> bool {
    desired
        .live_properties
        .iter()
        .all(|(name, value)| dynamic.get(name) == Some(value))
}

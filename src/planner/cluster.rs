//! The plan of one cluster: create, carry on with a create, mend, change live, remove.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;

use super::account;
use super::document::{Drawn, first_document, next_document, waiting_for_restart};
use super::mend::mend;
use super::report::Report;
use super::step::Action;
use super::steps::Steps;
use super::{FollowUp, Plan};
use crate::clock::Timestamp;
use crate::observed::{ObservedCluster, Seen};
use crate::spec::cluster::ClusterSpec;
use crate::spec::ids::{Generation, NodeId};
use crate::store::documents::{ClusterDesired, ClusterIdentity, ClusterPlaces, PlacedNode};

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
    make_places(&mut steps, wanted);
    steps
        .next()
        .add(Action::WriteDesired, "tells the nodes what they are");
    bring_up(&mut steps, wanted, "the cluster is new");
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

/// On AWS addresses are made, not chosen: the document waits for them.
fn make_places(steps: &mut Steps, wanted: &ClusterSpec) {
    if wanted.aws.is_some() {
        let reason = "security group, network interfaces and volumes outlive every instance";
        steps.next().add(Action::MakePlaces, reason);
    }
}

/// Starts all of a cluster's nodes at once and waits for the first time that all are in sync.
fn bring_up(steps: &mut Steps, wanted: &ClusterSpec, reason: &str) {
    let nodes = wanted.node_ids();
    if wanted.aws.is_some() {
        let reason = "nodes reach each other, and clients the open listeners";
        steps.next().add(Action::AlignNetwork, reason);
    }
    steps.next();
    for node in &nodes {
        steps.add(Action::StartNode(*node), reason);
    }
    steps
        .next()
        .add(
            Action::AwaitNodes(nodes),
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
    let drawn = Drawn::seen(wanted, seen);
    if let Some(written) = written
        && drawn.is_none_or(|drawn| *written != first_document(wanted, drawn))
    {
        return make_anew(seen);
    }
    if let (Some(identity), None) = (identity, written)
        && !(fits(wanted, identity) && places_fit(wanted, identity, &seen.places))
    {
        return make_anew(seen);
    }
    let mut steps = Steps::default();
    begin(&mut steps, wanted);
    make_places(&mut steps, wanted);
    if written.is_none() {
        steps
            .next()
            .add(Action::WriteDesired, "tells the nodes what they are");
    }
    // What was made before the cut may be out of date by now.
    if let Seen::Known(places) = &seen.places
        && let Some(reason) = account::outdated(wanted, places)
    {
        steps.next().add(Action::AlignObjects, reason);
    }
    bring_up(&mut steps, wanted, "the cluster is not finished");
    steps.into_plan(Report::default())
}

/// Whether an identity was drawn for a cluster of this shape.
fn fits(wanted: &ClusterSpec, identity: &ClusterIdentity) -> bool {
    let zones: Vec<&String> = wanted.zones.iter().collect();
    let drawn_zones: Vec<&String> = identity.zones.iter().collect();
    let voters: Vec<NodeId> = identity.voter_directory_ids.keys().copied().collect();
    zones == drawn_zones && voters == wanted.controller_ids()
}

/// Whether what a cut create was given fits: interfaces and volumes never leave their zone.
fn places_fit(wanted: &ClusterSpec, identity: &ClusterIdentity, places: &Seen<ClusterPlaces>) -> bool {
    let Seen::Known(places) = places else { return true };
    let stands = |(node, placed): (&NodeId, &PlacedNode)| {
        wanted.zone_of(*node, &identity.zones) == Some(placed.subnet_id.as_str())
    };
    let nodes = wanted.node_ids();
    places.nodes.iter().all(stands) && places.nodes.keys().all(|node| nodes.contains(node))
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
    if matches!(seen.places, Seen::Uncertain) {
        return blocked(
            "What the account gave the cluster cannot be read, so its objects are not known; nothing is removed on a \
             guess.",
        );
    }
    let mut nodes: BTreeSet<NodeId> = seen.nodes.keys().copied().collect();
    if let Seen::Known(places) = &seen.places {
        nodes.extend(places.nodes.keys());
    }
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
    if seen.identity.known().is_none() {
        return blocked(unreadable("identity", matches!(seen.identity, Seen::Absent)));
    }
    let Seen::Known((generation, before)) = &seen.desired else {
        return blocked(unreadable(
            "desired document",
            matches!(seen.desired, Seen::Absent),
        ));
    };
    let Some(drawn) = Drawn::seen(wanted, seen) else {
        return blocked(unreadable("places", matches!(seen.places, Seen::Absent)));
    };
    let mut steps = Steps::default();
    let mut report = Report::default();
    let mut needs = account::needs(wanted, before, seen);
    report.lost = take(&mut needs.lost);
    report.warnings = take(&mut needs.warnings);
    if let Some(reason) = take(&mut needs.places) {
        steps.next().add(Action::MakePlaces, reason);
    }
    if let Some(reason) = take(&mut needs.network) {
        steps.next().add(Action::AlignNetwork, reason);
    }
    if !needs.volumes.is_empty() {
        steps.next();
        for (node, reason) in take(&mut needs.volumes) {
            steps.add(Action::ChangeVolume(node), reason);
        }
    }
    let has_replaced = !needs.replaced.is_empty();
    if has_replaced {
        steps.next();
        for (node, reason) in take(&mut needs.replaced) {
            steps.add(Action::ReplaceVolume(node), reason.as_str());
            needs.place(node, reason);
        }
    }
    if let Some(reason) = take(&mut needs.objects) {
        steps.next().add(Action::AlignObjects, reason);
    }
    let mut properties = live_properties((wanted, drawn), (*generation, before), seen);
    if has_replaced && !matches!(properties, Properties::Write(_)) {
        properties = Properties::Write("the new volumes are known after they are made".to_owned());
    }
    if let Properties::Write(reason) = &properties {
        steps.next().add(Action::WriteDesired, reason.as_str());
    }
    // Nodes that start do so with the new document, and only living ones can take properties.
    mend(&mut steps, &mut report, (before, needs.placements), seen, now);
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
    for waiting in waiting_for_restart(wanted, drawn, before) {
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
    (wanted, drawn): (&ClusterSpec, Drawn<'_>),
    (generation, before): (Generation, &ClusterDesired),
    seen: &ObservedCluster,
) -> Properties {
    let next = next_document(wanted, drawn, before);
    if next.nodes != before.nodes && next.live_properties == before.live_properties {
        return Properties::Write("volumes or network interfaces were made anew".to_owned());
    }
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

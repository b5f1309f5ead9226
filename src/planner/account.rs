//! What of a cluster in an AWS account is not as it should be: firewall, interfaces, volumes, groups.

use std::collections::BTreeSet;

use super::document::listeners;
use super::firewall::{OpenPorts, Rule, changes, wanted as wanted_rules};
use crate::observed::cloud::{ObservedMachine, VolumeShape};
use crate::observed::{ObservedCluster, Seen};
use crate::spec::cluster::{ClusterSpec, FIRST_CONTROLLER_ID, SelfHealing};
use crate::spec::ids::{ClusterName, NodeId};
use crate::store::documents::{ClusterDesired, ClusterPlaces, ListenerName};
use crate::version;

/// GiB of a dedicated controller's volume: metadata, its snapshots and logs.
const CONTROLLER_VOLUME: u32 = 20;
/// What every gp3 volume has at no further cost (reference: EBS types).
const GP3_IOPS: u32 = 3_000;
const GP3_THROUGHPUT: u32 = 125;

/// What the volume of a node should be.
pub fn volume_shape(wanted: &ClusterSpec, node: NodeId) -> VolumeShape {
    let size = &wanted.size;
    if node.0 >= FIRST_CONTROLLER_ID {
        return VolumeShape {
            size: CONTROLLER_VOLUME.min(size.volume_size),
            kind: "gp3".to_owned(),
            iops: Some(GP3_IOPS),
            throughput: Some(GP3_THROUGHPUT),
        };
    }
    let is_gp3 = size.volume_type == "gp3";
    VolumeShape {
        size: size.volume_size,
        kind: size.volume_type.clone(),
        iops: size.volume_iops.or(Some(GP3_IOPS)),
        throughput: size.volume_throughput.or(is_gp3.then_some(GP3_THROUGHPUT)),
    }
}

/// The name of a node in a private zone. A cluster's name may have capital letters, which names of hosts pass over.
pub fn host_name(node: NodeId, cluster: &ClusterName, domain: &str) -> String {
    let kind = if node.0 >= FIRST_CONTROLLER_ID { "c" } else { "b" };
    format!("{kind}-{node}.{cluster}.{domain}").to_ascii_lowercase()
}

/// The ports that a new cluster's nodes open.
pub fn open_ports(wanted: &ClusterSpec) -> OpenPorts {
    let ports: Vec<(ListenerName, u16)> = listeners(wanted)
        .into_iter()
        .map(|listener| (listener.name, 9090 + listener.name.port_offset()))
        .collect();
    OpenPorts::new(ports.iter().map(|(name, port)| (name, port)), [])
}

/// The inbound rules that the cluster's own security group should have.
pub fn rules(wanted: &ClusterSpec, desired: &ClusterDesired) -> BTreeSet<Rule> {
    let listeners = desired.nodes.iter().flat_map(|node| &node.ports);
    // The exporters are not in this version: no port of theirs is open.
    let open = OpenPorts::new(listeners, []);
    wanted_rules(&open, &wanted.client_sources, &wanted.monitoring_sources)
}

/// The security groups that every node's interface should have.
pub fn interface_groups(wanted: &ClusterSpec, security_group_id: &str) -> BTreeSet<String> {
    let mut groups = wanted.security_group_ids.clone();
    groups.insert(security_group_id.to_owned());
    groups
}

/// What a cluster's objects need, with the reasons.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Something that outlives instances is gone and can be made anew without loss.
    pub(super) places: Option<String>,
    /// Rules or groups differ.
    pub(super) network: Option<String>,
    /// Tags, or what the next instances start with, are out of date.
    pub(super) objects: Option<String>,
    /// Volumes that are not what is wanted.
    pub(super) volumes: Vec<(NodeId, String)>,
    /// Nodes for which something must keep an instance again.
    pub(super) placements: Vec<(NodeId, String)>,
    /// Nodes whose volume is gone and is made anew, because the user says so.
    pub(super) replaced: Vec<(NodeId, String)>,
    /// What was lost and is not made anew, in words for people.
    pub(super) lost: Vec<String>,
    /// What the user says of volumes that are there.
    pub(super) warnings: Vec<String>,
}

impl Needs {
    /// Something must keep an instance for the node; the first reason counts.
    pub(super) fn place(&mut self, node: NodeId, reason: impl Into<String>) {
        if self.placements.iter().all(|(known, _)| *known != node) {
            self.placements.push((node, reason.into()));
        }
    }
}

/// Compares what was seen with what is wanted. Uncertain facts need nothing.
pub(super) fn needs(wanted: &ClusterSpec, desired: &ClusterDesired, seen: &ObservedCluster) -> Needs {
    let mut needs = Needs::default();
    let Seen::Known(places) = &seen.places else {
        return needs;
    };
    let groups = places
        .security_group_id
        .as_ref()
        .map(|id| interface_groups(wanted, id))
        .unwrap_or_default();
    match &seen.security_group {
        Seen::Known(found) => {
            let changes = changes(&rules(wanted, desired), &found.rules);
            if !changes.add.is_empty() || !changes.remove.is_empty() {
                let (add, remove) = (changes.add.len(), changes.remove.len());
                needs.network = Some(format!("{add} inbound rules to add, {remove} to take away"));
            }
        }
        Seen::Absent => needs.places = Some("the cluster's security group is gone".to_owned()),
        Seen::Uncertain => {}
    }
    needs.objects = outdated(wanted, places);
    if let Some(aws) = &wanted.aws
        && aws.keeps_snapshots != places.keeps_snapshots
    {
        let kept = if aws.keeps_snapshots { "a" } else { "no" };
        let reason = format!("a destroy will keep {kept} last snapshot of each volume");
        needs.places.get_or_insert(reason);
    }
    for (node, observed) in &seen.nodes {
        if let Some(machine) = &observed.machine {
            machine_needs(&mut needs, (wanted, places, &groups), *node, machine);
        }
    }
    needs
}

/// Why tags and launch templates are to be written anew, if they are.
pub(super) fn outdated(wanted: &ClusterSpec, places: &ClusterPlaces) -> Option<String> {
    let aws = wanted.aws.as_ref()?;
    let mut reasons = Vec::new();
    let keys: BTreeSet<&String> = aws.all_tags.keys().chain(places.tags.keys()).collect();
    let changed: Vec<String> = keys
        .into_iter()
        .filter(|key| aws.all_tags.get(*key) != places.tags.get(*key))
        .map(|key| format!("`{key}`"))
        .collect();
    if !changed.is_empty() {
        reasons.push(format!("other tags: {}", changed.join(", ")));
    }
    if version::is_newer_than(&places.version) {
        reasons.push(format!(
            "agents and the next instances get what version {} brings; none is replaced",
            version::VERSION
        ));
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

fn machine_needs(
    needs: &mut Needs,
    (wanted, places, groups): (&ClusterSpec, &ClusterPlaces, &BTreeSet<String>),
    node: NodeId,
    machine: &ObservedMachine,
) {
    if !places.nodes.contains_key(&node) {
        return;
    }
    let name = super::report::node_name(node);
    match &machine.interface {
        Seen::Absent => {
            needs
                .places
                .get_or_insert_with(|| format!("the network interface of {name} is gone"));
            needs.place(node, "its next instance must have the new network interface");
        }
        Seen::Known(on_it) if on_it != groups => {
            needs.network.get_or_insert_with(|| {
                format!("the security groups of {name} are not those that are wanted")
            });
        }
        Seen::Known(_) | Seen::Uncertain => {}
    }
    if machine.name == Seen::Known(false) {
        needs
            .places
            .get_or_insert_with(|| format!("the name of {name} does not lead to its address"));
    }
    let is_named = wanted
        .aws
        .as_ref()
        .is_some_and(|aws| aws.replace_volumes.contains(&node));
    match &machine.volume {
        Seen::Known(volume) => {
            let shape = volume_shape(wanted, node);
            if let Some(change) = volume_change(&volume.shape, &shape) {
                needs.volumes.push((node, change));
            }
            if is_named {
                needs.warnings.push(format!(
                    "{name}: its volume is there, and nothing is replaced. Take {node} out of `replace_volumes`, so that \
                     a later loss is not passed over."
                ));
            }
        }
        Seen::Absent if is_named && !wanted.controller_ids().contains(&node) => {
            let reason = "its volume is gone; it gets an empty one, and its data from other brokers";
            needs.replaced.push((node, reason.to_owned()));
            return;
        }
        Seen::Absent => {
            needs.lost.push(lost(wanted, node));
            return;
        }
        Seen::Uncertain => {}
    }
    match &machine.placement {
        Seen::Absent => {
            let missing = match places.self_healing {
                SelfHealing::Always => "it has no Auto Scaling group",
                SelfHealing::Apply => "it has no instance",
            };
            needs.place(node, missing);
        }
        Seen::Known(placement) if !placement.drift.is_empty() => {
            needs.place(node, placement.drift.join(", "));
        }
        Seen::Known(_) | Seen::Uncertain => {}
    }
}

/// A volume that is gone: an empty one would look like a node that lost nothing, so it takes the user's word.
fn lost(wanted: &ClusterSpec, node: NodeId) -> String {
    let name = super::report::node_name(node);
    if wanted.controller_ids().contains(&node) {
        return format!(
            "The volume of {name} is gone, and with it a copy of the cluster's metadata. Controllers cannot be given \
             an empty volume in this version. The cluster goes on while a majority of its controllers does; make a \
             new cluster beside it and move its clients. With `deletion_protection = false` this is a warning."
        );
    }
    format!(
        "The volume of {name} is gone, and its data with it. Partitions that have replicas on other brokers go on \
         there; what was on this broker alone is lost. `replace_volumes = [{node}]` makes an empty volume, which \
         is filled from the other replicas. With `deletion_protection = false` this is a warning, so that the cluster \
         can be destroyed."
    )
}

/// What of a volume changes, in words; `None`: nothing that can.
fn volume_change(is: &VolumeShape, wanted: &VolumeShape) -> Option<String> {
    let mut words = Vec::new();
    // Grown by hand: it stays, since volumes never shrink.
    if wanted.size > is.size {
        words.push(format!("size from {} to {} GiB", is.size, wanted.size));
    }
    if wanted.kind != is.kind {
        words.push(format!("type from {} to {}", is.kind, wanted.kind));
    }
    let mut number = |name: &str, is: Option<u32>, wanted: Option<u32>, unit: &str| {
        if let Some(wanted) = wanted
            && is != Some(wanted)
        {
            let from = is.map_or_else(String::new, |is| format!(" from {is}"));
            words.push(format!("{name}{from} to {wanted}{unit}"));
        }
    };
    number("operations per second", is.iops, wanted.iops, "");
    number("throughput", is.throughput, wanted.throughput, " MiB/s");
    (!words.is_empty()).then(|| words.join(", "))
}

//! A cluster in an AWS account: what its steps do, what is mended, what is left to a person.

use std::collections::{BTreeMap, BTreeSet};

use super::model::World;
use super::world::spec;
use crate::observed::cloud::{ObservedMachine, ObservedPlacement, ObservedSecurityGroup, ObservedVolume};
use crate::observed::{ObservedCluster, ObservedNode, Seen};
use crate::planner::account::{interface_groups, rules, volume_shape};
use crate::planner::lint::lint;
use crate::planner::step::{Action, Effect};
use crate::spec::cluster::{AwsSpec, ClusterSpec, FIRST_CONTROLLER_ID, SelfHealing, SizeSpec};
use crate::spec::firewall::{Rule, Source};
use crate::spec::ids::NodeId;
use crate::store::documents::{ClusterPlaces, PlacedInterface, PlacedNode};
use crate::version::VERSION;

const GROUP: &str = "sg-cluster";

/// Three zones, a broker in each, three controllers beside them.
fn in_account() -> ClusterSpec {
    ClusterSpec {
        dedicated_controllers: true,
        size: SizeSpec {
            instance_type: "m5.large".to_owned(),
            controller_instance_type: Some("t3.small".to_owned()),
            volume_size: 100,
            volume_type: "gp3".to_owned(),
            ..SizeSpec::default()
        },
        aws: Some(AwsSpec::default()),
        ..spec(3, 1)
    }
}

fn placed(wanted: &ClusterSpec, node: NodeId, life: u32) -> PlacedNode {
    let zones: Vec<String> = wanted.zones.iter().cloned().collect();
    let zone = wanted.zone_of(node, &zones).unwrap().to_owned();
    PlacedNode {
        subnet_id: zone.clone(),
        zone_id: format!("{zone}-id"),
        zone,
        architecture: "x86_64".to_owned(),
        memory: 8 << 10,
        interface: Some(PlacedInterface {
            id: format!("eni-{node}-{life}"),
            address: format!("10.0.0.{}", node.0 % 200),
            host: format!("ip-{node}.internal"),
        }),
        interface_life: life,
        volume_id: Some(format!("vol-{node}")),
        volume_life: 0,
    }
}

/// What the engine makes; an interface that is gone comes back with its address.
pub(super) fn make_places(seen: &mut ObservedCluster, wanted: &ClusterSpec) {
    let life = u32::from(seen.places.known().is_some());
    let nodes = wanted
        .node_ids()
        .into_iter()
        .map(|node| (node, placed(wanted, node, life)));
    seen.places = Seen::Known(ClusterPlaces {
        account: "123456789012".to_owned(),
        region: "eu-central-1".to_owned(),
        vpc_id: "vpc-1".to_owned(),
        security_group_id: Some(GROUP.to_owned()),
        images: BTreeMap::new(),
        nodes: nodes.collect(),
        tags: seen.places.known().map_or_else(
            || wanted.aws.as_ref().unwrap().all_tags.clone(),
            |places| places.tags.clone(),
        ),
        version: seen
            .places
            .known()
            .map_or_else(|| VERSION.to_owned(), |places| places.version.clone()),
        private_zone: None,
        keeps_snapshots: wanted.aws.as_ref().unwrap().keeps_snapshots,
        self_healing: SelfHealing::Always,
    });
    if seen.security_group == Seen::Absent {
        seen.security_group = Seen::Known(ObservedSecurityGroup {
            rules: BTreeMap::new(),
        });
    }
    for node in seen.nodes.values_mut() {
        if let Some(machine) = &mut node.machine
            && machine.interface == Seen::Absent
        {
            machine.interface = Seen::Known(interface_groups(wanted, GROUP));
        }
        if let Some(machine) = &mut node.machine
            && machine.name == Seen::Known(false)
        {
            machine.name = Seen::Known(true);
        }
    }
}

/// Tags are written anew, and the next instances start with what this version brings.
pub(super) fn align_objects(seen: &mut ObservedCluster, wanted: &ClusterSpec) {
    let Seen::Known(places) = &mut seen.places else {
        panic!("no places")
    };
    places.tags.clone_from(&wanted.aws.as_ref().unwrap().all_tags);
    VERSION.clone_into(&mut places.version);
}

/// The instance ends, and a volume with another id takes the place of the one that is gone.
pub(super) fn replace_volume(seen: &mut ObservedCluster, wanted: &ClusterSpec, node: NodeId) {
    let Seen::Known(places) = &mut seen.places else {
        panic!("no places")
    };
    let placed = places.nodes.get_mut(&node).unwrap();
    placed.volume_life += 1;
    placed.volume_id = Some(format!("vol-{node}-{}", placed.volume_life));
    let there = seen.nodes.get_mut(&node).unwrap();
    there.machine = machine(wanted, node);
    there.machine.as_mut().unwrap().placement = Seen::Known(ObservedPlacement {
        drift: vec!["its size is 0".to_owned()],
        instance_id: None,
    });
    there.status = None;
}

pub(super) fn align_network(seen: &mut ObservedCluster, wanted: &ClusterSpec) {
    let (_, desired) = seen.desired.known().unwrap();
    let rules = rules(wanted, desired).into_iter().enumerate();
    seen.security_group = Seen::Known(ObservedSecurityGroup {
        rules: rules
            .map(|(number, rule)| (format!("sgr-{number}"), rule))
            .collect(),
    });
    for node in seen.nodes.values_mut() {
        let machine = node.machine.as_mut().unwrap();
        machine.interface = Seen::Known(interface_groups(wanted, GROUP));
    }
}

/// A machine as its steps leave it.
pub(super) fn machine(wanted: &ClusterSpec, node: NodeId) -> Option<ObservedMachine> {
    wanted.aws.as_ref()?;
    Some(ObservedMachine {
        interface: Seen::Known(interface_groups(wanted, GROUP)),
        name: Seen::Absent,
        volume: Seen::Known(ObservedVolume {
            shape: volume_shape(wanted, node),
            changing: None,
        }),
        placement: Seen::Known(ObservedPlacement {
            drift: Vec::new(),
            instance_id: Some(instance(node)),
        }),
    })
}

pub(super) fn instance(node: NodeId) -> String {
    format!("i-{node}")
}

/// A cluster that serves, its firewall as wanted.
fn serving(wanted: &ClusterSpec) -> World {
    let mut world = World::empty();
    assert!(world.apply(Some(wanted), usize::MAX));
    world
}

fn on(world: &mut World, node: u32) -> (&mut ObservedNode, NodeId) {
    (world.node(NodeId(node)), NodeId(node))
}

fn operations(world: &World, wanted: &ClusterSpec) -> Vec<&'static str> {
    let plan = world.plan(Some(wanted));
    assert_eq!(lint(&plan), []);
    assert!(plan.steps.iter().all(|step| step.effect == Effect::None));
    plan.steps.iter().map(|step| step.action.operation()).collect()
}

#[test]
fn a_create_makes_places_before_the_document_and_a_second_plan_is_empty() {
    let wanted = in_account();
    let plan = World::empty().plan(Some(&wanted));
    assert_eq!(lint(&plan), []);
    let names: Vec<&str> = plan.steps.iter().map(|step| step.action.operation()).collect();
    let mut expected = vec![
        "fetch_kafka",
        "claim_identity",
        "make_places",
        "write_desired",
        "align_network",
    ];
    expected.extend(["start_node"; 6]);
    expected.extend(["await_nodes", "record_active"]);
    assert_eq!(names, expected);
    let world = serving(&wanted);
    assert!(world.plan(Some(&wanted)).is_empty());
    let (_, desired) = world.seen.as_ref().unwrap().desired.known().unwrap();
    let first = &desired.nodes[0];
    assert_eq!(first.zone, "zone-a-id");
    assert_eq!(first.heap, "4096m");
    assert_eq!(first.certificate_names, ["ip-1.internal", "10.0.0.1"]);
    assert_eq!(first.machine.as_ref().unwrap().volume_id, "vol-1");
    assert_eq!(desired.initial_voters.len(), 3);
}

#[test]
fn what_others_changed_in_the_account_is_mended_and_what_cannot_be_is_said() {
    let wanted = in_account();
    let mut world = serving(&wanted);
    let seen = world.seen.as_mut().unwrap();
    let Seen::Known(group) = &mut seen.security_group else {
        panic!("no group")
    };
    group.rules.pop_first();
    assert_eq!(operations(&world, &wanted), ["align_network"]);
    assert!(world.apply(Some(&wanted), usize::MAX));

    on(&mut world, 2).0.machine.as_mut().unwrap().interface =
        Seen::Known(BTreeSet::from(["sg-x".to_owned()]));
    assert_eq!(operations(&world, &wanted), ["align_network"]);
    assert!(world.apply(Some(&wanted), usize::MAX));

    on(&mut world, 2).0.machine.as_mut().unwrap().interface = Seen::Absent;
    assert_eq!(
        operations(&world, &wanted),
        ["make_places", "fetch_kafka", "start_node", "await_nodes"]
    );
    assert!(world.apply(Some(&wanted), usize::MAX));

    on(&mut world, 2).0.machine.as_mut().unwrap().name = Seen::Known(false);
    assert_eq!(operations(&world, &wanted), ["make_places"]);
    assert!(world.apply(Some(&wanted), usize::MAX));

    // Both are gone: the node starts once.
    let machine = on(&mut world, 2).0.machine.as_mut().unwrap();
    (machine.interface, machine.placement) = (Seen::Absent, Seen::Absent);
    assert_eq!(
        operations(&world, &wanted),
        ["make_places", "fetch_kafka", "start_node", "await_nodes"]
    );
    assert!(world.apply(Some(&wanted), usize::MAX));

    on(&mut world, 2).0.machine.as_mut().unwrap().placement = Seen::Known(ObservedPlacement {
        drift: vec!["its size is 0".to_owned()],
        instance_id: None,
    });
    assert_eq!(
        operations(&world, &wanted),
        ["fetch_kafka", "start_node", "await_nodes"]
    );
    assert!(world.apply(Some(&wanted), usize::MAX));

    // The group as it should be, and no instance: it starts one by itself.
    on(&mut world, 2).0.machine.as_mut().unwrap().placement = Seen::Known(ObservedPlacement {
        drift: Vec::new(),
        instance_id: None,
    });
    assert_eq!(operations(&world, &wanted), ["await_nodes"]);
}

#[test]
fn a_volume_that_is_gone_is_replaced_only_by_the_users_word_and_never_a_controllers() {
    let mut wanted = in_account();
    let mut world = serving(&wanted);
    on(&mut world, 2).0.machine.as_mut().unwrap().volume = Seen::Absent;
    let plan = world.plan(Some(&wanted));
    assert!(plan.is_empty());
    assert!(
        plan.report.lost[0].contains("`replace_volumes = [2]`"),
        "{plan:?}"
    );

    wanted.aws.as_mut().unwrap().replace_volumes = [NodeId(2), NodeId(3)].into();
    let plan = world.plan(Some(&wanted));
    assert_eq!(lint(&plan), []);
    let names: Vec<&str> = plan.steps.iter().map(|step| step.action.operation()).collect();
    assert_eq!(
        names,
        [
            "replace_volume",
            "write_desired",
            "fetch_kafka",
            "start_node",
            "await_nodes",
            "await_properties"
        ]
    );
    assert_eq!(plan.steps[0].effect, Effect::MovesData);
    assert_eq!(plan.report.lost, [""; 0]);
    // The volume of broker 3 is there.
    assert!(plan.report.warnings[0].contains("broker 3"), "{plan:?}");
    assert!(world.apply(Some(&wanted), usize::MAX));
    let (_, desired) = world.seen.as_ref().unwrap().desired.known().unwrap();
    assert_eq!(desired.nodes[1].machine.as_ref().unwrap().volume_id, "vol-2-1");
    assert!(waiting(&world, &wanted).is_empty());

    let controller = FIRST_CONTROLLER_ID + 1;
    wanted.aws.as_mut().unwrap().replace_volumes = [NodeId(controller)].into();
    on(&mut world, controller).0.machine.as_mut().unwrap().volume = Seen::Absent;
    let plan = world.plan(Some(&wanted));
    assert!(plan.is_empty());
    assert!(
        plan.report.lost[0].contains("Controllers cannot be given"),
        "{plan:?}"
    );
}

#[test]
fn whether_a_destroy_keeps_snapshots_is_written_down_when_it_changes() {
    let mut wanted = in_account();
    let mut world = serving(&wanted);
    wanted.aws.as_mut().unwrap().keeps_snapshots = false;
    assert_eq!(operations(&world, &wanted), ["make_places"]);
    assert!(world.apply(Some(&wanted), usize::MAX));
    wanted.aws.as_mut().unwrap().keeps_snapshots = true;
    assert_eq!(operations(&world, &wanted), ["make_places"]);
}

#[test]
fn tags_and_what_instances_start_with_are_brought_up_to_date_without_a_restart() {
    let mut wanted = in_account();
    let mut world = serving(&wanted);
    let tags = [("team".to_owned(), "data".to_owned())];
    wanted.aws.as_mut().unwrap().all_tags = tags.into();
    assert_eq!(operations(&world, &wanted), ["align_objects"]);
    let reason = &world.plan(Some(&wanted)).steps[0].reason;
    assert_eq!(reason, "other tags: `team`");
    assert!(world.apply(Some(&wanted), usize::MAX));
    assert!(world.plan(Some(&wanted)).is_empty());

    let version_of = |world: &mut World, version: &str| {
        let Seen::Known(places) = &mut world.seen.as_mut().unwrap().places else {
            panic!("no places")
        };
        version.clone_into(&mut places.version);
    };
    version_of(&mut world, "0.0.1");
    assert_eq!(operations(&world, &wanted), ["align_objects"]);
    // An older provider takes nothing back.
    version_of(&mut world, "1000.0.0");
    assert!(world.plan(Some(&wanted)).is_empty());
}

#[test]
fn a_create_that_goes_on_with_other_tags_writes_them_on_what_was_made_before() {
    let mut wanted = in_account();
    let mut world = World::empty();
    assert!(!world.apply(Some(&wanted), 5));
    let tags = [("team".to_owned(), "data".to_owned())];
    wanted.aws.as_mut().unwrap().all_tags = tags.into();
    assert!(operations(&world, &wanted).contains(&"align_objects"));
    assert!(world.apply(Some(&wanted), usize::MAX));
    assert!(world.plan(Some(&wanted)).is_empty());
}

/// What waits for a restart.
fn waiting(world: &World, wanted: &ClusterSpec) -> Vec<String> {
    world.plan(Some(wanted)).report.waits
}

#[test]
fn sources_and_volumes_change_without_a_restart_and_volumes_never_shrink() {
    let mut wanted = in_account();
    let mut world = serving(&wanted);
    wanted
        .client_sources
        .security_group_ids
        .insert("sg-apps".to_owned());
    assert_eq!(operations(&world, &wanted), ["align_network"]);
    assert!(world.apply(Some(&wanted), usize::MAX));
    let Seen::Known(group) = &world.seen.as_ref().unwrap().security_group else {
        panic!("no group")
    };
    let scram = Rule {
        port: 9096,
        source: Source::Group("sg-apps".to_owned()),
    };
    assert!(group.rules.values().any(|rule| *rule == scram));

    wanted.size.volume_size = 200;
    wanted.size.volume_throughput = Some(250);
    let plan = world.plan(Some(&wanted));
    let changed: Vec<&Action> = plan.steps.iter().map(|step| &step.action).collect();
    assert_eq!(
        changed,
        [1, 2, 3]
            .map(|node| Action::ChangeVolume(NodeId(node)))
            .iter()
            .collect::<Vec<_>>()
    );
    assert_eq!(
        plan.steps[0].reason,
        "size from 100 to 200 GiB, throughput from 125 to 250 MiB/s"
    );
    assert!(world.apply(Some(&wanted), usize::MAX));

    // Grown by hand: left as it is.
    let (node, _) = on(&mut world, 1);
    let Seen::Known(volume) = &mut node.machine.as_mut().unwrap().volume else {
        panic!("no volume")
    };
    volume.shape.size = 500;
    assert!(world.plan(Some(&wanted)).is_empty());
    assert_eq!(volume_shape(&wanted, NodeId(FIRST_CONTROLLER_ID)).size, 20);
}

#[test]
fn a_cut_create_with_other_subnets_is_removed_and_made_anew() {
    let wanted = in_account();
    for steps in 0..20 {
        let mut world = World::empty();
        if world.apply(Some(&wanted), steps) {
            break;
        }
        let mut other = wanted.clone();
        other.zones = ["zone-b", "zone-c", "zone-d"].map(str::to_owned).into();
        let first = world.clone();
        assert!(
            world.apply(Some(&wanted), usize::MAX),
            "the same, carried on after {steps}"
        );
        let mut world = first;
        if world.seen.as_ref().is_none_or(|seen| !seen.was_active) {
            assert!(world.apply(Some(&other), usize::MAX), "another one after {steps}");
            assert!(world.plan(Some(&other)).is_empty());
        }
        let mut world = World::empty();
        world.apply(Some(&wanted), steps);
        assert!(world.apply(None, usize::MAX), "removed after {steps}");
        assert!(world.seen.is_none());
    }
}

//! What holds for every plan: it converges, is stable, safe, resumable, sound and minimal.

use proptest::prelude::*;

use super::model::World;
use super::world::spec;
use crate::observed::Seen;
use crate::planner::lint::lint;
use crate::planner::step::{Action, Effect};
use crate::spec::cluster::{ClusterSpec, ConfigurationSpecReference};
use crate::spec::ids::NodeId;
use crate::store::documents::{NodePhase, Problem, ProblemCode};

fn specs() -> impl Strategy<Value = ClusterSpec> {
    (
        1_u32..=3,
        1_u32..=2,
        any::<bool>(),
        any::<bool>(),
        prop::option::of(1_i64..5),
        1_u32..10_485_880,
    )
        .prop_map(|(zones, each, dedicated, in_cluster, hours, bytes)| {
            let mut spec = spec(zones, each);
            spec.dedicated_controllers = dedicated;
            spec.encryption.in_cluster = in_cluster;
            spec.max_message_bytes = bytes;
            spec.configuration = hours.map(|hours| ConfigurationSpecReference {
                id: "events".to_owned(),
                revision: 1,
                server_properties: [("log.retention.hours".to_owned(), hours.to_string())].into(),
            });
            spec
        })
}

/// What can happen to one node.
#[derive(Debug, Clone, Copy)]
enum Damage {
    AgentDied,
    AllDied,
    KafkaDied,
    Hung,
    GaveUp,
}

fn damages() -> impl Strategy<Value = Vec<(u32, Damage)>> {
    let kind = prop_oneof![
        Just(Damage::AgentDied),
        Just(Damage::AllDied),
        Just(Damage::KafkaDied),
        Just(Damage::Hung),
        Just(Damage::GaveUp),
    ];
    prop::collection::vec((0_u32..9, kind), 0..5)
}

fn damage(world: &mut World, hits: &[(u32, Damage)]) {
    world.now = world.now.after(std::time::Duration::from_mins(5));
    let now = world.now;
    let nodes: Vec<NodeId> = world.seen.as_ref().unwrap().nodes.keys().copied().collect();
    for node in &nodes {
        world.node(*node).status.as_mut().unwrap().written_at = now;
    }
    for (index, hit) in hits {
        let node = world.node(nodes[*index as usize % nodes.len()]);
        let status = node.status.as_mut().unwrap();
        match hit {
            Damage::AgentDied => node.agent = Seen::Absent,
            Damage::AllDied => {
                node.agent = Seen::Absent;
                node.kafka = Seen::Absent;
                node.status_is_fresh = false;
            }
            Damage::KafkaDied => {
                node.kafka = Seen::Absent;
                status.phase = NodePhase::BackingOff;
            }
            Damage::Hung => {
                node.status_is_fresh = false;
                status.written_at = crate::clock::Timestamp::from_millis(0);
            }
            Damage::GaveUp => {
                status.phase = NodePhase::Failed;
                status.problem = Some(Problem {
                    code: ProblemCode::PortTaken,
                    text: "port 20001 is taken".to_owned(),
                });
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn a_create_cut_off_anywhere_converges_and_draws_one_identity(spec in specs(), cut in 0_usize..20) {
        let mut world = World::empty();
        world.apply(Some(&spec), cut);
        prop_assert!(world.apply(Some(&spec), usize::MAX));
        prop_assert_eq!(world.identities, 1);
        let seen = world.seen.as_ref().unwrap();
        prop_assert!(seen.was_active);
        prop_assert_eq!(seen.nodes.keys().copied().collect::<Vec<_>>(), spec.node_ids());
        prop_assert!(world.plan(Some(&spec)).is_empty(), "minimal");
    }

    #[test]
    fn an_unfinished_create_of_one_spec_converges_to_another(
        first in specs(), second in specs(), cut in 0_usize..20,
    ) {
        let mut world = World::empty();
        world.apply(Some(&first), cut);
        if world.seen.as_ref().is_some_and(|seen| seen.was_active) {
            return Ok(());
        }
        prop_assert!(world.apply(Some(&second), usize::MAX));
        prop_assert_eq!(world.seen.unwrap().nodes.keys().copied().collect::<Vec<_>>(), second.node_ids());
    }

    #[test]
    fn damage_is_mended_without_stopping_or_removing_anything(
        spec in specs(), hits in damages(), cut in 0_usize..8,
    ) {
        let mut world = World::empty();
        world.apply(Some(&spec), usize::MAX);
        damage(&mut world, &hits);
        let plan = world.plan(Some(&spec));
        prop_assert_eq!(plan.is_empty(), hits.is_empty());
        prop_assert!(plan.steps.iter().all(|step| step.effect == Effect::None), "safe");
        prop_assert_eq!(&plan, &world.plan(Some(&spec)), "stable");
        world.apply(Some(&spec), cut);
        prop_assert!(world.apply(Some(&spec), usize::MAX));
    }

    #[test]
    fn a_cluster_that_was_active_changes_live_only(first in specs(), second in specs(), cut in 0_usize..4) {
        let mut world = World::empty();
        world.apply(Some(&first), usize::MAX);
        let before = world.seen.as_ref().unwrap().desired.known().unwrap().1.clone();
        let plan = world.plan(Some(&second));
        prop_assert!(plan.steps.iter().all(|step| step.effect == Effect::None));
        world.apply(Some(&second), cut);
        prop_assert!(world.apply(Some(&second), usize::MAX));
        let after = &world.seen.as_ref().unwrap().desired.known().unwrap().1;
        prop_assert_eq!(&after.nodes, &before.nodes);
        prop_assert_eq!(&after.static_properties, &before.static_properties);
        prop_assert_eq!(&after.live_properties["message.max.bytes"], &second.max_message_bytes.to_string());
        let dynamic = &world.seen.as_ref().unwrap().properties;
        if plan.steps.iter().any(|step| step.action == Action::AwaitProperties) {
            prop_assert_eq!(&dynamic.known().unwrap().dynamic, &after.live_properties);
        }
    }

    #[test]
    fn a_removal_cut_off_anywhere_leaves_nothing(
        spec in specs(), made in 0_usize..30, cut in 0_usize..12,
    ) {
        let mut world = World::empty();
        world.apply(Some(&spec), made);
        world.apply(None, cut);
        prop_assert!(world.apply(None, usize::MAX));
        prop_assert!(world.seen.is_none());
    }

    #[test]
    fn every_plan_is_sound(first in specs(), second in specs(), hits in damages(), cut in 0_usize..20) {
        let mut world = World::empty();
        for wanted in [Some(&first), Some(&second), None] {
            prop_assert_eq!(lint(&world.plan(wanted)), vec![]);
        }
        world.apply(Some(&first), cut);
        if world.seen.as_ref().is_some_and(|seen| !seen.nodes.is_empty()) {
            damage(&mut world, &hits);
        }
        for wanted in [Some(&first), Some(&second), None] {
            prop_assert_eq!(lint(&world.plan(wanted)), vec![]);
        }
    }

    #[test]
    fn nothing_is_planned_on_uncertain_facts(spec in specs(), which in 0_u8..3) {
        let mut world = World::empty();
        world.apply(Some(&spec), usize::MAX);
        let seen = world.seen.as_mut().unwrap();
        match which {
            0 => seen.identity = Seen::Uncertain,
            1 => seen.desired = Seen::Uncertain,
            _ => seen.nodes.values_mut().for_each(|node| {
                node.agent = Seen::Uncertain;
                node.status_is_fresh = false;
            }),
        }
        let plan = world.plan(Some(&spec));
        prop_assert!(plan.is_empty());
        prop_assert!(!plan.report.blocked.is_empty() || !plan.report.waits.is_empty());
        if which == 1 {
            prop_assert!(world.plan(None).is_empty());
        }
    }
}

#[test]
fn an_emptied_data_directory_is_reported_and_never_made_anew() {
    let spec = spec(3, 1);
    let mut world = World::empty();
    world.apply(Some(&spec), usize::MAX);
    world.node(NodeId(2)).disk = Seen::Absent;
    world.node(NodeId(2)).agent = Seen::Absent;
    let plan = world.plan(Some(&spec));
    assert!(plan.is_empty());
    assert!(plan.report.warnings[0].starts_with("broker 2: its data directory is gone"));
}

#[test]
fn the_linter_finds_what_is_wrong() {
    let mut plan = World::empty().plan(Some(&spec(1, 1)));
    assert_eq!(lint(&plan), []);
    plan.steps
        .retain(|step| !matches!(step.action, Action::AwaitNodes(_)));
    let found = lint(&plan);
    assert_eq!(
        found.len(),
        3,
        "a gap, no wait before active, a node nobody waits for: {found:?}"
    );
}

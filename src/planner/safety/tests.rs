use proptest::prelude::*;

use super::*;
use crate::planner::tests::world;

fn facts(replicas: &[u32], in_sync: &[u32], min_in_sync: u16) -> PartitionFacts {
    let ids = |ids: &[u32]| ids.iter().copied().map(NodeId).collect();
    PartitionFacts {
        replicas: ids(replicas),
        in_sync: ids(in_sync),
        min_in_sync,
        has_leader: !in_sync.is_empty(),
    }
}

#[test]
fn a_full_partition_lets_one_broker_go() {
    let counts = count_partitions(&[facts(&[1, 2, 3], &[1, 2, 3], 2)]);
    assert_eq!(counts, PartitionCounts::default());
}

#[test]
fn a_partition_at_its_minimum_holds_the_brokers_in_sync_but_not_the_one_that_is_not() {
    let counts = count_partitions(&[facts(&[1, 2, 3], &[1, 2], 2)]);
    assert_eq!(
        counts.would_fall_below,
        BTreeMap::from([(NodeId(1), 1), (NodeId(2), 1)])
    );
    assert_eq!(counts.out_of_sync, BTreeMap::from([(NodeId(3), 1)]));
}

#[test]
fn a_partition_below_its_minimum_holds_every_broker_with_a_replica() {
    let counts = count_partitions(&[facts(&[1, 2, 3], &[1], 2)]);
    assert_eq!(counts.would_fall_below.len(), 3);
    assert_eq!(counts.under_min_isr, 1);
}

#[test]
fn a_topic_with_one_replica_does_not_block_every_restart_for_ever() {
    let counts = count_partitions(&[facts(&[1], &[1], 1)]);
    assert!(counts.would_fall_below.is_empty());
}

struct Scene {
    desired: ClusterDesired,
    statuses: BTreeMap<NodeId, NodeStatus>,
    lock: DisruptionLock,
    now: Timestamp,
}

/// Three combined brokers, all well, and node 1 holding the lock.
fn scene() -> Scene {
    let now = Timestamp::from_millis(1_000_000_000);
    let (desired, statuses) = world::healthy(&world::spec(3, 1), now);
    let lock = DisruptionLock {
        holder: Some(NodeId(1)),
        reason: "certificate".to_owned(),
        taken_at: now,
        expires_at: now.after(Duration::from_mins(1)),
        last_stops: BTreeMap::new(),
    };
    Scene {
        desired,
        statuses,
        lock,
        now,
    }
}

impl Scene {
    fn ask(&self, node: u32) -> Vec<Refusal> {
        refusals(&StopQuestion {
            node: NodeId(node),
            now: self.now,
            desired: &self.desired,
            statuses: &self.statuses,
            lock: Some(&self.lock),
        })
    }

    fn views(&mut self, change: impl Fn(&mut PeerView)) {
        for status in self.statuses.values_mut() {
            change(status.view.as_mut().unwrap());
        }
    }
}

#[test]
fn a_healthy_cluster_lets_the_holder_of_the_lock_stop() {
    assert_eq!(scene().ask(1), []);
    assert_eq!(scene().ask(2), [Refusal::NoLock(NodeId(2))]);
}

#[test]
fn a_partition_that_would_fall_below_its_minimum_forbids_the_stop() {
    let mut scene = scene();
    scene.views(|view| {
        view.would_fall_below.insert(NodeId(1), 2);
    });
    assert_eq!(scene.ask(1), [Refusal::BelowMinimum(2)]);
}

#[test]
fn an_old_view_or_only_its_own_is_no_view() {
    let mut scene = scene();
    let own = scene.statuses[&NodeId(1)].view.clone();
    scene.views(|view| view.observed_at = Timestamp::from_millis(0));
    scene.statuses.get_mut(&NodeId(1)).unwrap().view = own;
    assert_eq!(scene.ask(1), [Refusal::NoView]);
}

#[test]
fn one_of_three_brokers_unwell_forbids_the_stop_of_another() {
    let mut scene = scene();
    scene.statuses.get_mut(&NodeId(3)).unwrap().phase = NodePhase::Starting;
    assert_eq!(
        scene.ask(1),
        [Refusal::TooManyUnwell {
            unwell: 1,
            brokers: 3
        }]
    );
}

#[test]
fn a_recovering_node_is_never_stopped_and_nobody_twice_in_half_an_hour() {
    let mut scene = scene();
    scene.statuses.get_mut(&NodeId(1)).unwrap().phase = NodePhase::Recovering;
    scene.lock.last_stops.insert(NodeId(1), scene.now);
    assert_eq!(
        scene.ask(1),
        [
            Refusal::TooSoon {
                node: NodeId(1),
                seconds: 0,
                at_most_every: 1800
            },
            Refusal::Recovering(NodeId(1))
        ]
    );
}

#[test]
fn a_voter_is_kept_while_another_has_not_caught_up_or_no_leader_is_known() {
    let mut scene = scene();
    scene.views(|view| view.caught_up_voters = vec![NodeId(1), NodeId(2)]);
    assert!(matches!(
        scene.ask(1)[..],
        [Refusal::NoMajority { others: 1, .. }]
    ));
    scene.views(|view| {
        view.caught_up_voters = vec![NodeId(1), NodeId(2), NodeId(3)];
        view.quorum_leader = None;
    });
    assert!(matches!(
        scene.ask(1)[..],
        [Refusal::NoMajority { others: 0, .. }]
    ));
}

#[test]
fn certificates_that_live_short_allow_stops_more_often() {
    let mut scene = scene();
    scene.desired.leaf_lifetime_seconds = 90;
    scene.lock.last_stops.insert(NodeId(1), scene.now);
    assert!(matches!(
        scene.ask(1)[..],
        [Refusal::TooSoon {
            at_most_every: 15,
            ..
        }]
    ));
    let stopped_at = Timestamp::from_millis(scene.now.as_millis() - 15_000);
    scene.lock.last_stops.insert(NodeId(1), stopped_at);
    assert_eq!(scene.ask(1), []);
}

fn partitions() -> impl Strategy<Value = Vec<PartitionFacts>> {
    let partition =
        (1_usize..=3, 0_u8..8, 1_u16..=3, 0_u32..3).prop_map(|(factor, in_sync, minimum, shift)| {
            let replicas: Vec<u32> = (0..3).map(|index| (index + shift) % 3 + 1).take(factor).collect();
            let in_sync: Vec<u32> = replicas
                .iter()
                .copied()
                .filter(|id| in_sync & (1 << (id - 1)) != 0)
                .collect();
            facts(&replicas, &in_sync, minimum)
        });
    prop::collection::vec(partition, 0..6)
}

proptest! {
    #[test]
    fn a_permitted_stop_brings_no_partition_below_its_minimum(
        partitions in partitions(),
        caught_up in 0_u8..8,
        unwell in prop::option::of(1_u32..=3),
    ) {
        let mut scene = scene();
        let counts = count_partitions(&partitions);
        scene.views(|view| {
            view.out_of_sync = counts.out_of_sync.clone();
            view.would_fall_below = counts.would_fall_below.clone();
            view.under_min_isr = counts.under_min_isr;
            view.offline = counts.offline;
            view.caught_up_voters = (1..=3).filter(|id| caught_up & (1 << (id - 1)) != 0).map(NodeId).collect();
        });
        if let Some(unwell) = unwell {
            scene.statuses.get_mut(&NodeId(unwell)).unwrap().phase = NodePhase::BackingOff;
        }
        if scene.ask(1).is_empty() {
            for partition in &partitions {
                let left = partition.in_sync.iter().filter(|id| **id != NodeId(1)).count();
                let minimum = usize::from(partition.min_in_sync);
                let holds_a_replica = partition.replicas.contains(&NodeId(1));
                if holds_a_replica && partition.replicas.len() > minimum {
                    prop_assert!(left >= minimum, "{partition:?}");
                }
            }
            let others = (2..=3).filter(|id| caught_up & (1 << (id - 1)) != 0).count();
            prop_assert!(others >= 2);
            prop_assert!(unwell.is_none_or(|unwell| unwell == 1));
        }
    }
}

//! Spreading the replicas of a partition over zones and brokers.

use std::collections::BTreeMap;

use crate::spec::ids::NodeId;

/// A broker that may hold replicas, with its zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The broker.
    pub broker: NodeId,
    /// Its zone.
    pub zone: String,
}

/// The replicas of a partition after a change of their number, or `None` if there are too few brokers.
///
/// Replicas that stay keep their order, so the preferred leader stays. New ones go to a zone with the
/// fewest replicas of this partition, there to the broker with the least `load`, which is counted up. Ones
/// that go are taken from the end of the most crowded zone.
pub fn resize(
    current: &[NodeId],
    wanted: usize,
    places: &[Place],
    load: &mut BTreeMap<NodeId, u32>,
) -> Option<Vec<NodeId>> {
    let mut replicas = current.to_vec();
    let zone_of = |broker: NodeId| {
        places
            .iter()
            .find(|place| place.broker == broker)
            .map(|place| place.zone.as_str())
    };
    let in_zone = |replicas: &[NodeId], zone: Option<&str>| {
        replicas
            .iter()
            .filter(|replica| zone_of(**replica) == zone)
            .count()
    };
    while replicas.len() < wanted {
        let next = places
            .iter()
            .filter(|place| !replicas.contains(&place.broker))
            .min_by_key(|place| {
                (
                    in_zone(&replicas, Some(&place.zone)),
                    load.get(&place.broker).copied().unwrap_or_default(),
                    place.broker,
                )
            })?;
        *load.entry(next.broker).or_default() += 1;
        replicas.push(next.broker);
    }
    while replicas.len() > wanted.max(1) {
        let last = replicas
            .iter()
            .enumerate()
            .skip(1)
            .max_by_key(|(position, replica)| (in_zone(&replicas, zone_of(**replica)), *position))
            .map(|(position, _)| position)?;
        let gone = replicas.remove(last);
        if let Some(count) = load.get_mut(&gone) {
            *count = count.saturating_sub(1);
        }
    }
    Some(replicas)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places(brokers: u32, zones: u32) -> Vec<Place> {
        (1..=brokers)
            .map(|id| Place {
                broker: NodeId(id),
                zone: format!("zone-{}", (id - 1) % zones),
            })
            .collect()
    }

    #[test]
    fn a_second_and_third_replica_go_to_the_other_zones() {
        let mut load = BTreeMap::new();
        let replicas = resize(&[NodeId(4)], 3, &places(6, 3), &mut load).unwrap();
        assert_eq!(replicas, [NodeId(4), NodeId(2), NodeId(3)]);
    }

    #[test]
    fn a_replica_that_goes_leaves_the_crowded_zone_and_the_leader_stays() {
        let mut load = BTreeMap::new();
        let replicas = resize(&[NodeId(1), NodeId(4), NodeId(2)], 2, &places(6, 3), &mut load).unwrap();
        assert_eq!(replicas, [NodeId(1), NodeId(2)]);
    }

    #[test]
    fn more_replicas_than_brokers_are_refused() {
        assert_eq!(resize(&[NodeId(1)], 3, &places(2, 2), &mut BTreeMap::new()), None);
    }

    proptest! {
        #[test]
        fn replicas_are_distinct_keep_the_leader_and_fill_zones_evenly(
            brokers in 1_u32..12, zones in 1_u32..4, wanted in 1_usize..6, first in 1_u32..12,
        ) {
            let first = NodeId((first - 1) % brokers + 1);
            let places = places(brokers, zones);
            let made = resize(&[first], wanted, &places, &mut BTreeMap::new());
            if wanted > brokers as usize {
                prop_assert_eq!(made, None);
            } else {
                let made = made.unwrap();
                prop_assert_eq!(made.len(), wanted);
                prop_assert_eq!(made[0], first);
                let distinct: std::collections::BTreeSet<_> = made.iter().collect();
                prop_assert_eq!(distinct.len(), wanted);
                let used: std::collections::BTreeSet<_> =
                    made.iter().map(|id| (id.0 - 1) % zones).collect();
                let reachable = zones.min(brokers) as usize;
                prop_assert_eq!(used.len(), wanted.min(reachable));
                let back = resize(&made, 1, &places, &mut BTreeMap::new()).unwrap();
                prop_assert_eq!(back, vec![first]);
            }
        }
    }
}

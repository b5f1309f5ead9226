//! When it is a node's turn to be restarted for its renewed certificate. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::spec::ids::NodeId;
use crate::store::documents::{ClusterDesired, NodeStatus};

/// The time between a renewal and the end of the former certificate.
fn window(desired: &ClusterDesired) -> Duration {
    Duration::from_secs(desired.leaf_lifetime_seconds) / 3
}

/// Whether a node has another controller to dial: one that is alone never uses that certificate.
pub(super) fn dials_others(desired: &ClusterDesired, node: NodeId) -> bool {
    desired
        .nodes
        .iter()
        .any(|other| other.id != node && other.is_controller)
}

/// From when on a node may be restarted: the turns of all nodes lie in the first half of the window, so
/// that the second half is left for what comes in between. `None` if a restart would bring nothing.
pub(super) fn due_at(
    desired: &ClusterDesired,
    node: NodeId,
    dials_until: Timestamp,
    renewed_until: Timestamp,
) -> Option<Timestamp> {
    if !dials_others(desired, node) || renewed_until <= dials_until {
        return None;
    }
    let position = desired.nodes.iter().position(|other| other.id == node)?;
    let position = u32::try_from(position).ok()?;
    let count = u32::try_from(desired.nodes.len()).ok()?;
    let window = window(desired);
    let before_end = window.saturating_sub(window / 2 * position / count);
    let before_end = u64::try_from(before_end.as_millis()).ok()?;
    Some(Timestamp::from_millis(
        dials_until.as_millis().saturating_sub(before_end),
    ))
}

/// Whether the voters could elect another controller, and follow it, without this node. If it is not the
/// active one nothing is elected; else those that stay have to be let in by each other.
pub(super) fn others_could_elect(
    desired: &ClusterDesired,
    node: NodeId,
    statuses: &BTreeMap<NodeId, NodeStatus>,
    now: Timestamp,
) -> bool {
    let views = statuses.values().filter_map(|status| status.view.as_ref());
    let Some(view) = views.max_by_key(|view| view.observed_at) else {
        return false;
    };
    if view.quorum_leader != Some(node) {
        return true;
    }
    // One voter: nothing can be kept. Two: the other one has to stay.
    let needed = match view.voters.len() {
        0 | 1 => return true,
        2 => 1,
        many => many / 2 + 1,
    };
    let until = now.after(window(desired) / 4);
    let can_dial = |voter: &&NodeId| {
        let status = statuses.get(*voter);
        **voter != node && status.is_some_and(|status| status.dials_until.is_none_or(|end| end > until))
    };
    view.voters.iter().filter(can_dial).count() >= needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::tests::world;

    const DAY: Duration = Duration::from_hours(24);

    fn scene() -> (ClusterDesired, BTreeMap<NodeId, NodeStatus>, Timestamp) {
        let now = Timestamp::from_millis(1_000_000_000_000);
        let (mut desired, mut statuses) = world::healthy(&world::spec(3, 1), now);
        desired.leaf_lifetime_seconds = (DAY * 300).as_secs();
        for status in statuses.values_mut() {
            status.dials_until = Some(now.after(DAY * 90));
            status.view.as_mut().unwrap().quorum_leader = Some(NodeId(1));
        }
        (desired, statuses, now)
    }

    #[test]
    fn turns_are_spread_over_the_first_half_of_the_time_that_is_left() {
        let (desired, _, now) = scene();
        let end = now.after(DAY * 100);
        let renewed = end.after(DAY);
        let due = |node| due_at(&desired, NodeId(node), end, renewed).unwrap();
        assert_eq!(due(1), now);
        assert_eq!(due(2).since(now).as_secs() / 86_400, 16);
        assert_eq!(due(3).since(now).as_secs() / 86_400, 33);
    }

    #[test]
    fn nothing_is_due_while_the_certificate_is_not_renewed_or_for_a_controller_alone() {
        let (mut desired, _, now) = scene();
        assert_eq!(due_at(&desired, NodeId(1), now, now), None);
        desired.nodes.truncate(1);
        assert_eq!(due_at(&desired, NodeId(1), now, now.after(DAY)), None);
    }

    #[test]
    fn the_active_controller_waits_until_a_majority_of_the_others_can_dial_each_other() {
        let (desired, mut statuses, now) = scene();
        let set = |node: u32, days: u32, statuses: &mut BTreeMap<NodeId, NodeStatus>| {
            statuses.get_mut(&NodeId(node)).unwrap().dials_until = Some(now.after(DAY * days));
        };
        assert!(others_could_elect(&desired, NodeId(1), &statuses, now));
        set(2, 10, &mut statuses);
        assert!(!others_could_elect(&desired, NodeId(1), &statuses, now));
        assert!(others_could_elect(&desired, NodeId(2), &statuses, now));
        set(2, 300, &mut statuses);
        assert!(others_could_elect(&desired, NodeId(1), &statuses, now));
        assert!(!others_could_elect(&desired, NodeId(1), &BTreeMap::new(), now));
    }
}

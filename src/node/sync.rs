//! Whether a node is in sync. Pure: what was seen is an argument.
//!
//! A broker's own word is not enough: "in sync" is believed when another broker's metadata, read after
//! this Kafka began to answer, agrees. A cluster with one broker has only its own.

use super::context::Desired;
use crate::clock::Timestamp;
use crate::store::documents::{NodeDesired, NodeStatus, PeerView, RunTarget};

/// Judges; the error says what is waited for.
pub(crate) fn judge(
    desired: &Desired,
    node: &NodeDesired,
    since: Timestamp,
    own: Option<&PeerView>,
    peers: &[NodeStatus],
) -> Result<(), String> {
    if node.is_broker {
        let own = own.ok_or("waits for its own metadata")?;
        agrees(node, since, own).map_err(|missing| format!("by its own metadata {missing}"))?;
    }
    let other_brokers: Vec<_> = desired
        .cluster
        .nodes
        .iter()
        .filter(|other| other.id != node.id && other.is_broker && other.run == RunTarget::Running)
        .collect();
    if other_brokers.is_empty() {
        return Ok(());
    }
    let mut missing = "waits for another broker's word".to_owned();
    for peer in peers {
        if !other_brokers.iter().any(|other| other.id == peer.node_id) {
            continue;
        }
        let Some(view) = &peer.view else { continue };
        match agrees(node, since, view) {
            Ok(()) => return Ok(()),
            Err(why) => missing = format!("by broker {} it {why}", peer.node_id),
        }
    }
    Err(missing)
}

/// Whether one view, taken after `since`, has the node in sync.
fn agrees(node: &NodeDesired, since: Timestamp, view: &PeerView) -> Result<(), &'static str> {
    if view.observed_at < since {
        return Err("was not looked at since its start");
    }
    if node.is_broker && !view.live_brokers.contains(&node.id) {
        return Err("is not live");
    }
    if view.out_of_sync.get(&node.id).is_some_and(|count| *count > 0) {
        return Err("has replicas that are not in sync");
    }
    let is_voter = view.voters.contains(&node.id);
    if node.is_controller && is_voter && !view.caught_up_voters.contains(&node.id) {
        return Err("has not caught up with the quorum");
    }
    if node.is_controller && view.quorum_leader.is_none() {
        return Err("knows no active controller");
    }
    Ok(())
}

/// What a recovering Kafka's log says of its progress: the counter of the last line that has one.
pub(crate) fn recovery_progress(lines: &[String]) -> String {
    let counted = lines.iter().rev().find_map(|line| {
        // `… (12/80 completed in /data)`: LogManager, Kafka 3.9 to 4.3.
        let (before, _) = line.split_once(" completed in ")?;
        let (_, counter) = before.rsplit_once('(')?;
        let (done, all) = counter.split_once('/')?;
        Some((done.parse::<u32>().ok()?, all.parse::<u32>().ok()?))
    });
    match counted {
        Some((done, all)) => format!("checking log {done} of {all}"),
        None => "checks its logs after an unclean stop".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::spec::ids::NodeId;

    fn node(id: u32) -> NodeDesired {
        NodeDesired {
            id: NodeId(id),
            is_broker: true,
            is_controller: true,
            zone: "a".into(),
            bind_address: "127.0.0.1".into(),
            advertised_host: "127.0.0.1".into(),
            certificate_names: Vec::new(),
            ports: BTreeMap::new(),
            heap: "512m".into(),
            run: RunTarget::Running,
            machine: None,
        }
    }

    fn view(at: u64, live: &[u32], behind: &[u32]) -> PeerView {
        let ids = |ids: &[u32]| ids.iter().copied().map(NodeId).collect::<Vec<_>>();
        PeerView {
            observed_at: Timestamp::from_millis(at),
            live_brokers: ids(live),
            out_of_sync: behind.iter().map(|id| (NodeId(*id), 1)).collect(),
            quorum_leader: Some(NodeId(1)),
            voters: ids(&[1, 2, 3]),
            caught_up_voters: ids(&[1, 2, 3]),
            ..PeerView::default()
        }
    }

    #[test]
    fn a_view_counts_only_if_it_is_newer_than_the_start_and_has_the_node_in_sync() {
        let since = Timestamp::from_millis(100);
        let node = node(2);
        assert!(agrees(&node, since, &view(99, &[1, 2, 3], &[])).is_err());
        assert!(agrees(&node, since, &view(100, &[1, 3], &[])).is_err());
        assert!(agrees(&node, since, &view(100, &[1, 2, 3], &[2])).is_err());
        assert_eq!(agrees(&node, since, &view(100, &[1, 2, 3], &[3])), Ok(()));
        let mut behind = view(100, &[1, 2, 3], &[]);
        behind.caught_up_voters = vec![NodeId(1)];
        assert!(agrees(&node, since, &behind).is_err());
    }

    #[test]
    fn progress_is_read_from_the_last_counter_of_the_log() {
        let lines = [
            "[x] INFO Completed load of Log(dir=/d/a-0) in 3ms (1/80 completed in /d) (kafka.log.LogManager)".to_owned(),
            "[x] INFO Completed load of Log(dir=/d/a-1) in 3ms (12/80 completed in /d) (kafka.log.LogManager)".to_owned(),
            "[x] INFO nothing".to_owned(),
        ];
        assert_eq!(recovery_progress(&lines), "checking log 12 of 80");
        assert_eq!(
            recovery_progress(&["(a/b completed in".to_owned()]),
            "checks its logs after an unclean stop"
        );
    }
}

//! Waits until what Kafka has committed has reached the brokers.
//!
//! An answer to CreateAcls or AlterUserScramCredentials says that a majority of controllers has the
//! change. Each broker learns of it a moment later, and clients treat a refusal in between as final: a
//! script that produces right after `terraform apply` would fail now and then.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ApplyError;
use crate::kafka::client::{Admin, Quorum};

/// A broker that lags longer has a trouble of its own, which its status tells.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the leader is asked.
const POLL: Duration = Duration::from_millis(5);
/// A follower asks the leader for more at least every 500 ms (`MAX_FETCH_WAIT_MS` in `KafkaRaftClient`,
/// Kafka 4.3); one that has not for so long is down and would be waited for in vain.
const SILENCE: Duration = Duration::from_millis(1_500);

/// Waits until every node that follows the metadata log has what is committed now.
pub(super) async fn wait_for_followers(admin: &Admin) -> Result<(), ApplyError> {
    let deadline = Instant::now() + PATIENCE;
    let mut quorum = admin.describe_quorum().await?;
    let target = quorum.high_watermark;
    while lags(&quorum, target) && Instant::now() < deadline {
        sleep(POLL).await;
        quorum = admin.describe_quorum().await?;
    }
    Ok(())
}

/// Whether a node that lives has less of the log than `target`.
fn lags(quorum: &Quorum, target: i64) -> bool {
    let nodes = || quorum.voters.iter().chain(&quorum.observers);
    let newest = nodes()
        .filter_map(|node| node.last_fetch)
        .max()
        .unwrap_or_default();
    nodes()
        .filter(|node| node.last_fetch.is_some_and(|at| newest.since(at) < SILENCE))
        .any(|node| node.log_end.is_none_or(|end| end < target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::kafka::client::QuorumReplica;
    use crate::spec::ids::NodeId;

    fn node(id: u32, log_end: i64, last_fetch: u64) -> QuorumReplica {
        QuorumReplica {
            id: NodeId(id),
            directory: None,
            log_end: Some(log_end),
            last_fetch: Some(Timestamp::from_millis(last_fetch)),
            last_caught_up: None,
        }
    }

    #[test]
    fn a_living_follower_is_waited_for_and_a_dead_one_is_not() {
        let quorum = |observer| Quorum {
            leader: Some(NodeId(1)),
            leader_epoch: 1,
            high_watermark: 10,
            voters: vec![node(1, 10, 9_000)],
            observers: vec![observer],
        };
        assert!(lags(&quorum(node(2, 9, 8_600)), 10));
        assert!(!lags(&quorum(node(2, 10, 8_600)), 10));
        assert!(!lags(&quorum(node(2, 3, 2_000)), 10));
    }
}

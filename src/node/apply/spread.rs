//! Waits until what Kafka has committed is in force at every broker.
//!
//! An answer to CreateAcls or AlterUserScramCredentials says that a majority of controllers has the
//! change. Each broker fetches it and puts it in force a moment later, and clients treat a refusal in
//! between as final: a script that produces right after `terraform apply` would fail now and then.
//!
//! So every broker is asked itself. It tells up to which offset it has published the metadata log to
//! itself, which covers topics and users; of a user Kafka shows too little to compare (not whether the
//! password is the new one). Its authorizer comes last in that work (`BrokerMetadataPublisher`, Kafka 3.9
//! to 4.3), so the ACLs themselves are read and compared as well.
//!
//! A broker tells an offset when it begins to put it in force: topics, then users, then ACLs. So users must
//! not share their moment with topics. Where others make many topics in that very moment, a user may still
//! be in force some milliseconds late; nothing that Kafka tells is closer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use super::ApplyError;
use crate::kafka::acl::AclEntry;
use crate::kafka::client::{AclFilter, Admin, Error, PatternFilter, Quorum};
use crate::node::admin::connect_to;
use crate::node::context::Context;
use crate::spec::ids::NodeId;
use crate::store::documents::ListenerName;

/// A broker that does not answer for so long has a trouble of its own, which its status tells.
const PATIENCE: Duration = Duration::from_secs(3);
/// One that answers is only behind: it makes the logs of new partitions before it reads on. This is long
/// enough for thousands of them.
const LONGEST: Duration = Duration::from_secs(30);
/// One question; a broker that is slower is asked again.
const ANSWER: Duration = Duration::from_secs(1);
/// The first pause before a broker is asked again; doubles.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);
/// How often the leader is asked who lives while a broker is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// A follower asks the leader for more at least every 500 ms (`MAX_FETCH_WAIT_MS` in `KafkaRaftClient`,
/// Kafka 4.3); one that has not for so long is down or cut off and would be waited for in vain.
const SILENCE: Duration = Duration::from_millis(1_500);
/// A broker that was waited for in vain is not waited for again so soon: one apply has many batches.
const GIVE_UP_FOR: Duration = Duration::from_secs(30);

/// Connections that were not used for so long are closed; the next batch of one apply comes sooner.
const KEEP_FOR: Duration = Duration::from_secs(5);

/// The brokers that are asked, with a connection to each while there is work.
#[derive(Default)]
pub(super) struct Brokers {
    connections: BTreeMap<NodeId, Arc<Admin>>,
    used_at: Option<Instant>,
    given_up: BTreeMap<NodeId, Instant>,
}

/// ACL entries that every broker has to show, and those that none may show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AclChange {
    present: BTreeSet<AclEntry>,
    absent: BTreeSet<AclEntry>,
}

impl AclChange {
    pub(super) fn add(&mut self, entry: AclEntry) {
        self.absent.remove(&entry);
        self.present.insert(entry);
    }

    pub(super) fn remove(&mut self, entry: AclEntry) {
        self.present.remove(&entry);
        self.absent.insert(entry);
    }

    pub(super) fn extend(&mut self, later: &Self) {
        later.present.iter().cloned().for_each(|entry| self.add(entry));
        later.absent.iter().cloned().for_each(|entry| self.remove(entry));
    }

    fn is_empty(&self) -> bool {
        self.present.is_empty() && self.absent.is_empty()
    }

    /// The narrowest question whose answer holds all that is to be compared: a cluster may have very many
    /// ACLs, and mostly one principal's or one resource's are changed together.
    fn filter(&self) -> AclFilter {
        let resource_name = self.common(|entry| entry.resource_name.clone());
        AclFilter {
            pattern: PatternFilter::Any,
            principal: self.common(|entry| entry.principal.clone()),
            resource_type: self.common(|entry| entry.resource_type),
            resource_name,
            ..AclFilter::default()
        }
    }

    fn common<T: PartialEq>(&self, part: impl Fn(&AclEntry) -> T) -> Option<T> {
        let mut parts = self.present.iter().chain(&self.absent).map(part);
        let first = parts.next()?;
        parts.all(|other| other == first).then_some(first)
    }

    /// Whether a broker's answer to [`Self::filter`] shows the change.
    fn is_shown_by(&self, listing: &[AclEntry]) -> bool {
        let listed = |entry: &&AclEntry| self.present.contains(*entry);
        listing.iter().filter(listed).count() == self.present.len()
            && !listing.iter().any(|entry| self.absent.contains(entry))
    }
}

/// What became of one broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// It has the change.
    Shows,
    /// Nobody listens: a Kafka that starts catches up before it serves.
    IsDown,
    /// It did not answer, or has not come so far within the time.
    IsLate,
}

impl Brokers {
    /// Closes the connections; the next question opens others, with the certificates of then.
    pub(super) fn disconnect(&mut self) {
        self.connections.clear();
        self.used_at = None;
    }

    /// Gives up connections that are not used: at rest they cost memory on both sides.
    pub(super) fn rest(&mut self) {
        if self.used_at.is_some_and(|at| at.elapsed() >= KEEP_FOR) {
            self.disconnect();
        }
    }

    /// Waits until every broker that lives has what is committed now, and shows `acls`.
    ///
    /// *Cancellation*: safe; nothing is changed.
    pub(super) async fn wait(
        &mut self,
        context: &Context,
        own: &Arc<Admin>,
        acls: &AclChange,
    ) -> Result<(), ApplyError> {
        self.used_at = Some(Instant::now());
        let quorum = committed(own).await?;
        let acls = Arc::new(acls.clone());
        let mut tasks = JoinSet::new();
        let mut waiting: BTreeMap<NodeId, AbortHandle> = BTreeMap::new();
        self.given_up.retain(|_, since| since.elapsed() < GIVE_UP_FOR);
        for (id, admin) in self.connect(context, own)? {
            if !self.given_up.contains_key(&id) && lives(&quorum, id) {
                let (offset, acls) = (quorum.high_watermark - 1, Arc::clone(&acls));
                let asking = async move { (id, ask(&admin, offset, &acls).await) };
                waiting.insert(id, tasks.spawn(asking));
            }
        }
        loop {
            tokio::select! {
                ended = tasks.join_next() => match ended {
                    None => return Ok(()),
                    Some(Ok((id, asked))) => {
                        waiting.remove(&id);
                        self.note(id, asked);
                    }
                    // Aborted below.
                    Some(Err(_)) => {}
                },
                () = sleep(LOOK_AGAIN) => {
                    let quorum = own.describe_quorum().await?;
                    waiting.retain(|id, task| {
                        let lives = lives(&quorum, *id);
                        if !lives {
                            task.abort();
                        }
                        lives
                    });
                }
            }
        }
    }

    fn note(&mut self, id: NodeId, asked: Asked) {
        match asked {
            Asked::Shows => {}
            Asked::IsDown => tracing::debug!(%id, "a broker is down; it is not waited for"),
            Asked::IsLate => {
                tracing::warn!(%id, "a broker does not show what was applied; it is not waited for any longer");
                self.connections.remove(&id);
                self.given_up.insert(id, Instant::now());
            }
        }
    }

    /// A connection to each broker of the cluster; opened with the first request.
    fn connect(
        &mut self,
        context: &Context,
        own: &Arc<Admin>,
    ) -> Result<Vec<(NodeId, Arc<Admin>)>, ApplyError> {
        let mut found = Vec::new();
        let Some(desired) = context.desired() else {
            return Ok(found);
        };
        for node in desired.cluster.nodes.iter().filter(|node| node.is_broker) {
            let admin = if node.id == context.node_id() {
                Arc::clone(own)
            } else if let Some(admin) = self.connections.get(&node.id) {
                Arc::clone(admin)
            } else {
                let admin = Arc::new(connect_to(context, node, ListenerName::Agent, ANSWER)?);
                self.connections.insert(node.id, Arc::clone(&admin));
                admin
            };
            found.push((node.id, admin));
        }
        Ok(found)
    }
}

/// The quorum, once its leader knows what is committed; one that was just elected does not.
async fn committed(own: &Admin) -> Result<Quorum, ApplyError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let quorum = own.describe_quorum().await?;
        if quorum.high_watermark >= 0 {
            return Ok(quorum);
        }
        if Instant::now() >= deadline {
            let what = "the active controller does not know yet what is committed".to_owned();
            return Err(ApplyError::Pending { what });
        }
        sleep(LONGEST_PAUSE).await;
    }
}

/// Waits until the own broker has in force what is committed now: what it shows then is no older than
/// anything that an agent has told before.
pub(super) async fn catch_up(own: &Admin) -> Result<(), ApplyError> {
    let quorum = committed(own).await?;
    match ask(own, quorum.high_watermark - 1, &AclChange::default()).await {
        Asked::Shows => Ok(()),
        Asked::IsDown | Asked::IsLate => Err(ApplyError::Pending {
            what: "this broker is behind the active controller".to_owned(),
        }),
    }
}

/// Asks one broker until it has published the log up to `offset` and shows the ACLs.
async fn ask(admin: &Admin, offset: i64, acls: &AclChange) -> Asked {
    let begun = Instant::now();
    let mut answered = begun;
    let mut pause = SHORTEST_PAUSE;
    while answered.elapsed() < PATIENCE && begun.elapsed() < LONGEST {
        // The own broker's connection has a longer time of its own.
        match timeout(ANSWER, shows(admin, offset, acls)).await {
            Ok(Ok(true)) => return Asked::Shows,
            Ok(Ok(false)) => answered = Instant::now(),
            Ok(Err(Error::Connect { .. })) => return Asked::IsDown,
            Ok(Err(error)) => tracing::debug!(%error, "a broker did not answer"),
            Err(_) => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Asked::IsLate
}

async fn shows(admin: &Admin, offset: i64, acls: &AclChange) -> Result<bool, Error> {
    let published = admin.describe_features().await?.epoch;
    if published.is_none_or(|published| published < offset) {
        return Ok(false);
    }
    if acls.is_empty() {
        return Ok(true);
    }
    let listing = admin.describe_acls(&acls.filter()).await?;
    Ok(acls.is_shown_by(&listing.entries))
}

/// Whether a node follows the metadata log, by the leader's clock.
fn lives(quorum: &Quorum, id: NodeId) -> bool {
    let nodes = || quorum.voters.iter().chain(&quorum.observers);
    let newest = nodes()
        .filter_map(|node| node.last_fetch)
        .max()
        .unwrap_or_default();
    nodes()
        .filter(|node| node.id == id)
        .any(|node| node.last_fetch.is_some_and(|at| newest.since(at) < SILENCE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::kafka::acl::{AclOperation, AclPatternType, AclPermission, AclResourceType};
    use crate::kafka::client::QuorumReplica;

    fn node(id: u32, last_fetch: u64) -> QuorumReplica {
        QuorumReplica {
            id: NodeId(id),
            directory: None,
            log_end: Some(10),
            last_fetch: Some(Timestamp::from_millis(last_fetch)),
            last_caught_up: None,
        }
    }

    fn entry(principal: &str, name: &str, operation: AclOperation) -> AclEntry {
        AclEntry {
            resource_type: AclResourceType::Topic,
            resource_name: name.to_owned(),
            pattern_type: AclPatternType::Literal,
            principal: principal.to_owned(),
            host: "*".to_owned(),
            operation,
            permission: AclPermission::Allow,
        }
    }

    #[test]
    fn a_broker_that_follows_the_log_lives_and_a_silent_or_unknown_one_does_not() {
        let quorum = Quorum {
            leader: Some(NodeId(1)),
            leader_epoch: 1,
            high_watermark: 10,
            voters: vec![node(1, 9_000)],
            // Started anew with another directory: the former one stays in the list for a while.
            observers: vec![node(2, 8_600), node(3, 2_000), node(4, 2_000), node(4, 8_900)],
        };
        let living: Vec<_> = (1..=5).filter(|id| lives(&quorum, NodeId(*id))).collect();
        assert_eq!(living, [1, 2, 4]);
    }

    #[test]
    fn a_change_is_shown_when_all_that_was_made_is_there_and_nothing_that_was_deleted() {
        let [made, other, gone] =
            ["made", "other", "gone"].map(|name| entry("User:a", name, AclOperation::Read));
        let mut change = AclChange::default();
        assert!(change.is_shown_by(&[]) && change.is_empty());
        change.add(made.clone());
        change.add(other.clone());
        change.remove(gone.clone());
        let stranger = entry("User:b", "made", AclOperation::Read);
        assert!(change.is_shown_by(&[made.clone(), other.clone(), stranger.clone()]));
        assert!(!change.is_shown_by(&[made.clone(), stranger]));
        assert!(!change.is_shown_by(&[made.clone(), other.clone(), gone.clone()]));
        // What was deleted and then made again has to be there, and the other way round.
        change.add(gone.clone());
        change.remove(made);
        assert!(change.is_shown_by(&[other.clone(), gone]));
        assert!(!change.is_shown_by(&[other]));
    }

    #[test]
    fn a_broker_is_asked_for_no_more_than_what_the_changed_entries_have_in_common() {
        let mut change = AclChange::default();
        assert_eq!(change.filter(), AclFilter::default());
        change.add(entry("User:a", "orders", AclOperation::Read));
        change.remove(entry("User:a", "orders", AclOperation::Write));
        let filter = change.filter();
        assert_eq!(filter.principal.as_deref(), Some("User:a"));
        assert_eq!(filter.resource_name.as_deref(), Some("orders"));
        assert_eq!(filter.operation, None);
        change.add(entry("User:b", "orders", AclOperation::Read));
        let filter = change.filter();
        assert_eq!(filter.principal, None);
        assert_eq!(filter.resource_type, Some(AclResourceType::Topic));
    }
}

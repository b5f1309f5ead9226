//! Reads what this broker's metadata says of the cluster, and what the other agents say of themselves.
//!
//! At rest both happen once per heartbeat. While this node or another one waits for a second opinion,
//! the metadata is read often, beginning with short pauses that grow.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::Instant;

use super::admin::{self, AdminError};
use super::context::{Context, KafkaState};
use super::problem::with_causes;
use super::status::HEARTBEAT;
use crate::clock::Timestamp;
use crate::kafka::client::{
    Admin, ConfigResource, ConfigScope, Error, Quorum, TopicSelection, TopicsMetadata,
};
use crate::planner::safety::{PartitionFacts, count_partitions};
use crate::spec::ids::TopicName;
use crate::store::documents::keys::{self, PerNode};
use crate::store::documents::{NodePhase, NodeStatus, PeerView};
use crate::store::{Changes, Prefix};

/// The first pause while somebody waits for a second opinion.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// The longest such pause: a broker that copies for an hour is not helped by more.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often the metadata is read at rest: just before each heartbeat.
const REST: Duration = Duration::from_millis(4_900);
/// A view that takes longer says nothing of the present.
const PATIENCE: Duration = Duration::from_secs(10);
/// A voter counts as caught up if the leader saw it at its end this lately: Kafka's own
/// `controller.quorum.fetch.timeout.ms`.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(2);
/// How often every topic is asked for its `min.insync.replicas`.
const ASK_ALL_AGAIN: Duration = Duration::from_mins(10);

/// Why there is no view.
#[derive(Debug, thiserror::Error)]
enum ViewError {
    #[error("make a connection")]
    Connection(#[from] AdminError),
    #[error("read the cluster's metadata")]
    Kafka(#[from] Error),
}

/// Observes until it is dropped.
pub(crate) async fn run(context: &Context, folder: &Prefix) -> Infallible {
    let mut observer = Observer {
        context,
        changes: context.documents.store().changes(folder),
        admin: None,
        pause: SHORTEST_PAUSE,
        looked_at: None,
        minimums: Minimums::default(),
    };
    let mut kafka = context.kafka.subscribe();
    let mut certificates = context.certificates.subscribe();
    loop {
        observer.read_peers().await;
        let state = *kafka.borrow_and_update();
        match state {
            KafkaState::Down => observer.admin = None,
            KafkaState::Ready(since) => observer.look(since).await,
        }
        let wait = observer.next_look(state);
        tokio::select! {
            _ = observer.changes.changed(wait) => {}
            _ = kafka.changed() => observer.pause = SHORTEST_PAUSE,
            _ = certificates.changed() => observer.admin = None,
        }
    }
}

struct Observer<'a> {
    context: &'a Context,
    changes: Changes,
    admin: Option<Admin>,
    pause: Duration,
    looked_at: Option<Instant>,
    minimums: Minimums,
}

/// `min.insync.replicas` of the topics that have one of their own. Asking for it costs far more than
/// the metadata, so it is asked for new topics at once and for all of them only now and then.
#[derive(Default)]
struct Minimums {
    own: BTreeMap<TopicName, u16>,
    known: BTreeSet<TopicName>,
    asked_at: Option<Instant>,
}

impl Minimums {
    async fn refresh(&mut self, admin: &Admin, topics: &TopicsMetadata) -> Result<(), Error> {
        if self.asked_at.is_none_or(|at| at.elapsed() >= ASK_ALL_AGAIN) {
            *self = Self {
                asked_at: Some(Instant::now()),
                ..Self::default()
            };
        }
        let new: Vec<TopicName> = topics
            .topics
            .iter()
            .filter_map(|(key, _)| key.name.clone())
            .filter(|name| !self.known.contains(name))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let resources: Vec<_> = new.iter().cloned().map(ConfigResource::Topic).collect();
        let configs = admin.describe_configs(&resources, ConfigScope::Overrides).await?;
        for (name, config) in new.into_iter().zip(configs) {
            let entries = config.unwrap_or_default();
            let minimum = entries
                .iter()
                .find(|entry| entry.name == "min.insync.replicas")
                .and_then(|entry| entry.value.as_deref()?.parse().ok());
            if let Some(minimum) = minimum {
                self.own.insert(name.clone(), minimum);
            }
            self.known.insert(name);
        }
        Ok(())
    }
}

impl Observer<'_> {
    async fn read_peers(&self) {
        let Some(desired) = self.context.desired() else {
            return;
        };
        let own = self.context.node_id();
        let mut found = Vec::new();
        for node in desired.cluster.nodes.iter().filter(|node| node.id != own) {
            let Ok(key) = keys::per_node(&self.context.home.cluster_uid, node.id, PerNode::Node) else {
                continue;
            };
            // What cannot be read says nothing; its own agent writes it again soon.
            if let Ok(Some(read)) = self.context.documents.read::<NodeStatus>(&key).await {
                found.push(read.body);
            }
        }
        self.context.peers.send_if_modified(|peers| {
            let changed = *peers != found;
            if changed {
                *peers = found;
            }
            changed
        });
    }

    async fn look(&mut self, since: Timestamp) {
        let is_due = self
            .looked_at
            .is_none_or(|at| at.elapsed() >= self.next_pause(since));
        if !is_due {
            return;
        }
        self.pause = (self.pause * 3 / 2).min(LONGEST_PAUSE);
        let view = self.view().await;
        self.looked_at = Some(Instant::now());
        match view {
            Ok(view) => {
                self.context.view.send_replace(Some(view));
            }
            Err(cause) => {
                self.admin = None;
                tracing::debug!(cause = %with_causes(&cause), "no view of the cluster");
            }
        }
    }

    /// How long the present view is good enough.
    fn next_pause(&mut self, since: Timestamp) -> Duration {
        let own_is_waiting = self.context.view.borrow().as_ref().is_none_or(|view| {
            view.observed_at < since || view.out_of_sync.contains_key(&self.context.node_id())
        });
        let others_wait = self.context.peers.borrow().iter().any(|peer| {
            matches!(
                peer.phase,
                NodePhase::Starting | NodePhase::Recovering | NodePhase::Running
            ) && is_fresh(peer)
        });
        if own_is_waiting || others_wait {
            self.pause
        } else {
            self.pause = SHORTEST_PAUSE;
            REST
        }
    }

    fn next_look(&mut self, state: KafkaState) -> Duration {
        match state {
            KafkaState::Down => HEARTBEAT,
            KafkaState::Ready(since) => {
                let pause = self.next_pause(since);
                let passed = self.looked_at.map_or(Duration::ZERO, |at| at.elapsed());
                pause.saturating_sub(passed).max(Duration::from_millis(5))
            }
        }
    }

    async fn view(&mut self) -> Result<PeerView, ViewError> {
        let default_minimum = self.default_minimum();
        let admin = match &self.admin {
            Some(admin) => admin,
            None => self.admin.insert(admin::connect(self.context, PATIENCE)?),
        };
        let topics = admin.describe_topics(TopicSelection::All).await?;
        // The view is as old as its oldest part.
        let observed_at = Timestamp::now();
        let quorum = admin.describe_quorum().await.ok();
        self.minimums.refresh(admin, &topics).await?;
        Ok(summarize(
            &topics,
            &self.minimums.own,
            default_minimum,
            quorum.as_ref(),
            observed_at,
        ))
    }

    fn default_minimum(&self) -> u16 {
        let desired = self.context.desired();
        let value = desired.as_ref().and_then(|desired| {
            let cluster = &desired.cluster;
            let name = "min.insync.replicas";
            cluster
                .live_properties
                .get(name)
                .or_else(|| cluster.static_properties.get(name))
        });
        value.and_then(|value| value.parse().ok()).unwrap_or(1)
    }
}

/// Whether a status is young enough to be believed.
pub(crate) fn is_fresh(status: &NodeStatus) -> bool {
    let age = Timestamp::now().since(status.written_at);
    age < Duration::from_secs(u64::from(status.heartbeat_seconds) * 3)
}

fn summarize(
    topics: &TopicsMetadata,
    minimums: &BTreeMap<TopicName, u16>,
    default_minimum: u16,
    quorum: Option<&Quorum>,
    observed_at: Timestamp,
) -> PeerView {
    let facts: Vec<PartitionFacts> = topics
        .topics
        .iter()
        .filter_map(|(key, topic)| Some((key.name.as_ref(), topic.as_ref().ok()?)))
        .flat_map(|(name, topic)| {
            let minimum = name.and_then(|name| minimums.get(name)).copied();
            let min_in_sync = minimum.unwrap_or(default_minimum);
            topic.partitions.iter().map(move |partition| PartitionFacts {
                replicas: partition.replicas.clone(),
                in_sync: partition.in_sync.clone(),
                min_in_sync,
                has_leader: partition.leader.is_some(),
            })
        })
        .collect();
    let counts = count_partitions(&facts);
    let voters = quorum.map(|quorum| quorum.voters.as_slice()).unwrap_or_default();
    let leader = quorum.and_then(|quorum| quorum.leader);
    let newest = voters.iter().filter_map(|voter| voter.last_caught_up).max();
    let is_caught_up = |at: Option<Timestamp>| match (at, newest) {
        (Some(at), Some(newest)) => newest.since(at) <= CAUGHT_UP_WITHIN,
        _ => false,
    };
    PeerView {
        observed_at,
        live_brokers: topics.nodes.iter().map(|node| node.id).collect(),
        out_of_sync: counts.out_of_sync,
        would_fall_below: counts.would_fall_below,
        under_min_isr: counts.under_min_isr,
        offline: counts.offline,
        quorum_leader: leader,
        voters: voters.iter().map(|voter| voter.id).collect(),
        caught_up_voters: voters
            .iter()
            .filter(|voter| Some(voter.id) == leader || is_caught_up(voter.last_caught_up))
            .map(|voter| voter.id)
            .collect(),
    }
}

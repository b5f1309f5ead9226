//! The properties of a cluster that do not depend on a node: Amazon MSK's defaults with two corrections,
//! sizes by the number of brokers, the profile of one machine, and the user's configuration on top.
//!
//! Listeners, stores, ids and super users are not here: they belong to a node (`server_properties`).

use std::collections::BTreeMap;

use crate::kafka::properties::{self, Scope};
use crate::spec::broker_properties::{default_of, in_milliseconds, is_live};
use crate::spec::changes::{PropertyChanges, property_changes};
use crate::spec::cluster::{ClusterSpec, LARGEST_MAX_MESSAGE_BYTES};

/// Where the nodes run, as far as sizes are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Many nodes share one small machine: few threads, small buffers, quick elections.
    OneMachine,
    /// A machine per node.
    Machines,
}

/// The properties of a cluster, by how a change reaches running brokers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterProperties {
    /// By a restart.
    pub fixed: BTreeMap<String, String>,
    /// Live, for all brokers at once.
    pub live: BTreeMap<String, String>,
}

/// Every property of the cluster, the user's on top of ours. Names that a configuration may not hold are
/// left out even if they got so far.
#[must_use]
pub fn cluster_properties(spec: &ClusterSpec, profile: Profile) -> ClusterProperties {
    let version = spec.kafka_version;
    let mut all: BTreeMap<String, String> = defaults(spec, profile)
        .into_iter()
        .filter(|(name, _)| properties::find(version, Scope::Broker, name).is_some())
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    if let Some(configuration) = &spec.configuration {
        for (name, value) in in_milliseconds(&configuration.server_properties) {
            if properties::look_up(version, Scope::Broker, &name).is_ok() {
                all.insert(name, value);
            }
        }
    }
    // The attribute has settled it with the configuration: equal, or the only one that says it.
    all.insert("message.max.bytes".to_owned(), spec.max_message_bytes.to_string());
    let mut split = ClusterProperties::default();
    for (name, value) in all {
        let half = if is_live(version, &name) {
            &mut split.live
        } else {
            &mut split.fixed
        };
        half.insert(name, value);
    }
    split
}

/// What differs in effect between two forms of one cluster: a property that is written with the value that
/// it has by default anyway is no change. For `spec::changes::refuse_restarts`.
#[must_use]
pub fn effective_changes(before: &ClusterSpec, after: &ClusterSpec, profile: Profile) -> PropertyChanges {
    let all = |spec: &ClusterSpec| {
        let mut properties = cluster_properties(spec, profile);
        properties.fixed.append(&mut properties.live);
        properties.fixed
    };
    property_changes(before.kafka_version, &all(before), &all(after))
}

/// `before` with what has left it since set to Kafka's default.
///
/// A running broker has the old value in its `server.properties` too, so taking the dynamic value away
/// would bring that one back, not the default. So the default is set by name from then on.
#[must_use]
pub fn with_returned_defaults(
    spec: &ClusterSpec,
    before: &BTreeMap<String, String>,
    mut now: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    for (name, value) in before {
        if !now.contains_key(name) && is_live(spec.kafka_version, name) {
            let default = default_of(spec.kafka_version, name).unwrap_or(value);
            now.insert(name.clone(), default.to_owned());
        }
    }
    now
}

fn defaults(spec: &ClusterSpec, profile: Profile) -> BTreeMap<&'static str, String> {
    let mut lines = sizes(spec);
    lines.extend(message_sizes());
    // reference/msk-facts.md 10, "Default configuration", with the corrections of the interface:
    // no unclean elections, and access denied unless allowed.
    let constant = [
        ("allow.everyone.if.no.acl.found", "false"),
        ("auto.create.topics.enable", "false"),
        ("auto.leader.rebalance.enable", "true"),
        ("num.io.threads", "8"),
        ("num.network.threads", "5"),
        ("num.partitions", "1"),
        ("num.replica.fetchers", "2"),
        ("replica.lag.time.max.ms", "30000"),
        ("socket.receive.buffer.bytes", "102400"),
        ("socket.send.buffer.bytes", "102400"),
        ("socket.request.max.bytes", "104857600"),
        ("unclean.leader.election.enable", "false"),
    ];
    lines.extend(constant.map(|(name, value)| (name, value.to_owned())));
    if profile == Profile::OneMachine {
        lines.extend(ONE_MACHINE.map(|(name, value)| (name, value.to_owned())));
    }
    lines
}

/// Replicas by the number of brokers.
fn sizes(spec: &ClusterSpec) -> BTreeMap<&'static str, String> {
    let factor = spec.default_replication_factor().to_string();
    let in_sync = spec.default_min_insync_replicas().to_string();
    let replicas = [
        "default.replication.factor",
        "offsets.topic.replication.factor",
        "transaction.state.log.replication.factor",
        "share.coordinator.state.topic.replication.factor",
    ];
    let minimum = [
        "min.insync.replicas",
        "transaction.state.log.min.isr",
        "share.coordinator.state.topic.min.isr",
    ];
    let replicas = replicas.map(|name| (name, factor.clone()));
    let minimum = minimum.map(|name| (name, in_sync.clone()));
    replicas.into_iter().chain(minimum).collect()
}

/// Rendered for the largest `max_message_bytes`, so that a change of it is live: these need a restart.
fn message_sizes() -> [(&'static str, String); 2] {
    [
        ("replica.fetch.max.bytes", LARGEST_MAX_MESSAGE_BYTES.to_string()),
        // Room for two of the largest batches in one answer.
        (
            "replica.fetch.response.max.bytes",
            (2 * LARGEST_MAX_MESSAGE_BYTES).to_string(),
        ),
    ]
}

/// Several nodes on one machine (reference/kafka-operations.md 10.3): little memory, few threads, and
/// short timeouts, so that a node that was killed is back within seconds. A version takes those it knows.
const ONE_MACHINE: [(&str, &str); 27] = [
    ("background.threads", "2"),
    ("broker.heartbeat.interval.ms", "500"),
    ("broker.session.timeout.ms", "3000"),
    ("controller.quorum.append.linger.ms", "1"),
    ("controller.quorum.election.backoff.max.ms", "200"),
    ("controller.quorum.election.timeout.ms", "300"),
    // Kafka's own default: shorter ones elect again and again when all cores are busy with JVM starts.
    ("controller.quorum.fetch.timeout.ms", "2000"),
    ("group.coordinator.threads", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("leader.imbalance.check.interval.seconds", "5"),
    ("log.cleaner.dedupe.buffer.size", "2097152"),
    ("log.cleaner.io.buffer.size", "65536"),
    ("log.index.size.max.bytes", "1048576"),
    ("log.segment.bytes", "67108864"),
    ("metadata.log.segment.bytes", "8388608"),
    ("metadata.max.idle.interval.ms", "5000"),
    ("num.io.threads", "2"),
    ("num.network.threads", "1"),
    ("num.recovery.threads.per.data.dir", "1"),
    ("num.replica.fetchers", "1"),
    ("offsets.topic.num.partitions", "3"),
    ("queued.max.requests", "64"),
    ("share.coordinator.state.topic.num.partitions", "3"),
    ("share.coordinator.threads", "1"),
    ("socket.receive.buffer.bytes", "65536"),
    ("socket.send.buffer.bytes", "65536"),
    ("transaction.state.log.num.partitions", "3"),
];

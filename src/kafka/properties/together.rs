//! Rules over several properties at once: what Kafka refuses when it starts although each value alone
//! is fine (`KafkaConfig.validateValues` and `DynamicLogConfig`, 3.9 to 4.3).

use std::collections::BTreeMap;

use super::{Scope, find};
use crate::kafka::versions::KafkaVersion;

/// Two or more properties that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is {value} but must be {relation} `{other}`, which is {bound}")]
pub struct Contradiction {
    /// The first property; the finding is shown at it, or at `other` if the user did not write it.
    pub name: &'static str,
    /// Its value, written or default.
    pub value: i64,
    /// `at most`, `at least` or `below`.
    pub relation: &'static str,
    /// The second property.
    pub other: &'static str,
    /// Its value, written or default.
    pub bound: i64,
}

#[derive(Clone, Copy)]
enum Relation {
    AtMost,
    Below,
    /// At least the second, unless zero or below, which means "no limit".
    AtLeastIfPositive,
    /// At most the second, where -1 means "no limit" and -2 for the first means "as the second".
    AtMostUnlessUnlimited,
}

const BROKER: &[(&str, Relation, &str)] = &[
    (
        "replica.fetch.wait.max.ms",
        Relation::AtMost,
        "replica.socket.timeout.ms",
    ),
    (
        "replica.fetch.wait.max.ms",
        Relation::AtMost,
        "replica.lag.time.max.ms",
    ),
    (
        "queued.max.request.bytes",
        Relation::AtLeastIfPositive,
        "socket.request.max.bytes",
    ),
    (
        "connection.failed.authentication.delay.ms",
        Relation::Below,
        "connections.max.idle.ms",
    ),
    (
        "log.cleaner.min.compaction.lag.ms",
        Relation::AtMost,
        "log.cleaner.max.compaction.lag.ms",
    ),
    (
        "log.local.retention.bytes",
        Relation::AtMostUnlessUnlimited,
        "log.retention.bytes",
    ),
    (
        "group.min.session.timeout.ms",
        Relation::AtMost,
        "group.max.session.timeout.ms",
    ),
    (
        "group.consumer.min.heartbeat.interval.ms",
        Relation::AtMost,
        "group.consumer.heartbeat.interval.ms",
    ),
    (
        "group.consumer.heartbeat.interval.ms",
        Relation::AtMost,
        "group.consumer.max.heartbeat.interval.ms",
    ),
    (
        "group.consumer.min.session.timeout.ms",
        Relation::AtMost,
        "group.consumer.session.timeout.ms",
    ),
    (
        "group.consumer.session.timeout.ms",
        Relation::AtMost,
        "group.consumer.max.session.timeout.ms",
    ),
    (
        "group.consumer.heartbeat.interval.ms",
        Relation::Below,
        "group.consumer.session.timeout.ms",
    ),
];

const TOPIC: &[(&str, Relation, &str)] = &[
    ("min.compaction.lag.ms", Relation::AtMost, "max.compaction.lag.ms"),
    (
        "local.retention.ms",
        Relation::AtMostUnlessUnlimited,
        "retention.ms",
    ),
    (
        "local.retention.bytes",
        Relation::AtMostUnlessUnlimited,
        "retention.bytes",
    ),
];

/// Finds every contradiction among the written values and Kafka's defaults for the rest.
///
/// Assumes that each value alone was checked; one that is not a number is passed over.
pub fn contradictions(
    version: KafkaVersion,
    scope: Scope,
    written: &BTreeMap<String, String>,
) -> Vec<Contradiction> {
    let value = |name: &str| -> Option<i64> {
        let default = find(version, scope, name)?.default;
        written
            .get(name)
            .map(String::as_str)
            .or(default)?
            .trim()
            .parse()
            .ok()
    };
    let rules = match scope {
        Scope::Broker => BROKER,
        Scope::Topic => TOPIC,
    };
    let mut found = Vec::new();
    for (name, relation, other) in rules.iter().copied() {
        if !written.contains_key(name) && !written.contains_key(other) {
            continue;
        }
        let (Some(left), Some(right)) = (value(name), value(other)) else {
            continue;
        };
        let (holds, relation) = match relation {
            Relation::AtMost => (left <= right, "at most"),
            Relation::Below => (left < right, "below"),
            Relation::AtLeastIfPositive => (left <= 0 || left >= right, "at least"),
            Relation::AtMostUnlessUnlimited => (
                left == -2 || right == -1 || (left != -1 && left <= right),
                "at most",
            ),
        };
        if !holds {
            found.push(Contradiction {
                name,
                value: left,
                relation,
                other,
                bound: right,
            });
        }
    }
    found
}

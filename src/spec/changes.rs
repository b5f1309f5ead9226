//! What changed between the configuration last applied and the one wanted now, as far as properties are
//! concerned. Only what the user changed may be refused; drift is not looked at here.

use std::collections::{BTreeMap, BTreeSet};

use super::broker_properties::{default_of, in_milliseconds, is_live};
use crate::kafka::properties::{Scope, find, same_value};
use crate::kafka::versions::KafkaVersion;
use crate::tfplugin::{AttributePath, Diagnostics};

/// The properties that differ between two revisions, by how the new value reaches running brokers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PropertyChanges {
    /// Live, without a restart.
    pub live: BTreeSet<String>,
    /// Only by a restart.
    pub restart: BTreeSet<String>,
}

/// Compares the properties of the revision last applied with those wanted now; none attached is empty.
///
/// Values compare by meaning, and hours as milliseconds. A property that was at Kafka's default and is
/// now written counts as a change even if the value is the same, since our default may be another.
#[must_use]
pub fn property_changes(
    version: KafkaVersion,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> PropertyChanges {
    let (before, after) = (in_milliseconds(before), in_milliseconds(after));
    let mut changes = PropertyChanges::default();
    for name in before.keys().chain(after.keys()) {
        let is_same = match (before.get(name), after.get(name)) {
            (Some(left), Some(right)) => {
                left == right
                    || find(version, Scope::Broker, name)
                        .is_some_and(|property| same_value(property, left, right))
            }
            _ => false,
        };
        if !is_same {
            let group = if is_live(version, name) {
                &mut changes.live
            } else {
                &mut changes.restart
            };
            group.insert(name.clone());
        }
    }
    changes
}

/// Refuses changes that only a restart brings into force: not in this version.
pub fn refuse_restarts(changes: &PropertyChanges, diagnostics: &mut Diagnostics) {
    if changes.restart.is_empty() {
        return;
    }
    let names: Vec<String> = changes.restart.iter().map(|name| format!("`{name}`")).collect();
    let detail = format!(
        "This changes {}, which Kafka takes only with a restart of every broker, and rolling restarts are not in this \
         version. Leave {} as before, or make a new cluster with the configuration. `terraform destroy \
         -refresh=false` destroys the cluster as it is.",
        names.join(", "),
        if names.len() == 1 { "it" } else { "them" }
    );
    diagnostics.error(&AttributePath::of("configuration"), "Not in this version", detail);
}

/// Thread pools, of which Kafka takes a new size live only from half to twice the current one
/// (`DynamicThreadPool.java`, Kafka 4.3).
const POOLS: [&str; 6] = [
    "background.threads",
    "log.cleaner.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
];

/// The values to set next on the way from the dynamic cluster defaults that Kafka has (`current`, with the
/// static value or Kafka's default where no dynamic one is) to the wanted ones. Empty: arrived.
///
/// Agents call it again after each step, since pools grow and shrink by a factor of two at most.
#[must_use]
pub fn next_live_values(
    version: KafkaVersion,
    current: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut next = BTreeMap::new();
    for (name, target) in wanted {
        let now = current
            .get(name)
            .map(String::as_str)
            .or_else(|| default_of(version, name));
        if now == Some(target.as_str()) && current.contains_key(name) {
            continue;
        }
        let value = match (
            POOLS.contains(&name.as_str()),
            now.map(str::parse::<u64>),
            target.parse::<u64>(),
        ) {
            (true, Some(Ok(now)), Ok(target)) => {
                target.clamp(now.div_ceil(2), now.saturating_mul(2)).to_string()
            }
            _ => target.clone(),
        };
        next.insert(name.clone(), value);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&str, &str)]) -> BTreeMap<String, String> {
        lines
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn changes_are_told_apart_by_meaning_and_by_how_they_reach_brokers() {
        let before = map(&[
            ("auto.create.topics.enable", "TRUE"),
            ("log.retention.hours", "1"),
            ("num.partitions", "1"),
            ("unclean.leader.election.enable", "true"),
        ]);
        let after = map(&[
            ("auto.create.topics.enable", "true"),
            ("log.retention.ms", "3600000"),
            ("num.partitions", "2"),
            ("compression.type", "zstd"),
        ]);
        let changes = property_changes(KafkaVersion::DEFAULT, &before, &after);
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(names(&changes.restart), "num.partitions");
        assert_eq!(
            names(&changes.live),
            "compression.type unclean.leader.election.enable"
        );
        let mut diagnostics = Diagnostics::new();
        refuse_restarts(&changes, &mut diagnostics);
        assert!(
            diagnostics
                .iter()
                .next()
                .unwrap()
                .detail
                .contains("`num.partitions`")
        );
    }

    #[test]
    fn pools_go_by_halves_and_doubles_and_arrive() {
        let wanted = map(&[("num.io.threads", "9"), ("num.network.threads", "1")]);
        let mut current = map(&[("num.io.threads", "2"), ("num.network.threads", "5")]);
        let mut steps = Vec::new();
        loop {
            let next = next_live_values(KafkaVersion::DEFAULT, &current, &wanted);
            if next.is_empty() {
                break;
            }
            steps.push(next.get("num.io.threads").cloned().unwrap_or_default());
            current.extend(next);
            assert!(steps.len() < 9);
        }
        assert_eq!(steps, ["4", "8", "9"]);
        assert_eq!(current, wanted);
    }
}

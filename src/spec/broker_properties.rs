//! Broker properties in the spelling that Kafka takes live.
//!
//! Kafka takes `log.retention.ms` live but not its coarser synonyms (`DynamicBrokerConfig`, Kafka 4.3).
//! So hours and minutes are always turned into milliseconds, and a change of them needs no restart.

use std::collections::BTreeMap;

use crate::kafka::properties::{self, Scope, UpdateMode};
use crate::kafka::versions::KafkaVersion;

/// (fine name, coarse name, milliseconds of one coarse unit), the finer coarse name first.
const COARSE: [(&str, &str, i64); 4] = [
    ("log.retention.ms", "log.retention.minutes", 60_000),
    ("log.retention.ms", "log.retention.hours", 3_600_000),
    ("log.roll.ms", "log.roll.hours", 3_600_000),
    ("log.roll.jitter.ms", "log.roll.jitter.hours", 3_600_000),
];

/// What a property is worth when nobody sets it, where Kafka's table names another property or nothing.
const DERIVED_DEFAULTS: [(&str, &str); 4] = [
    ("log.retention.ms", "604800000"),
    ("log.roll.ms", "604800000"),
    ("log.roll.jitter.ms", "0"),
    ("log.flush.interval.ms", "9223372036854775807"),
];

/// The properties with every coarse spelling turned into milliseconds.
///
/// The finest one that is there wins, as in Kafka. A value that is not a number stays as it is.
#[must_use]
pub fn in_milliseconds(written: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut fine = written.clone();
    for (name, coarse, unit) in COARSE {
        let Some(value) = written
            .get(coarse)
            .and_then(|text| text.trim().parse::<i64>().ok())
        else {
            continue;
        };
        fine.remove(coarse);
        let milliseconds = if value < 0 { -1 } else { value.saturating_mul(unit) };
        fine.entry(name.to_owned())
            .or_insert_with(|| milliseconds.to_string());
    }
    fine
}

/// Whether Kafka takes a new value of this property live, for all brokers at once.
pub fn is_live(version: KafkaVersion, name: &str) -> bool {
    properties::find(version, Scope::Broker, name)
        .is_some_and(|property| property.update == UpdateMode::ClusterWide)
}

/// What the property is worth when nobody sets it.
pub fn default_of(version: KafkaVersion, name: &str) -> Option<&'static str> {
    DERIVED_DEFAULTS
        .iter()
        .find(|(derived, _)| *derived == name)
        .map(|(_, value)| *value)
        .or_else(|| properties::find(version, Scope::Broker, name)?.default)
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
    fn hours_become_milliseconds_and_minutes_win_over_hours() {
        let fine = in_milliseconds(&map(&[
            ("log.retention.hours", "2"),
            ("log.retention.minutes", "5"),
            ("log.roll.hours", "1"),
        ]));
        assert_eq!(
            fine,
            map(&[("log.retention.ms", "300000"), ("log.roll.ms", "3600000")])
        );
    }

    #[test]
    fn written_milliseconds_win_and_unlimited_stays_unlimited() {
        let fine = in_milliseconds(&map(&[("log.retention.ms", "7"), ("log.retention.hours", "1")]));
        assert_eq!(fine, map(&[("log.retention.ms", "7")]));
        let fine = in_milliseconds(&map(&[("log.retention.hours", "-1")]));
        assert_eq!(fine, map(&[("log.retention.ms", "-1")]));
    }

    #[test]
    fn every_version_takes_the_fine_spelling_live() {
        for version in KafkaVersion::all() {
            for (fine, coarse, _) in COARSE {
                assert!(is_live(version, fine), "{fine} {version}");
                assert!(!is_live(version, coarse), "{coarse} {version}");
            }
        }
    }
}

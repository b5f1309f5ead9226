//! The rules of `msk_topic`.

use std::collections::BTreeMap;

use super::{Check, quoted};
use crate::kafka::properties::{self, Scope, together};
use crate::kafka::versions::KafkaVersion;
use crate::spec::ids::TopicName;
use crate::spec::objects::TopicSpec;
use crate::tfplugin::{Attr, AttributePath, Diagnostics, Object};

/// What is known of the cluster; nothing of it is needed.
#[derive(Debug, Clone, Copy, Default)]
pub struct TopicContext {
    /// Its version; without it a setting must be right in at least one supported version.
    pub kafka_version: Option<KafkaVersion>,
    /// How many brokers it has.
    pub brokers: Option<u32>,
}

/// Topics that Kafka makes and keeps itself.
const INTERNAL: [&str; 4] = [
    "__cluster_metadata",
    "__consumer_offsets",
    "__share_group_state",
    "__transaction_state",
];

/// Why a text is no name of a topic, if it is none.
pub fn topic_name_problem(text: &str) -> Option<&'static str> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text == "." || text == ".." {
        Some("a name other than `.` and `..`")
    } else if !(1..=249).contains(&text.len()) || !text.bytes().all(is_letter) {
        Some("1 to 249 letters, digits, `.`, `_` and `-`")
    } else if INTERNAL.contains(&text) {
        Some("another name: Kafka makes and keeps this topic itself")
    } else {
        None
    }
}

/// Whether two different names cannot stand side by side: Kafka's metric names have `_` for `.`.
pub fn names_collide(left: &str, right: &str) -> bool {
    left != right && left.len() == right.len() && left.replace('.', "_") == right.replace('.', "_")
}

/// Reports every other topic of the cluster whose name collides with this one.
pub fn refuse_collisions<'a>(
    name: &TopicName,
    others: impl IntoIterator<Item = &'a TopicName>,
    diagnostics: &mut Diagnostics,
) {
    for other in others {
        if names_collide(name.as_str(), other.as_str()) {
            let detail = format!(
                "Topic {} and the existing topic {} differ only in `.` and `_`, which Kafka's metrics cannot tell \
                 apart, so Kafka refuses the second. Take another name.",
                quoted(name.as_str()),
                quoted(other.as_str())
            );
            diagnostics.error(&AttributePath::of("name"), "Topic names collide", detail);
        }
    }
}

/// Checks a topic.
pub fn check_topic(
    written: &Object,
    context: TopicContext,
    diagnostics: &mut Diagnostics,
) -> Option<TopicSpec> {
    let mut check = Check::new(diagnostics);
    let name = check.known(written.string("name"), None);
    if let Some(name) = &name
        && let Some(rule) = topic_name_problem(name)
    {
        check.breaks(&AttributePath::of("name"), quoted(name), rule);
    }
    let partitions = check.number(written, "partitions", &(1..=10_000), None);
    let factor = replication_factor(&mut check, written, context);
    let config = config(&mut check, written, context, factor.flatten());
    let deletion_protection = match written.boolean("deletion_protection") {
        Attr::Known(is_on) => Some(Some(is_on)),
        Attr::Null => Some(None),
        Attr::Unknown => check.known(Attr::Unknown, None),
    };
    let made = (|| {
        Some(TopicSpec {
            name: TopicName::new(name?),
            partitions: partitions?,
            replication_factor: factor?,
            config: config?,
            deletion_protection: deletion_protection?,
        })
    })();
    check.finish(made)
}

#[expect(
    clippy::option_option,
    reason = "the outer one is `cannot tell`, the inner one is the default"
)]
fn replication_factor(check: &mut Check<'_>, written: &Object, context: TopicContext) -> Option<Option<u16>> {
    // Computed where nothing is written: unknown in the plan of a create, and fine.
    if !written.integer("replication_factor").is_known() {
        return Some(None);
    }
    let factor = check.number(written, "replication_factor", &(1..=60), None)?;
    if let Some(brokers) = context.brokers
        && factor > brokers
    {
        let path = AttributePath::of("replication_factor");
        let rule = format!("at most {brokers}, the number of brokers");
        check.breaks(&path, factor, rule);
        return None;
    }
    Some(u16::try_from(factor).ok())
}

fn config(
    check: &mut Check<'_>,
    written: &Object,
    context: TopicContext,
    factor: Option<u16>,
) -> Option<BTreeMap<String, String>> {
    let path = AttributePath::of("config");
    let nothing = BTreeMap::new();
    let entries = check.known(written.map("config"), Some(&nothing))?;
    let mut config = BTreeMap::new();
    for (name, value) in entries {
        let path = path.key(name);
        let value = match value.as_str() {
            Attr::Known(value) => value,
            Attr::Null => {
                let detail =
                    format!("`{path}` is null. Take the line out: the cluster's default holds then.");
                check.error(&path, "A setting without a value", detail);
                continue;
            }
            Attr::Unknown => {
                check.is_complete = false;
                if let Err(error) = look_up(context.kafka_version, name) {
                    check.error(&path, "Unknown topic setting", format!("{error}."));
                }
                continue;
            }
        };
        match check_setting(context.kafka_version, name, value) {
            Ok(()) => {
                config.insert(name.clone(), value.to_owned());
            }
            Err(error) => check.error(&path, "Invalid topic setting", format!("{error}.")),
        }
    }
    let version = context.kafka_version.unwrap_or(KafkaVersion::DEFAULT);
    for contradiction in together::contradictions(version, Scope::Topic, &config) {
        let name = if config.contains_key(contradiction.name) {
            contradiction.name
        } else {
            contradiction.other
        };
        check.error(
            &path.key(name),
            "Contradicting settings",
            format!("{contradiction}."),
        );
    }
    min_in_sync(check, &config, context, factor);
    Some(config)
}

fn min_in_sync(
    check: &mut Check<'_>,
    config: &BTreeMap<String, String>,
    context: TopicContext,
    factor: Option<u16>,
) {
    const NAME: &str = "min.insync.replicas";
    let Some(minimum) = config.get(NAME).and_then(|text| text.trim().parse::<u32>().ok()) else {
        return;
    };
    let written = factor.map(u32::from);
    let Some(replicas) = written.or(context.brokers.map(|brokers| brokers.min(3))) else {
        return;
    };
    if minimum > replicas {
        let path = AttributePath::of("config").key(NAME);
        let detail = format!(
            "`{NAME}` is {minimum} and the topic has {replicas} replicas, so no producer with `acks=all` could write. \
             Lower it, or raise `replication_factor`."
        );
        check.error(&path, "More in-sync replicas than replicas", detail);
    }
}

fn look_up(version: Option<KafkaVersion>, name: &str) -> Result<(), properties::Error> {
    in_some_version(version, |version| {
        properties::look_up(version, Scope::Topic, name).map(drop)
    })
}

fn check_setting(version: Option<KafkaVersion>, name: &str, value: &str) -> Result<(), properties::Error> {
    in_some_version(version, |version| {
        properties::check(version, Scope::Topic, name, value).map(drop)
    })
}

/// In the one version, or in any of the supported ones, where the newest has the last word.
fn in_some_version(
    version: Option<KafkaVersion>,
    check: impl Fn(KafkaVersion) -> Result<(), properties::Error>,
) -> Result<(), properties::Error> {
    match version {
        Some(version) => check(version),
        None if KafkaVersion::all().any(|version| check(version).is_ok()) => Ok(()),
        None => check(KafkaVersion::DEFAULT),
    }
}

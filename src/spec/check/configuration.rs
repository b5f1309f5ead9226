//! The rules of `msk_configuration`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, NAME_RULE, is_name, quoted};
use crate::kafka::properties::{self, Scope, together};
use crate::kafka::versions::KafkaVersion;
use crate::spec::cluster::LARGEST_MAX_MESSAGE_BYTES;
use crate::spec::objects::ConfigurationSpec;
use crate::tfplugin::{Attr, AttributePath, Diagnostics, Object};

/// Checks a configuration.
pub fn check_configuration(written: &Object, diagnostics: &mut Diagnostics) -> Option<ConfigurationSpec> {
    let mut check = Check::new(diagnostics);
    let name = check.text(written, "name", NAME_RULE, is_name);
    let description = check.optional_text(written, "description", "at most 1,024 characters", |text| {
        text.chars().count() <= 1_024
    });
    let versions = versions(&mut check, written);
    let server_properties = server_properties(&mut check, written, versions.as_deref().unwrap_or_default());
    let made = (|| {
        Some(ConfigurationSpec {
            name: name?,
            description: description?,
            kafka_versions: versions?.iter().map(ToString::to_string).collect::<BTreeSet<_>>(),
            server_properties: server_properties?,
        })
    })();
    check.finish(made)
}

fn versions(check: &mut Check<'_>, written: &Object) -> Option<Vec<KafkaVersion>> {
    let path = AttributePath::of("kafka_versions");
    let elements = check.known(written.elements("kafka_versions"), Some(&[][..]))?;
    if elements.is_empty() && !written.get("kafka_versions").is_null() {
        check.breaks(
            &path,
            "empty",
            "left out (every version) or a set of at least one version",
        );
    }
    let mut versions = Vec::new();
    for element in elements {
        let Some(text) = check.known(element.as_str(), None) else {
            continue;
        };
        match KafkaVersion::parse(text) {
            Ok(version) => versions.push(version),
            Err(error) => check.error(&path, "Unsupported Kafka version", format!("{error}.")),
        }
    }
    versions.sort_unstable();
    Some(versions)
}

fn server_properties(
    check: &mut Check<'_>,
    written: &Object,
    versions: &[KafkaVersion],
) -> Option<BTreeMap<String, String>> {
    let path = AttributePath::of("server_properties");
    let entries = check.known(written.map("server_properties"), None)?;
    let mut known = BTreeMap::new();
    let mut all_known = true;
    for (name, value) in entries {
        let path = path.key(name);
        let value = match value.as_str() {
            Attr::Known(value) => Some(value),
            Attr::Null => {
                let detail = format!("`{path}` is null. Take the line out: the default holds then.");
                check.error(&path, "A property without a value", detail);
                continue;
            }
            Attr::Unknown => {
                all_known = false;
                None
            }
        };
        match check_property(versions, name, value) {
            Err(error) => check.error(&path, "Invalid broker property", format!("{error}.")),
            Ok(()) => {
                if let Some(value) = value {
                    check_message_size(check, &path, name, value);
                    known.insert(name.clone(), value.to_owned());
                }
            }
        }
    }
    let newest = versions.last().copied().unwrap_or(KafkaVersion::DEFAULT);
    for contradiction in together::contradictions(newest, Scope::Broker, &known) {
        let name = if known.contains_key(contradiction.name) {
            contradiction.name
        } else {
            contradiction.other
        };
        check.error(
            &path.key(name),
            "Contradicting properties",
            format!("{contradiction}."),
        );
    }
    check.is_complete &= all_known;
    Some(known)
}

/// Right in each of the named versions; with none named, in at least one supported version (the cluster
/// checks it for its own). The newest version has the last word.
fn check_property(
    versions: &[KafkaVersion],
    name: &str,
    value: Option<&str>,
) -> Result<(), properties::Error> {
    let check = |version| match value {
        Some(value) => properties::check(version, Scope::Broker, name, value).map(drop),
        None => properties::look_up(version, Scope::Broker, name).map(drop),
    };
    if versions.is_empty() {
        if KafkaVersion::all().any(|version| check(version).is_ok()) {
            return Ok(());
        }
        return check(KafkaVersion::DEFAULT);
    }
    versions.iter().copied().try_for_each(check)
}

fn check_message_size(check: &mut Check<'_>, path: &AttributePath, name: &str, value: &str) {
    if name != "message.max.bytes" {
        return;
    }
    let size = value.trim().parse::<u32>().unwrap_or(u32::MAX);
    if !(1..=LARGEST_MAX_MESSAGE_BYTES).contains(&size) {
        check.breaks(
            path,
            quoted(value),
            format!("from 1 to {LARGEST_MAX_MESSAGE_BYTES}"),
        );
    }
}

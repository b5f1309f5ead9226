//! The attached configuration and what it says of the largest message.

use super::cluster::ClusterContext;
use super::{Check, quoted};
use crate::kafka::properties::{self, Scope, together};
use crate::kafka::versions::KafkaVersion;
use crate::spec::cluster::{
    ConfigurationSpecReference, DEFAULT_MAX_MESSAGE_BYTES, LARGEST_MAX_MESSAGE_BYTES,
};
use crate::tfplugin::{Attr, AttributePath, Object};

#[expect(
    clippy::option_option,
    reason = "the outer one is `cannot tell`, the inner one is no configuration"
)]
pub(super) fn configuration(
    check: &mut Check<'_>,
    written: &Object,
    context: &ClusterContext<'_>,
    version: Option<KafkaVersion>,
    brokers: Option<u32>,
) -> Option<Option<ConfigurationSpecReference>> {
    let path = AttributePath::of("configuration");
    let object = match written.object("configuration") {
        Attr::Known(object) => object,
        Attr::Null => return Some(None),
        Attr::Unknown => return check.known(Attr::Unknown, None),
    };
    if let Attr::Known(revision) = object.integer("revision")
        && revision < 1
    {
        let rule = "1 or more: the number of a revision";
        check.breaks(&path.attribute("revision"), revision, rule);
        return None;
    }
    let attached = check.known(context.configuration.clone(), None)?;
    let version = version?;
    let name = quoted(&attached.id);
    if !attached.kafka_versions.is_empty() && !attached.kafka_versions.contains(&version.to_string()) {
        let allowed: Vec<&str> = attached.kafka_versions.iter().map(String::as_str).collect();
        let detail = format!(
            "Configuration {name} is for Kafka {}, and `kafka_version` is {version}. Add {version} to its \
             `kafka_versions`, or attach another configuration.",
            allowed.join(", ")
        );
        check.error(&path, "Configuration for other versions", detail);
    }
    let revision = attached.revision;
    for (property, value) in &attached.server_properties {
        if let Err(error) = properties::check(version, Scope::Broker, property, value) {
            let detail = format!("Revision {revision} of configuration {name}: {error}.");
            check.error(&path, "Configuration does not fit Kafka's version", detail);
        }
    }
    for contradiction in together::contradictions(version, Scope::Broker, &attached.server_properties) {
        let detail = format!("Revision {revision} of configuration {name}: {contradiction}.");
        check.error(&path, "Contradicting properties", detail);
    }
    for property in REPLICAS {
        let value = attached.server_properties.get(*property);
        let number = value.and_then(|text| text.trim().parse::<u32>().ok());
        if let (Some(number), Some(brokers)) = (number, brokers)
            && number > brokers
        {
            let detail = format!(
                "Revision {revision} of configuration {name} sets `{property}` to {number}, and the cluster has \
                 {brokers} brokers. Lower it, or make the cluster larger."
            );
            check.error(&path, "More replicas than brokers", detail);
        }
    }
    Some(Some(ConfigurationSpecReference {
        id: attached.id.clone(),
        revision,
        server_properties: attached.server_properties.clone(),
    }))
}

/// Properties that count replicas, so that the number of brokers bounds them.
const REPLICAS: &[&str] = &[
    "default.replication.factor",
    "min.insync.replicas",
    "offsets.topic.replication.factor",
    "share.coordinator.state.topic.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "transaction.state.log.min.isr",
    "transaction.state.log.replication.factor",
];

/// The attribute, else the configuration's word, else Kafka's default; an error if both say another value.
pub(super) fn max_message_bytes(
    check: &mut Check<'_>,
    written: &Object,
    configuration: Option<&Option<ConfigurationSpecReference>>,
) -> Option<u32> {
    let path = AttributePath::of("max_message_bytes");
    let range = 1..=LARGEST_MAX_MESSAGE_BYTES;
    let attribute = check.optional_number(written, "max_message_bytes", &range)?;
    let configured = configuration?
        .as_ref()
        .and_then(|configuration| configuration.server_properties.get("message.max.bytes"))
        .and_then(|text| text.trim().parse::<u32>().ok());
    match (attribute, configured) {
        (Some(attribute), Some(configured)) if attribute != configured => {
            let detail = format!(
                "`max_message_bytes` is {attribute}, and the configuration says `message.max.bytes` = {configured}. \
                 Take one of them out."
            );
            check.error(&path, "Two values for the largest message", detail);
            None
        }
        (None, Some(configured)) if !range.contains(&configured) => {
            let rule = format!("from 1 to {LARGEST_MAX_MESSAGE_BYTES}");
            let path = AttributePath::of("configuration");
            let shown = format!("a configuration with `message.max.bytes` = {configured}");
            check.breaks(&path, shown, format!("one with a value {rule}"));
            None
        }
        (attribute, configured) => Some(attribute.or(configured).unwrap_or(DEFAULT_MAX_MESSAGE_BYTES)),
    }
}

//! From documents to the attributes of `msk_topic`.

use std::collections::BTreeMap;

use crate::engine::access::ObjectPlace;
use crate::engine::access::Topics;
use crate::kafka::properties::Scope;
use crate::resource::meaning::same_setting;
use crate::store::documents::{TopicDesired, TopicObserved};
use crate::tfplugin::{Object, Value};

/// Shows a topic as it is seen. Settings that were never in `config` are not looked at; values that
/// mean the same stay as spelled; while replicas move, the factor is the one that was asked for.
pub(super) fn show(state: &mut Object, entry: &TopicDesired, seen: Option<&TopicObserved>) {
    let id = seen.map(|seen| &seen.topic_id).or(entry.topic_id.as_ref());
    state.set("topic_id", id.map_or(Value::Null, |id| id.as_str().into()));
    let Some(seen) = seen else {
        if !state
            .try_get("replication_factor")
            .is_some_and(Value::is_wholly_known)
        {
            state.set(
                "replication_factor",
                entry.replication_factor.map_or(Value::Null, Value::from),
            );
        }
        return;
    };
    state.set("partitions", seen.partitions);
    let factor = match entry.replication_factor {
        Some(factor) if seen.is_reassigning => factor,
        _ => seen.replication_factor,
    };
    state.set("replication_factor", factor);
    if entry.config.is_empty() {
        // Null and `{}` both mean this; the state has the one that was written.
        return;
    }
    let shown: BTreeMap<String, Value> = entry
        .config
        .iter()
        .filter_map(|(name, wanted)| {
            let is = seen.config.get(name)?;
            let text = if same_setting(Scope::Topic, name, wanted, is) {
                wanted
            } else {
                is
            };
            Some((name.clone(), text.as_str().into()))
        })
        .collect();
    state.set("config", Value::Map(shown));
}

/// The configuration of a topic that was made elsewhere: its own settings are what Terraform keeps.
pub(super) fn made_elsewhere(place: &ObjectPlace<Topics>, seen: &TopicObserved) -> Object {
    let config = if seen.config.is_empty() {
        Value::Null
    } else {
        Value::map(
            seen.config
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str())),
        )
    };
    Object::new()
        .with("cluster_id", place.cluster.as_str())
        .with("name", place.name.as_str())
        .with("partitions", seen.partitions)
        .with("replication_factor", seen.replication_factor)
        .with("config", config)
        .with("deletion_protection", Value::Null)
        .with("topic_id", seen.topic_id.as_str())
}

//! The schema of `msk_topic`. The descriptions are the pages of the registry.

use crate::kafka::properties::Scope;
use crate::resource::access::cluster_id;
use crate::resource::meaning::same_settings;
use crate::tfplugin::Type;
use crate::tfplugin::schema::{Schema, boolean, map, number, string};

const ABOUT: &str = "\
A Kafka topic.

Topics are created, changed and deleted by the cluster's own nodes: Terraform needs no network path to a broker. \
What was changed outside of Terraform shows as drift, but for settings that were never in `config`: they are left \
alone.

A topic is deleted with its data. While it is protected, it is neither deleted nor renamed: see \
`deletion_protection`.";

pub(super) fn resource() -> Schema {
    Schema::new(ABOUT)
        .attribute("cluster_id", cluster_id())
        .attribute("name", string().required().requires_replace().description(
            "The topic's name: 1 to 249 letters, digits, `.`, `_` and `-`. Two names that differ only in `.` and `_` \
             cannot stand side by side. A change replaces the topic, with all its data, and is refused while it is \
             protected.",
        ))
        .attribute("partitions", number().required().description(
            "How many partitions, 1 to 10000. More are added in place; Kafka cannot take any away. If somebody added \
             more outside of Terraform, they stay, with a warning.",
        ))
        .attribute("replication_factor", number().optional_computed().description(
            "How many replicas each partition has, at most the number of brokers. Where nothing is written: 3, or the \
             number of brokers if there are fewer, chosen at creation. A change moves replicas in place.",
        ))
        .attribute("config", map(Type::String).optional()
            .equal_by(|left, right| same_settings(Scope::Topic, left, right))
            .description(
                "Settings of the topic, such as `\"retention.ms\" = \"604800000\"`. Changed live. A setting that is \
                 taken out returns to the cluster's default; one that was never here is left alone.",
            ))
        .attribute("deletion_protection", boolean().optional().description(
            "Whether the topic can neither be deleted nor renamed. Where nothing is written: as the cluster's \
             `deletion_protection` is at that time.",
        ))
        .attribute("id", string().computed().keep_prior().description("`<cluster>/<name>`, also for `terraform import`."))
        .attribute("topic_id", string().computed().keep_prior().description("Kafka's id of the topic."))
}

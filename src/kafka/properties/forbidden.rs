//! Properties that exist but that no configuration may hold: the cluster's attributes set them, or they
//! would undo its security (design, section 7).

use super::Scope;

/// What sets the property instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forbidden {
    /// The attribute of `msk_cluster` that decides it, if one does.
    pub attribute: Option<&'static str>,
    /// Why, and what to do instead, as half a sentence.
    pub way_out: &'static str,
}

/// A name or, where it ends with `*`, the beginning of names; its attribute; why.
type Entry = (&'static str, Option<&'static str>, &'static str);

/// The first that matches counts, so exact names stand before the prefixes that cover them.
const BROKER: &[Entry] = &[
    // Who may do everything, and who somebody is.
    (
        "super.users",
        None,
        "only the cluster's own nodes are super users; give rights with `msk_acl`",
    ),
    (
        "authorizer.class.name",
        None,
        "the cluster always checks access; give rights with `msk_acl`",
    ),
    (
        "principal.builder.class",
        None,
        "the provider sets how principals are named, its security rests on it",
    ),
    (
        "ssl.principal.mapping.rules",
        None,
        "the provider sets how principals are named, its security rests on it",
    ),
    (
        "early.start.listeners",
        None,
        "the provider sets which listeners open first, its security rests on it",
    ),
    // Listeners and what is behind them.
    (
        "listener.name.*",
        Some("authentication"),
        "set by `authentication` and `encryption` of `msk_cluster`",
    ),
    (
        "listeners",
        Some("encryption"),
        "set by `encryption` and `authentication` of `msk_cluster`",
    ),
    (
        "advertised.listeners",
        Some("encryption"),
        "set by `encryption` and `authentication` of `msk_cluster`",
    ),
    (
        "listener.security.protocol.map",
        Some("encryption"),
        "set by `encryption` of `msk_cluster`",
    ),
    (
        "inter.broker.listener.name",
        Some("encryption"),
        "set by `encryption.in_cluster` of `msk_cluster`",
    ),
    (
        "security.inter.broker.protocol",
        Some("encryption"),
        "set by `encryption.in_cluster` of `msk_cluster`",
    ),
    (
        "control.plane.listener.name",
        Some("encryption"),
        "set by `encryption.in_cluster` of `msk_cluster`",
    ),
    (
        "controller.listener.names",
        Some("encryption"),
        "controllers always talk over mutual TLS",
    ),
    (
        "ssl.*",
        Some("encryption"),
        "set by `encryption` and `authentication.tls` of `msk_cluster`",
    ),
    (
        "sasl.*",
        Some("authentication"),
        "set by `authentication` of `msk_cluster`",
    ),
    (
        "security.providers",
        Some("encryption"),
        "set by `encryption` of `msk_cluster`",
    ),
    (
        "delegation.token.*",
        Some("authentication"),
        "delegation tokens are not offered; use `msk_scram_secret`",
    ),
    (
        "password.encoder.*",
        Some("authentication"),
        "passwords are kept outside Kafka's configuration",
    ),
    // Which node it is, and where.
    (
        "node.id",
        Some("brokers_per_az"),
        "node ids follow from `subnet_ids` and `brokers_per_az` of `msk_cluster`",
    ),
    (
        "broker.id*",
        Some("brokers_per_az"),
        "node ids follow from `subnet_ids` and `brokers_per_az` of `msk_cluster`",
    ),
    (
        "reserved.broker.max.id",
        Some("brokers_per_az"),
        "node ids follow from `brokers_per_az` of `msk_cluster`",
    ),
    (
        "broker.rack",
        Some("subnet_ids"),
        "set by `subnet_ids` of `msk_cluster`, one zone each",
    ),
    (
        "process.roles",
        Some("dedicated_controllers"),
        "set by `dedicated_controllers` of `msk_cluster`",
    ),
    (
        "controller.quorum.*",
        Some("dedicated_controllers"),
        "the provider keeps the quorum of controllers itself",
    ),
    (
        "zookeeper.*",
        Some("metadata_mode"),
        "set by `metadata_mode` of `msk_cluster`",
    ),
    (
        "log.dir",
        Some("volume_size"),
        "every node has one data volume: see `volume_size` of `msk_cluster`",
    ),
    (
        "log.dirs",
        Some("volume_size"),
        "every node has one data volume: see `volume_size` of `msk_cluster`",
    ),
    (
        "cordoned.log.dirs",
        Some("volume_size"),
        "every node has one data volume: see `volume_size` of `msk_cluster`",
    ),
    (
        "metadata.log.dir",
        Some("volume_size"),
        "every node has one data volume: see `volume_size` of `msk_cluster`",
    ),
    (
        "inter.broker.protocol.version",
        Some("kafka_version"),
        "follows from `kafka_version` of `msk_cluster`",
    ),
    (
        "log.message.format.version",
        Some("kafka_version"),
        "follows from `kafka_version` of `msk_cluster`",
    ),
    // Foreign classes and files inside the broker.
    ("config.providers*", None, "configurations hold plain values only"),
    (
        "metric.reporters",
        Some("monitoring"),
        "set by `monitoring` of `msk_cluster`",
    ),
    (
        "metrics.jmx.*",
        Some("monitoring"),
        "set by `monitoring` of `msk_cluster`",
    ),
    (
        "auto.include.jmx.reporter",
        Some("monitoring"),
        "set by `monitoring` of `msk_cluster`",
    ),
    (
        "kafka.metrics.*",
        Some("monitoring"),
        "set by `monitoring` of `msk_cluster`",
    ),
    (
        "alter.config.policy.*",
        None,
        "classes of your own cannot be put on the brokers",
    ),
    (
        "create.topic.policy.class.name",
        None,
        "classes of your own cannot be put on the brokers",
    ),
    (
        "client.quota.callback.class",
        None,
        "classes of your own cannot be put on the brokers",
    ),
    ("remote.log.storage.*", None, "tiered storage is not offered"),
    ("remote.log.metadata.*", None, "tiered storage is not offered"),
    ("rsm.config.*", None, "tiered storage is not offered"),
    ("rlmm.config.*", None, "tiered storage is not offered"),
    (
        "unstable.*",
        None,
        "features that Kafka has not released cannot be undone in a cluster",
    ),
];

const TOPIC: &[Entry] = &[
    ("remote.storage.enable", None, "tiered storage is not offered"),
    ("remote.log.*", None, "tiered storage is not offered"),
    (
        "message.format.version",
        Some("kafka_version"),
        "follows from `kafka_version` of `msk_cluster`",
    ),
];

/// Why a configuration may not hold the property, if it may not.
pub(super) fn rule(scope: Scope, name: &str) -> Option<Forbidden> {
    let entries = match scope {
        Scope::Broker => BROKER,
        Scope::Topic => TOPIC,
    };
    let covers = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    };
    entries
        .iter()
        .find(|(pattern, _, _)| covers(pattern))
        .map(|(_, attribute, way_out)| Forbidden {
            attribute: *attribute,
            way_out,
        })
}

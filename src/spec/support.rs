//! What each attribute of `msk_cluster` does on one machine, and what a change of it does: data, from which
//! the documentation is made, and against which the schema is tested.

/// What an attribute does on one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OneMachine {
    /// It works.
    Works,
    /// Recorded without effect, with a warning: one machine can never have it.
    Recorded,
    /// Values other than the default are refused: not in this version.
    Refused,
    /// The provider tells it.
    Computed,
}

/// What a change of an attribute does to a cluster that exists, in this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChange {
    /// Done without a restart.
    Live,
    /// Done without any operation.
    Recorded,
    /// Live where Kafka takes it so, else refused.
    LiveOrRefused,
    /// Refused: not in this version.
    Later,
    /// Refused: it never changes.
    Never,
    /// Another cluster, if protection is off.
    Replace,
    /// Not for the user to change.
    Computed,
}

/// One attribute of `msk_cluster`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Support {
    /// Its path, with dots.
    pub attribute: &'static str,
    /// On one machine.
    pub one_machine: OneMachine,
    /// On change.
    pub on_change: OnChange,
}

const fn row(attribute: &'static str, one_machine: OneMachine, on_change: OnChange) -> Support {
    Support {
        attribute,
        one_machine,
        on_change,
    }
}

/// Every attribute, in the order of the documentation.
pub const CLUSTER: &[Support] = &[
    row("name", OneMachine::Works, OnChange::Replace),
    row("kafka_version", OneMachine::Works, OnChange::Later),
    row("subnet_ids", OneMachine::Works, OnChange::Later),
    row("brokers_per_az", OneMachine::Works, OnChange::Later),
    row("instance_type", OneMachine::Recorded, OnChange::Recorded),
    row("volume_size", OneMachine::Recorded, OnChange::Recorded),
    row("volume_type", OneMachine::Recorded, OnChange::Recorded),
    row("volume_iops", OneMachine::Recorded, OnChange::Recorded),
    row("volume_throughput", OneMachine::Recorded, OnChange::Recorded),
    row("kms_key_id", OneMachine::Recorded, OnChange::Recorded),
    row(
        "client_security_group_ids",
        OneMachine::Recorded,
        OnChange::Recorded,
    ),
    row("client_cidr_blocks", OneMachine::Recorded, OnChange::Recorded),
    row(
        "monitoring_security_group_ids",
        OneMachine::Recorded,
        OnChange::Recorded,
    ),
    row("monitoring_cidr_blocks", OneMachine::Recorded, OnChange::Recorded),
    row("security_group_ids", OneMachine::Recorded, OnChange::Recorded),
    row("private_zone_id", OneMachine::Recorded, OnChange::Recorded),
    row("encryption.client_broker", OneMachine::Works, OnChange::Later),
    row("encryption.in_cluster", OneMachine::Works, OnChange::Later),
    row("authentication.scram", OneMachine::Works, OnChange::Later),
    row("authentication.iam", OneMachine::Refused, OnChange::Later),
    row(
        "authentication.tls.ca_certificates_pem",
        OneMachine::Works,
        OnChange::Later,
    ),
    row(
        "authentication.unauthenticated",
        OneMachine::Works,
        OnChange::Later,
    ),
    row("configuration.id", OneMachine::Works, OnChange::LiveOrRefused),
    row(
        "configuration.revision",
        OneMachine::Works,
        OnChange::LiveOrRefused,
    ),
    row("max_message_bytes", OneMachine::Works, OnChange::Live),
    row("metadata_mode", OneMachine::Refused, OnChange::Never),
    row("dedicated_controllers", OneMachine::Works, OnChange::Never),
    row(
        "controller_instance_type",
        OneMachine::Recorded,
        OnChange::Recorded,
    ),
    row("controller_subnet_ids", OneMachine::Works, OnChange::Never),
    row("monitoring.level", OneMachine::Refused, OnChange::Later),
    row("monitoring.jmx_exporter", OneMachine::Refused, OnChange::Later),
    row("monitoring.node_exporter", OneMachine::Refused, OnChange::Later),
    row(
        "logging.cloudwatch_log_group",
        OneMachine::Refused,
        OnChange::Later,
    ),
    row("logging.s3.bucket", OneMachine::Refused, OnChange::Later),
    row("logging.s3.prefix", OneMachine::Refused, OnChange::Later),
    row("logging.kinesis_stream", OneMachine::Refused, OnChange::Later),
    row(
        "logging.firehose_delivery_stream",
        OneMachine::Refused,
        OnChange::Later,
    ),
    row("deletion_protection", OneMachine::Works, OnChange::Recorded),
    row("skip_final_snapshot", OneMachine::Recorded, OnChange::Recorded),
    row("restore_snapshot_ids", OneMachine::Recorded, OnChange::Recorded),
    row("tags", OneMachine::Works, OnChange::Recorded),
    row("timeouts", OneMachine::Works, OnChange::Recorded),
    row("tags_all", OneMachine::Computed, OnChange::Computed),
    row("id", OneMachine::Computed, OnChange::Computed),
    row("kafka_cluster_id", OneMachine::Computed, OnChange::Computed),
    row("state", OneMachine::Computed, OnChange::Computed),
    row("bootstrap_brokers", OneMachine::Computed, OnChange::Computed),
    row("bootstrap_brokers_tls", OneMachine::Computed, OnChange::Computed),
    row(
        "bootstrap_brokers_sasl_scram",
        OneMachine::Computed,
        OnChange::Computed,
    ),
    row(
        "bootstrap_brokers_sasl_iam",
        OneMachine::Computed,
        OnChange::Computed,
    ),
    row(
        "zookeeper_connect_string",
        OneMachine::Computed,
        OnChange::Computed,
    ),
    row(
        "zookeeper_connect_string_tls",
        OneMachine::Computed,
        OnChange::Computed,
    ),
    row("brokers", OneMachine::Computed, OnChange::Computed),
    row("ca_certificate_pem", OneMachine::Computed, OnChange::Computed),
    row("client_properties", OneMachine::Computed, OnChange::Computed),
    row("planned_operations", OneMachine::Computed, OnChange::Computed),
];

/// The rows of one attribute: itself, or its members.
pub fn rows_of(attribute: &str) -> impl Iterator<Item = &'static Support> {
    CLUSTER.iter().filter(move |row| {
        row.attribute
            .strip_prefix(attribute)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

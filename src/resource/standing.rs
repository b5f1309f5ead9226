//! What becomes of each attribute: it works, is refused, or is recorded with a warning. One table tells it for
//! one machine, a short one what is otherwise in an AWS account.
//!
//! The tables of the documentation are made from these rows, and a test holds them against the schemas:
//! no attribute may be accepted without a word on what it does.

use std::fmt::Write as _;

/// What becomes of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has its effect, and so has a change of it.
    Works,
    /// It has its effect; a change makes another object, where that is allowed.
    Replaces,
    /// It has its effect; the plan refuses these changes.
    WorksBut(&'static str),
    /// The plan refuses these values; the others work.
    Refused(&'static str),
    /// The plan refuses every value of it and of its members.
    RefusedWhole,
    /// Recorded, changed without operation, not enforced; a warning names it.
    Warned,
    /// The same, but the plan refuses these changes.
    WarnedBut(&'static str),
    /// The provider tells it.
    Told,
}

/// An attribute and its standing.
pub type Row = (&'static str, Standing);

use Standing::{Refused, RefusedWhole, Replaces, Told, Warned, WarnedBut, Works, WorksBut};

const ANY: &str = "a change";
const NEVER: &str = "a change (never possible)";

/// The provider block.
pub const PROVIDER: &[Row] = &[
    ("local.data_directory", Works),
    ("local.kafka_directory", Works),
    ("local.kafka_archive_url", Works),
    ("local.kafka_archive_sha512", Works),
    ("local.maven_command", Works),
    ("local.java_home", Works),
    ("local.listen_address", Works),
    ("local.base_port", Works),
    ("local.broker_heap", Works),
    ("aws", Works),
];

/// `msk_cluster`.
pub const CLUSTER: &[Row] = &[
    ("name", Replaces),
    ("kafka_version", WorksBut(ANY)),
    ("subnet_ids", WorksBut(ANY)),
    ("brokers_per_az", WorksBut(ANY)),
    ("instance_type", Warned),
    ("volume_size", WarnedBut("a smaller size (never possible)")),
    ("volume_type", Warned),
    ("volume_iops", Warned),
    ("volume_throughput", Warned),
    ("kms_key_id", Warned),
    ("ami_id", Warned),
    ("copy_ami", Warned),
    ("self_healing", Warned),
    ("replace_volumes", Warned),
    ("instance_profile", Warned),
    ("permissions_boundary", Warned),
    ("client_security_group_ids", Warned),
    ("client_cidr_blocks", Warned),
    ("monitoring_security_group_ids", Warned),
    ("monitoring_cidr_blocks", Warned),
    ("security_group_ids", Warned),
    ("private_zone_id", Warned),
    ("encryption.client_broker", WorksBut(ANY)),
    ("encryption.in_cluster", WorksBut(ANY)),
    ("authentication.scram", WorksBut(ANY)),
    ("authentication.iam", Refused("`true`")),
    ("authentication.tls.ca_certificates_pem", WorksBut(ANY)),
    ("authentication.unauthenticated", WorksBut(ANY)),
    ("configuration.id", WorksBut("properties that need a restart")),
    (
        "configuration.revision",
        WorksBut("properties that need a restart"),
    ),
    ("max_message_bytes", Works),
    ("metadata_mode", Refused("`\"ZOOKEEPER\"`")),
    ("dedicated_controllers", WorksBut(NEVER)),
    ("controller_instance_type", Warned),
    ("controller_subnet_ids", WorksBut(NEVER)),
    ("monitoring.level", Refused("every level above `\"DEFAULT\"`")),
    ("monitoring.jmx_exporter", Refused("`true`")),
    ("monitoring.node_exporter", Refused("`true`")),
    ("logging.cloudwatch_log_group", RefusedWhole),
    ("logging.s3", RefusedWhole),
    ("logging.kinesis_stream", RefusedWhole),
    ("logging.firehose_delivery_stream", RefusedWhole),
    ("deletion_protection", Works),
    ("skip_final_snapshot", Warned),
    ("restore_snapshot_ids", Warned),
    ("tags", Works),
    ("timeouts.create", Works),
    ("timeouts.update", Works),
    ("timeouts.delete", Works),
    ("tags_all", Told),
    ("id", Told),
    ("kafka_cluster_id", Told),
    ("state", Told),
    ("bootstrap_brokers", Told),
    ("bootstrap_brokers_tls", Told),
    ("bootstrap_brokers_sasl_scram", Told),
    ("bootstrap_brokers_sasl_iam", Told),
    ("zookeeper_connect_string", Told),
    ("zookeeper_connect_string_tls", Told),
    ("brokers", Told),
    ("ca_certificate_pem", Told),
    ("client_properties", Told),
    ("planned_operations", Told),
];

/// What of `msk_cluster` is otherwise in an AWS account.
pub const CLUSTER_ON_AWS: &[Row] = &[
    ("instance_type", WorksBut(ANY)),
    ("volume_size", WorksBut("a smaller size (never possible)")),
    ("volume_type", Works),
    ("volume_iops", Works),
    ("volume_throughput", Works),
    ("kms_key_id", WorksBut(NEVER)),
    ("ami_id", WorksBut(ANY)),
    ("copy_ami", WorksBut(NEVER)),
    ("self_healing", WorksBut(NEVER)),
    ("replace_volumes", Works),
    ("instance_profile", WorksBut(ANY)),
    ("permissions_boundary", WorksBut(ANY)),
    ("client_security_group_ids", Works),
    ("client_cidr_blocks", Works),
    ("monitoring_security_group_ids", Works),
    ("monitoring_cidr_blocks", Works),
    ("security_group_ids", Works),
    ("private_zone_id", WorksBut(NEVER)),
    ("controller_instance_type", WorksBut(ANY)),
    ("skip_final_snapshot", Works),
    ("restore_snapshot_ids", WorksBut(NEVER)),
];

/// `msk_configuration`.
pub const CONFIGURATION: &[Row] = &[
    ("name", Replaces),
    ("description", Works),
    (
        "kafka_versions",
        WorksBut("a set that no longer covers a cluster in use"),
    ),
    ("server_properties", Works),
    ("id", Told),
    ("latest_revision", Told),
    ("revisions", Told),
];

/// `msk_scram_secret`.
pub const SCRAM_SECRET: &[Row] = &[
    ("cluster_id", Replaces),
    ("username", Replaces),
    ("password_wo", Works),
    ("password_wo_version", Works),
    ("secret_arn", RefusedWhole),
    ("mechanism", Replaces),
    ("iterations", Works),
    ("kms_key_id", Warned),
    ("id", Told),
    ("secret_file", Told),
    ("password_source", Told),
];

/// What of `msk_scram_secret` is otherwise in an AWS account.
pub const SCRAM_SECRET_ON_AWS: &[Row] = &[("secret_arn", Works), ("kms_key_id", Works)];

/// `msk_topic`.
pub const TOPIC: &[Row] = &[
    ("cluster_id", Replaces),
    ("name", Replaces),
    ("partitions", WorksBut("fewer (never possible)")),
    ("replication_factor", Works),
    ("config", Works),
    ("deletion_protection", Works),
    ("id", Told),
    ("topic_id", Told),
];

/// `msk_acl`.
pub const ACL: &[Row] = &[
    ("cluster_id", Replaces),
    ("principal", Replaces),
    ("host", Replaces),
    ("resource_type", Replaces),
    ("resource_name", Replaces),
    ("pattern_type", Replaces),
    ("operations", Works),
    ("permission", Replaces),
    ("id", Told),
];

/// The rows of a resource by its type; of the provider by `provider`.
#[must_use]
pub fn rows(of: &str) -> Option<&'static [Row]> {
    Some(match of {
        "provider" => PROVIDER,
        "msk_cluster" => CLUSTER,
        "msk_configuration" => CONFIGURATION,
        "msk_scram_secret" => SCRAM_SECRET,
        "msk_topic" => TOPIC,
        "msk_acl" => ACL,
        _ => return None,
    })
}

impl Standing {
    /// Works, refused, recorded: as the table says it. `None` for what is not the user's to write.
    const fn cells(self) -> Option<(&'static str, &'static str, &'static str)> {
        Some(match self {
            Works => ("yes", "", ""),
            Replaces => ("yes; a change replaces", "", ""),
            WorksBut(changes) => ("yes", changes, ""),
            Refused(values) => ("the other values", values, ""),
            RefusedWhole => ("", "every value", ""),
            Warned => ("", "", "recorded, not enforced"),
            WarnedBut(changes) => ("", changes, "recorded, not enforced"),
            Told => return None,
        })
    }
}

/// The rows of a resource that are otherwise in an AWS account.
#[must_use]
pub fn rows_on_aws(of: &str) -> &'static [Row] {
    match of {
        "msk_cluster" => CLUSTER_ON_AWS,
        "msk_scram_secret" => SCRAM_SECRET_ON_AWS,
        _ => &[],
    }
}

/// The tables of a resource or of the provider in Markdown, of what the user may write. `None` if there is no such
/// resource.
#[must_use]
pub fn tables(of: &str) -> Option<String> {
    let on_aws = rows_on_aws(of);
    let heading = if on_aws.is_empty() {
        "## What works"
    } else {
        "## On one machine"
    };
    let mut text = format!("{heading}\n\n{}", table(rows(of)?));
    if !on_aws.is_empty() {
        let _ = write!(
            text,
            "\n## In your AWS account\n\nThe same, except:\n\n{}",
            table(on_aws)
        );
    }
    Some(text)
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| attribute | works | refused by the plan | recorded with a warning |\n\
         | --- | --- | --- | --- |\n",
    );
    for (path, standing) in rows {
        if let Some((works, refused, warned)) = standing.cells() {
            let _ = writeln!(text, "| `{path}` | {works} | {refused} | {warned} |");
        }
    }
    text
}

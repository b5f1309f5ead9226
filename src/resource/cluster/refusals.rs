//! What is not in this version, and what a cluster never changes: refused while planning, each in one
//! sentence with the way out.
//!
//! An error about an existing cluster needs a change that the user made, because Terraform plans
//! normally before it plans a destroy.

use crate::tfplugin::{Attr, AttributePath, Diagnostics, Object, Value};

const WAY_OUT: &str =
    "Write the former value. `terraform destroy -refresh=false` destroys the cluster as it is.";

/// Values that no cluster of this version can have.
pub(super) fn refuse_values(planned: &Object, diagnostics: &mut Diagnostics) {
    let mut refuse = |path: AttributePath, shown: &str| {
        let detail = format!("`{path}` = {shown} is not in this version. Take it out.");
        diagnostics.error(&path, "Not in this version", detail);
    };
    if let Attr::Known(mode @ "ZOOKEEPER") = planned.str("metadata_mode") {
        refuse(AttributePath::of("metadata_mode"), &format!("\"{mode}\""));
    }
    if let Attr::Known(authentication) = planned.object("authentication")
        && authentication.boolean("iam") == Attr::Known(true)
    {
        refuse(AttributePath::of("authentication").attribute("iam"), "true");
    }
    if let Attr::Known(monitoring) = planned.object("monitoring") {
        let path = AttributePath::of("monitoring");
        if let Attr::Known(level @ ("PER_BROKER" | "PER_TOPIC_PER_BROKER" | "PER_TOPIC_PER_PARTITION")) =
            monitoring.str("level")
        {
            refuse(path.attribute("level"), &format!("\"{level}\""));
        }
        for exporter in ["jmx_exporter", "node_exporter"] {
            if monitoring.boolean(exporter) == Attr::Known(true) {
                refuse(path.attribute(exporter), "true");
            }
        }
    }
    if let Attr::Known(logging) = planned.object("logging") {
        for (target, value) in logging.iter().filter(|(_, value)| !value.is_null()) {
            let shown = short(value).unwrap_or_else(|| "{ … }".to_owned());
            refuse(AttributePath::of("logging").attribute(target), &shown);
        }
    }
}

/// Changes that need a restart or more brokers, which is not in this version.
const LATER: [&str; 5] = [
    "kafka_version",
    "subnet_ids",
    "brokers_per_az",
    "encryption",
    "authentication",
];

/// Changes of what a cluster is formatted with.
const NEVER_YET: [&str; 3] = ["dedicated_controllers", "controller_subnet_ids", "metadata_mode"];

/// Compares what is planned with what was last applied.
pub(super) fn refuse_changes(applied: &Object, planned: &Object, diagnostics: &mut Diagnostics) {
    for name in LATER {
        if let Some(change) = changed(applied, planned, name) {
            let detail = format!(
                "A change of `{name}`{change} of a cluster that exists is not in this version. {WAY_OUT}"
            );
            diagnostics.error(&AttributePath::of(name), "Not in this version", detail);
        }
    }
    for name in NEVER_YET {
        if let Some(change) = changed(applied, planned, name) {
            let detail = format!(
                "`{name}`{change} cannot change on a cluster that exists: its nodes were made for the former value. \
                 Make a new cluster beside it and move its clients. {WAY_OUT}"
            );
            diagnostics.error(&AttributePath::of(name), "This never changes", detail);
        }
    }
    if let (Attr::Known(before), Attr::Known(after)) =
        (applied.integer("volume_size"), planned.integer("volume_size"))
        && after < before
    {
        let detail = format!(
            "`volume_size` from {before} to {after} GiB: volumes only grow. Make a new cluster with the smaller size \
             and move its clients. {WAY_OUT}"
        );
        diagnostics.error(&AttributePath::of("volume_size"), "Volumes never shrink", detail);
    }
}

/// The change in words, empty for values that have no short ones. What is unknown is judged at apply.
fn changed(applied: &Object, planned: &Object, name: &str) -> Option<String> {
    let before = applied.get(name);
    let after = planned.get(name);
    if !after.is_wholly_known() || before == after {
        return None;
    }
    Some(match (short(before), short(after)) {
        (Some(before), Some(after)) => format!(" from {before} to {after}"),
        _ => String::new(),
    })
}

fn short(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.len() <= 40 => Some(format!("{text:?}")),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Set(items) => {
            let items: Option<Vec<String>> = items.iter().map(short).collect();
            items.map(|items| format!("[{}]", items.join(", ")))
        }
        _ => None,
    }
}

/// What one machine can never have.
pub(super) const RECORDED_ONLY: [&str; 15] = [
    "instance_type",
    "controller_instance_type",
    "volume_size",
    "volume_type",
    "volume_iops",
    "volume_throughput",
    "kms_key_id",
    "client_security_group_ids",
    "client_cidr_blocks",
    "monitoring_security_group_ids",
    "monitoring_cidr_blocks",
    "security_group_ids",
    "private_zone_id",
    "skip_final_snapshot",
    "restore_snapshot_ids",
];

/// One warning with the attributes that the user wrote and that one machine records without effect.
pub(super) fn warn_of_recorded(config: &Object, diagnostics: &mut Diagnostics) {
    let written: Vec<String> = RECORDED_ONLY
        .into_iter()
        .filter(|name| !config.get(name).is_null())
        .map(|name| format!("`{name}`"))
        .collect();
    if written.is_empty() {
        return;
    }
    diagnostics.general_warning(
        "Recorded, not enforced, on one machine",
        format!(
            "One machine has no volumes, keys, instance types or security groups. The cluster records these and \
             nothing enforces them: {}.",
            written.join(", ")
        ),
    );
}

//! What is not in this version, and what a cluster never changes: refused while planning, each in one
//! sentence with the way out.
//!
//! An error about an existing cluster needs a change that the user made, because Terraform plans
//! normally before it plans a destroy.

use crate::resource::ProviderData;
use crate::resource::standing::{self, Standing};
use crate::tfplugin::{Attr, AttributePath, Diagnostics, Object, Value};

const WAY_OUT: &str =
    "Write the former value. `terraform destroy -refresh=false` destroys the cluster as it is.";

/// Values that no cluster of this version can have. `is_there`: they are asked of a cluster that exists.
pub(super) fn refuse_values(planned: &Object, is_there: bool, diagnostics: &mut Diagnostics) {
    let way_out = if is_there { WAY_OUT } else { "Take it out." };
    let mut refuse = |path: AttributePath, shown: &str| {
        let detail = format!("`{path}` = {shown} is not in this version. {way_out}");
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

/// What a plan refuses, once more at apply: a plan may have been made only to destroy.
pub(super) fn refuse_at_apply(
    data: Option<&ProviderData>,
    applied: &Object,
    planned: &Object,
    diagnostics: &mut Diagnostics,
) {
    refuse_values(planned, true, diagnostics);
    refuse_changes(data, applied, planned, diagnostics);
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

/// The same, of clusters in an AWS account: on one machine these are only recorded.
const LATER_ON_AWS: [&str; 5] = [
    "instance_type",
    "controller_instance_type",
    "ami_id",
    "instance_profile",
    "permissions_boundary",
];
const NEVER_ON_AWS: [&str; 5] = [
    "kms_key_id",
    "private_zone_id",
    "copy_ami",
    "self_healing",
    "restore_snapshot_ids",
];

/// Compares what is planned with what was last applied.
pub(super) fn refuse_changes(
    data: Option<&ProviderData>,
    applied: &Object,
    planned: &Object,
    diagnostics: &mut Diagnostics,
) {
    let is_aws = data.is_some_and(ProviderData::is_aws);
    let on_aws = |names: &'static [&'static str]| names.iter().filter(move |_| is_aws);
    for name in LATER.iter().chain(on_aws(&LATER_ON_AWS)) {
        for (path, change) in changes(applied, planned, name) {
            let detail = format!(
                "A change of `{path}`{change} of a cluster that exists is not in this version. {WAY_OUT}"
            );
            diagnostics.error(&path, "Not in this version", detail);
        }
    }
    for name in NEVER_YET.iter().chain(on_aws(&NEVER_ON_AWS)) {
        for (path, change) in changes(applied, planned, name) {
            let detail = format!(
                "`{path}`{change} cannot change on a cluster that exists: its nodes were made for the former value. \
                 Make a new cluster beside it and move its clients. {WAY_OUT}"
            );
            diagnostics.error(&path, "This never changes", detail);
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

/// What was lost and cannot come back: an error, until the user says what becomes of it. Not for a cluster that may be
/// destroyed: Terraform plans normally before it plans that.
pub(super) fn refuse_losses(lost: &[String], planned: &Object, diagnostics: &mut Diagnostics) {
    let path = AttributePath::of("replace_volumes");
    let is_protected = planned.boolean("deletion_protection") != Attr::Known(false);
    for text in lost {
        if is_protected {
            diagnostics.error(&path, "A volume is gone", text.clone());
        } else {
            diagnostics.warning(&path, "A volume is gone", text.clone());
        }
    }
}

/// What changed of an attribute, member by member, each in words (empty for values that have no short ones).
/// What is unknown is judged at apply.
fn changes(applied: &Object, planned: &Object, name: &str) -> Vec<(AttributePath, String)> {
    let path = AttributePath::of(name);
    if let (Value::Object(before), Value::Object(after)) = (applied.get(name), planned.get(name)) {
        let members = after.iter().filter_map(|(member, after)| {
            let change = changed(before.try_get(member).unwrap_or(&Value::Null), after)?;
            Some((path.attribute(member), change))
        });
        return members.collect();
    }
    let change = changed(applied.get(name), planned.get(name));
    change.map(|change| (path, change)).into_iter().collect()
}

fn changed(before: &Value, after: &Value) -> Option<String> {
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

/// One warning with the attributes that the user wrote and that one machine records without effect.
pub(super) fn warn_of_recorded(data: Option<&ProviderData>, config: &Object, diagnostics: &mut Diagnostics) {
    if data.is_some_and(|data| data.is_unknown() || data.is_aws()) {
        return;
    }
    let is_recorded = |standing: &Standing| matches!(standing, Standing::Warned | Standing::WarnedBut(_));
    let written: Vec<String> = standing::CLUSTER
        .iter()
        .filter(|(name, standing)| is_recorded(standing) && !config.get(name).is_null())
        .map(|(name, _)| format!("`{name}`"))
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

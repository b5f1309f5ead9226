//! Whether the account can carry what is planned: asked before anything is made, every finding at once.

use super::schema;
use crate::planner::preflight::Severity;
use crate::resource::{ProviderData, sentence};
use crate::spec::cluster::ClusterSpec;
use crate::tfplugin::{AttributePath, Diagnostics, Object, chain};

/// The attributes that the account is asked about.
const ASKED: [&str; 19] = [
    "subnet_ids",
    "controller_subnet_ids",
    "brokers_per_az",
    "instance_type",
    "controller_instance_type",
    "volume_size",
    "volume_type",
    "volume_iops",
    "volume_throughput",
    "kms_key_id",
    "private_zone_id",
    "ami_id",
    "instance_profile",
    "permissions_boundary",
    "client_security_group_ids",
    "client_cidr_blocks",
    "monitoring_security_group_ids",
    "monitoring_cidr_blocks",
    "security_group_ids",
];

const ERROR: &str = "The account cannot carry this";
const WARNING: &str = "The account carries this badly";

/// Whether something changes that the account is asked about.
pub(super) fn is_due(applied: &Object, planned: &Object) -> bool {
    let schema = schema::resource();
    schema.attributes().any(|(name, attribute)| {
        ASKED.contains(&name) && !attribute.means_the_same(applied.get(name), planned.get(name))
    })
}

/// Asks the account. Nothing is asked on one machine.
pub(super) async fn check(data: Option<&ProviderData>, spec: &ClusterSpec, diagnostics: &mut Diagnostics) {
    let Some(engine) = data.and_then(ProviderData::engine) else {
        return;
    };
    let findings = match engine.preflight(spec).await {
        Ok(findings) => findings,
        Err(error) => {
            let detail = sentence(&chain(error.as_ref()));
            diagnostics.general_error("The account cannot be looked at", detail);
            return;
        }
    };
    for finding in findings {
        let path = AttributePath::of(finding.attribute);
        let is_of_provider = finding.attribute.is_empty();
        match finding.severity {
            Severity::Error if is_of_provider => {
                diagnostics.general_error(ERROR, sentence(&finding.text));
            }
            Severity::Warning if is_of_provider => {
                diagnostics.general_warning(WARNING, sentence(&finding.text));
            }
            Severity::Error => diagnostics.error(&path, ERROR, finding.text),
            Severity::Warning => diagnostics.warning(&path, WARNING, finding.text),
        }
    }
}

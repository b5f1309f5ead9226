//! The rules of `msk_cluster`.

use std::collections::{BTreeMap, BTreeSet};

use super::forms::{self, is_instance_type, is_kms_key, is_security_group, is_zone};
use super::{Check, NAME_RULE, account, attached, is_name, listeners, quoted};
use crate::kafka::versions::KafkaVersion;
use crate::spec::cluster::{ClusterSpec, LocalSpec, SizeSpec, Sources};
use crate::spec::ids::ClusterName;
use crate::tfplugin::{Attr, AttributePath, Diagnostics, Object};

/// The attached configuration, as the caller found it: by what was planned in this walk, or in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedConfiguration {
    /// The configuration's id.
    pub id: String,
    /// The revision.
    pub revision: u64,
    /// The versions it may be used with; empty: all.
    pub kafka_versions: BTreeSet<String>,
    /// The broker properties of that revision.
    pub server_properties: BTreeMap<String, String>,
}

/// What a cluster depends on beside its own block.
#[derive(Debug, Clone)]
pub struct ClusterContext<'a> {
    /// The attached configuration: null if none is written; unknown if it cannot be told yet.
    pub configuration: Attr<&'a AttachedConfiguration>,
    /// What the provider block says about nodes.
    pub local: LocalSpec,
    /// Whether the provider block names an AWS account.
    pub is_aws: bool,
    /// The tags of the provider block.
    pub default_tags: BTreeMap<String, String>,
}

/// Checks a cluster.
pub fn check_cluster(
    written: &Object,
    context: &ClusterContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<ClusterSpec> {
    let mut check = Check::new(diagnostics);
    let spec = read(&mut check, written, context);
    check.finish(spec)
}

/// Every part is read before the first missing one ends the reading, so that all findings come at once.
fn read(check: &mut Check<'_>, written: &Object, context: &ClusterContext<'_>) -> Option<ClusterSpec> {
    let name = check.text(written, "name", NAME_RULE, is_name);
    let kafka_version = kafka_version(check, written);
    let zones = zone_names(check, written, "subnet_ids", true);
    let brokers_per_zone = check.number(written, "brokers_per_az", &(1..=20), Some(1));
    let encryption = listeners::encryption(check, written);
    let authentication = listeners::authentication(check, written);
    if let (Some(encryption), Some(authentication)) = (encryption, &authentication) {
        listeners::fit_listeners(check, written, encryption.client_broker, authentication);
    }
    let dedicated_controllers = check.boolean(written, "dedicated_controllers", false);
    let controller_zones = zone_names(check, written, "controller_subnet_ids", false);
    if dedicated_controllers == Some(false) {
        let path = AttributePath::of("controller_subnet_ids");
        if written.elements("controller_subnet_ids").is_known() {
            let detail = "`controller_subnet_ids` places controllers that have nodes of their own, and \
                          `dedicated_controllers` is not true. Take it out, or write `dedicated_controllers = true`.";
            check.error(&path, "No dedicated controllers", detail);
        }
    }
    let size = size(check, written);
    let client_sources = sources(check, written, "client");
    let monitoring_sources = sources(check, written, "monitoring");
    if let (Some(encryption), Some(authentication), Some(sources)) =
        (encryption, &authentication, &client_sources)
    {
        listeners::refuse_open_plaintext(check, encryption.client_broker, authentication, sources);
    }
    let groups = check.texts(written, "security_group_ids", GROUP_RULE, is_security_group);
    if let Some(groups) = &groups
        && groups.len() > 4
    {
        let path = AttributePath::of("security_group_ids");
        check.breaks(&path, format!("a set of {}", groups.len()), "a set of at most 4");
    }
    choices(check, written);
    let tags = forms::tags(check, written);
    let aws = account::account(check, written, context);
    let deletion_protection = check.boolean(written, "deletion_protection", true);
    let brokers = match (&zones, brokers_per_zone) {
        (Some(zones), Some(each)) => Some(u32::try_from(zones.len()).unwrap_or(1) * each),
        _ => None,
    };
    let configuration = attached::configuration(check, written, context, kafka_version, brokers);
    let max_message_bytes = attached::max_message_bytes(check, written, configuration.as_ref());
    Some(ClusterSpec {
        name: ClusterName::new(name?),
        kafka_version: kafka_version?,
        zones: zones?,
        brokers_per_zone: brokers_per_zone?,
        encryption: encryption?,
        authentication: authentication?,
        configuration: configuration?,
        max_message_bytes: max_message_bytes?,
        dedicated_controllers: dedicated_controllers?,
        controller_zones: controller_zones?,
        client_sources: client_sources?,
        monitoring_sources: monitoring_sources?,
        security_group_ids: groups?.into_iter().collect(),
        size: size?,
        deletion_protection: deletion_protection?,
        tags: tags?,
        local: context.local.clone(),
        aws: aws?,
    })
}

const GROUP_RULE: &str = "the id of a security group (`sg-…`)";

fn kafka_version(check: &mut Check<'_>, written: &Object) -> Option<KafkaVersion> {
    let path = AttributePath::of("kafka_version");
    let text = check.known(written.string("kafka_version"), None)?;
    match KafkaVersion::parse(&text) {
        Ok(version) => Some(version),
        Err(error) => {
            check.error(&path, "Unsupported Kafka version", format!("{error}."));
            None
        }
    }
}

fn zone_names(
    check: &mut Check<'_>,
    written: &Object,
    name: &str,
    is_required: bool,
) -> Option<BTreeSet<String>> {
    let rule = "a subnet's id, or on one machine a zone's name: 1 to 128 letters, digits and `- _ .`";
    let zones: BTreeSet<String> = check.texts(written, name, rule, is_zone)?.into_iter().collect();
    let is_left_out = written.elements(name).is_null();
    if (is_left_out && !is_required) || (1..=3).contains(&zones.len()) {
        return Some(zones);
    }
    check.breaks(
        &AttributePath::of(name),
        format!("a set of {}", zones.len()),
        "a set of 1 to 3, one per zone",
    );
    None
}

fn sources(check: &mut Check<'_>, written: &Object, who: &str) -> Option<Sources> {
    let groups = check.texts(
        written,
        &format!("{who}_security_group_ids"),
        GROUP_RULE,
        is_security_group,
    );
    let rule = "an address range such as `10.0.0.0/16` or `2001:db8::/32`";
    let ranges = check.texts(written, &format!("{who}_cidr_blocks"), rule, |text| {
        forms::network(text).is_some()
    });
    Some(Sources {
        security_group_ids: groups?.into_iter().collect(),
        cidr_blocks: ranges?.iter().filter_map(|text| forms::network(text)).collect(),
    })
}

fn size(check: &mut Check<'_>, written: &Object) -> Option<SizeSpec> {
    let rule = "an instance type such as `kafka.m5.large` or `m7g.large`";
    let instance_type = check.optional_text(written, "instance_type", rule, is_instance_type);
    let controller = check.optional_text(written, "controller_instance_type", rule, is_instance_type);
    let volume_size = check.number(written, "volume_size", &(1..=16_384), Some(100));
    let volume_type = check.optional_text(written, "volume_type", "`gp3` or `io2`", |text| {
        ["gp3", "io2"].contains(&text)
    });
    let (iops_range, has_throughput) = match &volume_type {
        Some(Some(text)) if text == "io2" => (100..=256_000, false),
        _ => (3_000..=80_000, true),
    };
    let iops = check.optional_number(written, "volume_iops", &iops_range);
    let throughput = check.optional_number(written, "volume_throughput", &(125..=2_000));
    if let (Some(Some(iops)), Some(size)) = (iops, volume_size) {
        let limit = size.saturating_mul(if has_throughput { 500 } else { 1_000 });
        if iops > limit.max(3_000) {
            let rule = format!("at most {limit} for a volume of {size} GiB");
            check.breaks(&AttributePath::of("volume_iops"), iops, rule);
        }
    }
    if let Some(Some(throughput)) = throughput {
        let path = AttributePath::of("volume_throughput");
        let iops = iops.flatten().unwrap_or(3_000);
        if !has_throughput {
            check.error(
                &path,
                "Only for gp3",
                "`volume_throughput` is a setting of `gp3`. Take it out.",
            );
        } else if throughput > iops / 4 {
            let rule = format!("at most {} MiB/s with {iops} IOPS", iops / 4);
            check.breaks(&path, throughput, rule);
        }
    }
    let kms_key_id = check.optional_text(
        written,
        "kms_key_id",
        "a key's id, `alias/…`, or the ARN of either",
        is_kms_key,
    );
    let plain = |text: String| text.strip_prefix("kafka.").map_or(text.clone(), str::to_owned);
    Some(SizeSpec {
        instance_type: instance_type?.map_or("m5.large".to_owned(), plain),
        controller_instance_type: controller?.map(plain),
        volume_size: volume_size?,
        volume_type: volume_type?.unwrap_or_else(|| "gp3".to_owned()),
        volume_iops: iops?,
        volume_throughput: throughput?,
        kms_key_id: kms_key_id?,
    })
}

/// Attributes that have a few values, of which this version offers one.
fn choices(check: &mut Check<'_>, written: &Object) {
    check.optional_text(written, "metadata_mode", "`KRAFT` or `ZOOKEEPER`", |text| {
        ["KRAFT", "ZOOKEEPER"].contains(&text)
    });
    if let Attr::Known(monitoring) = written.object("monitoring")
        && let Attr::Known(level) = monitoring.str("level")
        && ![
            "DEFAULT",
            "PER_BROKER",
            "PER_TOPIC_PER_BROKER",
            "PER_TOPIC_PER_PARTITION",
        ]
        .contains(&level)
    {
        let path = AttributePath::of("monitoring").attribute("level");
        let rule = "`DEFAULT`, `PER_BROKER`, `PER_TOPIC_PER_BROKER` or `PER_TOPIC_PER_PARTITION`";
        check.breaks(&path, quoted(level), rule);
    }
}

/// What is allowed but worth knowing. For plans that create or change a cluster.
pub fn warn_about_cluster(spec: &ClusterSpec, diagnostics: &mut Diagnostics) {
    let zones = AttributePath::of("subnet_ids");
    if spec.zones.len() == 1 {
        diagnostics.warning(
            &zones,
            "One zone",
            "All brokers are in one zone: when it fails, the cluster fails. Three zones survive the loss of one.",
        );
    }
    let everyone = spec.configuration.as_ref().and_then(|configuration| {
        configuration
            .server_properties
            .get("allow.everyone.if.no.acl.found")
    });
    if everyone.is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
        diagnostics.warning(
            &AttributePath::of("configuration"),
            "Everyone is allowed where no ACL exists",
            "The configuration sets `allow.everyone.if.no.acl.found` to true: every client may read, write and \
             delete what no `msk_acl` speaks of.",
        );
    }
    if spec.broker_count() == 2 && !spec.dedicated_controllers {
        diagnostics.warning(
            &zones,
            "One voter in the quorum of controllers",
            "With two brokers the quorum has one voter, broker 1: while it is down, topics and leaders cannot \
             change. Three brokers, or `dedicated_controllers = true`, do not have this limit.",
        );
    }
    let places: Vec<&String> = if spec.controller_zones.is_empty() {
        spec.zones.iter().collect()
    } else {
        spec.controller_zones.iter().collect()
    };
    if let [first, _] = places.as_slice()
        && spec.voter_count() == 3
    {
        let detail = format!(
            "Two of the three controllers are in zone {}: when it fails, the cluster stops. A third zone for \
             controllers (`dedicated_controllers` and `controller_subnet_ids`) does not have this limit.",
            quoted(first)
        );
        diagnostics.warning(&zones, "Controllers in two zones", detail);
    }
}

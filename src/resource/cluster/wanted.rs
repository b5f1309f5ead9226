//! From what was written to a checked `ClusterSpec`, with the attached configuration and the choices
//! that the provider makes where nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::configurations;
use crate::resource::ProviderData;
use crate::spec::check::cluster::{AttachedConfiguration, ClusterContext, check_cluster};
use crate::spec::cluster::{ClusterSpec, DEFAULT_MAX_MESSAGE_BYTES, LocalSpec};
use crate::tfplugin::{Attr, AttributePath, Diagnostics, Object, Value, chain};

/// Every rule that can be checked without a provider.
pub(super) fn check(config: &Object, diagnostics: &mut Diagnostics) {
    let configuration = if config.get("configuration").is_null() {
        Attr::Null
    } else {
        Attr::Unknown
    };
    check_cluster(
        config,
        &ClusterContext {
            configuration,
            local: LocalSpec::default(),
            is_aws: false,
            default_tags: BTreeMap::new(),
        },
        diagnostics,
    );
}

/// What is wanted, as far as it is known: `None` beside errors, and if something is not known yet.
pub(super) fn for_plan(
    data: Option<&ProviderData>,
    planned: &Object,
    config: &Object,
    attached: &Attr<AttachedConfiguration>,
    diagnostics: &mut Diagnostics,
) -> Option<ClusterSpec> {
    let local = data.map_or_else(LocalSpec::default, ProviderData::local_spec);
    let written = with_kept_choices(config, planned);
    check_cluster(
        &written,
        &ClusterContext {
            configuration: attached.as_ref(),
            local,
            is_aws: data.is_some_and(ProviderData::is_aws),
            default_tags: data.map(ProviderData::default_tags).unwrap_or_default(),
        },
        diagnostics,
    )
}

/// What is wanted, at apply: everything is known, and the configuration must be there.
pub(super) async fn complete(
    data: &ProviderData,
    planned: &Object,
    config: &Object,
    diagnostics: &mut Diagnostics,
) -> Option<ClusterSpec> {
    let attached = attached(Some(data), config).await;
    if let (Attr::Unknown, Attr::Known(object)) = (&attached, config.object("configuration")) {
        let (id, revision) = (
            object.string("id").known_or(String::new()),
            object.integer("revision").known_or(0),
        );
        diagnostics.error(
            &AttributePath::of("configuration"),
            "No such configuration",
            format!(
                "There is no revision {revision} of a configuration {id:?} in the control store. Refer to \
                 `msk_configuration.<label>.id` and `.latest_revision`."
            ),
        );
        return None;
    }
    let spec = for_plan(Some(data), planned, config, &attached, diagnostics);
    if spec.is_none() && !diagnostics.has_errors() {
        diagnostics.general_error(
            "Something is still unknown at apply",
            "A value of this cluster is not known although it is being applied. Please report this as a bug of the \
             provider.",
        );
    }
    spec
}

/// The attached configuration: from this walk, else from the store, where a revision never changes.
pub(super) async fn attached(data: Option<&ProviderData>, config: &Object) -> Attr<AttachedConfiguration> {
    let object = match config.object("configuration") {
        Attr::Known(object) => object,
        Attr::Null => return Attr::Null,
        Attr::Unknown => return Attr::Unknown,
    };
    let (Some(data), Attr::Known(id), Attr::Known(revision)) =
        (data, object.string("id"), object.integer("revision"))
    else {
        return Attr::Unknown;
    };
    let Ok(revision) = u64::try_from(revision) else {
        return Attr::Unknown;
    };
    if let Some(known) = data.walk.revision(&id, revision) {
        let (kafka_versions, server_properties) = (known.kafka_versions, known.server_properties);
        return Attr::Known(AttachedConfiguration {
            id,
            revision,
            kafka_versions,
            server_properties,
        });
    }
    let Some(clusters) = data.clusters_if_there().await else {
        return Attr::Unknown;
    };
    match configurations::revision(clusters.store(), &id, revision).await {
        Ok(Some((kafka_versions, found))) => Attr::Known(AttachedConfiguration {
            id,
            revision,
            kafka_versions: kafka_versions.into_iter().collect(),
            server_properties: found.server_properties,
        }),
        Ok(None) => Attr::Unknown,
        Err(error) => {
            // The apply reads it again and fails with this very error.
            tracing::warn!(error = %chain(&error), "a configuration cannot be read");
            Attr::Unknown
        }
    }
}

/// Fills in what the provider chooses where nothing is written.
pub(super) fn choose(
    data: Option<&ProviderData>,
    planned: &mut Object,
    config: &Object,
    attached: &Attr<AttachedConfiguration>,
) {
    if config.get("max_message_bytes").is_null() {
        let value = match attached {
            Attr::Unknown => Value::unknown(),
            Attr::Null => DEFAULT_MAX_MESSAGE_BYTES.into(),
            Attr::Known(attached) => configured_bytes(attached)
                .unwrap_or(DEFAULT_MAX_MESSAGE_BYTES)
                .into(),
        };
        planned.set("max_message_bytes", value);
    }
    planned.set("tags_all", tags_all(data, planned));
    if config.get("dedicated_controllers").is_null() && planned.get("dedicated_controllers").is_unknown() {
        let chosen = match data {
            Some(data) if data.is_unknown() => Value::unknown(),
            Some(data) => data.is_aws().into(),
            None => false.into(),
        };
        planned.set("dedicated_controllers", chosen);
    }
    if config.get("controller_instance_type").is_null()
        && planned.get("controller_instance_type").is_unknown()
    {
        planned.set("controller_instance_type", controller_instance_type(planned));
    }
    let (iops, throughput) = match planned.str("volume_type") {
        Attr::Known("gp3") => (Value::from(3_000), Value::from(125)),
        Attr::Known(_) => (Value::from(3_000), Value::Null),
        Attr::Null | Attr::Unknown => (Value::unknown(), Value::unknown()),
    };
    let has_no_throughput = throughput.is_null();
    if config.get("volume_iops").is_null() && planned.get("volume_iops").is_unknown() {
        planned.set("volume_iops", iops);
    }
    let current = planned.get("volume_throughput");
    if config.get("volume_throughput").is_null()
        && (has_no_throughput || current.is_unknown() || current.is_null())
    {
        planned.set("volume_throughput", throughput);
    }
}

/// The tags of the cluster over those of the provider block.
fn tags_all(data: Option<&ProviderData>, planned: &Object) -> Value {
    let tags = planned.get("tags");
    let defaults = data.map(ProviderData::default_tags).unwrap_or_default();
    if defaults.is_empty() || tags.is_unknown() {
        return tags.clone();
    }
    let mut all: BTreeMap<String, Value> = defaults
        .into_iter()
        .map(|(key, value)| (key, Value::from(value)))
        .collect();
    if let Attr::Known(own) = planned.map("tags") {
        all.extend(own.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    Value::map(all)
}

fn configured_bytes(attached: &AttachedConfiguration) -> Option<u32> {
    attached
        .server_properties
        .get("message.max.bytes")?
        .trim()
        .parse()
        .ok()
}

/// By architecture and size: up to 6 brokers small ones, up to 30 large ones, above extra-large ones.
fn controller_instance_type(planned: &Object) -> Value {
    match planned.boolean("dedicated_controllers") {
        Attr::Known(true) => {}
        Attr::Known(false) | Attr::Null => return Value::Null,
        Attr::Unknown => return Value::unknown(),
    }
    let (Attr::Known(zones), Attr::Known(each), Attr::Known(brokers_type)) = (
        planned.strings("subnet_ids"),
        planned.integer("brokers_per_az"),
        planned.str("instance_type"),
    ) else {
        return Value::unknown();
    };
    let zones: BTreeSet<String> = zones.into_iter().collect();
    let brokers = i64::try_from(zones.len())
        .unwrap_or(i64::MAX)
        .saturating_mul(each);
    let family = brokers_type
        .strip_prefix("kafka.")
        .unwrap_or(brokers_type)
        .split('.')
        .next()
        .unwrap_or_default();
    // `m7g`, `c6gn`, `t4g`: a `g` behind the generation's number is Graviton.
    let is_arm = family
        .trim_start_matches(|letter: char| !letter.is_ascii_digit())
        .contains('g');
    let size = match (brokers, is_arm) {
        (..=6, false) => "t3.small",
        (..=6, true) => "t4g.small",
        (..=30, false) => "m5.large",
        (..=30, true) => "m7g.large",
        (_, false) => "m5.xlarge",
        (_, true) => "m7g.xlarge",
    };
    size.into()
}

/// Attributes that keep the provider's first choice when nothing is written.
const CHOSEN: [&str; 4] = [
    "dedicated_controllers",
    "controller_instance_type",
    "volume_iops",
    "volume_throughput",
];

/// What was applied, with the choices that were made then.
pub(super) fn keep_choices(applied: &mut Object, prior: &Object) {
    for name in CHOSEN {
        if applied.get(name).is_null() {
            applied.set(name, prior.get(name).clone());
        }
    }
}

/// What was written, with the one choice that shapes the cluster.
fn with_kept_choices(config: &Object, planned: &Object) -> Object {
    let mut written = config.clone();
    if written.get("dedicated_controllers").is_null() {
        written.set(
            "dedicated_controllers",
            planned.get("dedicated_controllers").clone(),
        );
    }
    written
}

/// A configuration with its defaults as the plan of its create had it; for import.
pub(super) fn choose_again(
    data: &ProviderData,
    applied: &mut Object,
    config: &Object,
    attached: &Attr<AttachedConfiguration>,
) {
    for name in CHOSEN {
        if applied.get(name).is_null() {
            applied.set(name, Value::unknown());
        }
    }
    choose(Some(data), applied, config, attached);
}

/// The rule of names, before one becomes part of a key.
pub(in crate::resource) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

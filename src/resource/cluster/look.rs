//! Refresh and import of `msk_cluster`: what is there, and how far it is from what was applied.

use std::time::Duration;

use super::{held_key, name_of, private_of, state, wanted};
use crate::engine::cluster::{ClusterError, ClusterHandle, Found, Look, Outcome};
use crate::engine::configurations;
use crate::observed::Seen as Fact;
use crate::resource::engine::OpenClusters;
use crate::resource::private::{self, ClusterPrivate, KeptRevision};
use crate::resource::walk::{KnownCluster, KnownRevision};
use crate::resource::{ProviderData, written};
use crate::spec::cluster::ClusterSpec;
use crate::spec::ids::ClusterName;
use crate::tfplugin::schema::Schema;
use crate::tfplugin::{
    Context, Diagnostics, ImportRequest, Imported, Object, ReadRequest, Seen, Value, chain,
};

/// How long a refresh waits for nodes that come up by themselves: most restarts end sooner.
const REFRESH_PATIENCE: Duration = Duration::from_secs(15);
/// How long an apply does.
const APPLY_PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(250);

/// Looks at the cluster of a state. Writes nothing.
pub(super) async fn read(context: &Context<ProviderData>, request: &ReadRequest, schema: &Schema) -> Seen {
    let mut answer = request.begin();
    let found = &mut answer.diagnostics;
    let Some(data) = context.data() else { return answer };
    let Some(mut kept) = private_of(&request.private, found) else {
        return answer;
    };
    data.walk
        .hold(&held_key(kept.handle.name.as_str()), &request.private);
    if data.is_unknown() {
        return answer;
    }
    let Some(clusters) = data.clusters(found).await else {
        return answer;
    };
    let seen = match settled(context, clusters, &kept.handle, REFRESH_PATIENCE).await {
        Ok(Look::Found(seen)) => *seen,
        Ok(Look::Gone(_)) => {
            answer.state = None;
            return answer;
        }
        Err(error) => {
            found.failure("The cluster cannot be looked at", &error);
            return answer;
        }
    };
    if !seen.is_ours {
        found.general_warning(
            "Another create has taken the cluster",
            format!(
                "The cluster `{}` was taken over by another create. This state no longer holds it and cannot change \
                 it: `terraform state rm` forgets it here.",
                kept.handle.name
            ),
        );
    }
    let mut now = request.state.clone();
    if seen.record.written != kept.written {
        restore(schema, data, &seen, &mut now, found).await;
    }
    now.set("id", seen.record.name.as_str());
    state::set_computed(&mut now, &seen.observed);
    show_drift(&mut now, &seen);
    kept.written = seen.record.written.clone();
    kept.deletion_protection = seen.record.deletion_protection;
    kept.was_active = seen.record.first_active_at.is_some();
    kept.configuration = kept_revision(data, &seen, found).await;
    kept.observed = Some(seen.observed);
    kept.planned = None;
    kept.destroy = false;
    private::write(&mut answer.private, &kept, &mut answer.diagnostics);
    data.walk
        .hold(&held_key(kept.handle.name.as_str()), &answer.private);
    remember(data, &now, None);
    answer.state = Some(now);
    answer
}

/// Looks until no node is on its way up by itself, or patience ends: what a state keeps should still be true
/// when somebody reads it. A node that needs help is no reason to wait.
async fn settled(
    context: &Context<ProviderData>,
    clusters: &OpenClusters,
    handle: &ClusterHandle,
    patience: Duration,
) -> Result<Look, ClusterError> {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let look = clusters.look(handle).await?;
        let comes_up =
            matches!(&look, Look::Found(seen) if state::cluster_state(&seen.observed) == state::HEALING);
        if !comes_up || tokio::time::Instant::now() >= deadline {
            return Ok(look);
        }
        tokio::select! {
            () = context.cancelled().cancelled() => return Ok(look),
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// After an apply that did what it had to, while another node comes up by itself.
pub(super) async fn settle_outcome(
    context: &Context<ProviderData>,
    clusters: &OpenClusters,
    outcome: &mut Outcome,
) {
    let is_healing = outcome
        .observed
        .as_ref()
        .is_some_and(|observed| state::cluster_state(observed) == state::HEALING);
    if outcome.failure.is_none()
        && is_healing
        && let Ok(Look::Found(seen)) = settled(context, clusters, &outcome.handle, APPLY_PATIENCE).await
    {
        outcome.observed = Some(seen.observed);
    }
}

/// Finds a cluster by its name and restores the configuration that it was last applied with.
pub(super) async fn import(
    context: &Context<ProviderData>,
    request: &ImportRequest,
    schema: &Schema,
) -> Imported {
    let mut answer = Imported::default();
    let found = &mut answer.diagnostics;
    let Some(data) = crate::resource::configured(context, found) else {
        return answer;
    };
    let Some(clusters) = data.clusters(found).await else {
        return answer;
    };
    let name = ClusterName::new(request.id.as_str());
    if !wanted::is_name(&request.id) {
        found.general_error(
            "Not a cluster's name",
            format!(
                "`{}` is not a cluster's name; import by name, such as `events`.",
                request.id.escape_debug()
            ),
        );
        return answer;
    }
    let seen = match clusters.find(&name).await {
        Ok(Some(seen)) => seen,
        Ok(None) => {
            found.general_error(
                "No such cluster",
                format!(
                    "There is no cluster `{name}` in this control store. `terraform-provider-msk clusters list` shows \
                     those that are."
                ),
            );
            return answer;
        }
        Err(error) => {
            found.failure("The cluster cannot be looked at", &error);
            return answer;
        }
    };
    let mut state = Object::new();
    restore(schema, data, &seen, &mut state, found).await;
    state.set("id", name.as_str());
    let kept = ClusterPrivate {
        handle: seen.handle.clone(),
        written: seen.record.written.clone(),
        deletion_protection: seen.record.deletion_protection,
        was_active: seen.record.first_active_at.is_some(),
        observed: None,
        configuration: None,
        planned: None,
        destroy: false,
    };
    private::write(&mut answer.private, &kept, &mut answer.diagnostics);
    answer.state = Some(state);
    answer
}

/// Everything that is known of a cluster, for the data source.
pub(in crate::resource) async fn tell(
    schema: &Schema,
    data: &ProviderData,
    seen: &Found,
    diagnostics: &mut Diagnostics,
) -> Object {
    let mut state = Object::new();
    restore(schema, data, seen, &mut state, diagnostics).await;
    state.set("id", seen.record.name.as_str());
    state::set_computed(&mut state, &seen.observed);
    show_drift(&mut state, seen);
    state
}

/// Sets what the user writes from what was last applied. Values that mean the same stay as spelled.
async fn restore(
    schema: &Schema,
    data: &ProviderData,
    seen: &Found,
    state: &mut Object,
    diagnostics: &mut Diagnostics,
) {
    let Some(config) = written::config(schema, &seen.record.written, diagnostics) else {
        return;
    };
    let mut applied = schema.with_defaults(&config);
    let attached = wanted::attached(Some(data), &config).await;
    wanted::choose_again(data, &mut applied, &config, &attached);
    for (name, attribute) in schema.attributes() {
        let is_told = attribute.is_computed() && !attribute.is_optional();
        let value = applied.get(name);
        let means_the_same = |before: &Value| attribute.means_the_same(before, value);
        if !is_told && !state.try_get(name).is_some_and(means_the_same) && !value.is_unknown() {
            state.set(name, value.clone());
        }
    }
    state.set("tags_all", applied.get("tags_all").clone());
    if state.try_get("timeouts").is_none() {
        state.set("timeouts", applied.get("timeouts").clone());
    }
}

/// Shows values that were changed on the brokers themselves.
fn show_drift(state: &mut Object, seen: &Found) {
    let (Fact::Known((generation, desired)), Fact::Known(properties)) =
        (&seen.observed.desired, &seen.observed.properties)
    else {
        return;
    };
    let name = "message.max.bytes";
    let (wanted, is) = (desired.live_properties.get(name), properties.dynamic.get(name));
    if let (Some(wanted), Some(is)) = (wanted, is)
        && wanted != is
        && properties.applied >= *generation
        && let Ok(bytes) = is.parse::<u64>()
    {
        state.set("max_message_bytes", bytes);
    }
}

async fn kept_revision(
    data: &ProviderData,
    seen: &Found,
    diagnostics: &mut Diagnostics,
) -> Option<KeptRevision> {
    let (id, revision) = seen.record.configuration.clone()?;
    let clusters = data.clusters(diagnostics).await?;
    match configurations::revision(clusters.store(), &id, revision).await {
        Ok(Some((kafka_versions, found))) => {
            let known = KnownRevision {
                kafka_versions: kafka_versions.into_iter().collect(),
                server_properties: found.server_properties.clone(),
            };
            data.walk.remember_revision(&id, revision, known);
            Some(KeptRevision {
                id,
                revision,
                server_properties: found.server_properties,
            })
        }
        Ok(None) => None,
        Err(error) => {
            diagnostics.general_warning("The cluster's configuration cannot be read", chain(&error));
            None
        }
    }
}

/// Notes what others in this walk may ask about the cluster.
pub(in crate::resource) fn remember(data: &ProviderData, state: &Object, spec: Option<&ClusterSpec>) {
    let Some(name) = name_of(state) else { return };
    let zones = state.strings("subnet_ids").known().map_or(0, |zones| zones.len());
    let per_zone = state
        .integer("brokers_per_az")
        .known()
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(1);
    let counted = u32::try_from(zones.saturating_mul(per_zone)).unwrap_or(u32::MAX);
    let brokers = spec.map_or(counted, ClusterSpec::broker_count);
    let (Some(kafka_version), true) = (state.string("kafka_version").known(), brokers > 0) else {
        return;
    };
    let known = KnownCluster {
        kafka_version,
        brokers,
        deletion_protection: state.boolean("deletion_protection").known_or(true),
    };
    data.walk.remember_cluster(name.as_str(), known);
}

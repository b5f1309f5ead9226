//! The plan of `msk_cluster`: a function of configuration, prior state and private state. What of
//! other resources it needs comes from the memory of the walk or from revisions, which never change.

use super::{held_key, look, name_of, preflight, private_of, refusals, schema, state, wanted};
use crate::clock::Timestamp;
use crate::observed::ObservedCluster;
use crate::planner::document::{Drawn, waiting_for_restart};
use crate::planner::report::planned_operations;
use crate::planner::{self, plan_cluster};
use crate::resource::private::{self, ClusterPrivate};
use crate::resource::{ProviderData, written};
use crate::spec::check::cluster::warn_about_cluster;
use crate::spec::cluster::ClusterSpec;
use crate::tfplugin::{Attr, AttributePath, Context, Diagnostics, Object, Plan, PlanRequest, Private, Value};

const RESTART: &str = "Not in this version";

/// The plan of a new cluster; also the second plan of a replacement, and the one of a tainted cluster.
pub(super) async fn create(context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
    let (Some(config), Some(mut planned)) = (request.config.as_ref(), plan.planned.take()) else {
        return;
    };
    let found = &mut plan.diagnostics;
    let replaced = private::read::<ClusterPrivate>(&request.private, found);
    if let Some(replaced) = &replaced
        && replaced.deletion_protection
        && replaced.was_active
    {
        found.error(
            &AttributePath::of("deletion_protection"),
            "The cluster is protected",
            format!(
                "This plan replaces the cluster `{}`, which destroys its data, and `deletion_protection` is on. Set \
                 `deletion_protection = false`, apply that alone, and plan again; or take the change back.",
                replaced.handle.name
            ),
        );
    }
    let data = context.data().map(AsRef::as_ref);
    let attached = wanted::attached(data, config).await;
    wanted::choose(data, &mut planned, config, &attached);
    let tainted = name_of(&planned).and_then(|name| {
        context
            .data()
            .and_then(|data| data.walk.held(&held_key(name.as_str())))
    });
    if replaced.is_some() || tainted.is_some() {
        planned.set("id", Value::unknown());
    } else {
        planned.set("id", planned.get("name").clone());
    }
    refusals::refuse_values(&planned, false, found);
    refusals::warn_of_recorded(data, config, found);
    let spec = wanted::for_plan(data, &planned, config, &attached, found);
    if let Some(spec) = &spec {
        warn_about_cluster(spec, found);
        preflight::check(data, spec, found).await;
        let made = plan_cluster(Some(spec), None, Timestamp::default());
        planned.set("planned_operations", state::operations(planned_operations(&made)));
        warn(&made, found);
    }
    if let Some(data) = context.data() {
        look::remember(data, &planned, spec.as_ref());
        remember_configuration(data, &planned);
    }
    // The delete half of a tainted cluster's replacement gets what this plan keeps, and nothing else.
    if let (None, Some(held)) = (&replaced, tainted) {
        plan.private = held;
    }
    plan.planned = Some(planned);
}

/// The plan of a cluster that exists.
pub(super) async fn update(context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
    let (Some(config), Some(prior), Some(mut planned)) = (
        request.config.as_ref(),
        request.prior.as_ref(),
        plan.planned.take(),
    ) else {
        return;
    };
    let found = &mut plan.diagnostics;
    let Some(mut kept) = private_of(&request.private, found) else {
        return;
    };
    let Some(mut applied) = written::applied(&schema::resource(), &kept.written, found) else {
        return;
    };
    wanted::keep_choices(&mut applied, prior);
    let data = context.data().map(AsRef::as_ref);
    let attached = wanted::attached(data, config).await;
    wanted::choose(data, &mut planned, config, &attached);
    if planned.get("name") != prior.get("name") {
        // Half of a replacement: the second plan says the rest.
        plan.planned = Some(planned);
        return;
    }
    refusals::refuse_values(&planned, true, found);
    refusals::refuse_changes(data, &applied, &planned, found);
    let has_changes = planned != *prior;
    if planned.get("max_message_bytes") != prior.get("max_message_bytes") {
        // It carries the message limits.
        planned.set("client_properties", Value::unknown());
    }
    let spec = wanted::for_plan(data, &planned, config, &attached, found);
    kept.planned = None;
    kept.destroy = false;
    match (&spec, &kept.observed) {
        (Some(spec), Some(observed)) => {
            refuse_restarts(spec, observed, &applied, &planned, found);
            if preflight::is_due(&applied, &planned) {
                preflight::check(data, spec, found).await;
            }
            let made = plan_cluster(Some(spec), Some(observed), observed.observed_at);
            warn(&made, found);
            refusals::refuse_losses(&made.report.lost, &planned, found);
            if has_changes || !made.is_empty() {
                refusals::warn_of_recorded(data, config, found);
                warn_about_cluster(spec, found);
                planned.set("planned_operations", state::operations(planned_operations(&made)));
            }
            if !made.is_empty() {
                planned.set("state", Value::unknown());
                planned.set("brokers", Value::unknown());
            }
            kept.planned = Some(made.steps);
        }
        _ if has_changes => {
            refusals::warn_of_recorded(data, config, found);
            for unknown in ["planned_operations", "state", "brokers"] {
                planned.set(unknown, Value::unknown());
            }
        }
        _ => {}
    }
    if let Some(data) = context.data() {
        look::remember(data, &planned, spec.as_ref());
        remember_configuration(data, &planned);
    }
    private::write(&mut plan.private, &kept, &mut plan.diagnostics);
    plan.planned = Some(planned);
}

/// What the delete of a configuration asks: who goes on using it.
fn remember_configuration(data: &ProviderData, planned: &Object) {
    let Some(name) = name_of(planned) else { return };
    let configuration = match planned.object("configuration") {
        Attr::Null => None,
        Attr::Unknown => return,
        Attr::Known(object) => match object.string("id") {
            Attr::Known(id) => Some(id),
            Attr::Null | Attr::Unknown => return,
        },
    };
    data.walk.plan_configuration(name.as_str(), configuration);
}

/// The plan of a destroy: refused while the cluster is protected, marked otherwise.
pub(super) fn destroy(context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
    if let (Some(data), Some(name)) = (context.data(), request.prior.as_ref().and_then(name_of)) {
        data.walk.plan_configuration(name.as_str(), None);
    }
    if request.private.is_empty() {
        return;
    }
    let found = &mut plan.diagnostics;
    let Some(mut kept) = private_of(&request.private, found) else {
        return;
    };
    if kept.deletion_protection && kept.was_active {
        found.general_error(
            "The cluster is protected",
            format!(
                "The cluster `{}` is protected from deletion. Set `deletion_protection = false` in its configuration, \
                 apply that, and destroy then.",
                kept.handle.name
            ),
        );
    }
    kept.destroy = true;
    let mut private = Private::default();
    private::write(&mut private, &kept, &mut plan.diagnostics);
    plan.private = private;
}

/// A change of the configuration that Kafka does not take live is refused, if the user made it.
fn refuse_restarts(
    spec: &ClusterSpec,
    observed: &ObservedCluster,
    applied: &Object,
    planned: &Object,
    diagnostics: &mut Diagnostics,
) {
    if applied.get("configuration") == planned.get("configuration") || diagnostics.has_errors() {
        return;
    }
    let (Some(drawn), Some((_, before))) = (Drawn::seen(spec, observed), observed.desired.known()) else {
        return;
    };
    let waiting = waiting_for_restart(spec, drawn, before);
    if waiting.is_empty() {
        return;
    }
    diagnostics.error(
        &AttributePath::of("configuration"),
        RESTART,
        format!(
            "The new revision changes {}, which takes a restart of every broker and is not in this version. Take these \
             properties out of the new revision, or stay with the former one. `terraform destroy -refresh=false` \
             destroys the cluster as it is.",
            waiting.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    );
}

fn warn(made: &planner::Plan, diagnostics: &mut Diagnostics) {
    for blocked in &made.report.blocked {
        diagnostics.general_warning("Nothing is planned for this cluster", blocked.clone());
    }
    for warning in &made.report.warnings {
        diagnostics.general_warning("The cluster needs a look", warning.clone());
    }
}

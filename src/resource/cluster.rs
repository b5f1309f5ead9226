//! `msk_cluster`: a Kafka cluster with its nodes, certificates and endpoints.

mod computed;
pub(super) mod look;
mod meaning;
mod plan;
mod preflight;
mod refusals;
mod schema;
mod state;
pub(super) mod wanted;

use std::time::Duration;

use super::ProviderData;
use super::private::{self, ClusterPrivate};
use super::written;
use crate::engine::cluster::{ClusterError, Deletion, Outcome};
use crate::engine::cluster::{
    CreateRequest as EngineCreate, DeleteRequest as EngineDelete, UpdateRequest as EngineUpdate,
};
use crate::engine::configurations;
use crate::engine::run::Limits;
use crate::spec::ids::ClusterName;
use crate::tfplugin::schema::Schema;
use crate::tfplugin::{
    Action, Applied, Attr, Context, CreateRequest, DeleteRequest, Deleted, Diagnostics, ImportRequest,
    Imported, Object, Plan, PlanRequest, Private, ReadRequest, Resource, Seen, UpdateRequest, Value, chain,
};

const CREATE_TIMEOUT: Duration = Duration::from_mins(20);
const UPDATE_TIMEOUT: Duration = Duration::from_hours(1);
const DELETE_TIMEOUT: Duration = Duration::from_mins(20);

/// The resource `msk_cluster`.
#[derive(Debug, Clone, Copy)]
pub struct Cluster;

impl Resource<ProviderData> for Cluster {
    fn type_name(&self) -> &'static str {
        "msk_cluster"
    }

    fn schema(&self) -> Schema {
        schema::resource()
    }

    fn validate(&self, config: &Object, diagnostics: &mut Diagnostics) {
        wanted::check(config, diagnostics);
    }

    async fn plan(&self, context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
        match request.action() {
            Action::Create => plan::create(context, request, plan).await,
            Action::Update => plan::update(context, request, plan).await,
            Action::Destroy => plan::destroy(context, request, plan),
        }
    }

    async fn create(&self, context: &Context<ProviderData>, request: CreateRequest) -> Applied {
        let mut answer = request.begin();
        answer.private = Private::default();
        let found = &mut answer.diagnostics;
        let Some(data) = super::configured(context, found) else {
            return answer;
        };
        refusals::refuse_values(&request.planned, false, found);
        if found.has_errors() {
            return answer;
        }
        let Some(wanted) = wanted::complete(data, &request.planned, &request.config, found).await else {
            return answer;
        };
        let Some(clusters) = data.clusters_to_write(found).await else {
            return answer;
        };
        let written = written::encode(&self.schema(), &request.config);
        let configuration = wanted.configuration.clone();
        let create = EngineCreate {
            wanted,
            written: written.clone(),
            caller: data.caller.clone(),
            limits: Limits::starting_now(
                request.config.timeout("create", CREATE_TIMEOUT),
                context.cancelled().clone(),
            ),
        };
        match clusters.create(&create).await {
            Ok(outcome) => apply_outcome(outcome, &request.planned, configuration, &mut answer, "created"),
            Err(error) => failed(&error, "created", &mut answer.diagnostics),
        }
        answer
    }

    async fn read(&self, context: &Context<ProviderData>, request: ReadRequest) -> Seen {
        look::read(context, &request, &self.schema()).await
    }

    async fn update(&self, context: &Context<ProviderData>, request: UpdateRequest) -> Applied {
        let mut answer = request.begin();
        let found = &mut answer.diagnostics;
        let Some(data) = super::configured(context, found) else {
            return answer;
        };
        let Some(kept) = private_of(&request.private, found) else {
            return answer;
        };
        if let Some(mut applied) = written::applied(&self.schema(), &kept.written, found) {
            wanted::keep_choices(&mut applied, &request.prior);
            refusals::refuse_at_apply(
                context.data().map(AsRef::as_ref),
                &applied,
                &request.planned,
                found,
            );
        }
        if found.has_errors() {
            return answer;
        }
        let Some(wanted) = wanted::complete(data, &request.planned, &request.config, found).await else {
            return answer;
        };
        let Some(clusters) = data.clusters(found).await else {
            return answer;
        };
        let configuration = wanted.configuration.clone();
        let update = EngineUpdate {
            handle: kept.handle.clone(),
            wanted,
            written: written::encode(&self.schema(), &request.config),
            planned: kept.planned.clone(),
            limits: Limits::starting_now(
                request.config.timeout("update", UPDATE_TIMEOUT),
                context.cancelled().clone(),
            ),
        };
        match clusters.update(&update).await {
            Ok(mut outcome) => {
                look::settle_outcome(context, clusters, &mut outcome).await;
                let is_done = outcome.failure.is_none();
                let left = kept.configuration.filter(|_| is_done).map(|kept| kept.id);
                let base = if is_done { &request.planned } else { &request.prior };
                apply_outcome(outcome, base, configuration, &mut answer, "changed");
                if let Some(left) = left
                    && let Err(error) = configurations::sweep(clusters.store(), &left).await
                {
                    answer
                        .diagnostics
                        .general_warning("A hidden configuration was not removed", chain(&error));
                }
            }
            Err(error) => failed(&error, "changed", &mut answer.diagnostics),
        }
        answer
    }

    async fn delete(&self, context: &Context<ProviderData>, request: DeleteRequest) -> Deleted {
        let mut answer = request.begin();
        let found = &mut answer.diagnostics;
        let Some(data) = super::configured(context, found) else {
            return answer;
        };
        let Some(kept) = private_of(&request.private, found) else {
            return answer;
        };
        let Some(clusters) = data.clusters(found).await else {
            return answer;
        };
        let delete = EngineDelete {
            handle: kept.handle,
            has_destroy_mark: kept.destroy,
            limits: Limits::starting_now(
                request.prior.timeout("delete", DELETE_TIMEOUT),
                context.cancelled().clone(),
            ),
        };
        match clusters.delete(&delete).await {
            Ok(Deletion::Removed | Deletion::AlreadyGone | Deletion::HandedOver) => {
                if let Some(left) = kept.configuration
                    && let Err(error) = configurations::sweep(clusters.store(), &left.id).await
                {
                    found.general_warning("A hidden configuration was not removed", chain(&error));
                }
            }
            Ok(Deletion::NotOurs(sentence)) => {
                found.general_warning("The cluster was left as it is", sentence);
            }
            Err(error) => failed(&error, "destroyed", found),
        }
        answer
    }

    async fn import(&self, context: &Context<ProviderData>, request: ImportRequest) -> Imported {
        look::import(context, &request, &self.schema()).await
    }
}

/// Private state, which everything but a create needs.
fn private_of(private: &Private, diagnostics: &mut Diagnostics) -> Option<ClusterPrivate> {
    let kept = private::read::<ClusterPrivate>(private, diagnostics);
    if kept.is_none() && !diagnostics.has_errors() {
        diagnostics.general_error(
            "The state does not say which cluster this is",
            "The private part of this object's state is empty. Forget it with `terraform state rm` and import it: \
             `terraform import msk_cluster.<label> <name>`.",
        );
    }
    kept
}

/// Puts what an operation left into state and private state. With a failure Terraform gets all three.
fn apply_outcome(
    outcome: Outcome,
    base: &Object,
    configuration: Option<crate::spec::cluster::ConfigurationSpecReference>,
    answer: &mut Applied,
    what: &str,
) {
    let mut state = base.clone();
    state.set("id", outcome.record.name.as_str());
    if let Some(observed) = &outcome.observed {
        state::set_computed(&mut state, observed);
    }
    if outcome.failure.is_none() {
        // What the plan promised stays as it is; the next refresh shows what has become of it.
        for (name, value) in base.iter().filter(|(_, value)| value.is_wholly_known()) {
            state.set(name, value.clone());
        }
    }
    if !state.get("planned_operations").is_wholly_known() {
        state.set("planned_operations", Value::list::<Value>([]));
    }
    let is_done = outcome.failure.is_none();
    let kept = ClusterPrivate {
        handle: outcome.handle,
        written: outcome.record.written,
        deletion_protection: outcome.record.deletion_protection,
        was_active: outcome.record.first_active_at.is_some(),
        observed: outcome.observed,
        configuration: configuration
            .filter(|_| is_done)
            .map(|configuration| private::KeptRevision {
                id: configuration.id,
                revision: configuration.revision,
                server_properties: configuration.server_properties,
            }),
        planned: None,
        destroy: false,
    };
    private::write(&mut answer.private, &kept, &mut answer.diagnostics);
    answer.state = Some(state);
    for warning in outcome.warnings {
        answer
            .diagnostics
            .general_warning("The cluster needs a look", warning);
    }
    if let Some(failure) = outcome.failure {
        failed(&failure, what, &mut answer.diagnostics);
    }
}

fn failed(error: &ClusterError, what: &str, diagnostics: &mut Diagnostics) {
    let summary = if error.is_cancelled() {
        format!("Stopped before the cluster was {what}")
    } else {
        format!("The cluster was not {what}")
    };
    diagnostics.general_error(summary, super::sentence(&chain(error)));
}

/// A name that was checked, as written in the configuration.
fn name_of(object: &Object) -> Option<ClusterName> {
    match object.str("name") {
        Attr::Known(name) => Some(ClusterName::new(name)),
        Attr::Null | Attr::Unknown => None,
    }
}

/// Where this walk keeps the private state of a cluster.
fn held_key(name: &str) -> String {
    format!("msk_cluster/{name}")
}

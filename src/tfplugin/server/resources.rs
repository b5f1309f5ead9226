//! The life of a managed resource: validate, upgrade, read, plan, apply, import.

use std::cmp::Ordering;

use super::{Form, Managed, REPORT, Server, proto, verb};
use crate::tfplugin::diagnostics::{Diagnostics, chain};
use crate::tfplugin::planning;
use crate::tfplugin::private::Private;
use crate::tfplugin::requests::{
    Action, Applied, CreateRequest, DeleteRequest, ImportRequest, Plan, PlanRequest, ReadRequest,
    UpdateRequest, UpgradeRequest,
};
use crate::tfplugin::resource::Provider;
use crate::tfplugin::schema::{self, Attribute, Body, conform};
use crate::tfplugin::value::{AttributePath, Object, Value, json};
use crate::tfplugin::wire::convert;

use proto::{
    apply_resource_change as apply, import_resource_state as import, move_resource_state as moving,
    plan_resource_change as plan, read_resource as reading, upgrade_resource_identity as identity,
    upgrade_resource_state as upgrade, validate_resource_config as validate,
};

impl<P: Provider> Server<P> {
    pub(super) fn validate_resource(&self, request: &validate::Request) -> (validate::Response, Diagnostics) {
        let mut found = Diagnostics::new();
        if let Some(managed) = self.managed(&request.type_name, &mut found)
            && let Some(config) = managed
                .form()
                .read(request.config.as_ref(), "configuration", &mut found)
        {
            let body = &managed.form().schema.body;
            schema::validate(body, &config, &AttributePath::root(), &mut found);
            let context = self.context(request.client_capabilities.as_ref());
            if !context.capabilities.write_only_attributes {
                refuse_write_only(body, &config, &mut found);
            }
            managed.resource.validate(&config, &mut found);
        }
        (validate::Response::default(), found)
    }

    pub(super) fn upgrade(&self, request: &upgrade::Request) -> (upgrade::Response, Diagnostics) {
        let mut found = Diagnostics::new();
        let mut answer = upgrade::Response::default();
        let Some(managed) = self.managed(&request.type_name, &mut found) else {
            return (answer, found);
        };
        let json = request.raw_state.as_ref().map_or(&[][..], |raw| &raw.json);
        let form = managed.form();
        let state = match request.version.cmp(&form.schema.version) {
            Ordering::Equal => stored(json, form, &mut found),
            Ordering::Less => managed.resource.upgrade_state(
                UpgradeRequest {
                    version: request.version,
                    json,
                },
                &mut found,
            ),
            Ordering::Greater => {
                let detail = format!(
                    "The state has version {}, this provider knows up to {}. Use a newer version of the provider.",
                    request.version, form.schema.version
                );
                found.general_error("State of a newer provider", detail);
                None
            }
        };
        if !found.has_errors() {
            answer.upgraded_state = form.write(state, "upgraded state", &mut found);
        }
        (answer, found)
    }

    pub(super) async fn read(&self, request: reading::Request) -> (reading::Response, Diagnostics) {
        let mut found = Diagnostics::new();
        let mut answer = reading::Response {
            new_state: request.current_state.clone(),
            private: request.private.clone(),
            ..reading::Response::default()
        };
        let Some(managed) = self.managed(&request.type_name, &mut found) else {
            return (answer, found);
        };
        let form = managed.form();
        let Some(state) = form.read(request.current_state.as_ref(), "state", &mut found) else {
            return (answer, found);
        };
        let context = self.context(request.client_capabilities.as_ref());
        let question = ReadRequest {
            state,
            private: Private::from_bytes(request.private),
        };
        let seen = managed.resource.read(&context, question).await;
        found.extend(seen.diagnostics);
        let mut state = seen.state;
        settle(&mut state, "read", &mut found);
        if !found.has_errors() {
            answer.new_identity = managed.identity_of(state.as_ref());
            answer.new_state = form.write(state, "state that was read", &mut found);
            answer.private = seen.private.into_bytes();
        }
        (answer, found)
    }

    pub(super) async fn plan(&self, request: plan::Request) -> (plan::Response, Diagnostics) {
        let mut found = Diagnostics::new();
        let mut answer = plan::Response::default();
        let Some(managed) = self.managed(&request.type_name, &mut found) else {
            return (answer, found);
        };
        let form = managed.form();
        let prior = form.read(request.prior_state.as_ref(), "prior state", &mut found);
        let config = form.read(request.config.as_ref(), "configuration", &mut found);
        let proposed = form.read(request.proposed_new_state.as_ref(), "proposed state", &mut found);
        if found.has_errors() {
            return (answer, found);
        }
        let (planned, requires_replace) = match (&config, proposed) {
            (Some(config), Some(proposed)) => {
                let body = &form.schema.body;
                let proposal = planning::propose(body, prior.as_ref(), config, &proposed);
                (Some(proposal.planned), proposal.requires_replace)
            }
            _ => (None, Vec::new()),
        };
        let config = planned.is_some().then_some(config).flatten();
        let context = self.context(request.client_capabilities.as_ref());
        let private = Private::from_bytes(request.prior_private);
        let mut plan = Plan {
            planned,
            private: private.clone(),
            requires_replace,
            diagnostics: found,
        };
        let question = PlanRequest {
            config,
            prior,
            private,
        };
        let is_thrown_away = self.is_before_a_destroy && question.action() != Action::Destroy;
        let proposed = is_thrown_away.then(|| plan.planned.clone());
        managed.resource.plan(&context, &question, &mut plan).await;
        let mut found = std::mem::take(&mut plan.diagnostics);
        if let Some(proposed) = proposed
            && found.has_errors()
        {
            plan.planned = proposed;
            found = found.into_warnings();
        }
        if question.action() == Action::Destroy && plan.planned.is_some() {
            let detail = format!(
                "{} planned to keep what is to be destroyed. {REPORT}",
                request.type_name
            );
            found.general_error("Provider made an invalid plan", detail);
        }
        if !found.has_errors() {
            plan.requires_replace.sort();
            plan.requires_replace.dedup();
            answer.requires_replace = plan.requires_replace.iter().map(convert::path).collect();
            answer.planned_identity = managed.identity_of(plan.planned.as_ref());
            answer.planned_state = form.write(plan.planned, "planned state", &mut found);
            answer.planned_private = plan.private.into_bytes();
        }
        (answer, found)
    }

    pub(super) async fn apply(&self, request: apply::Request) -> (apply::Response, Diagnostics) {
        let mut found = Diagnostics::new();
        let failed = apply::Response {
            new_state: request.prior_state.clone(),
            private: request.planned_private.clone(),
            ..apply::Response::default()
        };
        let Some(managed) = self.managed(&request.type_name, &mut found) else {
            return (failed, found);
        };
        let form = managed.form();
        let prior = form.read(request.prior_state.as_ref(), "prior state", &mut found);
        let planned = form.read(request.planned_state.as_ref(), "planned state", &mut found);
        let config = form.read(request.config.as_ref(), "configuration", &mut found);
        if found.has_errors() {
            return (failed, found);
        }
        let context = self.context(None);
        let private = Private::from_bytes(request.planned_private);
        let resource = &managed.resource;
        match (prior, planned, config) {
            (None, Some(planned), Some(config)) => {
                let question = CreateRequest {
                    config,
                    planned,
                    private,
                };
                let done = resource.create(&context, question).await;
                finish(managed, form, done, Action::Create)
            }
            (Some(prior), Some(planned), Some(config)) => {
                let question = UpdateRequest {
                    config,
                    prior,
                    planned,
                    private,
                };
                let done = resource.update(&context, question).await;
                finish(managed, form, done, Action::Update)
            }
            (Some(prior), None, _) => {
                let question = DeleteRequest {
                    prior: prior.clone(),
                    private,
                };
                let done = resource.delete(&context, question).await;
                let left = done
                    .diagnostics
                    .has_errors()
                    .then(|| done.remaining.unwrap_or(prior));
                let done = Applied {
                    state: left,
                    private: done.private,
                    diagnostics: done.diagnostics,
                };
                finish(managed, form, done, Action::Destroy)
            }
            _ => {
                let detail = "The request to apply has neither a prior nor a planned state.";
                found.general_error("Message not readable", detail);
                (failed, found)
            }
        }
    }

    pub(super) async fn import(&self, request: import::Request) -> (import::Response, Diagnostics) {
        let mut found = Diagnostics::new();
        let mut answer = import::Response::default();
        let Some(managed) = self.managed(&request.type_name, &mut found) else {
            return (answer, found);
        };
        let given = request
            .identity
            .as_ref()
            .and_then(|identity| identity.identity_data.as_ref());
        let identity = match (given, managed.identity_schema()) {
            (Some(given), Some(schema)) => match super::read(Some(given), &schema.ty()) {
                Ok(Value::Object(identity)) => Some(identity),
                Ok(_) => None,
                Err(fault) => {
                    found.general_error(
                        "Message not readable",
                        format!("The identity is broken: {fault}."),
                    );
                    return (answer, found);
                }
            },
            _ => None,
        };
        let context = self.context(request.client_capabilities.as_ref());
        let imported = managed
            .resource
            .import(
                &context,
                ImportRequest {
                    id: request.id,
                    identity,
                },
            )
            .await;
        found.extend(imported.diagnostics);
        let mut state = imported.state;
        settle(&mut state, "import", &mut found);
        if state.is_none() && !found.has_errors() {
            found.general_error(
                "Nothing to import",
                "There is no object with this id. Check the id.",
            );
        }
        if !found.has_errors() {
            let identity = managed.identity_of(state.as_ref());
            let state = managed.form().write(state, "imported state", &mut found);
            answer.imported_resources.push(import::ImportedResource {
                type_name: request.type_name,
                state,
                private: imported.private.into_bytes(),
                identity,
            });
        }
        (answer, found)
    }

    pub(super) fn refuse_move(&self, request: &moving::Request) -> (moving::Response, Diagnostics) {
        let mut found = Diagnostics::new();
        if self.managed(&request.target_type_name, &mut found).is_some() {
            let detail = format!(
                "`{}` of {} cannot become `{}`. Use `removed` and `import` blocks instead.",
                request.source_type_name, request.source_provider_address, request.target_type_name
            );
            found.general_error("Move is not supported", detail);
        }
        (moving::Response::default(), found)
    }

    pub(super) fn upgrade_identity(&self, request: &identity::Request) -> (identity::Response, Diagnostics) {
        let mut found = Diagnostics::new();
        let mut answer = identity::Response::default();
        let Some(managed) = self.managed(&request.type_name, &mut found) else {
            return (answer, found);
        };
        let Some(schema) = managed
            .identity_schema()
            .filter(|schema| schema.version == request.version)
        else {
            let detail = format!(
                "`{}` has no identity of version {}.",
                request.type_name, request.version
            );
            found.general_error("Identity of an unknown version", detail);
            return (answer, found);
        };
        let json = request.raw_identity.as_ref().map_or(&[][..], |raw| &raw.json);
        let value = json::decode(json, &schema.ty()).map_err(|error| chain(&error));
        let bytes =
            value.and_then(|value| super::msgpack::encode(&value, &schema.ty()).map_err(|e| chain(&e)));
        match bytes {
            Ok(msgpack) => {
                let data = proto::DynamicValue {
                    msgpack,
                    json: Vec::new(),
                };
                answer.upgraded_identity = Some(proto::ResourceIdentityData {
                    identity_data: Some(data),
                });
            }
            Err(fault) => found.general_error("Identity not readable", format!("{fault}.")),
        }
        (answer, found)
    }
}

/// Reads state that was stored by this version of the schema.
fn stored(json: &[u8], form: &Form, found: &mut Diagnostics) -> Option<Object> {
    match json::decode(json, &form.ty) {
        Ok(Value::Object(state)) => Some(state),
        Ok(_) => None,
        Err(error) => {
            let detail = format!("The stored state does not fit the schema: {}.", chain(&error));
            found.general_error("Stored state not readable", detail);
            None
        }
    }
}

/// Puts the answer of create, update or delete into the form that keeps what is true.
fn finish<D: Send + Sync + 'static>(
    managed: &Managed<D>,
    form: &Form,
    done: Applied,
    action: Action,
) -> (apply::Response, Diagnostics) {
    let mut found = done.diagnostics;
    let mut state = done.state;
    settle(&mut state, verb(action), &mut found);
    if state.is_none() && action != Action::Destroy && !found.has_errors() {
        let detail = format!("{} returned nothing. {REPORT}", verb(action));
        found.general_error("Provider made an invalid value", detail);
    }
    let new_identity = managed.identity_of(state.as_ref());
    let new_state = form.write(state, "new state", &mut found);
    let private = done.private.into_bytes();
    (
        apply::Response {
            new_state,
            private,
            new_identity,
            ..apply::Response::default()
        },
        found,
    )
}

/// What is stored must be wholly known: beside an error unknowns become null, without one they are
/// an error.
fn settle(state: &mut Option<Object>, verb: &str, found: &mut Diagnostics) {
    let Some(object) = state else { return };
    let unknown: Vec<String> = object
        .iter()
        .filter(|(_, value)| !value.is_wholly_known())
        .map(|(name, _)| name.to_owned())
        .collect();
    if unknown.is_empty() {
        return;
    }
    object.0.values_mut().for_each(Value::drop_unknowns);
    if !found.has_errors() {
        let detail = format!("{verb} left unknown: `{}`. {REPORT}", unknown.join("`, `"));
        found.general_error("Provider made an invalid value", detail);
    }
}

/// Clients before 1.11 would store the value of a write-only attribute.
fn refuse_write_only(body: &Body, config: &Object, found: &mut Diagnostics) {
    let mut refuse = |path: &AttributePath| {
        let detail = format!(
            "`{path}` is write-only: its value must reach no state file. That needs Terraform 1.11 or OpenTofu \
             1.11, or newer."
        );
        found.error(path, "Write-only attribute in an old client", detail);
    };
    visit_write_only(body, config, &AttributePath::root(), &mut refuse);
}

fn visit_write_only(
    body: &Body,
    config: &Object,
    path: &AttributePath,
    visit: &mut dyn FnMut(&AttributePath),
) {
    for (name, attribute) in &*body.attributes {
        visit_attribute(
            attribute,
            config.try_get(name).unwrap_or(&Value::Null),
            &path.attribute(name),
            visit,
        );
    }
    for (name, block) in &*body.blocks {
        let value = config.try_get(name).unwrap_or(&Value::Null);
        schema::for_each_object(
            block.nesting,
            value,
            &path.attribute(name),
            &mut |object, path| {
                visit_write_only(&block.body, object, path, visit);
            },
        );
    }
}

fn visit_attribute(
    attribute: &Attribute,
    value: &Value,
    path: &AttributePath,
    visit: &mut dyn FnMut(&AttributePath),
) {
    if value.is_null() || !conform::holds_write_only(attribute) {
        return;
    }
    if attribute.write_only {
        visit(path);
    } else if let schema::Kind::Nested(nesting, members) = &attribute.kind {
        schema::for_each_object(*nesting, value, path, &mut |object, path| {
            for (name, member) in &**members {
                let value = object.try_get(name).unwrap_or(&Value::Null);
                visit_attribute(member, value, &path.attribute(name), visit);
            }
        });
    }
}

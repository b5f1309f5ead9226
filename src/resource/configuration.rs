//! `msk_configuration`: named broker properties with numbered revisions.

mod delete;

use std::collections::{BTreeMap, BTreeSet};

use super::private::{self, ConfigurationPrivate};
use super::walk::KnownRevision;
use super::{ProviderData, configured, meaning, sentence, written};
use crate::engine::configurations::{self, Content, Creation, MAX_REVISIONS, RecordError, Update};
use crate::kafka::properties::Scope;
use crate::spec::check::configuration::check_configuration;
use crate::spec::ids::ClaimId;
use crate::store::documents::ConfigurationRecord;
use crate::store::identity::random_id;
use crate::tfplugin::schema::{Schema, list_of_objects, map, number, set, string};
use crate::tfplugin::{
    Action, Applied, Attr, AttributePath, Context, CreateRequest, DeleteRequest, Deleted, Diagnostics,
    ImportRequest, Imported, Object, Plan, PlanRequest, Private, ReadRequest, Resource, Seen, Type,
    UpdateRequest, Value, chain,
};

/// The resource `msk_configuration`.
#[derive(Debug, Clone, Copy)]
pub struct Configuration;

const ABOUT: &str = "\
Named broker properties with numbered revisions, as on Amazon MSK. A cluster refers to one revision; every change of \
`description` or `server_properties` makes the next one, and old ones stay, 50 at most.";

impl Resource<ProviderData> for Configuration {
    fn type_name(&self) -> &'static str {
        "msk_configuration"
    }

    fn schema(&self) -> Schema {
        Schema::new(ABOUT)
            .attribute("name", string().required().requires_replace().description(
                "The name: 1 to 64 letters, digits and `-`, not starting with `-`; unique in the control store. A \
                 change replaces the configuration.",
            ))
            .attribute("description", string().optional().description(
                "What the configuration is for. A change makes a new revision.",
            ))
            .attribute("kafka_versions", set(Type::String).optional().description(
                "The exact versions of Kafka that the configuration may be used with; left out: every version. Names \
                 and values are checked against the table of each. A set that stops covering a cluster that uses the \
                 configuration is an error.",
            ))
            .attribute("server_properties", map(Type::String).required().equal_by(|left, right| {
                meaning::same_settings(Scope::Broker, left, right)
            }).description(
                "The properties, as in Kafka's `server.properties`. Those that an attribute of `msk_cluster` sets are \
                 refused with the name of that attribute. A change makes a new revision; a cluster takes it over when \
                 its `configuration.revision` refers to it.",
            ))
            .attribute("id", string().computed().keep_prior().description("The name."))
            .attribute("latest_revision", number().computed().keep_prior().description(
                "The number of the newest revision; known while planning.",
            ))
            .attribute("revisions", list_of_objects([
                ("revision", number().computed().description("Its number.")),
                ("description", string().computed().description("Its description.")),
                ("created_at", string().computed().description("When it was made (RFC 3339, UTC).")),
            ]).computed().keep_prior().description("The revisions that are kept, oldest first."))
    }

    fn validate(&self, config: &Object, diagnostics: &mut Diagnostics) {
        check_configuration(config, diagnostics);
    }

    async fn plan(&self, context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
        if request.action() == Action::Destroy {
            delete::plan(context, request, plan).await;
            return;
        }
        let (Some(config), Some(mut planned)) = (request.config.as_ref(), plan.planned.take()) else {
            return;
        };
        check_configuration(config, &mut plan.diagnostics);
        match &request.prior {
            None => {
                planned.set("id", planned.get("name").clone());
                planned.set(
                    "latest_revision",
                    if content_is_known(&planned) {
                        Value::from(1)
                    } else {
                        Value::unknown()
                    },
                );
                let held = held(context, &planned);
                if let (true, Some(held)) = (request.private.is_empty(), held) {
                    plan.private = held;
                }
            }
            Some(prior) => plan_update(request, prior, &mut planned, &mut plan.diagnostics),
        }
        if let Some(data) = context.data() {
            remember(data, &planned);
        }
        plan.planned = Some(planned);
    }

    async fn create(&self, context: &Context<ProviderData>, request: CreateRequest) -> Applied {
        let mut answer = request.begin();
        answer.private = Private::default();
        let found = &mut answer.diagnostics;
        let Some(data) = configured(context, found) else {
            return answer;
        };
        let Some(content) = content(&request.config, &request.planned, found) else {
            return answer;
        };
        let Some(clusters) = data.clusters_to_write(found).await else {
            return answer;
        };
        let claim = match random_id() {
            Ok(id) => ClaimId::new(id),
            Err(error) => {
                found.failure("The configuration was not made", &error);
                return answer;
            }
        };
        let name = request.config.string("name").known_or(String::new());
        let creation = Creation {
            name: &name,
            claim,
            caller: &data.caller,
            written: written::encode(&self.schema(), &request.config),
            was_presented: &|claim| data.walk.was_presented(claim),
        };
        match configurations::create(clusters.store(), creation, &content).await {
            Ok(record) => finish(
                data,
                clusters.store().id().clone(),
                &record,
                request.planned,
                &mut answer,
            ),
            Err(error) => failed(&error, "The configuration was not made", found),
        }
        answer
    }

    async fn read(&self, context: &Context<ProviderData>, request: ReadRequest) -> Seen {
        let mut answer = request.begin();
        let found = &mut answer.diagnostics;
        let Some(data) = context.data() else { return answer };
        let Some(mut kept) = private_of(&request.private, found) else {
            return answer;
        };
        let name = request.state.string("name").known_or(String::new());
        data.walk.present(&kept.claim, &name);
        data.walk.hold(&held_key(&name), &request.private);
        if data.is_unknown() {
            remember(data, &request.state);
            return answer;
        }
        let Some(clusters) = data.clusters(found).await else {
            return answer;
        };
        let store = clusters.store();
        if *store.id() != kept.store {
            found.general_error("Another control store", format!(
                "The configuration `{name}` was made in the control store {}, and this is the store {}. Point the \
                 provider at the former data directory.", kept.store, store.id(),
            ));
            return answer;
        }
        match look(store, &name, &kept.claim).await {
            Ok(Some((record, users))) => {
                let mut state = request.state.clone();
                show(&self.schema(), &record, &mut state, found);
                kept.written = record.written.clone();
                kept.users = users;
                kept.revisions = record
                    .revisions
                    .iter()
                    .map(|revision| revision.revision)
                    .collect();
                remember_all(data, &record);
                private::write(&mut answer.private, &kept, found);
                data.walk.hold(&held_key(&name), &answer.private);
                answer.state = Some(state);
            }
            Ok(None) => answer.state = None,
            Err(error) => failed(&error, "The configuration cannot be looked at", found),
        }
        answer
    }

    async fn update(&self, context: &Context<ProviderData>, request: UpdateRequest) -> Applied {
        let mut answer = request.begin();
        let found = &mut answer.diagnostics;
        let Some(data) = configured(context, found) else {
            return answer;
        };
        let Some(kept) = private_of(&request.private, found) else {
            return answer;
        };
        let Some(content) = content(&request.config, &request.planned, found) else {
            return answer;
        };
        let Some(clusters) = data.clusters(found).await else {
            return answer;
        };
        let name = request.config.string("name").known_or(String::new());
        let update = Update {
            name: &name,
            claim: &kept.claim,
            planned_for: revision_of(&request.prior).unwrap_or_default(),
            written: written::encode(&self.schema(), &request.config),
        };
        match configurations::update(clusters.store(), &update, &content).await {
            Ok(record) => finish(data, kept.store, &record, request.planned, &mut answer),
            Err(error) => failed(&error, "The configuration was not changed", found),
        }
        answer
    }

    async fn delete(&self, context: &Context<ProviderData>, request: DeleteRequest) -> Deleted {
        let mut answer = request.begin();
        let found = &mut answer.diagnostics;
        let Some(data) = configured(context, found) else {
            return answer;
        };
        let Some(kept) = private_of(&request.private, found) else {
            return answer;
        };
        let Some(clusters) = data.clusters(found).await else {
            return answer;
        };
        let name = request.prior.string("name").known_or(String::new());
        delete::delete(data, clusters.store(), &name, &kept, found).await;
        answer
    }

    async fn import(&self, context: &Context<ProviderData>, request: ImportRequest) -> Imported {
        let mut answer = Imported::default();
        let found = &mut answer.diagnostics;
        let Some(data) = configured(context, found) else {
            return answer;
        };
        let Some(clusters) = data.clusters(found).await else {
            return answer;
        };
        let store = clusters.store();
        let record = match configurations::read(store, &request.id).await {
            Ok(Some(record)) => record,
            Ok(None) | Err(RecordError::Key(_)) => {
                found.general_error("No such configuration", format!(
                    "There is no configuration `{}` in this control store. Import by name, such as `events`.",
                    request.id.escape_debug(),
                ));
                return answer;
            }
            Err(error) => {
                failed(&error, "The configuration cannot be looked at", found);
                return answer;
            }
        };
        let mut state = Object::new().with("name", record.name.as_str());
        show(&self.schema(), &record, &mut state, found);
        let kept = private_for(store.id().clone(), &record);
        private::write(&mut answer.private, &kept, found);
        answer.state = Some(state);
        answer
    }
}

/// The plan of a configuration that exists: the next revision if description or properties change.
fn plan_update(request: &PlanRequest, prior: &Object, planned: &mut Object, diagnostics: &mut Diagnostics) {
    let Some(kept) = private_of(&request.private, diagnostics) else {
        return;
    };
    if planned.get("name") != prior.get("name") {
        planned.set("id", planned.get("name").clone());
        planned.set("latest_revision", Value::unknown());
        planned.set("revisions", Value::unknown());
        return;
    }
    let has_new_content = ["description", "server_properties"]
        .into_iter()
        .any(|name| planned.get(name) != prior.get(name));
    if has_new_content {
        let next = revision_of(prior)
            .map(|latest| latest + 1)
            .filter(|_| content_is_known(planned));
        planned.set("latest_revision", next.map_or_else(Value::unknown, Value::from));
        planned.set("revisions", Value::unknown());
        if kept.revisions.len() >= MAX_REVISIONS {
            let dropped = configurations::oldest_unused(&kept.revisions, &kept.users);
            let text = match dropped {
                Some(revision) => format!(
                    "The configuration has {MAX_REVISIONS} revisions. Revision {revision}, the oldest that no cluster \
                     uses, is dropped."
                ),
                None => format!("All {MAX_REVISIONS} revisions are used by clusters: the apply will fail."),
            };
            diagnostics.general_warning("The oldest revision goes", text);
        }
    }
    if let Attr::Known(versions) = planned.strings("kafka_versions")
        && planned.get("kafka_versions") != prior.get("kafka_versions")
    {
        let versions: BTreeSet<String> = versions.into_iter().collect();
        let name = planned.str("name").known_or("");
        if let Err(error) = configurations::check_cover(name, &versions, &kept.users) {
            let shown: Vec<String> = versions.iter().map(|version| format!("{version:?}")).collect();
            let detail = format!(
                "`kafka_versions` is [{}]: {}. `terraform destroy -refresh=false` destroys things as they are.",
                shown.join(", "),
                chain(&error)
            );

            diagnostics.error(
                &AttributePath::of("kafka_versions"),
                "A cluster in use is no longer covered",
                detail,
            );
        }
    }
}

fn content_is_known(planned: &Object) -> bool {
    planned.get("server_properties").is_wholly_known() && planned.get("description").is_wholly_known()
}

fn revision_of(state: &Object) -> Option<u64> {
    state
        .integer("latest_revision")
        .known()
        .and_then(|revision| u64::try_from(revision).ok())
}

/// What the next revision holds. Values that mean the same keep their former spelling.
fn content(config: &Object, planned: &Object, diagnostics: &mut Diagnostics) -> Option<Content> {
    let spec = check_configuration(config, diagnostics)?;
    Some(Content {
        description: spec.description,
        kafka_versions: spec.kafka_versions,
        server_properties: planned
            .string_map("server_properties")
            .known_or(spec.server_properties),
    })
}

fn finish(
    data: &ProviderData,
    store: crate::spec::ids::StoreId,
    record: &ConfigurationRecord,
    planned: Object,
    answer: &mut Applied,
) {
    let mut state = planned;
    set_computed(record, &mut state);
    data.walk.present(&record.claim.id, &record.name);
    remember_all(data, record);
    private::write(
        &mut answer.private,
        &private_for(store, record),
        &mut answer.diagnostics,
    );
    answer.state = Some(state);
}

fn private_for(store: crate::spec::ids::StoreId, record: &ConfigurationRecord) -> ConfigurationPrivate {
    ConfigurationPrivate {
        store,
        claim: record.claim.id.clone(),
        written: record.written.clone(),
        users: Vec::new(),
        revisions: record
            .revisions
            .iter()
            .map(|revision| revision.revision)
            .collect(),
        moves: None,
    }
}

pub(super) fn set_computed(record: &ConfigurationRecord, state: &mut Object) {
    state.set("id", record.name.as_str());
    state.set(
        "latest_revision",
        record.revisions.last().map(|latest| latest.revision),
    );
    let rows = record.revisions.iter().map(|revision| {
        Object::new()
            .with("revision", revision.revision)
            .with("description", revision.description.clone())
            .with("created_at", revision.created_at.to_string())
    });
    state.set("revisions", Value::list(rows));
}

/// Shows what the store has. Values that mean the same stay as spelled.
fn show(schema: &Schema, record: &ConfigurationRecord, state: &mut Object, diagnostics: &mut Diagnostics) {
    if let Some(applied) = written::applied(schema, &record.written, diagnostics) {
        for (name, attribute) in schema
            .attributes()
            .filter(|(_, attribute)| !attribute.is_computed())
        {
            let value = applied.get(name);
            if !state
                .try_get(name)
                .is_some_and(|before| attribute.means_the_same(before, value))
            {
                state.set(name, value.clone());
            }
        }
    }
    set_computed(record, state);
}

async fn look(
    store: &crate::store::Store,
    name: &str,
    claim: &ClaimId,
) -> Result<Option<(ConfigurationRecord, Vec<configurations::User>)>, RecordError> {
    match configurations::read(store, name).await? {
        Some(record) if record.claim.id == *claim => {
            let users = configurations::users(store, name).await?;
            Ok(Some((record, users)))
        }
        _ if configurations::is_gone(store, claim).await? => Ok(None),
        Some(record) => Err(RecordError::NotOurs {
            name: name.to_owned(),
            holder: crate::engine::cluster::claim::describe(&record.claim),
        }),
        None => Err(RecordError::Missing {
            name: name.to_owned(),
        }),
    }
}

fn private_of(private: &Private, diagnostics: &mut Diagnostics) -> Option<ConfigurationPrivate> {
    let kept = private::read::<ConfigurationPrivate>(private, diagnostics);
    if kept.is_none() && !diagnostics.has_errors() {
        diagnostics.general_error(
            "The state does not say which configuration this is",
            "The private part of this object's state is empty. Forget it with `terraform state rm` and import it: \
             `terraform import msk_configuration.<label> <name>`.",
        );
    }
    kept
}

fn held_key(name: &str) -> String {
    format!("msk_configuration/{name}")
}

fn held(context: &Context<ProviderData>, planned: &Object) -> Option<Private> {
    let name = planned.str("name").known()?;
    context.data()?.walk.held(&held_key(name))
}

/// Remembers the latest revision as planned or as in the state.
fn remember(data: &ProviderData, state: &Object) {
    let (Attr::Known(name), Some(revision)) = (state.str("name"), revision_of(state)) else {
        return;
    };
    let (Attr::Known(server_properties), false) = (
        state.string_map("server_properties"),
        state.get("kafka_versions").is_unknown(),
    ) else {
        return;
    };
    let kafka_versions = state
        .strings("kafka_versions")
        .known_or(Vec::new())
        .into_iter()
        .collect();
    data.walk.remember_revision(
        name,
        revision,
        KnownRevision {
            kafka_versions,
            server_properties,
        },
    );
}

pub(super) fn remember_all(data: &ProviderData, record: &ConfigurationRecord) {
    for revision in &record.revisions {
        let known = KnownRevision {
            kafka_versions: record.kafka_versions.iter().cloned().collect(),
            server_properties: BTreeMap::clone(&revision.server_properties),
        };
        data.walk
            .remember_revision(&record.name, revision.revision, known);
    }
}

fn failed(error: &RecordError, summary: &str, diagnostics: &mut Diagnostics) {
    diagnostics.general_error(summary, sentence(&chain(error)));
}

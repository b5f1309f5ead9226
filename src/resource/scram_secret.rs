//! `msk_scram_secret`: a user with a password, which is in no plan, state, log or document.

mod password;
mod plan;
mod schema;

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use super::ProviderData;
use super::access::{self, Entity, names};
use super::private::ObjectPrivate;
use crate::engine::access::{Kind, ObjectPlace, StagedSecret, UNWRITTEN, Users, unclaimed};
use crate::spec::check::user::{check_user, refuse_secret_arn};
use crate::spec::objects::{PasswordSource, UserSpec};
use crate::store::documents::{SecretReference, UserDesired, UserObserved, WrittenConfiguration};
use crate::tfplugin::schema::Schema;
use crate::tfplugin::{
    Action, Applied, Context, CreateRequest, DeleteRequest, Deleted, Diagnostics, ImportRequest, Imported,
    Object, Plan, PlanRequest, ReadRequest, Resource, Seen, UpdateRequest, Value, chain,
};

/// The resource `msk_scram_secret`.
#[derive(Debug, Clone, Copy)]
pub struct ScramSecret;

impl Resource<ProviderData> for ScramSecret {
    fn type_name(&self) -> &'static str {
        Users::RESOURCE
    }

    fn schema(&self) -> Schema {
        schema::resource()
    }

    fn validate(&self, config: &Object, diagnostics: &mut Diagnostics) {
        check_user(config, diagnostics);
    }

    async fn plan(&self, context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
        match request.action() {
            Action::Create => plan::create(context, request, plan),
            Action::Update => plan::update(context, request, plan),
            Action::Destroy => access::plan_destroy::<Self>(context, request, plan),
        }
    }

    async fn create(&self, context: &Context<ProviderData>, request: CreateRequest) -> Applied {
        let mut answer = request.begin();
        let found = &mut answer.diagnostics;
        let spec = check_user(&request.config, found);
        if !context.data().is_some_and(|data| data.is_aws()) {
            refuse_secret_arn(&request.config, false, found);
        }
        let Some(spec) = spec.filter(|_| !found.has_errors()) else {
            return answer;
        };
        let (Some(place), true) = (
            Self::place(&request.planned),
            is_source_as_planned(&spec, &request.planned, found),
        ) else {
            return answer;
        };
        let Some((data, opened)) = access::open_for_create(context, found).await else {
            return answer;
        };
        let made = match password::for_create(data, opened, &place, &spec, &request.config).await {
            Ok(made) => made,
            Err(error) => {
                found.general_error("The secret was not written", super::sentence(&chain(&error)));
                return answer;
            }
        };
        let written = written(&request.config, &spec);
        let (entry, secret) = entry(spec, made, written);
        access::create::<Self>(context, &request.planned, place, (entry, secret), &mut answer).await;
        answer
    }

    async fn read(&self, context: &Context<ProviderData>, request: ReadRequest) -> Seen {
        access::read::<Self>(context, &request).await
    }

    async fn update(&self, context: &Context<ProviderData>, request: UpdateRequest) -> Applied {
        let mut answer = request.begin();
        let found = &mut answer.diagnostics;
        let spec = check_user(&request.config, found);
        if !context.data().is_some_and(|data| data.is_aws()) {
            refuse_secret_arn(&request.config, true, found);
        }
        let Some(spec) = spec.filter(|_| !found.has_errors()) else {
            return answer;
        };
        let (Some(place), true) = (
            Self::place(&request.planned),
            is_source_as_planned(&spec, &request.planned, found),
        ) else {
            return answer;
        };
        let Some((data, opened)) = access::open_for_create(context, found).await else {
            return answer;
        };
        let Ok(Some(kept)) = request.private.read::<ObjectPrivate>(super::private::FORMAT) else {
            found.general_error(
                "Private state cannot be read",
                "Run `terraform apply -refresh-only` first.",
            );
            return answer;
        };
        let change = plan::change(&request.prior, &request.planned, &request.config);
        let config = &request.config;
        let made = match password::for_update(data, opened, &place, &kept, (&spec, change), config).await {
            Ok(made) => made,
            Err(error) => {
                found.general_error("It was not changed", super::sentence(&chain(&error)));
                return answer;
            }
        };
        let former = reference(&request.prior).filter(|former| *former != made.reference);
        let written = written(&request.config, &spec);
        let (entry, secret) = entry(spec, made, written);
        access::update::<Self>(
            context,
            &request.planned,
            (entry, secret),
            &mut answer,
            |_, _, _, _| (),
        )
        .await;
        if let Some(former) = former.filter(|_| !answer.diagnostics.has_errors()) {
            let cluster = (&place.cluster, &kept.cluster);
            password::discard(data, cluster, &former, &place.name, &mut answer.diagnostics).await;
        }
        answer
    }

    async fn delete(&self, context: &Context<ProviderData>, request: DeleteRequest) -> Deleted {
        let mut answer = request.begin();
        let is_gone = access::delete::<Self>(context, &request, |_| None, &mut answer).await;
        if is_gone && let Some(reference) = reference(&request.prior) {
            password::remove(context, &request, &reference, &mut answer.diagnostics).await;
        }
        answer
    }

    async fn import(&self, context: &Context<ProviderData>, request: ImportRequest) -> Imported {
        access::import::<Self>(context, &request).await
    }
}

impl Entity for ScramSecret {
    type Kind = Users;

    fn form() -> &'static Schema {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(schema::resource)
    }

    fn place(object: &Object) -> Option<ObjectPlace<Users>> {
        let name = object.string("username").known()?;
        Some(ObjectPlace {
            cluster: access::cluster_of(object)?,
            uid: None,
            name,
        })
    }

    fn parse_id(text: &str) -> Result<ObjectPlace<Users>, names::IdError> {
        let (cluster, name) = names::parse_user(text)?;
        Ok(ObjectPlace {
            cluster,
            uid: None,
            name,
        })
    }

    fn id(place: &ObjectPlace<Users>) -> String {
        names::joined(&place.cluster, &place.name)
    }

    fn show(state: &mut Object, entry: &UserDesired, seen: Option<&UserObserved>) {
        let (file, arn) = match &entry.secret {
            SecretReference::File(path) => (Value::from(path.as_str()), Value::Null),
            SecretReference::SecretsManager(arn) => (Value::Null, Value::from(arn.as_str())),
        };
        state.set("secret_file", file);
        state.set("secret_arn", arn);
        if let Some(iterations) = seen.and_then(|seen| seen.mechanisms.get(&entry.mechanism)) {
            state.set("iterations", *iterations);
        }
    }

    fn is_gone(entry: &UserDesired, seen: &UserObserved) -> bool {
        !seen.mechanisms.contains_key(&entry.mechanism)
    }

    fn made_elsewhere(_: &ObjectPlace<Users>, _: &UserObserved) -> Option<Object> {
        None
    }
}

/// What is kept of a configuration: never the password, but what kind of source it had.
fn written(config: &Object, spec: &UserSpec) -> WrittenConfiguration {
    let mut config = config.clone();
    config.set("password_source", source_name(&spec.source));
    access::written(ScramSecret::form(), &config)
}

const fn source_name(source: &PasswordSource) -> &'static str {
    match source {
        PasswordSource::Written { .. } => "WRITTEN",
        PasswordSource::Random { .. } => "RANDOM",
        PasswordSource::Given { .. } => "GIVEN",
    }
}

/// Where the secret of a state lies.
fn reference(state: &Object) -> Option<SecretReference> {
    let file = state.string("secret_file").known().map(SecretReference::File);
    file.or_else(|| {
        let arn = state.string("secret_arn").known();
        arn.map(SecretReference::SecretsManager)
    })
}

/// An ephemeral password may have been promised in the plan and be null now.
fn is_source_as_planned(spec: &UserSpec, planned: &Object, diagnostics: &mut Diagnostics) -> bool {
    let promised = planned.string("password_source").known();
    if promised.is_none_or(|promised| promised == source_name(&spec.source)) {
        return true;
    }
    diagnostics.error(
        &crate::tfplugin::AttributePath::of("password_wo"),
        "The password is not there",
        "`password_wo` was known to be set when this was planned, and is null now, or the other way round. Check where its \
         value comes from, and plan again. A random password is made only where `password_wo` is not written at all.",
    );
    false
}

fn entry(
    spec: UserSpec,
    made: password::Made,
    written: WrittenConfiguration,
) -> (UserDesired, Option<StagedSecret>) {
    let entry = UserDesired {
        claim: unclaimed(),
        generation: UNWRITTEN,
        mechanism: spec.mechanism,
        iterations: spec.iterations,
        secret: made.reference,
        secret_version: made.version,
        fingerprint: made.fingerprint,
        written,
    };
    (entry, made.staged)
}

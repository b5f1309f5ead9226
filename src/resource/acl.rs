//! `msk_acl`: what one principal may do with one resource, or what it may not.

mod plan;
mod schema;

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use super::ProviderData;
use super::access::{self, Entity, names};
use crate::engine::access::{Acls, Kind, ObjectPlace, UNWRITTEN, unclaimed};
use crate::kafka::acl::AclOperation;
use crate::spec::check::acl::check_acl;
use crate::spec::ids::Generation;
use crate::spec::objects::AclSpec;
use crate::store::documents::{
    AclDesired, AclKey, AclObserved, AclTombstone, AclsDesired, WrittenConfiguration,
};
use crate::tfplugin::schema::Schema;
use crate::tfplugin::{
    Action, Applied, Context, CreateRequest, DeleteRequest, Deleted, Diagnostics, ImportRequest, Imported,
    Object, Plan, PlanRequest, ReadRequest, Resource, Seen, UpdateRequest, Value,
};

/// The resource `msk_acl`.
#[derive(Debug, Clone, Copy)]
pub struct Acl;

impl Resource<ProviderData> for Acl {
    fn type_name(&self) -> &'static str {
        Acls::RESOURCE
    }

    fn schema(&self) -> Schema {
        schema::resource()
    }

    fn validate(&self, config: &Object, diagnostics: &mut Diagnostics) {
        check_acl(config, None, diagnostics);
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
        let Some((place, entry)) = wanted(
            context,
            &request.planned,
            &request.config,
            &mut answer.diagnostics,
        ) else {
            return answer;
        };
        access::create::<Self>(context, &request.planned, place, (entry, None), &mut answer).await;
        answer
    }

    async fn read(&self, context: &Context<ProviderData>, request: ReadRequest) -> Seen {
        access::read::<Self>(context, &request).await
    }

    async fn update(&self, context: &Context<ProviderData>, request: UpdateRequest) -> Applied {
        let mut answer = request.begin();
        let Some((_, entry)) = wanted(
            context,
            &request.planned,
            &request.config,
            &mut answer.diagnostics,
        ) else {
            return answer;
        };
        let kept = entry.operations.clone();
        access::update::<Self>(
            context,
            &request.planned,
            (entry, None),
            &mut answer,
            move |desired, before, seen, generation| {
                bury_others(desired, before, seen, &kept, generation);
            },
        )
        .await;
        answer
    }

    async fn delete(&self, context: &Context<ProviderData>, request: DeleteRequest) -> Deleted {
        let mut answer = request.begin();
        let prior = request.prior.clone();
        let elsewhere = move |kept: &super::private::ObjectPrivate| {
            let spec = check_acl(&prior, None, &mut Diagnostics::new())?;
            Some(entry(spec, kept.written.clone()))
        };
        access::delete::<Self>(context, &request, elsewhere, &mut answer).await;
        answer
    }

    async fn import(&self, context: &Context<ProviderData>, request: ImportRequest) -> Imported {
        access::import::<Self>(context, &request).await
    }
}

impl Entity for Acl {
    type Kind = Acls;

    fn form() -> &'static Schema {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(schema::resource)
    }

    fn place(object: &Object) -> Option<ObjectPlace<Acls>> {
        Some(place(access::cluster_of(object)?, &key_of(object)?))
    }

    fn parse_id(text: &str) -> Result<ObjectPlace<Acls>, names::IdError> {
        let (cluster, key) = names::parse_acl(text)?;
        Ok(place(cluster, &key))
    }

    fn id(place: &ObjectPlace<Acls>) -> String {
        format!("{}|{}", place.cluster, place.name)
    }

    fn show(state: &mut Object, _: &AclDesired, seen: Option<&AclObserved>) {
        if let Some(seen) = seen {
            state.set("operations", operations(seen.operations.iter().copied()));
        }
    }

    fn made_elsewhere(place: &ObjectPlace<Acls>, seen: &AclObserved) -> Option<Object> {
        let key = Self::attributes(&seen.key);
        Some(
            key.with("cluster_id", place.cluster.as_str())
                .with("operations", operations(seen.operations.iter().copied())),
        )
    }
}

impl Acl {
    /// The attributes that make an ACL one.
    pub(super) fn attributes(key: &AclKey) -> Object {
        Object::new()
            .with("principal", key.principal.as_str())
            .with("host", key.host.as_str())
            .with("resource_type", key.resource_type.name())
            .with("pattern_type", key.pattern_type.name())
            .with("resource_name", key.resource_name.as_str())
            .with("permission", key.permission.name())
    }
}

fn place(cluster: crate::spec::ids::ClusterName, key: &AclKey) -> ObjectPlace<Acls> {
    ObjectPlace {
        cluster,
        uid: None,
        name: key.id(),
    }
}

/// The key that planned attributes or a state speak of.
fn key_of(object: &Object) -> Option<AclKey> {
    let text = |name: &str| object.string(name).known();
    Some(AclKey {
        principal: text("principal")?,
        host: text("host")?,
        resource_type: text("resource_type")?.parse().ok()?,
        pattern_type: text("pattern_type")?.parse().ok()?,
        resource_name: text("resource_name")?,
        permission: text("permission")?.parse().ok()?,
    })
}

/// A set of Kafka's names.
pub(super) fn operations(operations: impl Iterator<Item = AclOperation>) -> Value {
    Value::set(operations.map(AclOperation::name))
}

/// The ACL as wanted at apply, with the configuration as the user wrote it.
fn wanted(
    context: &Context<ProviderData>,
    planned: &Object,
    config: &Object,
    diagnostics: &mut Diagnostics,
) -> Option<(ObjectPlace<Acls>, AclDesired)> {
    let data = context.data().map(AsRef::as_ref);
    let version = access::kafka_version(data, access::cluster_of(planned).as_ref());
    let spec = check_acl(planned, version, diagnostics)?;
    let written = access::written(Acl::form(), config);
    Some((Acl::place(planned)?, entry(spec, written)))
}

fn entry(spec: AclSpec, written: WrittenConfiguration) -> AclDesired {
    AclDesired {
        claim: unclaimed(),
        generation: UNWRITTEN,
        key: spec.key,
        operations: spec.operations,
        written,
    }
}

/// Orders the end of every operation of the key that is not kept: what was taken out of the
/// configuration, and what others added.
fn bury_others(
    desired: &mut AclsDesired,
    before: &AclDesired,
    seen: Option<&AclObserved>,
    kept: &std::collections::BTreeSet<AclOperation>,
    generation: Generation,
) {
    let seen = seen.into_iter().flat_map(|seen| &seen.operations);
    let operations: std::collections::BTreeSet<AclOperation> = before
        .operations
        .iter()
        .chain(seen)
        .filter(|operation| !kept.contains(operation))
        .copied()
        .collect();
    if !operations.is_empty() {
        desired.tombstones.push(AclTombstone {
            key: before.key.clone(),
            operations,
            generation,
        });
    }
}

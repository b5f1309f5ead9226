//! `msk_topic`: a topic with its partitions, replicas and settings.

mod plan;
mod schema;
mod show;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::ProviderData;
use super::access::{self, Entity, names};
use crate::engine::access::{Kind, ObjectPlace, Topics, UNWRITTEN, unclaimed};
use crate::spec::check::topic::check_topic;
use crate::spec::ids::{KafkaUuid, TopicName};
use crate::spec::objects::TopicSpec;
use crate::store::documents::{TopicDesired, TopicObserved, WrittenConfiguration};
use crate::tfplugin::schema::Schema;
use crate::tfplugin::{
    Action, Applied, Attr, Context, CreateRequest, DeleteRequest, Deleted, Diagnostics, ImportRequest,
    Imported, Object, Plan, PlanRequest, ReadRequest, Resource, Seen, UpdateRequest,
};

/// The resource `msk_topic`.
#[derive(Debug, Clone, Copy)]
pub struct Topic;

impl Resource<ProviderData> for Topic {
    fn type_name(&self) -> &'static str {
        Topics::RESOURCE
    }

    fn schema(&self) -> Schema {
        schema::resource()
    }

    fn validate(&self, config: &Object, diagnostics: &mut Diagnostics) {
        check_topic(config, plan::known_of_cluster(None, config), diagnostics);
    }

    async fn plan(&self, context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
        match request.action() {
            Action::Create => plan::create(context, request, plan).await,
            Action::Update => plan::update(context, request, plan),
            Action::Destroy => plan::destroy(context, request, plan).await,
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
        let Some((_, mut entry)) = wanted(
            context,
            &request.planned,
            &request.config,
            &mut answer.diagnostics,
        ) else {
            return answer;
        };
        entry.topic_id = id_of(&request.prior);
        access::update::<Self>(
            context,
            &request.planned,
            (entry, None),
            &mut answer,
            |_, _, _, _| (),
        )
        .await;
        answer
    }

    async fn delete(&self, context: &Context<ProviderData>, request: DeleteRequest) -> Deleted {
        let mut answer = request.begin();
        let prior = request.prior.clone();
        access::delete::<Self>(
            context,
            &request,
            move |kept| entry_of_state(&prior, &kept.written),
            &mut answer,
        )
        .await;
        answer
    }

    async fn import(&self, context: &Context<ProviderData>, request: ImportRequest) -> Imported {
        access::import::<Self>(context, &request).await
    }
}

impl Entity for Topic {
    type Kind = Topics;

    fn form() -> &'static Schema {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(schema::resource)
    }

    fn place(object: &Object) -> Option<ObjectPlace<Topics>> {
        let name = TopicName::new(object.string("name").known()?);
        Some(ObjectPlace {
            cluster: access::cluster_of(object)?,
            uid: None,
            name,
        })
    }

    fn parse_id(text: &str) -> Result<ObjectPlace<Topics>, names::IdError> {
        let (cluster, name) = names::parse_topic(text)?;
        Ok(ObjectPlace {
            cluster,
            uid: None,
            name,
        })
    }

    fn id(place: &ObjectPlace<Topics>) -> String {
        names::joined(&place.cluster, place.name.as_str())
    }

    fn show(state: &mut Object, entry: &TopicDesired, seen: Option<&TopicObserved>) {
        show::show(state, entry, seen);
    }

    fn is_the_same(state: &Object, seen: &TopicObserved) -> bool {
        id_of(state).is_none_or(|id| id == seen.topic_id)
    }

    fn made_elsewhere(place: &ObjectPlace<Topics>, seen: &TopicObserved) -> Option<Object> {
        Some(show::made_elsewhere(place, seen))
    }
}

/// The topic as wanted at apply, with the configuration as the user wrote it.
fn wanted(
    context: &Context<ProviderData>,
    planned: &Object,
    config: &Object,
    diagnostics: &mut Diagnostics,
) -> Option<(ObjectPlace<Topics>, TopicDesired)> {
    let data = context.data().map(AsRef::as_ref);
    let mut asked = planned.clone();
    if config.get("replication_factor").is_null() {
        asked.set("replication_factor", config.get("replication_factor").clone());
    }
    let spec = check_topic(&asked, plan::known_of_cluster(data, planned), diagnostics)?;
    let written = access::written(Topic::form(), config);
    Some((Topic::place(planned)?, entry(spec, written)))
}

fn entry(spec: TopicSpec, written: WrittenConfiguration) -> TopicDesired {
    TopicDesired {
        claim: unclaimed(),
        generation: UNWRITTEN,
        topic_id: None,
        partitions: spec.partitions,
        replication_factor: spec.replication_factor,
        config: spec.config,
        config_reset: BTreeSet::new(),
        deletion_protection: spec.deletion_protection,
        written,
    }
}

/// The entry of a topic that was imported from elsewhere and never changed since.
fn entry_of_state(state: &Object, written: &WrittenConfiguration) -> Option<TopicDesired> {
    Some(TopicDesired {
        claim: unclaimed(),
        generation: UNWRITTEN,
        topic_id: Some(id_of(state)?),
        partitions: u32::try_from(state.integer("partitions").known()?).ok()?,
        replication_factor: None,
        config: settings(state),
        config_reset: BTreeSet::new(),
        deletion_protection: state.boolean("deletion_protection").known(),
        written: written.clone(),
    })
}

fn id_of(state: &Object) -> Option<KafkaUuid> {
    match state.str("topic_id") {
        Attr::Known(id) => Some(KafkaUuid::new(id)),
        Attr::Null | Attr::Unknown => None,
    }
}

fn settings(state: &Object) -> BTreeMap<String, String> {
    state.string_map("config").known_or(BTreeMap::new())
}

//! The plan of `msk_topic`.

use super::Topic;
use crate::engine::access::{ObjectPlace, Topics};
use crate::resource::ProviderData;
use crate::resource::access::{self, Entity};
use crate::resource::private::ObjectPrivate;
use crate::spec::check::topic::{TopicContext, check_topic, refuse_collisions};
use crate::spec::ids::{ClusterName, TopicName};
use crate::tfplugin::{Attr, AttributePath, Context, Diagnostics, Object, Plan, PlanRequest, Private};

/// What the walk knows of the topic's cluster.
pub(super) fn known_of_cluster(data: Option<&ProviderData>, object: &Object) -> TopicContext {
    let cluster = access::cluster_of(object);
    let known = data.and_then(|data| data.walk.cluster(cluster.as_ref()?.as_str()));
    TopicContext {
        kafka_version: access::kafka_version(data, cluster.as_ref()),
        brokers: known.map(|known| known.brokers),
    }
}

pub(super) async fn create(context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
    let Some(planned) = plan.planned.clone() else {
        return;
    };
    let data = context.data().map(AsRef::as_ref);
    check_topic(&planned, known_of_cluster(data, &planned), &mut plan.diagnostics);
    access::plan_create::<Topic>(context, request, plan);
    if let (Some(data), Some(place)) = (data, Topic::place(&planned)) {
        let replaced = replaced_name(&request.private, &place.cluster);
        let others = look_alikes(data, &place).await;
        let others: Vec<TopicName> = others
            .into_iter()
            .map(TopicName::new)
            .filter(|other| replaced.as_ref() != Some(other))
            .collect();
        refuse_collisions(&place.name, &others, &mut plan.diagnostics);
    }
    // The second plan of a replacement: the old topic goes, with its data.
    if !request.private.is_empty() {
        refuse_if_protected(context, &request.private, &mut plan.diagnostics).await;
    }
}

/// Other topics that are the same but for `.` and `_`: of this walk, and of the cluster as its agents see it.
async fn look_alikes(data: &ProviderData, place: &ObjectPlace<Topics>) -> Vec<String> {
    let (cluster, name) = (place.cluster.as_str(), place.name.as_str());
    if !name.contains(['.', '_']) {
        return Vec::new();
    }
    data.sightings
        .know_topics(cluster, async || {
            if data.is_unknown() || data.clusters_if_there().await.is_none() {
                return Vec::new();
            }
            let Some(access) = data.access(&mut Diagnostics::new()).await else {
                return Vec::new();
            };
            match access.list::<Topics>(&place.cluster).await {
                Ok((_, snapshot)) if snapshot.is_believed() => snapshot
                    .status
                    .topics
                    .keys()
                    .map(|name| name.as_str().to_owned())
                    .collect(),
                _ => Vec::new(),
            }
        })
        .await;
    data.sightings.look_alikes(cluster, name)
}

/// The topic that this create takes the place of, if it is on the same cluster.
fn replaced_name(private: &Private, cluster: &ClusterName) -> Option<TopicName> {
    let mut unsaid = Diagnostics::new();
    let kept = crate::resource::private::read::<ObjectPrivate>(private, &mut unsaid)?;
    let old = crate::resource::written::applied(Topic::form(), &kept.written.value(), &mut unsaid)?;
    let place = Topic::place(&old)?;
    (place.cluster == *cluster).then_some(place.name)
}

pub(super) fn update(context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
    let (Some(config), Some(prior), Some(mut planned)) = (
        request.config.as_ref(),
        request.prior.as_ref(),
        plan.planned.clone(),
    ) else {
        return;
    };
    let data = context.data().map(AsRef::as_ref);
    let written = access::written(Topic::form(), config);
    let applied = access::plan_update::<Topic>(context, request, plan, &written);
    if !plan.requires_replace.is_empty() {
        return;
    }
    if let (Some(data), Some(place)) = (data, Topic::place(prior)) {
        data.sightings
            .look_alikes(place.cluster.as_str(), place.name.as_str());
    }
    let found = &mut plan.diagnostics;
    let (before, is, wanted) = (
        applied.as_ref().map(|applied| applied.integer("partitions")),
        prior.integer("partitions"),
        planned.integer("partitions"),
    );
    if let (Attr::Known(is), Attr::Known(wanted)) = (is, wanted)
        && wanted < is
    {
        match before {
            Some(Attr::Known(before)) if wanted < before => refuse_fewer(before, wanted, found),
            _ => warn_of_more(prior, is, wanted, found),
        }
        planned.set("partitions", prior.get("partitions").clone());
        plan.set("partitions", prior.get("partitions").clone());
    }
    if applied.is_some() {
        check_topic(&planned, known_of_cluster(data, &planned), &mut plan.diagnostics);
    }
}

pub(super) async fn destroy(context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
    access::plan_destroy::<Topic>(context, request, plan);
    let Some(prior) = &request.prior else { return };
    // A create that failed before Kafka had the topic: there is nothing to protect.
    if prior.get("topic_id").is_null() {
        return;
    }
    if is_protected(context, prior).await {
        protected(prior, "destroys", &mut plan.diagnostics);
    }
}

/// Judges a topic that is about to be replaced by what its private state keeps of its configuration.
async fn refuse_if_protected(
    context: &Context<ProviderData>,
    private: &Private,
    diagnostics: &mut Diagnostics,
) {
    let Some(kept) = crate::resource::private::read::<ObjectPrivate>(private, diagnostics) else {
        return;
    };
    let Some(old) = crate::resource::written::applied(Topic::form(), &kept.written.value(), diagnostics)
    else {
        return;
    };
    if is_protected(context, &old).await {
        protected(&old, "replaces", diagnostics);
    }
}

/// The protection as written, else the one that the cluster has now. What cannot be known is judged
/// at the delete.
async fn is_protected(context: &Context<ProviderData>, topic: &Object) -> bool {
    match topic.boolean("deletion_protection") {
        Attr::Known(is_on) => is_on,
        Attr::Null | Attr::Unknown => {
            let (Some(data), Some(cluster)) = (context.data(), access::cluster_of(topic)) else {
                return false;
            };
            access::is_cluster_protected(data, &cluster).await
        }
    }
}

fn protected(topic: &Object, what: &str, diagnostics: &mut Diagnostics) {
    let name = topic.string("name").known_or(String::new());
    let why = match topic.boolean("deletion_protection") {
        Attr::Known(_) => "Set `deletion_protection = false` on it",
        _ => {
            "It is protected because its cluster is. Set `deletion_protection = false` on the topic, or on the cluster"
        }
    };
    diagnostics.error(
        &AttributePath::of("deletion_protection"),
        "The topic is protected",
        format!(
            "This plan {what} the topic `{name}` with all its data, and it is protected from deletion. {why}, apply that \
             alone, and plan again. `terraform state rm` makes Terraform forget the topic and leaves it as it is."
        ),
    );
}

fn refuse_fewer(before: i64, wanted: i64, diagnostics: &mut Diagnostics) {
    diagnostics.error(
        &AttributePath::of("partitions"),
        "Partitions never become fewer",
        format!(
            "`partitions` from {before} to {wanted}: Kafka cannot take partitions away from a topic. Write {before} again, \
             or make another topic with {wanted} partitions and move its clients. `terraform destroy -refresh=false` \
             destroys the topic as it is."
        ),
    );
}

fn warn_of_more(prior: &Object, is: i64, wanted: i64, diagnostics: &mut Diagnostics) {
    diagnostics.warning(
        &AttributePath::of("partitions"),
        "There are more partitions than written",
        format!(
            "The topic `{}` has {is} partitions and the configuration says {wanted}. They were added outside of Terraform \
             and Kafka cannot take them away. They stay; write `partitions = {is}`.",
            prior.string("name").known_or(String::new())
        ),
    );
}

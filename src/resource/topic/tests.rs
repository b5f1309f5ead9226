use super::Topic;
use crate::resource::access::stand_in::{
    CLUSTER, World, config, create, destroy, made, plan, read, read_in, seen, titles, update,
};
use crate::spec::ids::TopicName;
use crate::tfplugin::{ImportRequest, Object, PlanRequest, Resource, Value};

fn topic(more: &[(&str, Value)]) -> Object {
    let mut written = vec![
        ("cluster_id", CLUSTER.into()),
        ("name", "orders".into()),
        ("partitions", 6.into()),
    ];
    written.extend_from_slice(more);
    config::<Topic>(&written)
}

fn settings(items: &[(&'static str, &'static str)]) -> Value {
    Value::map(items.iter().copied())
}

fn orders() -> TopicName {
    TopicName::new("orders")
}

#[tokio::test]
async fn a_topic_is_made_read_changed_and_deleted() {
    let world = World::new().await;
    let first = topic(&[(
        "config",
        settings(&[("retention.ms", "1000"), ("cleanup.policy", "compact")]),
    )]);
    let held = made(create(&Topic, &world, &first).await);
    assert_eq!(held.state.str("id").known(), Some("events/orders"));
    assert_eq!(held.state.integer("replication_factor").known(), Some(3));
    assert!(held.state.str("topic_id").is_known());
    let again = seen(read(&Topic, &world, &held).await);
    assert_eq!(again.state, held.state);
    let empty = plan(&Topic, &world.process(), Some(&first), Some(&again)).await;
    assert!(!empty.changes(Some(&again.state)) && empty.diagnostics.is_empty());

    let second = topic(&[
        ("partitions", 8.into()),
        ("config", settings(&[("retention.ms", "2000")])),
    ]);
    let held = made(update(&Topic, &world, &second, &again).await);
    let kafka = world.kafka.lock().unwrap().topics.topics[&orders()].clone();
    assert_eq!(kafka.partitions, 8);
    assert_eq!(
        kafka.config,
        [("retention.ms".to_owned(), "2000".to_owned())].into()
    );
    let gone = destroy(&Topic, &world, &held).await;
    assert!(gone.diagnostics.is_empty(), "{:?}", gone.diagnostics);
    assert!(world.kafka.lock().unwrap().topics.topics.is_empty());
    assert!(read(&Topic, &world, &held).await.state.is_none());
}

#[tokio::test]
async fn drift_is_shown_but_not_in_settings_that_were_never_written() {
    let world = World::new().await;
    let written = topic(&[("config", settings(&[("retention.ms", "1000")]))]);
    let held = made(create(&Topic, &world, &written).await);
    world
        .outside(|kafka| {
            let topic = kafka.topics.topics.get_mut(&orders()).unwrap();
            topic.config.insert("segment.ms".to_owned(), "9".to_owned());
        })
        .await;
    let same = seen(read(&Topic, &world, &held).await);
    assert_eq!(same.state, held.state);
    world
        .outside(|kafka| {
            let topic = kafka.topics.topics.get_mut(&orders()).unwrap();
            topic.config.insert("retention.ms".to_owned(), "5".to_owned());
            topic.replication_factor = 2;
        })
        .await;
    let drifted = seen(read(&Topic, &world, &held).await);
    assert_eq!(drifted.state.get("config"), &settings(&[("retention.ms", "5")]));
    assert_eq!(drifted.state.integer("replication_factor").known(), Some(2));
    world.outside(|kafka| kafka.topics.topics.clear()).await;
    assert!(read(&Topic, &world, &held).await.state.is_none());
    // What was deleted outside is made anew under the same name.
    made(create(&Topic, &world, &written).await);
}

#[tokio::test]
async fn partitions_never_become_fewer_and_more_made_outside_stay() {
    let world = World::new().await;
    let held = made(create(&Topic, &world, &topic(&[])).await);
    let fewer = plan(
        &Topic,
        &world.process(),
        Some(&topic(&[("partitions", 5.into())])),
        Some(&held),
    )
    .await;
    assert_eq!(titles(&fewer.diagnostics), ["Partitions never become fewer"]);
    world
        .outside(|kafka| kafka.topics.topics.get_mut(&orders()).unwrap().partitions = 9)
        .await;
    let more = seen(read(&Topic, &world, &held).await);
    let kept = plan(&Topic, &world.process(), Some(&topic(&[])), Some(&more)).await;
    assert!(!kept.diagnostics.has_errors() && !kept.changes(Some(&more.state)));
    assert_eq!(
        titles(&kept.diagnostics),
        ["There are more partitions than written"]
    );
}

#[tokio::test]
async fn a_topic_is_protected_by_itself_or_by_its_cluster() {
    let world = World::new().await;
    let own = made(create(&Topic, &world, &topic(&[("deletion_protection", true.into())])).await);
    let refused = plan(&Topic, &world.process(), None, Some(&own)).await;
    assert_eq!(titles(&refused.diagnostics), ["The topic is protected"]);
    let late = destroy(&Topic, &world, &own).await;
    assert_eq!(titles(&late.diagnostics), ["It is protected from deletion"]);

    let free = made(update(&Topic, &world, &topic(&[]), &own).await);
    world.protect_cluster(true).await;
    let refused = plan(&Topic, &world.process(), None, Some(&free)).await;
    assert_eq!(titles(&refused.diagnostics), ["The topic is protected"]);
    world.protect_cluster(false).await;
    assert!(destroy(&Topic, &world, &free).await.diagnostics.is_empty());
}

#[tokio::test]
async fn import_restores_what_was_applied_and_takes_over_what_was_made_elsewhere() {
    let world = World::new().await;
    let written = topic(&[("config", settings(&[("preallocate", "TRUE")]))]);
    made(create(&Topic, &world, &written).await);
    let import = async |id: &str| {
        let context = world.process();
        let request = ImportRequest {
            id: id.to_owned(),
            identity: None,
        };
        let imported = Topic.import(&context, request).await;
        assert!(imported.diagnostics.is_empty(), "{:?}", imported.diagnostics);
        let mut state = config::<Topic>(&[]);
        for (name, value) in imported.state.unwrap().iter() {
            state.set(name, value.clone());
        }
        let held = crate::resource::access::stand_in::Held {
            state,
            private: imported.private,
        };
        seen(read_in(&Topic, &context, &held).await)
    };
    let held = import("events/orders").await;
    let empty = plan(&Topic, &world.process(), Some(&written), Some(&held)).await;
    assert!(!empty.changes(Some(&held.state)), "{:?}", empty.planned);

    world
        .outside(|kafka| {
            let mut other = kafka.topics.topics[&orders()].clone();
            other.topic_id = crate::spec::ids::KafkaUuid::new("elsewhere-topic-id-000");
            kafka.topics.topics.insert(TopicName::new("audit"), other);
        })
        .await;
    let held = import("events/audit").await;
    let same = config::<Topic>(&[
        ("cluster_id", CLUSTER.into()),
        ("name", "audit".into()),
        ("partitions", 6.into()),
        ("config", settings(&[("preallocate", "true")])),
    ]);
    let empty = plan(&Topic, &world.process(), Some(&same), Some(&held)).await;
    assert!(empty.diagnostics.is_empty(), "{:?}", empty.diagnostics);
    let gone = destroy(&Topic, &world, &held).await;
    assert!(gone.diagnostics.is_empty(), "{:?}", gone.diagnostics);
    assert!(
        !world
            .kafka
            .lock()
            .unwrap()
            .topics
            .topics
            .contains_key(&TopicName::new("audit"))
    );
}

#[tokio::test]
async fn a_topic_that_is_there_already_and_a_cluster_that_is_not_are_errors_with_a_way_out() {
    let world = World::new().await;
    made(create(&Topic, &world, &topic(&[("deletion_protection", true.into())])).await);
    let second = create(&Topic, &world, &topic(&[])).await;
    let finding = second.diagnostics.iter().next().unwrap().clone();
    assert_eq!(finding.summary, "It exists already");
    assert!(
        finding.detail.contains("import {") && finding.detail.contains("events/orders"),
        "{finding:?}"
    );
    assert!(second.state.is_none());
    let nowhere = create(&Topic, &world, &topic(&[("cluster_id", "other".into())])).await;
    let finding = nowhere.diagnostics.iter().next().unwrap().clone();
    assert!(
        finding.detail.contains("cluster_id = msk_cluster.other.id"),
        "{finding:?}"
    );
}

#[tokio::test]
async fn names_that_collide_and_two_addresses_are_found_in_the_plan() {
    let world = World::new().await;
    let context = world.process();
    let named = |name: &str| topic(&[("name", name.into())]);
    plan(&Topic, &context, Some(&named("a.b")), None).await;
    let collides = plan(&Topic, &context, Some(&named("a_b")), None).await;
    assert_eq!(titles(&collides.diagnostics), ["Topic names collide"]);
    // Also with a topic that is there, whoever made it; but not with the one whose place is taken.
    let held = made(create(&Topic, &world, &named("pay.ments")).await);
    let collides = plan(&Topic, &world.process(), Some(&named("pay_ments")), None).await;
    assert_eq!(titles(&collides.diagnostics), ["Topic names collide"]);
    let fresh = world.process();
    let request = PlanRequest {
        config: Some(named("pay_ments")),
        prior: None,
        private: held.private.clone(),
    };
    let mut replacement = plan(&Topic, &world.process(), Some(&named("other")), None).await;
    replacement.planned = Some(named("pay_ments").with("replication_factor", Value::unknown()));
    Topic.plan(&fresh, &request, &mut replacement).await;
    assert_eq!(titles(&replacement.diagnostics), [""; 0]);
    plan(&Topic, &context, Some(&named("plain")), None).await;
    let twice = plan(&Topic, &context, Some(&named("plain")), None).await;
    assert_eq!(titles(&twice.diagnostics), ["Two resources for one object"]);
}

#[tokio::test]
async fn an_old_word_of_the_agents_keeps_the_state_as_it_was() {
    let world = World::new().await;
    let held = made(create(&Topic, &world, &topic(&[])).await);
    world.stop_agent();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    // The last word speaks of the past: age it by hand.
    let key = crate::store::documents::keys::per_node(
        &world.uid,
        crate::spec::ids::NodeId(1),
        crate::store::documents::keys::PerNode::Topics,
    )
    .unwrap();
    let documents = crate::store::Documents::of_cluster(&world.store, &world.uid);
    documents
        .update::<crate::store::documents::TopicsStatus>(&key, |status| {
            status.observed_at = crate::clock::Timestamp::default();
            status.topics.clear();
            crate::store::Change::Write
        })
        .await
        .unwrap();
    let old = read(&Topic, &world, &held).await;
    assert_eq!(old.state.as_ref(), Some(&held.state));
    assert_eq!(
        titles(&old.diagnostics),
        ["Topics, ACLs and users could not be looked at"]
    );
}

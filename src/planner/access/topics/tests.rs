use super::*;
use crate::planner::tests::claims::claim;

fn name(text: &str) -> TopicName {
    TopicName::new(text)
}

fn id(text: &str) -> KafkaUuid {
    KafkaUuid::new(text)
}

fn wanted(partitions: u32) -> TopicDesired {
    TopicDesired {
        claim: claim(Phase::Making),
        generation: Generation(7),
        topic_id: None,
        partitions,
        replication_factor: None,
        config: BTreeMap::new(),
        config_reset: BTreeSet::new(),
        deletion_protection: None,
        written: crate::store::documents::WrittenConfiguration::default(),
    }
}

fn desired(topic: TopicDesired) -> TopicsDesired {
    TopicsDesired {
        keep: [(name("orders"), topic)].into(),
        tombstones: Vec::new(),
    }
}

fn kafka(topic_id: &str, partitions: &[&[u32]]) -> BTreeMap<TopicName, KafkaTopic> {
    let topic = KafkaTopic {
        topic_id: id(topic_id),
        partitions: partitions
            .iter()
            .map(|replicas| replicas.iter().copied().map(NodeId).collect())
            .collect(),
        config: [("cleanup.policy".to_owned(), "compact".to_owned())].into(),
    };
    [(name("orders"), topic)].into()
}

fn places() -> Vec<Place> {
    (1..=3)
        .map(|id| Place {
            broker: NodeId(id),
            zone: format!("zone-{id}"),
        })
        .collect()
}

fn snapshot_with(topic_id: &str) -> TopicsStatus {
    let seen = TopicObserved {
        topic_id: id(topic_id),
        partitions: 1,
        replication_factor: 1,
        config: BTreeMap::new(),
        is_reassigning: false,
    };
    TopicsStatus {
        topics: [(name("orders"), seen)].into(),
        ..TopicsStatus::default()
    }
}

fn plan(document: &TopicsDesired, seen: &BTreeMap<TopicName, KafkaTopic>, last: &TopicsStatus) -> TopicsPlan {
    plan_topics(document, seen, last, &places())
}

#[test]
fn a_new_topic_is_created_and_not_again_once_it_was_applied() {
    let document = desired(wanted(3));
    let made = plan(&document, &BTreeMap::new(), &TopicsStatus::default());
    assert!(matches!(
        made.operations[..],
        [TopicOperation::Create { partitions: 3, .. }]
    ));
    let last = TopicsStatus {
        applied: Generation(7),
        ..TopicsStatus::default()
    };
    assert_eq!(plan(&document, &BTreeMap::new(), &last), TopicsPlan::default());
}

#[test]
fn a_topic_with_a_known_id_that_is_gone_is_reported_and_never_made_again() {
    let mut topic = wanted(3);
    topic.topic_id = Some(id("a"));
    let made = plan(
        &desired(topic.clone()),
        &BTreeMap::new(),
        &TopicsStatus::default(),
    );
    assert!(made.operations.is_empty());
    assert_eq!(made.failures[&name("orders")].code, codes::GONE);
    let made = plan(&desired(topic), &kafka("b", &[&[1]]), &TopicsStatus::default());
    assert!(made.operations.is_empty());
    assert_eq!(made.failures[&name("orders")].code, codes::REPLACED);
}

#[test]
fn a_topic_in_the_way_is_of_the_agent_that_tells_of_it_or_was_at_it_and_else_a_strangers() {
    let (orders, entry) = (name("orders"), Generation(7));
    let quiet = snapshot_with("a");
    let told = TopicsStatus {
        applied: entry,
        ..snapshot_with("a")
    };
    let refused = TopicsStatus {
        failures: [(
            orders.clone(),
            AppliedFailure {
                generation: entry,
                code: codes::EXISTS_ALREADY.to_owned(),
                message: String::new(),
            },
        )]
        .into(),
        ..told.clone()
    };
    let at_it = |generation| TopicsStatus {
        creating: [(orders.clone(), Generation(generation))].into(),
        ..TopicsStatus::default()
    };
    for (agents, expected) in [
        (vec![], Creator::Stranger),
        // It may have seen what a stranger made.
        (vec![(quiet.clone(), true)], Creator::Stranger),
        (vec![(refused.clone(), true)], Creator::Stranger),
        (vec![(told.clone(), true)], Creator::Agent),
        (vec![(told.clone(), false)], Creator::Agent),
        (vec![(at_it(7), true)], Creator::PerhapsAgent),
        (vec![(at_it(7), false)], Creator::Agent),
        // An entry of that name before this one.
        (vec![(at_it(6), false)], Creator::Stranger),
        (vec![(at_it(7), true), (told, true)], Creator::Agent),
        (
            vec![(refused, true), (quiet, true), (at_it(7), true)],
            Creator::PerhapsAgent,
        ),
    ] {
        let seen = agents.iter().map(|(status, is_alive)| (status, *is_alive));
        assert_eq!(creator(&orders, entry, seen), expected, "{agents:#?}");
    }
}

#[test]
fn a_topic_that_was_there_before_is_not_touched_and_one_of_a_dead_agent_is_taken() {
    let document = desired(wanted(1));
    let made = plan(&document, &kafka("a", &[&[1]]), &snapshot_with("a"));
    assert_eq!(made.failures[&name("orders")].code, codes::EXISTS_ALREADY);
    assert!(made.operations.is_empty());
    let made = plan(&document, &kafka("a", &[&[1]]), &TopicsStatus::default());
    assert!(made.failures.is_empty());
    assert!(made.settled.contains(&name("orders")));
}

#[test]
fn a_tombstone_deletes_by_id_only() {
    let tombstone = |topic_id: &str| TopicsDesired {
        keep: BTreeMap::new(),
        tombstones: vec![TopicTombstone {
            name: name("orders"),
            topic_id: id(topic_id),
            generation: Generation(8),
        }],
    };
    let seen = kafka("a", &[&[1]]);
    let made = plan(&tombstone("a"), &seen, &TopicsStatus::default());
    assert!(matches!(made.operations[..], [TopicOperation::Delete { .. }]));
    let made = plan(&tombstone("b"), &seen, &TopicsStatus::default());
    assert!(
        made.operations.is_empty(),
        "a topic made by others under the name stays"
    );
}

#[test]
fn a_new_topic_waits_until_the_old_one_of_its_name_is_deleted() {
    let mut document = desired(wanted(3));
    document.tombstones.push(TopicTombstone {
        name: name("orders"),
        topic_id: id("a"),
        generation: Generation(6),
    });
    let made = plan(&document, &kafka("a", &[&[1]]), &TopicsStatus::default());
    assert!(made.waiting.contains(&name("orders")));
    assert!(matches!(made.operations[..], [TopicOperation::Delete { .. }]));
}

#[test]
fn partitions_grow_settings_change_and_replicas_spread() {
    let mut topic = wanted(4);
    topic.topic_id = Some(id("a"));
    topic.replication_factor = Some(3);
    topic.config = [("retention.ms".to_owned(), "5".to_owned())].into();
    topic.config_reset = ["cleanup.policy".to_owned(), "segment.ms".to_owned()].into();
    let made = plan(
        &desired(topic),
        &kafka("a", &[&[1, 2], &[2, 3]]),
        &TopicsStatus::default(),
    );
    assert_eq!(
        made.operations,
        [
            TopicOperation::Reassign {
                name: name("orders"),
                replicas: [
                    (0, vec![NodeId(1), NodeId(2), NodeId(3)]),
                    (1, vec![NodeId(2), NodeId(3), NodeId(1)])
                ]
                .into(),
            },
            TopicOperation::AddPartitions {
                name: name("orders"),
                total: 4
            },
            TopicOperation::AlterConfig {
                name: name("orders"),
                set: [("retention.ms".to_owned(), "5".to_owned())].into(),
                reset: ["cleanup.policy".to_owned()].into(),
            },
        ]
    );
}

#[test]
fn fewer_partitions_and_more_replicas_than_brokers_fail_with_their_code() {
    let mut topic = wanted(1);
    topic.topic_id = Some(id("a"));
    let made = plan(
        &desired(topic.clone()),
        &kafka("a", &[&[1], &[2]]),
        &TopicsStatus::default(),
    );
    assert_eq!(made.failures[&name("orders")].code, codes::MORE_PARTITIONS);
    topic.replication_factor = Some(4);
    let made = plan(&desired(topic), &kafka("a", &[&[1]]), &TopicsStatus::default());
    assert_eq!(made.failures[&name("orders")].code, codes::TOO_FEW_BROKERS);
}

#[test]
fn drift_shows_kept_settings_only() {
    let mut entry = wanted(1);
    entry.topic_id = Some(id("a"));
    let status = snapshot_with("a");
    let seen = &status.topics[&name("orders")];
    assert_eq!(topic_drift(&entry, Some(seen)), TopicDrift::None);
    assert_eq!(topic_drift(&entry, None), TopicDrift::Gone);
    entry.config = [("retention.ms".to_owned(), "5".to_owned())].into();
    entry.partitions = 2;
    assert_eq!(
        topic_drift(&entry, Some(seen)),
        TopicDrift::Changed {
            partitions: Some(1),
            replication_factor: None,
            config: [("retention.ms".to_owned(), None)].into(),
        }
    );
    entry.topic_id = Some(id("b"));
    assert_eq!(topic_drift(&entry, Some(seen)), TopicDrift::Replaced(id("a")));
}

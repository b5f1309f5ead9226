//! Tests against a fake broker in this process.

mod fake_broker;
mod garbage;

use std::sync::Arc;
use std::time::Duration;

use super::{
    Admin, Apply, ClientConfig, EndpointKind, Error, ErrorCode, KafkaError, MAX_MESSAGE, RetryClass,
    TopicSelection,
};
use crate::spec::ids::NodeId;
use fake_broker::{FakeBroker, LIST, Reply, UNREGISTER, api_versions, no_moves, unregistered};

fn admin(broker: &FakeBroker) -> Admin {
    Admin::new(ClientConfig {
        timeout: Duration::from_secs(20),
        ..broker.config()
    })
}

fn impatient(broker: &FakeBroker) -> Admin {
    Admin::new(ClientConfig {
        timeout: Duration::from_millis(150),
        ..broker.config()
    })
}

#[test]
fn the_calls_can_be_made_from_any_thread() {
    fn is_send<T: Send>(_: T) {}
    fn is_sync<T: Sync>(_: &T) {}
    let admin = Admin::new(ClientConfig::new("127.0.0.1", 1));
    is_sync(&admin);
    is_send(admin.describe_cluster(EndpointKind::Brokers));
    is_send(admin.describe_topics(TopicSelection::All));
    is_send(admin.create_topics(&[], Apply::Now));
    is_send(admin.alter_scram_users(&[], &[]));
    is_send(admin.describe_features());
    is_send(admin.close());
}

#[tokio::test]
async fn versions_are_agreed_once_and_the_connection_is_kept() {
    let broker = FakeBroker::start(|_| no_moves()).await;
    let admin = admin(&broker);
    for _ in 0..3 {
        assert_eq!(admin.list_reassignments().await.unwrap(), []);
    }
    assert_eq!(broker.connections(), 1);
    assert_eq!(broker.seen(), [(18, 4), (LIST, 0), (LIST, 0), (LIST, 0)]);
}

#[tokio::test]
async fn an_older_broker_is_asked_again_in_a_version_that_it_knows() {
    let broker = FakeBroker::with_versions(
        |request| match request.version {
            4 => Reply::answer(request, &[0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 3]),
            _ => api_versions(request, &[(18, 0, 3), (LIST, 0, 0)]),
        },
        |_| no_moves(),
    )
    .await;
    admin(&broker).list_reassignments().await.unwrap();
    assert_eq!(broker.seen(), [(18, 4), (18, 3), (LIST, 0)]);
}

#[tokio::test]
async fn a_broker_that_refuses_the_version_it_offers_is_given_up() {
    let refuse: &[u8] = &[0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 9];
    let broker =
        FakeBroker::with_versions(move |request| Reply::answer(request, refuse), |_| no_moves()).await;
    let error = admin(&broker).list_reassignments().await.unwrap_err();
    assert!(matches!(error, Error::BadAnswer { .. }), "{error}");
}

#[tokio::test]
async fn an_api_that_is_not_offered_is_not_sent_and_harms_nothing() {
    let broker = FakeBroker::start(|_| no_moves()).await;
    let admin = admin(&broker);
    let error = admin.describe_quorum().await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("DescribeQuorum") && text.contains("broker offers no version"),
        "{text}"
    );
    assert_eq!(error.retry_class(), RetryClass::Never);
    admin.list_reassignments().await.unwrap();
    assert_eq!(broker.connections(), 1);
}

#[tokio::test]
async fn versions_that_do_not_meet_ours_are_named() {
    let broker = FakeBroker::with_versions(
        |request| api_versions(request, &[(18, 0, 4), (3, 13, 20), (19, 2, 5)]),
        |_| Reply::Close,
    )
    .await;
    let error = admin(&broker).create_topics(&[], Apply::Now).await;
    assert_eq!(error.unwrap(), [], "nothing to do, nothing sent");
    let names = [crate::spec::ids::TopicName::new("t")];
    let topic = super::NewTopic {
        name: names[0].clone(),
        layout: super::TopicLayout::Counts {
            partitions: None,
            replication_factor: None,
        },
        configs: Vec::new(),
    };
    let error = admin(&broker)
        .create_topics(&[topic], Apply::Now)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("versions 2 to 5") && error.contains("one of 7 to 7"),
        "{error}"
    );
}

#[tokio::test]
async fn a_refusal_tells_api_broker_code_and_words() {
    let broker = FakeBroker::start(|_| unregistered(102, "no such broker")).await;
    let config = ClientConfig {
        node: Some(NodeId(7)),
        ..broker.config()
    };
    let error = Admin::new(config).unregister_broker(NodeId(1)).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("UnregisterBroker at broker 7 (127.0.0.1:"),
        "{error}"
    );
    let refusal = error.refusal().unwrap();
    assert_eq!(
        refusal.to_string(),
        "BROKER_ID_NOT_REGISTERED (102): no such broker"
    );
    assert_eq!(error.retry_class(), RetryClass::MaybeDone);
    assert!(!error.may_have_happened());
}

#[tokio::test]
async fn a_call_without_answer_ends_in_time_and_its_late_answer_is_never_read() {
    let broker = FakeBroker::start(|request| match request.number {
        1 => Reply::After(Duration::from_millis(300), Box::new(unregistered(102, "late"))),
        _ => unregistered(0, ""),
    })
    .await;
    let admin = impatient(&broker);
    let error = admin.unregister_broker(NodeId(1)).await.unwrap_err();
    assert!(
        matches!(error, Error::TimedOut { .. }) && error.may_have_happened(),
        "{error}"
    );
    assert_eq!(error.retry_class(), RetryClass::Retry);
    tokio::time::sleep(Duration::from_millis(300)).await;
    admin.unregister_broker(NodeId(2)).await.unwrap();
    assert_eq!(broker.connections(), 2);
}

#[tokio::test]
async fn a_call_that_is_dropped_half_way_closes_the_connection() {
    let broker = FakeBroker::start(|request| match request.number {
        1 => Reply::After(Duration::from_millis(100), Box::new(unregistered(102, "late"))),
        _ => unregistered(0, ""),
    })
    .await;
    let admin = admin(&broker);
    let dropped = tokio::time::timeout(Duration::from_millis(50), admin.unregister_broker(NodeId(1))).await;
    assert!(dropped.is_err());
    admin.unregister_broker(NodeId(2)).await.unwrap();
    assert_eq!(broker.connections(), 2);
}

#[tokio::test]
async fn a_read_is_repeated_on_a_new_connection_when_the_old_one_breaks() {
    let broker = FakeBroker::start(|request| {
        if request.number == 2 {
            Reply::Close
        } else {
            no_moves()
        }
    })
    .await;
    let admin = admin(&broker);
    admin.list_reassignments().await.unwrap();
    admin.list_reassignments().await.unwrap();
    assert_eq!(broker.connections(), 2);
}

#[tokio::test]
async fn a_change_is_not_repeated_by_itself() {
    let close_second = |request: &fake_broker::Request| {
        if request.number == 2 {
            Reply::Close
        } else {
            unregistered(0, "")
        }
    };
    let broker = FakeBroker::start(close_second).await;
    let admin = admin(&broker);
    admin.unregister_broker(NodeId(1)).await.unwrap();
    let error = admin.unregister_broker(NodeId(2)).await.unwrap_err();
    assert!(
        matches!(error, Error::ConnectionLost { .. }) && error.may_have_happened(),
        "{error}"
    );
    admin.unregister_broker(NodeId(3)).await.unwrap();
    assert_eq!(
        broker.seen().iter().filter(|(key, _)| *key == UNREGISTER).count(),
        3
    );
}

#[tokio::test]
async fn a_connection_that_the_broker_closed_while_idle_is_replaced_without_an_error() {
    let broker = FakeBroker::start(|request| {
        if request.number == 1 {
            Reply::ThenClose(Box::new(unregistered(0, "")))
        } else {
            unregistered(0, "")
        }
    })
    .await;
    let admin = admin(&broker);
    admin.unregister_broker(NodeId(1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    admin.unregister_broker(NodeId(2)).await.unwrap();
    assert_eq!(broker.connections(), 2);
}

#[tokio::test]
async fn callers_at_the_same_time_get_their_own_answers() {
    let broker = FakeBroker::start(|request| {
        let id = i32::from_be_bytes(request.body[..4].try_into().unwrap());
        unregistered(102, &format!("<{id}>"))
    })
    .await;
    let admin = Arc::new(admin(&broker));
    let calls: Vec<_> = (0..50)
        .map(|id| {
            let admin = admin.clone();
            tokio::spawn(async move { (id, admin.unregister_broker(NodeId(id)).await.unwrap_err()) })
        })
        .collect();
    for call in calls {
        let (id, error) = call.await.unwrap();
        assert!(error.refusal().unwrap().to_string().contains(&format!("<{id}>")));
    }
    assert_eq!(broker.connections(), 1);
}

#[tokio::test]
async fn no_broker_at_all_is_worth_another_try() {
    let broker = FakeBroker::start(|_| no_moves()).await;
    let config = broker.config();
    drop(broker);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let error = Admin::new(config).list_reassignments().await.unwrap_err();
    assert_eq!(error.retry_class(), RetryClass::Retry);
}

#[tokio::test]
async fn a_broker_that_never_greets_is_given_up_in_time() {
    let broker = FakeBroker::with_versions(|_| Reply::Silence, |_| no_moves()).await;
    let error = impatient(&broker).list_reassignments().await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
}

#[test]
fn codes_have_their_names_and_classes() {
    let class = |code: ErrorCode| KafkaError::new(code, None).retry_class();
    assert_eq!(ErrorCode(41).to_string(), "NOT_CONTROLLER (41)");
    assert_eq!(ErrorCode(9999).to_string(), "error code 9999 of a newer Kafka");
    assert_eq!(class(ErrorCode::NOT_CONTROLLER), RetryClass::Retry);
    assert_eq!(class(ErrorCode::TOPIC_ALREADY_EXISTS), RetryClass::MaybeDone);
    assert_eq!(class(ErrorCode::INVALID_CONFIG), RetryClass::Never);
    assert_eq!(class(ErrorCode(9999)), RetryClass::Never);
    let throttled = KafkaError::new(ErrorCode::THROTTLING_QUOTA_EXCEEDED, None).with_throttle(1500);
    assert_eq!(
        throttled.retry_class(),
        RetryClass::After(Duration::from_millis(1500))
    );
}

#[test]
fn long_messages_are_cut_at_a_character() {
    let message = "é".repeat(MAX_MESSAGE);
    let error = KafkaError::new(ErrorCode::INVALID_REQUEST, Some(&format!("x{message}")));
    let kept = error.message.unwrap();
    assert!(kept.len() <= MAX_MESSAGE && kept.starts_with("xé") && kept.ends_with('é'));
}

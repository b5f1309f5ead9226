//! What S3 and networks do to a writer.

use std::time::Duration;

use super::moto;
use super::relay::{Fault, Relay, refusal};
use crate::clock::Timestamp;
use crate::store::conformance::{self, World};
use crate::store::{Deleted, Durability, Error, Key, Look, Prefix, S3Error, S3Home, Store, Written};

const DURABLE: Durability = Durability::Durable;

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// A store that was made without a relay, and seen through one.
async fn behind(rule: impl FnMut(&str) -> Option<Fault> + Send + 'static) -> (S3Home, Store, Store, Relay) {
    let home = moto::home().await;
    let plain = Store::open_or_create(&moto::of(&home)).await.unwrap();
    let relay = Relay::start(rule).await;
    let seen = Store::open_existing(&moto::of(&moto::through(&home, relay.port)), None)
        .await
        .unwrap();
    (home, plain, seen, relay)
}

/// Does `fault` to the first `times` requests of a method on a document.
fn first(times: u32, method: &'static str, fault: Fault) -> impl FnMut(&str) -> Option<Fault> + Send {
    let mut left = times;
    move |request| {
        let is_meant = request.starts_with(method) && request.contains("doc") && left > 0;
        is_meant.then(|| {
            left -= 1;
            fault.clone()
        })
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_found_to_be_ours() {
    for fault in [
        Fault::LoseAnswer,
        Fault::Late(Duration::from_secs(3)),
        Fault::LoseRequest,
    ] {
        let (_, plain, store, _relay) = behind(first(1, "PUT", fault)).await;
        let Written::Written(one) = store.put_if_absent(&key("doc"), "1", DURABLE).await.unwrap() else {
            panic!("it was ours");
        };
        let read = plain.get(&key("doc")).await.unwrap().unwrap();
        assert_eq!((read.bytes.as_ref(), &read.version), (&b"1"[..], &one));
    }
    let (_, plain, store, _relay) = behind(first(1, "PUT", Fault::LoseAnswer)).await;
    let one = plain.put(&key("doc"), "1", DURABLE).await.unwrap();
    let Written::Written(two) = store.put_if_match(&key("doc"), "2", &one, DURABLE).await.unwrap() else {
        panic!("it was ours");
    };
    assert_eq!(plain.get(&key("doc")).await.unwrap().unwrap().version, two);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_and_that_somebody_else_forestalled_is_a_conflict() {
    let (_, plain, store, _relay) = behind(first(1, "PUT", Fault::LoseRequest)).await;
    let one = plain.put(&key("doc"), "same", DURABLE).await.unwrap();
    let rival = plain
        .put_if_match(&key("doc"), "same", &one, DURABLE)
        .await
        .unwrap();
    assert!(matches!(rival, Written::Written(_)));
    let put = store
        .put_if_match(&key("doc"), "same", &one, DURABLE)
        .await
        .unwrap();
    assert_eq!(put, Written::Conflict, "the same bytes are no proof");
    let (_, plain, store, _relay) = behind(first(1, "PUT", Fault::LoseRequest)).await;
    plain.put_if_absent(&key("doc"), "same", DURABLE).await.unwrap();
    let put = store.put_if_absent(&key("doc"), "same", DURABLE).await.unwrap();
    assert_eq!(put, Written::Conflict);
}

#[tokio::test]
async fn collisions_and_busy_answers_are_tried_again() {
    for (times, answer) in [
        (2, refusal!("409 Conflict", "ConditionalRequestConflict")),
        (3, refusal!("503 Slow Down", "SlowDown")),
        (2, refusal!("500 Internal Server Error", "InternalError")),
        (1, refusal!("503 Service Unavailable", "ServiceUnavailable")),
    ] {
        let (_, _, store, relay) = behind(first(times, "PUT", Fault::Answer(answer))).await;
        let put = store.put_if_absent(&key("doc"), "x", DURABLE).await.unwrap();
        assert!(matches!(put, Written::Written(_)), "{answer}");
        let puts = relay
            .requests()
            .iter()
            .filter(|line| line.starts_with("PUT"))
            .count();
        assert_eq!(puts, usize::try_from(times).unwrap() + 1);
    }
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_done() {
    let (_, plain, store, _relay) = behind(first(1, "DELETE", Fault::LoseAnswer)).await;
    let one = plain.put(&key("doc"), "1", DURABLE).await.unwrap();
    assert_eq!(
        store.delete_if_match(&key("doc"), &one).await.unwrap(),
        Deleted::Deleted
    );
    assert_eq!(plain.get(&key("doc")).await.unwrap(), None);
}

#[tokio::test]
async fn a_document_that_broke_off_is_read_again() {
    let (_, plain, store, _relay) = behind(first(2, "GET", Fault::CutAnswer)).await;
    plain.put(&key("doc"), "whole", DURABLE).await.unwrap();
    assert_eq!(store.get(&key("doc")).await.unwrap().unwrap().bytes, "whole");
}

/// Every fifth answer to a write is lost, and now and then a request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_lose_no_count_while_answers_are_lost() {
    let home = moto::home().await;
    let mut count = 0u32;
    let relay = Relay::start(move |request| {
        let is_write = request.starts_with("PUT") && !request.contains("store.json");
        count += u32::from(is_write);
        match (is_write, count % 15) {
            (true, 2 | 7 | 12) => Some(Fault::LoseAnswer),
            (true, 4) => Some(Fault::LoseRequest),
            (true, 9) => Some(Fault::Answer(refusal!(
                "409 Conflict",
                "ConditionalRequestConflict"
            ))),
            _ => None,
        }
    })
    .await;
    let mut world = World::new(moto::of(&moto::through(&home, relay.port)), ());
    conformance::writers_that_count_together_lose_no_count(world).await;
    world = World::new(moto::of(&moto::through(&moto::home().await, relay.port)), ());
    world.rounds = 5;
    conformance::of_twenty_writers_exactly_one_wins_each_version(world).await;
}

#[tokio::test]
async fn short_pages_out_of_order_make_whole_lists_and_purges() {
    let relay = Relay::start(|request| request.contains("max-keys").then_some(Fault::Pages)).await;
    let home = moto::through(&moto::home().await, relay.port);
    conformance::lists_come_in_the_order_of_keys_whatever_the_page(World::new(moto::of(&home), ())).await;
    let home = moto::through(&moto::home().await, relay.port);
    conformance::a_purge_removes_what_lies_below_its_prefix_alone(World::new(moto::of(&home), ())).await;
}

#[tokio::test]
async fn refusals_say_where_why_and_what_to_do() {
    const REDIRECT: &str = "HTTP/1.1 301 Moved\r\nx-amz-request-id: r1\r\nx-amz-bucket-region: us-east-2\r\nconnection: close\r\n\r\n<?xml version=\"1.0\"?><Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>";
    const HTML: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<html><body>Sign in to the guest network</body></html>";
    for (answer, words) in [
        (
            refusal!("403 Forbidden", "AccessDenied"),
            &["s3:PutObject", "team/msk/doc", "123456789012"][..],
        ),
        (refusal!("404 Not Found", "NoSuchBucket"), &["no bucket `store-"]),
        (REDIRECT, &["another Region (us-east-2)"]),
        (
            refusal!("400 Bad Request", "ExpiredToken"),
            &["no valid credentials", "sign in again"],
        ),
        (
            refusal!("403 Forbidden", "RequestTimeTooSkewed"),
            &["clock of this machine"],
        ),
        (HTML, &["is not S3", "proxy"]),
    ] {
        let (_, _, store, _relay) = behind(first(9, "PUT", Fault::Answer(answer))).await;
        let error = store.put(&key("doc"), "hush-hush", DURABLE).await.unwrap_err();
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert!(!format!("{error:?} {store:?}").contains("hush"), "{error:?}");
        assert!(!format!("{error:?} {store:?}").contains("not-secret"));
    }
    let (_, _, store, _relay) = behind(first(9, "GET", Fault::Answer(HTML))).await;
    assert!(matches!(
        s3_error(store.get(&key("doc")).await),
        S3Error::NotS3 { .. }
    ));
}

fn s3_error<T: std::fmt::Debug>(result: Result<T, Error>) -> S3Error {
    match result {
        Err(Error::S3(error)) => *error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_store_that_is_gone_is_never_an_absent_document() {
    let home = moto::home().await;
    let store = Store::open_or_create(&moto::of(&home)).await.unwrap();
    assert_eq!(store.get(&key("doc")).await.unwrap(), None);
    let identity = "team/msk/store.json";
    let delete = home.client.delete_object().bucket(&home.bucket).key(identity);
    delete.send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    for error in [
        s3_error(store.get(&key("doc")).await),
        s3_error(store.put(&key("doc"), "x", DURABLE).await),
        s3_error(store.delete(&key("doc")).await),
        s3_error(store.list(&Prefix::all(), None, 5).await),
    ] {
        assert!(matches!(error, S3Error::Gone { .. }), "{error}");
    }
    let foreign = home
        .client
        .put_object()
        .bucket(&home.bucket)
        .key("team/msk/thesis.tex");
    foreign.send().await.unwrap();
    let error = Store::open_or_create(&moto::of(&home))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("other objects (`team/msk/thesis.tex`)"), "{error}");
}

#[tokio::test]
async fn a_purge_leaves_no_version_and_no_marker() {
    let home = moto::home().await;
    let store = Store::open_or_create(&moto::of(&home)).await.unwrap();
    for _ in 0..3 {
        store.put(&key("a/doc"), "x", DURABLE).await.unwrap();
        store.delete(&key("a/doc")).await.unwrap();
    }
    assert_eq!(store.purge(&Prefix::parse("a/").unwrap()).await.unwrap(), 6);
    let versions = home.client.list_object_versions().bucket(&home.bucket);
    let left = versions.send().await.unwrap();
    let keys: Vec<_> = left
        .versions()
        .iter()
        .filter_map(|version| version.key())
        .collect();
    assert_eq!(keys, ["team/msk/store.json"]);
    assert!(left.delete_markers().is_empty());
}

#[tokio::test]
async fn the_time_is_that_of_s3_and_asked_for_once_a_minute() {
    let fault = |request: &str| {
        request.starts_with("GET").then_some(Fault::Replace(
            "Date: ",
            "Date: Tue, 01 Jan 2030 00:00:00 GMT\r\nx-amz-request-id: r1",
        ))
    };
    let (_, _, store, relay) = behind(fault).await;
    let expected = Timestamp::from_millis(1_893_456_000_000);
    for _ in 0..20 {
        let now = store.now().await.unwrap();
        assert!(
            now >= expected && now.since(expected) < Duration::from_secs(2),
            "{now}"
        );
    }
    assert_eq!(relay.requests().len(), 1, "opening told the time");
}

#[tokio::test]
async fn objects_are_encrypted_and_bounded() {
    let home = moto::home().await;
    let store = Store::open_or_create(&moto::of(&home)).await.unwrap();
    store.put(&key("doc"), "{}", DURABLE).await.unwrap();
    let head = home.client.head_object().bucket(&home.bucket).key("team/msk/doc");
    let head = head.send().await.unwrap();
    assert_eq!(head.server_side_encryption().unwrap().as_str(), "aws:kms");
    assert_eq!(head.ssekms_key_id(), home.kms_key.as_deref());
    assert_eq!(head.bucket_key_enabled(), Some(true));
    let (_, plain, seen, _relay) = behind(first(
        1,
        "GET",
        Fault::Replace("Content-Length: ", "Content-Length: 99999999999"),
    ))
    .await;
    plain.put(&key("doc"), "{}", DURABLE).await.unwrap();
    let error = seen.get(&key("doc")).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::TooLarge {
                length: 99_999_999_999,
                ..
            }
        ),
        "{error}"
    );
    assert_ne!(seen.look(&key("doc"), None).await.unwrap(), Look::Absent);
}

/// As for a role that may list only below a prefix: a read names none, so what is not there is forbidden.
#[tokio::test]
async fn what_is_not_there_and_forbidden_is_absent_only_if_it_is_not_listed() {
    let forbidden = |request: &str| {
        let is_read = request.starts_with("GET") && request.contains("/doc");
        is_read.then_some(Fault::Answer(refusal!("403 Forbidden", "AccessDenied")))
    };
    let (_, plain, store, _relay) = behind(forbidden).await;
    assert!(store.get(&key("doc")).await.unwrap().is_none());
    plain.put(&key("doc-of-others"), "1", DURABLE).await.unwrap();
    assert!(store.get(&key("doc")).await.unwrap().is_none());
    plain.put(&key("doc"), "1", DURABLE).await.unwrap();
    assert!(matches!(
        s3_error(store.get(&key("doc")).await),
        S3Error::Denied { .. }
    ));

    // Who may not list learns nothing.
    let all = |request: &str| {
        let is_read = request.starts_with("GET") && request.contains("doc");
        is_read.then_some(Fault::Answer(refusal!("403 Forbidden", "AccessDenied")))
    };
    let (_, _, store, _relay) = behind(all).await;
    assert!(matches!(
        s3_error(store.get(&key("doc")).await),
        S3Error::Denied { .. }
    ));
}

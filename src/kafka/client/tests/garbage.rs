//! Answers that no broker would give: none may make us panic, hang or take memory that was not sent.

use std::time::Duration;

use bytes::{Buf, Bytes};
use proptest::prelude::*;

use super::fake_broker::{FakeBroker, Reply, framed, no_moves};
use crate::kafka::client::api;
use crate::kafka::client::wire::CheckedBuf;
use crate::kafka::client::{Admin, ClientConfig, Error};

async fn answered_with(bytes: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Error {
    let broker = FakeBroker::start(move |_| Reply::Raw(bytes())).await;
    let config = ClientConfig {
        timeout: Duration::from_secs(5),
        ..broker.config()
    };
    Admin::new(config).list_reassignments().await.unwrap_err()
}

#[tokio::test]
async fn huge_and_negative_lengths_are_refused_before_memory_is_taken() {
    for length in [i32::MAX, i32::MIN, -1, 33 * 1024 * 1024] {
        let error = answered_with(move || length.to_be_bytes().to_vec()).await;
        assert!(matches!(error, Error::BadAnswer { .. }), "{error}");
        assert!(error.to_string().contains(&length.to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_length_that_is_not_kept_is_a_lost_connection() {
    let broker = FakeBroker::start(|_| Reply::ThenClose(Box::new(Reply::Raw(vec![0, 0, 1, 0, 7])))).await;
    let error = Admin::new(broker.config())
        .list_reassignments()
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");
}

#[tokio::test]
async fn a_greeting_has_a_smaller_limit() {
    let large = |_: &_| Reply::Raw((1024 * 1024_u32).to_be_bytes().to_vec());
    let broker = FakeBroker::with_versions(large, |_| no_moves()).await;
    let error = Admin::new(broker.config())
        .list_reassignments()
        .await
        .unwrap_err();
    assert!(matches!(error, Error::BadAnswer { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_to_another_request_is_refused() {
    let error = answered_with(|| framed(&[0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0])).await;
    assert!(error.to_string().contains("answers request 99, not 2"), "{error}");
}

#[tokio::test]
async fn bytes_behind_an_answer_are_refused() {
    let error = answered_with(|| framed(&[0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 2, 3])).await;
    assert!(error.to_string().contains("3 bytes too many"), "{error}");
}

#[tokio::test]
async fn an_array_that_is_longer_than_the_frame_is_refused() {
    // 2^32 - 2 topics in a frame of 18 bytes.
    let error = answered_with(|| {
        framed(&[
            0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0,
        ])
    })
    .await;
    assert!(matches!(error, Error::BadAnswer { .. }), "{error}");
}

#[tokio::test]
async fn a_greeting_of_the_old_form_cannot_announce_more_than_it_holds() {
    let lie: &[u8] = &[0, 35, 0x7f, 0xff, 0xff, 0xff];
    let broker = FakeBroker::with_versions(move |request| Reply::answer(request, lie), |_| no_moves()).await;
    let error = Admin::new(broker.config())
        .list_reassignments()
        .await
        .unwrap_err();
    assert!(matches!(error, Error::BadAnswer { .. }), "{error}");
}

#[test]
fn a_forged_boolean_cannot_hide_a_length() {
    // A boolean of 0xff, then an integer: we read them as one that is larger, never as a smaller one.
    let mut frame = CheckedBuf::new(Bytes::from_static(&[0xff, 0xff, 0xff, 0x07, 0, 0]));
    let mut read = || frame.try_get_u8();
    assert!((0..4).any(|_| read().is_err()));
    let mut endless = CheckedBuf::new(Bytes::from_static(&[0x80; 20]));
    assert!(
        (0..5).any(|_| endless.try_get_u8().is_err()),
        "an integer has five bytes at most"
    );
}

/// Bytes that look more like an answer than noise does: many zeros and small numbers.
fn answer_like() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => Just(0_u8), 3 => 1_u8..6, 1 => any::<u8>()];
    proptest::collection::vec(byte, 0..400)
}

proptest! {
    #[test]
    fn noise_decodes_or_fails_in_every_version_of_every_api(noise in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..400),
        answer_like(),
    ]) {
        let bytes = Bytes::from(noise);
        for api in api::ALL {
            for version in api.used.0..=api.used.1 {
                (api.decode)(bytes.clone(), version);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn noise_instead_of_answers_ends_in_an_error_or_an_answer(greeting in answer_like(), noise in answer_like()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let first = Reply::ThenClose;
            let broker = FakeBroker::with_versions(
                move |request| first(Box::new(Reply::answer(request, &greeting))),
                |_| no_moves(),
            )
            .await;
            let _ = Admin::new(broker.config()).list_reassignments().await;
            let broker =
                FakeBroker::start(move |_| Reply::ThenClose(Box::new(Reply::Body(noise.clone())))).await;
            let admin = Admin::new(broker.config());
            let _ = admin.list_reassignments().await;
            let _ = admin.unregister_broker(crate::spec::ids::NodeId(1)).await;
        });
    }
}

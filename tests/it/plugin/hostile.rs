//! A hostile host: the plugin neither serves it nor falls.

use std::time::Duration;

use msk::tfplugin::wire::tfplugin6 as proto;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rmpv::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::host::{ClientAuth, Identity, Plugin, message, null, thing};

/// Still there, and still answering its rightful host.
async fn answers(plugin: &mut Plugin, identity: Option<&Identity>) {
    assert!(plugin.child.try_wait().unwrap().is_none(), "the plugin has ended");
    let mut client = plugin.client(identity).await;
    client
        .get_metadata(proto::get_metadata::Request {})
        .await
        .unwrap();
}

#[tokio::test]
async fn garbage_on_the_socket_harms_nobody() {
    let identity = Identity::new();
    let mut plugin = Plugin::start(Some(&identity));
    let mut open = Vec::new();
    for size in [0, 1, 5, 100, 70_000] {
        let mut stream = UnixStream::connect(&plugin.socket).await.unwrap();
        let garbage: Vec<u8> = (0..size)
            .map(|n: usize| u8::try_from(n * 7 % 251).unwrap())
            .collect();
        let _ = stream.write_all(&garbage).await;
        open.push(stream);
    }
    answers(&mut plugin, Some(&identity)).await;
}

#[tokio::test]
async fn garbage_after_a_right_handshake_harms_nobody() {
    let identity = Identity::new();
    let mut plugin = Plugin::start(Some(&identity));
    // Held, so that the host counts as there.
    let _client = plugin.client(Some(&identity)).await;
    for start in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x00\x00\x00\x00\x00\x00",
    ] {
        let config = plugin.client_config(ClientAuth::Identity(&identity));
        let mut stream = plugin.connect_tls(config).await.unwrap();
        stream.write_all(start).await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    }
    answers(&mut plugin, Some(&identity)).await;
}

#[tokio::test]
async fn only_the_holder_of_the_hosts_key_is_served() {
    let identity = Identity::new();
    let stranger = Identity::new();
    let mut plugin = Plugin::start(Some(&identity));
    for (who, auth) in [
        ("no certificate", ClientAuth::None),
        ("another certificate", ClientAuth::Identity(&stranger)),
        (
            "the certificate without its key",
            ClientAuth::CertificateOf(&identity, &stranger),
        ),
    ] {
        let config = plugin.client_config(auth);
        // In TLS 1.3 the client learns of the refusal with its first read.
        let refused = match plugin.connect_tls(config).await {
            Err(_) => true,
            Ok(mut stream) => {
                let _ = stream
                    .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
                    .await;
                let mut answer = [0; 9];
                stream.read_exact(&mut answer).await.is_err()
            }
        };
        assert!(refused, "{who} was served");
    }
    answers(&mut plugin, Some(&identity)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_calls_at_once_are_answered() {
    let identity = Identity::new();
    let plugin = Plugin::start(Some(&identity));
    let client = plugin.client(Some(&identity)).await;
    let calls = (0..64).map(|number| {
        let mut client = client.clone();
        tokio::spawn(async move {
            let name = format!("n{number}");
            let config = thing(&[("name", name.as_str().into()), ("password_wo", "x".into())]);
            let request = proto::plan_resource_change::Request {
                type_name: "echo_thing".to_owned(),
                prior_state: null(),
                proposed_new_state: message(config.clone()),
                config: message(config),
                ..proto::plan_resource_change::Request::default()
            };
            let answer = client.plan_resource_change(request).await.unwrap().into_inner();
            assert_eq!(answer.diagnostics, []);
            assert_eq!(
                super::host::member(answer.planned_state.as_ref(), "name"),
                name.into()
            );
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

#[tokio::test]
async fn cancelled_calls_are_forgotten() {
    let mut plugin = Plugin::start(None);
    let mut client = plugin.client(None).await;
    super::protocol::configure(&mut client).await;
    for _ in 0..20 {
        let mut client = client.clone();
        let set = [("name", Value::from("a")), ("behave", "wait".into())];
        let request = proto::apply_resource_change::Request {
            type_name: "echo_thing".to_owned(),
            prior_state: null(),
            planned_state: message(thing(&set)),
            config: message(thing(&set)),
            ..proto::apply_resource_change::Request::default()
        };
        let _ = tokio::time::timeout(Duration::from_millis(5), client.apply_resource_change(request)).await;
    }
    answers(&mut plugin, None).await;
}

#[tokio::test]
async fn broken_messages_are_diagnostics_and_memory_stays_bounded() {
    let mut plugin = Plugin::start(None);
    let mut client = plugin.client(None).await;
    let whole = thing(&[
        ("name", "a".into()),
        ("size", 7.into()),
        ("tags", Value::Array(vec!["x".into(), "y".into()])),
        ("labels", Value::Map(vec![("k".into(), "v".into())])),
        (
            "anything",
            Value::Array(vec![
                Value::Binary(b"[\"list\",\"number\"]".to_vec()),
                Value::Array(vec![1.into()]),
            ]),
        ),
        ("spelling", Value::Ext(12, vec![0x81, 1, 0xc2])),
    ]);
    let mut messages: Vec<Vec<u8>> = (0..whole.len()).map(|end| whole[..end].to_vec()).collect();
    for at in 0..whole.len() {
        for bit in [0, 3, 7] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            messages.push(flipped);
        }
    }
    // Lengths that promise gigabytes, and nesting without end.
    for bomb in [
        &b"\xdf\xff\xff\xff\xff"[..],
        b"\xdd\xff\xff\xff\xff\xc0",
        b"\xdb\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x0c",
    ] {
        messages.push(bomb.to_vec());
        let mut inside = whole.clone();
        let end = inside.len() - 1;
        inside.splice(end.., bomb.iter().copied());
        messages.push(inside);
    }
    messages.push([b"\x92\xc4\x09\"dynamic\"".as_slice()].concat().repeat(100_000));
    let mut runner = TestRunner::deterministic();
    let random = proptest::collection::vec(any::<u8>(), 0..200);
    for _ in 0..200 {
        messages.push(random.new_tree(&mut runner).unwrap().current());
    }
    for broken in messages {
        let request = proto::plan_resource_change::Request {
            type_name: "echo_thing".to_owned(),
            prior_state: null(),
            proposed_new_state: message(broken.clone()),
            config: message(broken.clone()),
            ..proto::plan_resource_change::Request::default()
        };
        client
            .plan_resource_change(request)
            .await
            .expect("an answer, not a status");
        let request = proto::upgrade_resource_state::Request {
            type_name: "echo_thing".to_owned(),
            version: 1,
            raw_state: Some(proto::RawState {
                json: broken,
                ..proto::RawState::default()
            }),
        };
        client
            .upgrade_resource_state(request)
            .await
            .expect("an answer, not a status");
    }
    assert!(plugin.peak_memory() < 40_000, "{} KiB", plugin.peak_memory());
    answers(&mut plugin, None).await;
}

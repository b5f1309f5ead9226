//! Every RPC over a real socket, and the life of the process.

use std::process::{Command, Stdio};
use std::time::Duration;

use msk::tfplugin::wire::plugin::Empty;
use msk::tfplugin::wire::plugin::grpc_controller_client::GrpcControllerClient;
use msk::tfplugin::wire::plugin::grpc_stdio_client::GrpcStdioClient;
use msk::tfplugin::wire::tfplugin6 as proto;
use rmpv::Value;
use rustix::process::{Pid, Signal, kill_process};
use tonic::Code;

use super::host::{COOKIE, Identity, Plugin, bytes, echo_provider, member, message, null, thing};

const CAPABLE: proto::ClientCapabilities = proto::ClientCapabilities {
    deferral_allowed: false,
    write_only_attributes_allowed: true,
    store_planned_private: false,
    computed_blocks_allowed: false,
};

type Client = proto::provider_client::ProviderClient<tonic::transport::Channel>;

pub(super) async fn configure(client: &mut Client) {
    let config = bytes(&Value::Map(vec![("prefix".into(), Value::Nil)]));
    let request = proto::configure_provider::Request {
        terraform_version: "1.11.4".to_owned(),
        config: message(config),
        client_capabilities: Some(CAPABLE),
    };
    let answer = client.configure_provider(request).await.unwrap().into_inner();
    assert_eq!(answer.diagnostics, []);
}

fn create(set: &[(&str, Value)]) -> proto::apply_resource_change::Request {
    let unknown = || Value::Ext(0, vec![0]);
    let mut planned = set.to_vec();
    planned.extend([("id", unknown()), ("result", unknown()), ("zone", unknown())]);
    proto::apply_resource_change::Request {
        type_name: "echo_thing".to_owned(),
        prior_state: null(),
        planned_state: message(thing(&planned)),
        config: message(thing(set)),
        ..proto::apply_resource_change::Request::default()
    }
}

fn texts(diagnostics: &[proto::Diagnostic]) -> String {
    diagnostics
        .iter()
        .map(|d| format!("{}: {}", d.summary, d.detail))
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn the_schema_comes_over_tls_and_shutdown_ends_the_process() {
    let identity = Identity::new();
    let mut plugin = Plugin::start(Some(&identity));
    let channel = plugin.channel(Some(&identity)).await;
    let mut client = proto::provider_client::ProviderClient::new(channel.clone());
    let schemas = client
        .get_provider_schema(proto::get_provider_schema::Request {})
        .await
        .unwrap()
        .into_inner();
    assert!(schemas.resource_schemas.contains_key("echo_thing"));
    let capabilities = schemas.server_capabilities.unwrap();
    assert!(capabilities.plan_destroy && capabilities.get_provider_schema_optional);
    // An open stream must not hold up the end.
    let mut stdio = GrpcStdioClient::new(channel.clone());
    let stream = stdio.stream_stdio(()).await.unwrap();
    GrpcControllerClient::new(channel)
        .shutdown(Empty {})
        .await
        .unwrap();
    let status = plugin
        .wait(Duration::from_secs(2))
        .await
        .expect("the process ends");
    assert!(status.success());
    assert!(
        !plugin.socket.parent().unwrap().exists(),
        "the socket's directory is gone"
    );
    drop(stream);
}

#[tokio::test]
async fn without_tls_the_plugin_speaks_plain() {
    let plugin = Plugin::start(None);
    let mut client = plugin.client(None).await;
    let metadata = client
        .get_metadata(proto::get_metadata::Request {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(metadata.resources.len(), 1);
}

#[test]
fn started_by_hand_it_says_what_it_is() {
    let output = Command::new(echo_provider())
        .env_remove("TF_PLUGIN_MAGIC_COOKIE")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("Terraform provider")
    );
}

#[tokio::test]
async fn the_host_finds_the_plugin_healthy() {
    let plugin = Plugin::start(None);
    let mut health = tonic_health::pb::health_client::HealthClient::new(plugin.channel(None).await);
    let request = tonic_health::pb::HealthCheckRequest {
        service: "plugin".to_owned(),
    };
    assert_eq!(health.check(request).await.unwrap().into_inner().status, 1);
}

#[tokio::test]
async fn the_plugin_ends_when_the_host_closes_its_connection() {
    let identity = Identity::new();
    let mut plugin = Plugin::start(Some(&identity));
    let mut client = plugin.client(Some(&identity)).await;
    configure(&mut client).await;
    drop(client);
    let status = plugin
        .wait(Duration::from_secs(5))
        .await
        .expect("the process ends");
    assert!(status.success());
    assert!(!plugin.socket.exists());
}

#[tokio::test]
async fn the_plugin_ends_when_its_parent_is_gone() {
    // The shell starts the plugin in the background, tells its pid, and ends.
    let script = format!("{} >/dev/null 2>&1 & echo $!; sleep 1", echo_provider().display());
    let output = Command::new("sh")
        .args(["-c", &script])
        .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let pid: u32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    for _ in 0..100 {
        // In a container without an init process the dead stay as zombies.
        if stat().is_empty() || stat().contains(") Z ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the plugin outlived its parent");
}

#[tokio::test]
async fn sigint_is_left_to_the_host_and_sigterm_ends_cleanly() {
    let mut plugin = Plugin::start(None);
    let mut client = plugin.client(None).await;
    let pid = Pid::from_raw(i32::try_from(plugin.child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    configure(&mut client).await;
    kill_process(pid, Signal::TERM).unwrap();
    assert!(
        plugin
            .wait(Duration::from_secs(3))
            .await
            .expect("the process ends")
            .success()
    );
    assert!(!plugin.socket.exists());
}

#[tokio::test]
async fn what_is_not_offered_is_said_in_the_protocols_own_way() {
    let plugin = Plugin::start(None);
    let mut client = plugin.client(None).await;
    let name = "echo_nothing".to_owned();
    let request = proto::open_ephemeral_resource::Request {
        type_name: name.clone(),
        ..Default::default()
    };
    let opened = client
        .open_ephemeral_resource(request)
        .await
        .unwrap()
        .into_inner();
    assert!(texts(&opened.diagnostics).contains("`echo_nothing`"));
    let request = proto::read_resource::Request {
        type_name: name.clone(),
        ..Default::default()
    };
    let read = client.read_resource(request).await.unwrap().into_inner();
    assert!(texts(&read.diagnostics).contains("`echo_nothing`"));
    let request = proto::read_data_source::Request {
        type_name: name.clone(),
        ..Default::default()
    };
    let data = client.read_data_source(request).await.unwrap().into_inner();
    assert!(texts(&data.diagnostics).contains("`echo_nothing`"));
    let request = proto::call_function::Request {
        name,
        arguments: Vec::new(),
    };
    let called = client.call_function(request).await.unwrap().into_inner();
    assert!(called.error.unwrap().text.contains("echo_nothing"));
    let request = proto::move_resource_state::Request {
        source_type_name: "x_y".to_owned(),
        target_type_name: "echo_thing".to_owned(),
        ..Default::default()
    };
    let moved = client.move_resource_state(request).await.unwrap().into_inner();
    assert!(texts(&moved.diagnostics).contains("x_y"));
    let codes = [
        client
            .plan_action(proto::plan_action::Request::default())
            .await
            .unwrap_err()
            .code(),
        client
            .get_states(proto::get_states::Request::default())
            .await
            .unwrap_err()
            .code(),
        client
            .list_resource(proto::list_resource::Request::default())
            .await
            .err()
            .unwrap()
            .code(),
        client
            .generate_resource_config(proto::generate_resource_config::Request::default())
            .await
            .unwrap_err()
            .code(),
    ];
    assert_eq!(codes, [Code::Unimplemented; 4]);
}

#[tokio::test]
async fn a_panic_is_a_diagnostic_and_the_next_call_works() {
    let mut plugin = Plugin::start(None);
    let mut client = plugin.client(None).await;
    configure(&mut client).await;
    let set = [("name", Value::from("a")), ("behave", "panic".into())];
    let answer = client
        .apply_resource_change(create(&set))
        .await
        .unwrap()
        .into_inner();
    assert!(
        texts(&answer.diagnostics).contains("told to panic"),
        "{:?}",
        answer.diagnostics
    );
    assert!(answer.new_state.is_none());
    let answer = client
        .apply_resource_change(create(&[("name", "b".into())]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.diagnostics, []);
    assert_eq!(member(answer.new_state.as_ref(), "id"), "echo/b".into());
    drop(client);
    plugin.wait(Duration::from_secs(5)).await.unwrap();
    assert!(
        plugin
            .stderr()
            .lines()
            .any(|line| line.starts_with("panic: told to panic"))
    );
}

#[tokio::test]
async fn a_stop_ends_a_wait_with_what_is_known() {
    let plugin = Plugin::start(None);
    let mut client = plugin.client(None).await;
    configure(&mut client).await;
    let mut waiting = client.clone();
    let set = [("name", Value::from("a")), ("behave", "wait".into())];
    let apply = tokio::spawn(async move { waiting.apply_resource_change(create(&set)).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stopped = client
        .stop_provider(proto::stop_provider::Request {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stopped.error, "");
    let answer = apply.await.unwrap().unwrap().into_inner();
    assert!(texts(&answer.diagnostics).contains("Stopped"));
    assert_eq!(member(answer.new_state.as_ref(), "id"), "echo/a".into());
}

#[tokio::test]
async fn a_failed_create_keeps_what_exists_with_nothing_unknown() {
    let plugin = Plugin::start(None);
    let mut client = plugin.client(None).await;
    configure(&mut client).await;
    let set = [
        ("name", Value::from("a")),
        ("behave", "fail_half_way".into()),
        ("password_wo", "pw".into()),
    ];
    let answer = client
        .apply_resource_change(create(&set))
        .await
        .unwrap()
        .into_inner();
    assert!(texts(&answer.diagnostics).contains("Half done"));
    assert_eq!(member(answer.new_state.as_ref(), "id"), "echo/a".into());
    assert_eq!(member(answer.new_state.as_ref(), "result"), Value::Nil);
    assert_eq!(member(answer.new_state.as_ref(), "password_wo"), Value::Nil);
    let set = [("name", Value::from("a")), ("behave", "forget_result".into())];
    let answer = client
        .apply_resource_change(create(&set))
        .await
        .unwrap()
        .into_inner();
    assert!(
        texts(&answer.diagnostics).contains("`result`"),
        "{:?}",
        answer.diagnostics
    );
}

#[tokio::test]
async fn a_failed_delete_returns_state_and_private_state() {
    let plugin = Plugin::start(None);
    let mut client = plugin.client(None).await;
    configure(&mut client).await;
    let prior = [
        ("name", Value::from("a")),
        ("behave", "fail_delete".into()),
        ("id", "echo/a".into()),
    ];
    let request = proto::apply_resource_change::Request {
        type_name: "echo_thing".to_owned(),
        prior_state: message(thing(&prior)),
        planned_state: null(),
        config: null(),
        planned_private: b"kept".to_vec(),
        ..proto::apply_resource_change::Request::default()
    };
    let answer = client.apply_resource_change(request).await.unwrap().into_inner();
    assert!(texts(&answer.diagnostics).contains("Still here"));
    assert_eq!(member(answer.new_state.as_ref(), "id"), "echo/a".into());
    assert_eq!(answer.private, b"kept");
}

#[tokio::test]
async fn a_write_only_value_from_an_old_client_is_refused() {
    let plugin = Plugin::start(None);
    let mut client = plugin.client(None).await;
    let request = |capabilities| proto::validate_resource_config::Request {
        type_name: "echo_thing".to_owned(),
        config: message(thing(&[("name", "a".into()), ("password_wo", "pw".into())])),
        client_capabilities: capabilities,
    };
    let old = client
        .validate_resource_config(request(None))
        .await
        .unwrap()
        .into_inner();
    assert!(
        texts(&old.diagnostics).contains("OpenTofu 1.11"),
        "{:?}",
        old.diagnostics
    );
    let new = client
        .validate_resource_config(request(Some(CAPABLE)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(new.diagnostics, []);
}

#[tokio::test]
async fn all_findings_come_at_once_with_their_paths() {
    let plugin = Plugin::start(None);
    let mut client = plugin.client(None).await;
    let mode = Value::Map(vec![
        ("kind".into(), "FAST".into()),
        ("strict".into(), Value::Nil),
    ]);
    let config = [
        ("name", Value::from("")),
        ("size", 5000.into()),
        ("mode", mode),
        ("tags", Value::Array(vec!["far-too-long".into(), Value::Nil])),
        ("spelling", Value::Ext(0, vec![0])),
    ];
    let request = proto::validate_resource_config::Request {
        type_name: "echo_thing".to_owned(),
        config: message(thing(&config)),
        client_capabilities: Some(CAPABLE),
    };
    let found = client
        .validate_resource_config(request)
        .await
        .unwrap()
        .into_inner()
        .diagnostics;
    assert_eq!(found.len(), 5, "{}", texts(&found));
    assert!(
        found
            .iter()
            .all(|finding| finding.attribute.is_some() && finding.severity == 1)
    );
    assert!(
        texts(&found).contains("`mode.kind` is \"FAST\""),
        "{}",
        texts(&found)
    );
}

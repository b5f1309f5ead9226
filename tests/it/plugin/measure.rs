//! Figures: how fast the plugin starts, how much memory it takes. Run them on an idle machine with
//! `cargo test --release --test it plugin::measure -- --ignored --nocapture`.

use std::process::Command;
use std::time::{Duration, Instant};

use msk::tfplugin::wire::tfplugin6 as proto;
use rmpv::Value;

use super::host::{COOKIE, Identity, Plugin, echo_provider, message, null, thing};

/// The plugin to measure: the one that `MSK_MEASURE` names, else the echo provider.
fn command(identity: &Identity) -> Command {
    let program = std::env::var_os("MSK_MEASURE").unwrap_or_else(|| echo_provider().into());
    let mut command = Command::new(program);
    command
        .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
        .env("PLUGIN_CLIENT_CERT", &identity.pem);
    command
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test]
#[ignore = "a measurement for an idle machine"]
async fn start_to_schema() {
    let identity = Identity::new();
    let (mut lines, mut schemas) = (Vec::new(), Vec::new());
    for _ in 0..41 {
        let command = command(&identity);
        let start = Instant::now();
        let plugin = Plugin::start_command(command);
        lines.push(start.elapsed());
        let mut client = plugin
            .client(Some(&identity))
            .await
            .max_decoding_message_size(1 << 28);
        client
            .get_provider_schema(proto::get_provider_schema::Request {})
            .await
            .unwrap();
        schemas.push(start.elapsed());
    }
    println!(
        "start to handshake line: {:?}; to schema: {:?} (medians)",
        median(lines),
        median(schemas)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement for an idle machine"]
async fn memory_of_two_thousand_plans() {
    let identity = Identity::new();
    let plugin = Plugin::start_command(command(&identity));
    let client = plugin.client(Some(&identity)).await;
    let start_memory = plugin.peak_memory();
    let start = Instant::now();
    // Terraform's default parallelism.
    let workers = (0..10).map(|worker| {
        let mut client = client.clone();
        tokio::spawn(async move {
            for number in 0..200 {
                let labels = (0..10)
                    .map(|n| (format!("key-{n}").into(), "value".into()))
                    .collect();
                let name = format!("thing-{worker}-{number}");
                let config = thing(&[("name", name.as_str().into()), ("labels", Value::Map(labels))]);
                let validate = proto::validate_resource_config::Request {
                    type_name: "echo_thing".to_owned(),
                    config: message(config.clone()),
                    client_capabilities: None,
                };
                client.validate_resource_config(validate).await.unwrap();
                let plan = proto::plan_resource_change::Request {
                    type_name: "echo_thing".to_owned(),
                    prior_state: null(),
                    proposed_new_state: message(config.clone()),
                    config: message(config),
                    ..proto::plan_resource_change::Request::default()
                };
                client.plan_resource_change(plan).await.unwrap();
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    println!(
        "peak memory: {start_memory} KiB at start, {} KiB after 2,000 plans in {:?}",
        plugin.peak_memory(),
        start.elapsed()
    );
}

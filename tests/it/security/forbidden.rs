//! Properties that would undo the cluster's security are refused, however they are spelled.

use msk::kafka::properties::{Scope, check};
use msk::kafka::versions::KafkaVersion;
use msk::spec::check::configuration::check_configuration;
use msk::tfplugin::{Diagnostics, Object, Value};

/// Design, section 7, and what comes to the same.
const UNDOING: [&str; 30] = [
    "super.users",
    "ssl.principal.mapping.rules",
    "principal.builder.class",
    "authorizer.class.name",
    "early.start.listeners",
    "listeners",
    "advertised.listeners",
    "listener.security.protocol.map",
    "inter.broker.listener.name",
    "security.inter.broker.protocol",
    "controller.listener.names",
    "control.plane.listener.name",
    "ssl.client.auth",
    "ssl.keystore.location",
    "ssl.keystore.key",
    "ssl.truststore.location",
    "ssl.truststore.certificates",
    "ssl.endpoint.identification.algorithm",
    "ssl.engine.factory.class",
    "sasl.enabled.mechanisms",
    "sasl.jaas.config",
    "sasl.mechanism.inter.broker.protocol",
    "sasl.server.callback.handler.class",
    "delegation.token.secret.key",
    "config.providers",
    "config.providers.file.class",
    "security.providers",
    "metric.reporters",
    "node.id",
    "log.dirs",
];

fn spellings(name: &str) -> Vec<String> {
    let upper = name.to_uppercase();
    let capital = format!("{}{}", &upper[..1], &name[1..]);
    vec![
        name.to_owned(),
        upper,
        capital,
        format!(" {name}"),
        format!("{name} "),
        format!("\t{name}"),
        format!("{name}\n"),
        format!("{name}\0"),
        format!("{name}=x\n{name}"),
        format!("log.retention.ms=1\n{name}"),
        format!("\u{feff}{name}"),
        format!("{name}\u{200b}"),
        name.replace('s', "\u{17f}"),
        name.replace('e', "\u{435}"),
        name.replace('.', "\u{2024}"),
        name.replacen('s', "\\u0073", 1),
        format!("listener.name.client_tls.{name}"),
        format!("listener.name.CLIENT_TLS.{name}"),
        format!("listener.name.controller.{name}"),
        format!(" listener.name.replication.{name}"),
        format!("listener.name.client_scram.scram-sha-512.{name}"),
    ]
}

#[test]
fn no_spelling_of_a_property_that_undoes_security_is_taken() {
    let oldest = KafkaVersion::parse("3.9.2").unwrap();
    for version in [oldest, KafkaVersion::DEFAULT] {
        for name in UNDOING {
            for spelling in spellings(name) {
                let answer = check(version, Scope::Broker, &spelling, "true");
                assert!(answer.is_err(), "{version}: {spelling:?}");
            }
        }
    }
}

#[test]
fn a_configuration_with_every_one_of_them_names_every_one_of_them() {
    let properties = UNDOING
        .iter()
        .map(|name| ((*name).to_owned(), Value::from("true")));
    let written = Object::new()
        .with("name", "c")
        .with("description", Value::Null)
        .with("kafka_versions", Value::Null)
        .with("server_properties", Value::Map(properties.collect()));
    let mut found = Diagnostics::new();
    assert!(check_configuration(&written, &mut found).is_none());
    let found: Vec<String> = found.into_iter().map(|finding| finding.detail).collect();
    for name in UNDOING {
        assert!(
            found.iter().any(|text| text.contains(&format!("`{name}`"))),
            "{name} in {found:#?}"
        );
    }
}

/// With `in_cluster = false` a file provider is at work: what it reads would end in Kafka's log.
#[test]
fn no_value_can_make_kafka_read_a_file() {
    for version in KafkaVersion::all() {
        let rows: Vec<_> = msk::kafka::properties::all(version, Scope::Broker).collect();
        assert!(rows.len() > 100);
        for property in rows {
            for value in [
                "${file:/etc/passwd:root}",
                "a,${file:/x:password}",
                " ${env:HOME} ",
            ] {
                let answer = check(version, Scope::Broker, property.name, value);
                assert!(answer.is_err(), "{version}: {} = {value}", property.name);
            }
        }
    }
}

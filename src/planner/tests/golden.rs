//! Whole files of properties for the main shapes. A change of one line is a change of behavior.
//!
//! `INSTA_UPDATE=always cargo test --lib golden` writes them anew.

use super::world::{identity, spec};
use crate::kafka::properties::{Scope, find};
use crate::kafka::server_properties::render;
use crate::kafka::versions::KafkaVersion;
use crate::planner::document::{Drawn, first_document};
use crate::planner::outputs::{bootstrap_brokers, client_properties};
use crate::planner::properties::{Profile, effective_changes};
use crate::planner::server_properties::{NodeFiles, server_properties, super_users};
use crate::spec::cluster::{ClientBroker, ClusterSpec, ConfigurationSpecReference};
use crate::spec::ids::NodeId;
use crate::store::documents::ListenerName;

fn files() -> NodeFiles {
    NodeFiles {
        log_directory: "/node/data".to_owned(),
        internal_keystore: "/node/tls/internal.pem".to_owned(),
        internal_truststore: "/node/tls/internal-ca.pem".to_owned(),
        server_keystore: "/node/tls/server.pem".to_owned(),
        client_truststore: "/node/tls/client-ca.pem".to_owned(),
        replication_password: "/node/tls/replication.properties".to_owned(),
    }
}

fn rendered(spec: &ClusterSpec, node: u32) -> String {
    let desired = first_document(spec, Drawn::on_one_machine(&identity(spec)));
    render(&server_properties(&desired, NodeId(node), &files()).unwrap())
}

#[test]
fn a_combined_node_of_three_with_scram() {
    insta::assert_snapshot!(rendered(&spec(3, 1), 2));
}

#[test]
fn a_single_broker_of_kafka_3_9_with_everything_open() {
    let mut spec = spec(1, 1);
    spec.kafka_version = KafkaVersion::parse("3.9.2").unwrap();
    spec.encryption.client_broker = ClientBroker::TlsPlaintext;
    spec.authentication.unauthenticated = true;
    spec.authentication.client_ca_pem = vec!["client ca".to_owned()];
    insta::assert_snapshot!(rendered(&spec, 1));
}

#[test]
fn a_broker_and_a_controller_with_nodes_of_their_own() {
    let mut spec = spec(3, 2);
    spec.dedicated_controllers = true;
    insta::assert_snapshot!("dedicated_broker", rendered(&spec, 6));
    insta::assert_snapshot!("dedicated_controller", rendered(&spec, 10_003));
}

#[test]
fn replication_without_tls_refers_to_the_password_and_does_not_hold_it() {
    let mut spec = spec(3, 1);
    spec.encryption.in_cluster = false;
    let text = rendered(&spec, 3);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| {
            line.contains("replication.") || line.contains("config.providers") || line.contains("sasl")
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_configuration_wins_over_defaults_but_never_over_security() {
    let mut spec = spec(3, 1);
    let line = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    spec.configuration = Some(ConfigurationSpecReference {
        id: "events".to_owned(),
        revision: 1,
        server_properties: [
            line("num.partitions", "6"),
            line("log.retention.hours", "1"),
            line("super.users", "User:me"),
            line("listener.name.controller.ssl.client.auth", "none"),
        ]
        .into(),
    });
    let desired = first_document(&spec, Drawn::on_one_machine(&identity(&spec)));
    let lines = server_properties(&desired, NodeId(1), &files()).unwrap();
    assert_eq!(lines["num.partitions"], "6");
    assert_eq!(lines["log.retention.ms"], "3600000");
    assert!(!lines.contains_key("log.retention.hours"));
    assert_eq!(
        lines["super.users"],
        "User:__msk-node-1;User:__msk-node-2;User:__msk-node-3"
    );
    assert_eq!(lines["listener.name.controller.ssl.client.auth"], "required");
}

#[test]
fn every_rendered_property_is_known_to_its_version_and_rightly_valued() {
    for version in KafkaVersion::all() {
        for (zones, each, dedicated, in_cluster) in
            [(1, 1, false, true), (3, 2, true, false), (2, 1, false, true)]
        {
            let mut spec = spec(zones, each);
            spec.kafka_version = version;
            spec.dedicated_controllers = dedicated;
            spec.encryption.in_cluster = in_cluster;
            let desired = first_document(&spec, Drawn::on_one_machine(&identity(&spec)));
            for node in &desired.nodes {
                for (name, value) in server_properties(&desired, node.id, &files()).unwrap() {
                    // The authorizer and the providers read theirs themselves, so Kafka's table lacks them.
                    let is_elsewhere = ["listener.name.", "config.providers", "super.users"];
                    if is_elsewhere.iter().any(|prefix| name.starts_with(prefix)) {
                        continue;
                    }
                    let property = find(version, Scope::Broker, &name);
                    let property = property.unwrap_or_else(|| panic!("{name} is not in Kafka {version}"));
                    property.check(&value).unwrap();
                }
            }
        }
    }
}

#[test]
fn no_internal_listener_shares_trust_with_a_client_listener() {
    let mut spec = spec(3, 1);
    spec.authentication.client_ca_pem = vec!["client ca".to_owned()];
    let desired = first_document(&spec, Drawn::on_one_machine(&identity(&spec)));
    let lines = server_properties(&desired, NodeId(1), &files()).unwrap();
    for name in ["agent", "replication", "controller"] {
        let prefix = format!("listener.name.{name}.ssl");
        assert_eq!(
            lines[&format!("{prefix}.truststore.location")],
            "/node/tls/internal-ca.pem"
        );
        assert_eq!(lines[&format!("{prefix}.client.auth")], "required");
        assert_eq!(
            lines[&format!("{prefix}.principal.mapping.rules")],
            "RULE:^CN=(__msk-node-[0-9]+)$/$1/"
        );
    }
    for name in ["client_tls", "client_scram"] {
        let prefix = format!("listener.name.{name}.ssl");
        assert_eq!(
            lines[&format!("{prefix}.keystore.location")],
            "/node/tls/server.pem"
        );
        assert!(!lines.contains_key(&format!("{prefix}.principal.mapping.rules")));
    }
    assert_eq!(
        lines["listener.name.client_tls.ssl.truststore.location"],
        "/node/tls/client-ca.pem"
    );
    assert!(!super_users(&desired).contains("CN="));
}

#[test]
fn ports_follow_the_formula_and_closed_listeners_have_no_endpoints() {
    let mut spec = spec(3, 1);
    spec.dedicated_controllers = true;
    let desired = first_document(&spec, Drawn::on_one_machine(&identity(&spec)));
    assert_eq!(
        bootstrap_brokers(&desired, ListenerName::ClientScram).unwrap(),
        "127.0.0.1:20006,127.0.0.1:20016,127.0.0.1:20026"
    );
    assert_eq!(bootstrap_brokers(&desired, ListenerName::ClientPlaintext), None);
    assert_eq!(
        desired.node(NodeId(10_001)).unwrap().ports[&ListenerName::Controller],
        20_033
    );
    let zones: Vec<&str> = desired.nodes.iter().map(|node| node.zone.as_str()).collect();
    assert_eq!(
        zones,
        ["zone-a", "zone-b", "zone-c", "zone-a", "zone-b", "zone-c"]
    );
}

#[test]
fn client_properties_have_limits_and_no_secrets() {
    let mut spec = spec(1, 1);
    spec.max_message_bytes = 2_000_000;
    let desired = first_document(&spec, Drawn::on_one_machine(&identity(&spec)));
    let texts = client_properties(&desired);
    assert_eq!(texts.keys().copied().collect::<Vec<_>>(), ["sasl_scram"]);
    insta::assert_snapshot!(texts["sasl_scram"]);
}

#[test]
fn writing_a_default_is_no_change_and_another_value_needs_a_restart() {
    let before = spec(3, 1);
    let with = |value: &str| {
        let mut spec = spec(3, 1);
        spec.configuration = Some(ConfigurationSpecReference {
            id: "events".to_owned(),
            revision: 1,
            server_properties: [("auto.create.topics.enable".to_owned(), value.to_owned())].into(),
        });
        effective_changes(&before, &spec, Profile::OneMachine)
    };
    assert!(with("FALSE").restart.is_empty());
    assert_eq!(with("true").restart.len(), 1);
}

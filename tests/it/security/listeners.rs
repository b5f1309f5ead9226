//! Who gets through which listener, and as whom.

use std::path::{Path, PathBuf};
use std::time::Duration;

use msk::node::home::NodeDirectory;
use msk::spec::cluster::{AuthenticationSpec, ClientBroker, EncryptionSpec};
use msk::store::documents::{ListenerName, NodePhase};
use serde_json::{Value, json};

use super::clients::{ClientAuthority, Handshake, Identity, ask, handshake, step};
use super::{SOON, bootstrap, grant, hunt, port};
use crate::node_agent::cluster::{Cluster, Options};

const PASSWORD: &str = "correct horse battery staple 42";
const OTHER_PASSWORD: &str = "bob has nothing but this";

/// What a test of listeners has at hand.
struct Scene {
    cluster: Cluster,
    keep: tempfile::TempDir,
    authority: ClientAuthority,
    trusted: PathBuf,
}

impl Scene {
    async fn open(brokers: usize, encryption: EncryptionSpec, authentication: AuthenticationSpec) -> Self {
        let keep = tempfile::tempdir().unwrap();
        let authority = ClientAuthority::create(keep.path());
        let mut options = Options::brokers(brokers);
        options.encryption = encryption;
        options.authentication = AuthenticationSpec {
            client_ca_pem: vec![authority.pem()],
            ..authentication
        };
        let cluster = Cluster::create(&options).await;
        cluster.start_agents();
        for node in 1..=u32::try_from(brokers).unwrap() {
            cluster.wait_for_phase(node, NodePhase::InSync, SOON).await;
        }
        let trusted = keep.path().join("server-ca.pem");
        let pem = msk::planner::outputs::ca_certificate_pem(&cluster.desired().await);
        std::fs::write(&trusted, pem).unwrap();
        Self {
            cluster,
            keep,
            authority,
            trusted,
        }
    }

    fn node(&self) -> &NodeDirectory {
        &self.cluster.nodes[0]
    }

    /// What a node shows the others, as a thief of its disk would use it.
    fn internal(&self) -> Identity {
        let file = self.node().tls().join("internal.pem").into_std_path_buf();
        Identity {
            certificate: file.clone(),
            key: file,
        }
    }

    fn server(&self) -> Identity {
        let file = self.node().tls().join("server.pem").into_std_path_buf();
        Identity {
            certificate: file.clone(),
            key: file,
        }
    }

    fn internal_authority(&self) -> PathBuf {
        self.node().tls().join("internal-ca.pem").into_std_path_buf()
    }

    async fn shake(
        &self,
        listener: ListenerName,
        authority: &Path,
        identity: Option<&Identity>,
    ) -> [Handshake; 2] {
        let port = port(&self.cluster, 1, listener).await;
        ["-tls1_2", "-tls1_3"].map(|version| handshake(port, authority, identity, version))
    }

    async fn client(&self, listener: ListenerName, more: Value) -> Value {
        let mut config = json!({
            "bootstrap.servers": bootstrap(&self.cluster, listener).await,
            "security.protocol": "SSL",
            "ssl.ca.location": self.trusted,
        });
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
        config
    }

    async fn with_certificate(&self, identity: &Identity) -> Value {
        let files = json!({
            "ssl.certificate.location": identity.certificate, "ssl.key.location": identity.key,
        });
        self.client(ListenerName::ClientTls, files).await
    }

    async fn with_password(&self, user: &str, password: &str) -> Value {
        let login = json!({
            "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user, "sasl.password": password,
        });
        self.client(ListenerName::ClientScram, login).await
    }
}

fn refused(shakes: &[Handshake; 2], what: &str) {
    for shake in shakes {
        assert!(!shake.is_done, "{what} got through: {}", shake.said);
    }
}

fn done(shakes: &[Handshake; 2], what: &str) {
    for shake in shakes {
        assert!(shake.is_done, "{what}: {}", shake.said);
    }
}

/// Neither the controllers' nor the agents' door opens for anybody but a node.
async fn internal_ports_take_nodes_alone(scene: &Scene, listeners: &[ListenerName], forged: &Identity) {
    let authority = scene.internal_authority();
    for listener in listeners {
        let name = listener.as_str();
        let shake = scene.shake(*listener, &authority, Some(&scene.internal())).await;
        done(&shake, &format!("a node on {name}"));
        let shake = scene.shake(*listener, &authority, None).await;
        refused(&shake, &format!("no certificate on {name}"));
        let shake = scene.shake(*listener, &authority, Some(forged)).await;
        refused(
            &shake,
            &format!("a client's certificate with a node's name on {name}"),
        );
        let shake = scene.shake(*listener, &authority, Some(&scene.server())).await;
        refused(&shake, &format!("a node's certificate for clients on {name}"));
        let shake = scene
            .shake(*listener, &scene.trusted, Some(&scene.internal()))
            .await;
        refused(&shake, &format!("{name} under the authority that clients trust"));
    }
}

fn strangers_are_told_no(who: &str, config: &Value) {
    let attempts = [
        ("allow_everything", json!({}), "CLUSTER_AUTHORIZATION_FAILED"),
        (
            "set_user",
            json!({ "user": "__msk-node-1", "password": "x" }),
            "CLUSTER_AUTHORIZATION_FAILED",
        ),
        (
            "create_topic",
            json!({ "topic": "mine" }),
            "TOPIC_AUTHORIZATION_FAILED",
        ),
        (
            "produce",
            json!({ "topic": "orders", "patience": 8 }),
            "TOPIC_AUTHORIZATION_FAILED",
        ),
        (
            "consume",
            json!({ "topic": "orders", "group": "g" }),
            "GROUP_AUTHORIZATION_FAILED",
        ),
    ];
    let steps: Vec<Value> = attempts
        .iter()
        .map(|(what, more, _)| step(what, config, more.clone()))
        .chain([step("metadata", config, json!({}))])
        .collect();
    let said = ask(&steps);
    for ((what, _, error), said) in attempts.iter().zip(&said) {
        let is_topic = said.error.as_deref() == Some("TOPIC_AUTHORIZATION_FAILED");
        let is_right = said.error.as_deref() == Some(*error) || (*what == "consume" && is_topic);
        assert!(is_right, "{who}, {what}: {said:?}");
    }
    let seen = said.last().unwrap();
    assert_eq!(seen.ok, json!([]), "{who} sees topics: {seen:?}");
}

#[tokio::test]
async fn an_open_door_opens_nothing_and_replication_needs_no_certificate() {
    let encryption = EncryptionSpec {
        client_broker: ClientBroker::TlsPlaintext,
        in_cluster: false,
    };
    let authentication = AuthenticationSpec {
        scram: true,
        client_ca_pem: Vec::new(),
        unauthenticated: true,
    };
    let scene = Scene::open(2, encryption, authentication).await;
    let forged = scene.authority.sign("forged", "/CN=__msk-node-1");
    let app = scene.authority.sign("app", "/CN=app");
    let users = [("app", PASSWORD), ("bob", OTHER_PASSWORD)];
    let acls = [("User:app", "orders"), ("User:CN=app", "orders")];
    grant(&scene.cluster, &users, &["orders"], &acls).await;

    internal_ports_take_nodes_alone(&scene, &[ListenerName::Agent, ListenerName::Controller], &forged).await;

    // Whoever is nobody, or somebody without rights, is told so by name.
    let plain = json!({
        "bootstrap.servers": bootstrap(&scene.cluster, ListenerName::ClientPlaintext).await,
    });
    strangers_are_told_no("nobody on 9092", &plain);
    let anonymous = scene.client(ListenerName::ClientTls, json!({})).await;
    strangers_are_told_no("nobody on 9094", &anonymous);
    let forged = scene.with_certificate(&forged).await;
    strangers_are_told_no("a client with a node's name on 9094", &forged);
    let bob = scene.with_password("bob", OTHER_PASSWORD).await;
    strangers_are_told_no("a user without rights on 9096", &bob);

    node_certificates_are_no_clients(&scene).await;
    replication_is_for_those_who_log_in(&scene).await;
    let app = scene.with_certificate(&app).await;
    rights_and_passwords_count(&scene, &app).await;
    replicas_follow(&scene).await;

    hunt::nothing_is_open_to_others(&scene.cluster.root().join("data"));
    hunt::no_secret_is_out(&scene.cluster, &[PASSWORD, OTHER_PASSWORD]);
    drop(scene.keep);
}

async fn node_certificates_are_no_clients(scene: &Scene) {
    for (what, identity) in [("internal", scene.internal()), ("server", scene.server())] {
        let shake = scene
            .shake(ListenerName::ClientTls, &scene.trusted, Some(&identity))
            .await;
        refused(&shake, &format!("a node's {what} certificate on 9094"));
    }
}

/// 9091 without encryption: a door for SCRAM users, and only the nodes' own are super users.
async fn replication_is_for_those_who_log_in(scene: &Scene) {
    let servers = bootstrap(&scene.cluster, ListenerName::Replication).await;
    let login = |user: &str, password: &str| {
        json!({
            "bootstrap.servers": servers, "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": user, "sasl.password": password,
        })
    };
    let bob = login("bob", OTHER_PASSWORD);
    let thief = login("__msk-node-1", OTHER_PASSWORD);
    let nobody = json!({ "bootstrap.servers": servers, "security.protocol": "PLAINTEXT" });
    let said = ask(&[
        step("allow_everything", &bob, json!({})),
        step("metadata", &thief, json!({ "patience": 5 })),
        step("metadata", &nobody, json!({ "patience": 5 })),
    ]);
    assert_eq!(
        said[0].error.as_deref(),
        Some("CLUSTER_AUTHORIZATION_FAILED"),
        "{said:?}"
    );
    assert!(
        said[1].error.is_some() && said[1].events.contains("_AUTHENTICATION"),
        "{said:?}"
    );
    assert!(said[2].error.is_some(), "{said:?}");
}

async fn rights_and_passwords_count(scene: &Scene, by_certificate: &Value) {
    let right = scene.with_password("app", PASSWORD).await;
    let wrong = scene.with_password("app", "correct horse").await;
    let unknown = scene.with_password("mallory", PASSWORD).await;
    let reserved = scene.with_password("__msk-node-1", PASSWORD).await;
    let mut weaker = right.clone();
    weaker["sasl.mechanism"] = json!("SCRAM-SHA-256");
    let mut plain = right.clone();
    plain["sasl.mechanism"] = json!("PLAIN");
    let short = json!({ "patience": 5 });
    let said = ask(&[
        step("produce", &right, json!({ "topic": "orders" })),
        step(
            "produce",
            by_certificate,
            json!({ "topic": "orders", "partition": 1 }),
        ),
        step("consume", &right, json!({ "topic": "orders", "group": "g" })),
        step("allow_everything", &right, json!({})),
        step("metadata", &wrong, short.clone()),
        step("metadata", &unknown, short.clone()),
        step("metadata", &reserved, short.clone()),
        step("metadata", &weaker, short.clone()),
        step("metadata", &plain, short),
    ]);
    assert_eq!(said[0].ok, json!(1), "{said:?}");
    assert_eq!(said[1].ok, json!(1), "{said:?}");
    assert_eq!(said[2].ok, json!("hello"), "{said:?}");
    assert_eq!(
        said[3].error.as_deref(),
        Some("CLUSTER_AUTHORIZATION_FAILED"),
        "{said:?}"
    );
    for refused in &said[4..] {
        assert!(refused.error.is_some(), "{refused:?}");
        assert!(refused.events.contains("_AUTHENTICATION"), "{refused:?}");
    }
}

/// Both brokers have both replicas: they logged in at each other with SCRAM.
async fn replicas_follow(scene: &Scene) {
    let patience = Duration::from_mins(1);
    for node in [1, 2] {
        let status = scene.cluster.wait_for(node, patience, |status| {
            status.phase == NodePhase::InSync
                && status
                    .view
                    .as_ref()
                    .is_some_and(|view| view.out_of_sync.is_empty() && view.live_brokers.len() == 2)
        });
        status.await;
    }
    let properties = std::fs::read_to_string(scene.node().configuration().join("server.properties")).unwrap();
    assert!(properties.contains("REPLICATION:SASL_PLAINTEXT"), "{properties}");
    assert!(
        properties.contains("${file:"),
        "the password itself stands in the properties"
    );
}

#[tokio::test]
async fn mutual_tls_alone_takes_the_users_authorities_alone() {
    let authentication = AuthenticationSpec {
        scram: false,
        client_ca_pem: Vec::new(),
        unauthenticated: false,
    };
    let scene = Scene::open(1, EncryptionSpec::default(), authentication).await;
    let forged = scene.authority.sign("forged", "/CN=__msk-node-1");
    let app = scene.authority.sign("app", "/O=acme/CN=app");
    // Allowing the forged name something shows how Kafka calls it: by its full name, never as a node.
    let acls = [
        ("User:CN=app,O=acme", "orders"),
        ("User:CN=__msk-node-1", "orders"),
    ];
    grant(&scene.cluster, &[], &["orders"], &acls).await;
    let all = [
        ListenerName::Agent,
        ListenerName::Replication,
        ListenerName::Controller,
    ];
    internal_ports_take_nodes_alone(&scene, &all, &forged).await;

    node_certificates_are_no_clients(&scene).await;
    let shake = scene.shake(ListenerName::ClientTls, &scene.trusted, None).await;
    refused(&shake, "no certificate on 9094");
    let shake = scene
        .shake(ListenerName::ClientTls, &scene.trusted, Some(&app))
        .await;
    done(&shake, "a client on 9094");
    let shake = scene
        .shake(ListenerName::ClientTls, &scene.internal_authority(), Some(&app))
        .await;
    refused(&shake, "9094 under the internal authority");

    let forged = scene.with_certificate(&forged).await;
    let app = scene.with_certificate(&app).await;
    let said = ask(&[
        step("metadata", &forged, json!({})),
        step("allow_everything", &forged, json!({})),
        step("create_topic", &forged, json!({ "topic": "mine" })),
        step("produce", &app, json!({ "topic": "orders" })),
    ]);
    assert_eq!(said[0].ok, json!(["orders"]), "{said:?}");
    assert_eq!(
        said[1].error.as_deref(),
        Some("CLUSTER_AUTHORIZATION_FAILED"),
        "{said:?}"
    );
    assert_eq!(
        said[2].error.as_deref(),
        Some("TOPIC_AUTHORIZATION_FAILED"),
        "{said:?}"
    );
    assert_eq!(said[3].ok, json!(1), "{said:?}");

    let desired = scene.cluster.desired().await;
    let told = msk::planner::outputs::ca_certificate_pem(&desired);
    assert_eq!(told.matches("BEGIN CERTIFICATE").count(), 1);
    let internal = std::fs::read_to_string(scene.internal_authority()).unwrap();
    assert_ne!(told.trim(), internal.trim());
    let texts = msk::planner::outputs::client_properties(&desired);
    let body = internal.lines().nth(3).unwrap();
    assert!(texts.values().all(|text| !text.contains(body)), "{texts:?}");
}

//! What a finished cluster tells its users: bootstrap strings, brokers, texts for client programs.
//! Functions of the desired document alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::server_properties::bracketed;
use crate::observed::ObservedCluster;
use crate::spec::ids::NodeId;
use crate::store::documents::{ClientAuthentication, ClusterDesired, ListenerDesired, ListenerName};

/// The listeners that clients use, in the order of their ports.
pub const CLIENT_LISTENERS: [ListenerName; 4] = [
    ListenerName::ClientPlaintext,
    ListenerName::ClientTls,
    ListenerName::ClientScram,
    ListenerName::ClientIam,
];

/// One row of the attribute `brokers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerOutput {
    /// The broker's id.
    pub id: NodeId,
    /// Its zone.
    pub zone: String,
    /// The host that it advertises.
    pub host: String,
    /// AWS: its instance.
    pub instance_id: Option<String>,
    /// AWS: its volume.
    pub volume_id: Option<String>,
    /// AWS: its private address.
    pub private_ip: Option<String>,
}

/// `host:port,…` of every broker by id, or `None` if the listener is closed.
pub fn bootstrap_brokers(desired: &ClusterDesired, listener: ListenerName) -> Option<String> {
    desired.listener(listener)?;
    let endpoints: Vec<String> = desired
        .nodes
        .iter()
        .filter(|node| node.is_broker)
        .filter_map(|node| {
            let port = node.ports.get(&listener)?;
            Some(format!("{}:{port}", bracketed(&node.advertised_host)))
        })
        .collect();
    (!endpoints.is_empty()).then(|| endpoints.join(","))
}

/// The brokers by id.
pub fn brokers(desired: &ClusterDesired, seen: &ObservedCluster) -> Vec<BrokerOutput> {
    let places = seen.places.known();
    let instance = |id: NodeId| {
        let machine = seen.nodes.get(&id)?.machine.as_ref()?;
        machine.placement.known()?.instance_id.clone()
    };
    desired
        .nodes
        .iter()
        .filter(|node| node.is_broker)
        .map(|node| BrokerOutput {
            id: node.id,
            zone: node.zone.clone(),
            host: node.advertised_host.clone(),
            instance_id: instance(node.id),
            volume_id: node.machine.as_ref().map(|machine| machine.volume_id.clone()),
            private_ip: places
                .and_then(|places| places.nodes.get(&node.id)?.interface.as_ref())
                .map(|interface| interface.address.clone()),
        })
        .collect()
}

/// What clients trust: both authorities while one replaces the other.
pub fn ca_certificate_pem(desired: &ClusterDesired) -> String {
    let mut text = String::new();
    for pem in &desired.server_ca_pem {
        text.push_str(pem.trim_end());
        text.push('\n');
    }
    text
}

/// The key of a listener in `client_properties`.
pub const fn client_listener_key(listener: ListenerName) -> Option<&'static str> {
    match listener {
        ListenerName::ClientPlaintext => Some("plaintext"),
        ListenerName::ClientTls => Some("tls"),
        ListenerName::ClientScram => Some("sasl_scram"),
        ListenerName::ClientIam => Some("sasl_iam"),
        ListenerName::Agent | ListenerName::Replication | ListenerName::Controller => None,
    }
}

/// For each open listener the text of a `client.properties` for Kafka's own clients. No secrets: where
/// one belongs, a comment says so.
pub fn client_properties(desired: &ClusterDesired) -> BTreeMap<&'static str, String> {
    CLIENT_LISTENERS
        .into_iter()
        .filter_map(|name| {
            let listener = desired.listener(name)?;
            let key = client_listener_key(name)?;
            let servers = bootstrap_brokers(desired, name)?;
            Some((key, client_text(desired, listener, &servers)))
        })
        .collect()
}

fn client_text(desired: &ClusterDesired, listener: &ListenerDesired, servers: &str) -> String {
    let mut text = String::new();
    let mut add = |name: &str, value: &str| {
        let _ = writeln!(text, "{name}={value}");
    };
    add("bootstrap.servers", servers);
    add(
        "security.protocol",
        super::server_properties::protocol_name(listener.protocol),
    );
    if listener.name != ListenerName::ClientPlaintext {
        add("ssl.truststore.type", "PEM");
        // One line: properties files know no other line breaks within a value.
        let pem = ca_certificate_pem(desired).trim_end().replace('\n', "\\n");
        add("ssl.truststore.certificates", &pem);
    }
    let largest = desired
        .live_properties
        .get("message.max.bytes")
        .map_or("1048588", String::as_str);
    add("max.request.size", largest);
    add("max.partition.fetch.bytes", largest);
    if listener.name == ListenerName::ClientScram {
        add("sasl.mechanism", "SCRAM-SHA-512");
        let _ = writeln!(
            text,
            "# sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
             username=\"…\" password=\"…\";"
        );
    }
    if listener.client_authentication != ClientAuthentication::None {
        let _ = writeln!(
            text,
            "# ssl.keystore.type=PEM\n# ssl.keystore.location=a file with your key (PKCS#8) and certificate chain"
        );
    }
    text
}

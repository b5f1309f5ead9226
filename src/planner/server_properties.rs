//! The properties of one node. `kafka::server_properties` renders them to text.
//!
//! The rules of the internal listeners stand here in one place: mutual TLS with the internal authority
//! only, node certificates become `__msk-node-<id>`, and exactly these are super users.

use std::collections::BTreeMap;

use crate::spec::ids::NodeId;
use crate::store::documents::{
    ClientAuthentication, ClusterDesired, ListenerDesired, ListenerName, NodeDesired, SecurityProtocol,
    ServerTrust,
};

/// Where the files lie to which a node's properties refer. Absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFiles {
    /// Kafka's log directory; a controller's metadata lies there as well.
    pub log_directory: String,
    /// Key and chain of the node under the internal authority (PEM, one file).
    pub internal_keystore: String,
    /// The internal authority's certificates (PEM).
    pub internal_truststore: String,
    /// Key and chain of the node under the server authority (PEM, one file).
    pub server_keystore: String,
    /// The user's authorities for client certificates (PEM); used only if the document has some.
    pub client_truststore: String,
    /// A properties file with the line `password=…` of the node's reserved user, mode 0600; used only
    /// with `in_cluster = false`. The password itself never stands in the properties.
    pub replication_password: String,
}

/// The reserved name of a node: its certificate's common name, its SCRAM user, its principal.
pub fn node_principal(node: NodeId) -> String {
    format!("__msk-node-{node}")
}

/// The value of `super.users`: the cluster's own nodes and nobody else.
pub fn super_users(desired: &ClusterDesired) -> String {
    let users: Vec<String> = desired
        .nodes
        .iter()
        .map(|node| format!("User:{}", node_principal(node.id)))
        .collect();
    users.join(";")
}

/// The properties of the node, or `None` if the document has no such node.
pub fn server_properties(
    desired: &ClusterDesired,
    node: NodeId,
    files: &NodeFiles,
) -> Option<BTreeMap<String, String>> {
    let node = desired.node(node)?;
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    lines.extend(desired.static_properties.clone());
    lines.extend(desired.live_properties.clone());
    // From here on nothing of a configuration can win.
    lines.extend(identity(desired, node, files));
    lines.extend(listener_table(desired, node));
    for listener in &desired.listeners {
        // A broker dials controllers with the settings of their listener, so it has them too.
        if node.ports.contains_key(&listener.name) || listener.name == ListenerName::Controller {
            lines.extend(listener_settings(desired, node, listener, files));
        }
    }
    Some(lines)
}

type Lines = Vec<(String, String)>;

fn line(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn identity(desired: &ClusterDesired, node: &NodeDesired, files: &NodeFiles) -> Lines {
    let roles = match (node.is_broker, node.is_controller) {
        (true, true) => "broker,controller",
        (false, true) => "controller",
        (_, false) => "broker",
    };
    let voters: Vec<String> = desired
        .initial_voters
        .iter()
        .map(|voter| format!("{}:{}", bracketed(&voter.host), voter.port))
        .collect();
    let mut lines = vec![
        line("process.roles", roles),
        line("node.id", node.id.to_string()),
        line("log.dirs", files.log_directory.as_str()),
        line("controller.quorum.bootstrap.servers", voters.join(",")),
        line(
            "authorizer.class.name",
            "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        ),
        line("super.users", super_users(desired)),
    ];
    if node.is_broker {
        lines.push(line("broker.rack", node.zone.as_str()));
    }
    lines
}

fn listener_table(desired: &ClusterDesired, node: &NodeDesired) -> Lines {
    let open = |host: &str| -> String {
        let endpoints: Vec<String> = desired
            .listeners
            .iter()
            .filter_map(|listener| {
                let port = node.ports.get(&listener.name)?;
                Some(format!("{}://{}:{port}", listener.name, bracketed(host)))
            })
            .collect();
        endpoints.join(",")
    };
    let protocols: Vec<String> = desired
        .listeners
        .iter()
        .map(|listener| format!("{}:{}", listener.name, protocol_name(listener.protocol)))
        .collect();
    let mut lines = vec![
        line("listeners", open(&node.bind_address)),
        line("advertised.listeners", open(&node.advertised_host)),
        line("listener.security.protocol.map", protocols.join(",")),
        line("controller.listener.names", ListenerName::Controller.as_str()),
    ];
    if node.is_controller {
        // A node without that listener does not start if it is named here.
        lines.push(line("early.start.listeners", ListenerName::Controller.as_str()));
    }
    if node.is_broker {
        lines.push(line(
            "inter.broker.listener.name",
            ListenerName::Replication.as_str(),
        ));
    }
    lines
}

fn listener_settings(
    desired: &ClusterDesired,
    node: &NodeDesired,
    listener: &ListenerDesired,
    files: &NodeFiles,
) -> Lines {
    let prefix = format!("listener.name.{}", listener.name.as_str().to_lowercase());
    let mut lines = Vec::new();
    match listener.trust {
        Some(ServerTrust::Internal) => lines.extend(internal_tls(&prefix, files)),
        Some(ServerTrust::Server) => lines.extend(client_tls(&prefix, desired, listener, files)),
        None => {}
    }
    match listener.protocol {
        SecurityProtocol::SaslSsl => lines.extend(scram(&prefix, "")),
        SecurityProtocol::SaslPlaintext => {
            let password = format!("${{file:{}:password}}", files.replication_password);
            let user = node_principal(node.id);
            lines.extend(scram(
                &prefix,
                &format!(" username=\"{user}\" password=\"{password}\""),
            ));
            lines.extend(file_provider(files));
        }
        SecurityProtocol::Plaintext | SecurityProtocol::Ssl => {}
    }
    lines
}

/// Mutual TLS within the cluster. The one mapping rule has no `DEFAULT` behind it: a certificate with
/// another name is refused even if the internal authority had signed it.
fn internal_tls(prefix: &str, files: &NodeFiles) -> Lines {
    let mut lines = keystore(prefix, &files.internal_keystore);
    lines.extend(truststore(prefix, &files.internal_truststore));
    lines.push((format!("{prefix}.ssl.client.auth"), "required".to_owned()));
    lines.push((
        format!("{prefix}.ssl.principal.mapping.rules"),
        "RULE:^CN=(__msk-node-[0-9]+)$/$1/".to_owned(),
    ));
    lines
}

/// TLS for clients: the user's authorities are the only ones that are trusted, so no certificate of a
/// node passes here; and the principal stays the full distinguished name, which no node has.
fn client_tls(
    prefix: &str,
    desired: &ClusterDesired,
    listener: &ListenerDesired,
    files: &NodeFiles,
) -> Lines {
    let mut lines = keystore(prefix, &files.server_keystore);
    let client_auth = match listener.client_authentication {
        ClientAuthentication::None => "none",
        ClientAuthentication::Requested => "requested",
        ClientAuthentication::Required => "required",
    };
    if listener.client_authentication != ClientAuthentication::None && !desired.client_ca_pem.is_empty() {
        lines.extend(truststore(prefix, &files.client_truststore));
    }
    lines.push((format!("{prefix}.ssl.client.auth"), client_auth.to_owned()));
    lines
}

fn keystore(prefix: &str, path: &str) -> Lines {
    vec![
        (format!("{prefix}.ssl.keystore.type"), "PEM".to_owned()),
        (format!("{prefix}.ssl.keystore.location"), path.to_owned()),
    ]
}

fn truststore(prefix: &str, path: &str) -> Lines {
    vec![
        (format!("{prefix}.ssl.truststore.type"), "PEM".to_owned()),
        (format!("{prefix}.ssl.truststore.location"), path.to_owned()),
    ]
}

/// The server side of SCRAM; `login` adds the user with which a broker dials others.
fn scram(prefix: &str, login: &str) -> Lines {
    let mut lines = vec![
        (
            format!("{prefix}.sasl.enabled.mechanisms"),
            "SCRAM-SHA-512".to_owned(),
        ),
        (
            format!("{prefix}.scram-sha-512.sasl.jaas.config"),
            format!("org.apache.kafka.common.security.scram.ScramLoginModule required{login};"),
        ),
    ];
    if !login.is_empty() {
        lines.push(line("sasl.mechanism.inter.broker.protocol", "SCRAM-SHA-512"));
    }
    lines
}

fn file_provider(files: &NodeFiles) -> Lines {
    vec![
        line("config.providers", "file"),
        line(
            "config.providers.file.class",
            "org.apache.kafka.common.config.provider.FileConfigProvider",
        ),
        line(
            "config.providers.file.param.allowed.paths",
            files.replication_password.as_str(),
        ),
    ]
}

/// Kafka's name of a protocol.
pub const fn protocol_name(protocol: SecurityProtocol) -> &'static str {
    match protocol {
        SecurityProtocol::Plaintext => "PLAINTEXT",
        SecurityProtocol::Ssl => "SSL",
        SecurityProtocol::SaslPlaintext => "SASL_PLAINTEXT",
        SecurityProtocol::SaslSsl => "SASL_SSL",
    }
}

/// An address as it stands before `:port`: IPv6 in brackets.
pub(super) fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

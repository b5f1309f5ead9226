//! What a node's certificates should say: taken from the desired document alone, by who signs and by who uses them.

use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::pki::{Certificate, LeafProfile, Role};
use crate::spec::ids::NodeId;
use crate::store::documents::{ClusterDesired, ListenerName, NodeDesired, RunTarget, ServerTrust};

/// A certificate that a node should have.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Under which authority.
    pub(super) trust: ServerTrust,
    /// What it says.
    pub(super) profile: LeafProfile,
    /// The listeners that show it.
    pub(super) listeners: Vec<ListenerName>,
    /// The authority's certificates, as the document lists them.
    authorities: Vec<Certificate>,
}

/// The certificates of a node; none if the document does not have it, or wants it gone.
pub(super) fn wanted(cluster: &ClusterDesired, node: NodeId) -> Vec<Wanted> {
    let node = cluster.node(node).filter(|node| node.run != RunTarget::Removed);
    let Some(node) = node else { return Vec::new() };
    let (dns_names, addresses) = names(node);
    let lifetime = Duration::from_secs(cluster.leaf_lifetime_seconds);
    let mut all = Vec::new();
    for trust in [ServerTrust::Internal, ServerTrust::Server] {
        let listeners = listeners(cluster, node, trust);
        if listeners.is_empty() {
            continue;
        }
        let (profile, authorities) = match trust {
            ServerTrust::Internal => (
                LeafProfile::node(node.id, dns_names.clone(), addresses.clone(), lifetime),
                &cluster.internal_ca_pem,
            ),
            ServerTrust::Server => (
                LeafProfile::server(dns_names.clone(), addresses.clone(), lifetime),
                &cluster.server_ca_pem,
            ),
        };
        let authorities = authorities.iter().map(|pem| Certificate::from_pem(pem));
        all.push(Wanted {
            trust,
            profile,
            listeners,
            authorities: authorities.filter_map(Result::ok).collect(),
        });
    }
    all
}

impl Wanted {
    /// Whether a certificate says what it should, and is neither due nor over.
    pub(super) fn is_met_by(&self, certificate: &Certificate, now: Timestamp) -> bool {
        self.is_usable(certificate, now)
            && self.profile.is_met_by(certificate)
            && now < certificate.renew_at()
    }

    /// Whether the others still take a certificate, whatever names it has.
    pub(super) fn is_usable(&self, certificate: &Certificate, now: Timestamp) -> bool {
        let mut authorities = self.authorities.iter();
        certificate.is_valid_at(now) && authorities.any(|authority| certificate.is_issued_by(authority))
    }
}

/// Which authority signs for a listener.
pub(super) const fn role(trust: ServerTrust) -> Role {
    match trust {
        ServerTrust::Internal => Role::Internal,
        ServerTrust::Server => Role::Server,
    }
}

/// The TLS listeners of a node under one authority. A broker without a controller's role still dials
/// controllers with the settings of their listener.
fn listeners(cluster: &ClusterDesired, node: &NodeDesired, trust: ServerTrust) -> Vec<ListenerName> {
    let all = cluster.listeners.iter();
    all.filter(|listener| listener.trust == Some(trust))
        .map(|listener| listener.name)
        .filter(|name| node.ports.contains_key(name) || *name == ListenerName::Controller)
        .collect()
}

/// Every name and address under which the node is reached.
fn names(node: &NodeDesired) -> (Vec<String>, Vec<IpAddr>) {
    let mut dns_names = Vec::new();
    let mut addresses = Vec::new();
    let all = [&node.advertised_host, &node.bind_address];
    for name in all.into_iter().chain(&node.certificate_names) {
        match name.parse::<IpAddr>() {
            Ok(address) if address.is_unspecified() || addresses.contains(&address) => {}
            Ok(address) => addresses.push(address),
            Err(_) if name.is_empty() || dns_names.contains(name) => {}
            Err(_) => dns_names.push(name.clone()),
        }
    }
    (dns_names, addresses)
}

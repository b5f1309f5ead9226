//! The desired document of a cluster: every choice about its nodes, made from what the user wants and
//! from what was drawn once.

use std::collections::BTreeMap;

use super::properties::{Profile, cluster_properties, with_returned_defaults};
use crate::observed::{ObservedCluster, Seen};
use crate::spec::cluster::{ClusterSpec, FIRST_CONTROLLER_ID};
use crate::spec::ids::NodeId;
use crate::store::documents::{
    ClientAuthentication, ClusterDesired, ClusterIdentity, ClusterPlaces, ListenerDesired, ListenerName,
    MachineDesired, NodeDesired, RunTarget, SecurityProtocol, ServerTrust, Voter,
};

/// The document that `WriteDesired` writes, or `None` while the identity is not known.
///
/// A cluster that was never ACTIVE gets what is wanted. Later only what is live may change, so that no
/// running broker waits for a restart that nobody planned; the rest of the document stays.
pub fn desired_document(wanted: &ClusterSpec, seen: &ObservedCluster) -> Option<ClusterDesired> {
    let drawn = Drawn::seen(wanted, seen)?;
    match (&seen.desired, seen.was_active) {
        (Seen::Known((_, before)), true) => Some(next_document(wanted, drawn, before)),
        (Seen::Known(_) | Seen::Absent, _) => Some(first_document(wanted, drawn)),
        (Seen::Uncertain, _) => None,
    }
}

/// What a cluster was given once: what no document about it can be written without.
#[derive(Debug, Clone, Copy)]
pub struct Drawn<'a> {
    /// Ids, ports, authorities.
    pub identity: &'a ClusterIdentity,
    /// AWS: addresses and volumes, complete for every node.
    pub places: Option<&'a ClusterPlaces>,
}

impl<'a> Drawn<'a> {
    /// Of a cluster on one machine.
    pub const fn on_one_machine(identity: &'a ClusterIdentity) -> Self {
        Self {
            identity,
            places: None,
        }
    }

    /// What was seen of it; `None` while something is missing.
    pub fn seen(wanted: &ClusterSpec, seen: &'a ObservedCluster) -> Option<Self> {
        let identity = seen.identity.known()?;
        if wanted.aws.is_none() {
            return Some(Self::on_one_machine(identity));
        }
        let places = seen.places.known()?;
        let is_complete = |node: &NodeId| {
            let placed = places.nodes.get(node);
            placed.is_some_and(|placed| placed.interface.is_some() && placed.volume_id.is_some())
        };
        wanted.node_ids().iter().all(is_complete).then_some(Self {
            identity,
            places: Some(places),
        })
    }
}

/// The document of a new cluster.
pub fn first_document(wanted: &ClusterSpec, drawn: Drawn<'_>) -> ClusterDesired {
    let identity = drawn.identity;
    let properties = cluster_properties(wanted, profile(identity));
    let nodes = nodes(wanted, drawn);
    let initial_voters = voters(wanted, identity, &nodes);
    ClusterDesired {
        name: wanted.name.clone(),
        kafka_cluster_id: identity.kafka_cluster_id.clone(),
        kafka_version: wanted.kafka_version,
        nodes,
        initial_voters,
        listeners: listeners(wanted),
        static_properties: properties.fixed,
        live_properties: properties.live,
        internal_ca_pem: vec![identity.internal_ca_pem.clone()],
        server_ca_pem: vec![identity.server_ca_pem.clone()],
        client_ca_pem: wanted.authentication.client_ca_pem.clone(),
        leaf_lifetime_seconds: wanted.local.leaf_lifetime.as_secs(),
    }
}

/// The document of a cluster that serves: `before` with the live properties that are wanted now.
pub fn next_document(wanted: &ClusterSpec, drawn: Drawn<'_>, before: &ClusterDesired) -> ClusterDesired {
    let live = cluster_properties(wanted, profile(drawn.identity)).live;
    ClusterDesired {
        live_properties: with_returned_defaults(wanted, &before.live_properties, live),
        nodes: with_machines(&before.nodes, drawn),
        ..before.clone()
    }
}

/// The nodes with the interfaces and volumes that they have now: what was lost may have been made anew.
fn with_machines(nodes: &[NodeDesired], drawn: Drawn<'_>) -> Vec<NodeDesired> {
    let nodes = nodes.iter().map(|node| {
        let place = drawn.places.and_then(|places| place_in_account(places, node.id));
        let machine = place.map_or_else(|| node.machine.clone(), |place| place.machine);
        NodeDesired {
            machine,
            ..node.clone()
        }
    });
    nodes.collect()
}

/// `before` with every node marked for removal.
pub fn removal_document(before: &ClusterDesired) -> ClusterDesired {
    let mut removal = before.clone();
    for node in &mut removal.nodes {
        node.run = RunTarget::Removed;
    }
    removal
}

/// What of a wanted cluster waits for a restart, by name, for people.
pub fn waiting_for_restart(wanted: &ClusterSpec, drawn: Drawn<'_>, before: &ClusterDesired) -> Vec<String> {
    let target = first_document(wanted, drawn);
    let mut waiting: Vec<String> = Vec::new();
    let mut differs = |name: &str, is_other: bool| {
        if is_other {
            waiting.push(name.to_owned());
        }
    };
    differs("kafka_version", target.kafka_version != before.kafka_version);
    differs("nodes", target.nodes != with_machines(&before.nodes, drawn));
    differs("listeners", target.listeners != before.listeners);
    differs("client authorities", target.client_ca_pem != before.client_ca_pem);
    differs(
        "certificate lifetime",
        target.leaf_lifetime_seconds != before.leaf_lifetime_seconds,
    );
    for name in target
        .static_properties
        .keys()
        .chain(before.static_properties.keys())
    {
        let is_other = target.static_properties.get(name) != before.static_properties.get(name);
        if is_other && !waiting.contains(name) {
            waiting.push(name.clone());
        }
    }
    waiting
}

/// A block of ports is claimed on one machine only.
const fn profile(identity: &ClusterIdentity) -> Profile {
    if identity.base_port.is_some() {
        Profile::OneMachine
    } else {
        Profile::Machines
    }
}

/// The zones by number: those recorded at creation; before that by name.
fn numbered_zones(wanted: &ClusterSpec, identity: &ClusterIdentity) -> Vec<String> {
    if identity.zones.is_empty() {
        wanted.zones.iter().cloned().collect()
    } else {
        identity.zones.clone()
    }
}

fn nodes(wanted: &ClusterSpec, drawn: Drawn<'_>) -> Vec<NodeDesired> {
    let identity = drawn.identity;
    let zones = numbered_zones(wanted, identity);
    let brokers = wanted.broker_ids();
    let controllers = wanted.controller_ids();
    let is_open = listeners(wanted);
    wanted
        .node_ids()
        .into_iter()
        .map(|id| {
            let is_broker = brokers.contains(&id);
            let is_controller = controllers.contains(&id);
            let zone = wanted.zone_of(id, &zones).unwrap_or_default();
            let place = drawn
                .places
                .and_then(|places| place_in_account(places, id))
                .unwrap_or_else(|| place_on_machine(wanted, zone));
            NodeDesired {
                id,
                is_broker,
                is_controller,
                zone: place.zone,
                bind_address: place.bind_address,
                advertised_host: place.advertised_host,
                certificate_names: place.certificate_names,
                ports: ports(id, is_broker, is_controller, &is_open, wanted, identity),
                heap: place.heap,
                run: RunTarget::Running,
                machine: place.machine,
            }
        })
        .collect()
}

/// What a node has of the place where it runs.
struct Place {
    zone: String,
    bind_address: String,
    advertised_host: String,
    certificate_names: Vec<String>,
    heap: String,
    machine: Option<MachineDesired>,
}

fn place_on_machine(wanted: &ClusterSpec, zone: &str) -> Place {
    let address = wanted.local.listen_address.clone();
    Place {
        zone: zone.to_owned(),
        bind_address: address.clone(),
        certificate_names: certificate_names(&address),
        advertised_host: address,
        heap: wanted.local.heap.clone(),
        machine: None,
    }
}

fn place_in_account(places: &ClusterPlaces, id: NodeId) -> Option<Place> {
    let placed = places.nodes.get(&id)?;
    let interface = placed.interface.as_ref()?;
    Some(Place {
        zone: placed.zone_id.clone(),
        bind_address: interface.address.clone(),
        advertised_host: interface.host.clone(),
        certificate_names: vec![interface.host.clone(), interface.address.clone()],
        heap: heap(placed.memory),
        machine: Some(MachineDesired {
            interface_id: interface.id.clone(),
            volume_id: placed.volume_id.clone()?,
        }),
    })
}

/// The JVM heap of a machine with so many MiB: half of it, since the page cache serves consumers, and never more than
/// 6 GiB, which Kafka does not use (Kafka's operations guide, "Java version": 6 GB on machines with much more).
fn heap(memory: u64) -> String {
    const STEP: u64 = 256;
    let half = memory / 2 / STEP * STEP;
    format!("{}m", half.clamp(512, 6 << 10))
}

/// Clients on the machine itself also say `localhost`.
fn certificate_names(listen_address: &str) -> Vec<String> {
    let mut names = vec![listen_address.to_owned()];
    for name in ["localhost", "127.0.0.1", "::1"] {
        if is_loopback(listen_address) && name != listen_address {
            names.push(name.to_owned());
        }
    }
    names
}

fn is_loopback(address: &str) -> bool {
    address == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Whether a node with these roles opens the listener.
const fn is_opened_by(name: ListenerName, is_broker: bool, is_controller: bool) -> bool {
    match name {
        ListenerName::Controller => is_controller,
        _ => is_broker,
    }
}

fn ports(
    id: NodeId,
    is_broker: bool,
    is_controller: bool,
    listeners: &[ListenerDesired],
    wanted: &ClusterSpec,
    identity: &ClusterIdentity,
) -> BTreeMap<ListenerName, u16> {
    // Brokers by id, after them dedicated controllers.
    let index = if id.0 >= FIRST_CONTROLLER_ID {
        wanted.broker_count() + (id.0 - FIRST_CONTROLLER_ID)
    } else {
        id.0.saturating_sub(1)
    };
    let index = u16::try_from(index).unwrap_or(u16::MAX);
    listeners
        .iter()
        .filter(|listener| is_opened_by(listener.name, is_broker, is_controller))
        .map(|listener| {
            let port = match identity.base_port {
                Some(base) => base
                    .saturating_add(index.saturating_mul(10))
                    .saturating_add(listener.name.port_offset()),
                None => 9090 + listener.name.port_offset(),
            };
            (listener.name, port)
        })
        .collect()
}

fn voters(wanted: &ClusterSpec, identity: &ClusterIdentity, nodes: &[NodeDesired]) -> Vec<Voter> {
    let controllers = wanted.controller_ids();
    nodes
        .iter()
        .filter(|node| controllers.contains(&node.id))
        .filter_map(|node| {
            Some(Voter {
                node_id: node.id,
                directory_id: identity.voter_directory_ids.get(&node.id)?.clone(),
                host: node.advertised_host.clone(),
                port: *node.ports.get(&ListenerName::Controller)?,
            })
        })
        .collect()
}

/// The open listeners by the interface's table, in the order of their names.
pub(super) fn listeners(wanted: &ClusterSpec) -> Vec<ListenerDesired> {
    let internal = |name| ListenerDesired {
        name,
        protocol: SecurityProtocol::Ssl,
        trust: Some(ServerTrust::Internal),
        client_authentication: ClientAuthentication::Required,
    };
    let client = |name, protocol, client_authentication| ListenerDesired {
        name,
        protocol,
        trust: Some(ServerTrust::Server),
        client_authentication,
    };
    let plain = |name, protocol| ListenerDesired {
        name,
        protocol,
        trust: None,
        client_authentication: ClientAuthentication::None,
    };
    let mut open = vec![internal(ListenerName::Agent)];
    open.push(if wanted.encryption.in_cluster {
        internal(ListenerName::Replication)
    } else {
        plain(ListenerName::Replication, SecurityProtocol::SaslPlaintext)
    });
    open.push(internal(ListenerName::Controller));
    let authentication = &wanted.authentication;
    let encryption = wanted.encryption.client_broker;
    if encryption.has_plaintext() && authentication.unauthenticated {
        open.push(plain(ListenerName::ClientPlaintext, SecurityProtocol::Plaintext));
    }
    if encryption.has_tls() && (authentication.has_tls() || authentication.unauthenticated) {
        let certificates = match (authentication.has_tls(), authentication.unauthenticated) {
            (true, false) => ClientAuthentication::Required,
            (true, true) => ClientAuthentication::Requested,
            (false, _) => ClientAuthentication::None,
        };
        open.push(client(
            ListenerName::ClientTls,
            SecurityProtocol::Ssl,
            certificates,
        ));
    }
    if encryption.has_tls() && authentication.scram {
        let scram = client(
            ListenerName::ClientScram,
            SecurityProtocol::SaslSsl,
            ClientAuthentication::None,
        );
        open.push(scram);
    }
    open
}

//! A world for tests of the planner: small clusters, and a model of what each step does to them.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::kafka::versions::KafkaVersion;
use crate::planner::document::{Drawn, first_document};
use crate::spec::cluster::{
    AuthenticationSpec, ClusterSpec, DEFAULT_MAX_MESSAGE_BYTES, EncryptionSpec, LocalSpec, SizeSpec, Sources,
};
use crate::spec::ids::{ClusterName, Generation, KafkaUuid, NodeId};
use crate::store::documents::{
    ClusterDesired, ClusterIdentity, Incarnation, NodePhase, NodeStatus, PeerView, ProcessIdentity,
};

/// A cluster with so many zones and brokers in each; TLS, SCRAM.
pub(crate) fn spec(zones: u32, brokers_per_zone: u32) -> ClusterSpec {
    ClusterSpec {
        name: ClusterName::new("events"),
        kafka_version: KafkaVersion::DEFAULT,
        zones: zone_names(zones),
        brokers_per_zone,
        encryption: EncryptionSpec::default(),
        authentication: AuthenticationSpec {
            scram: true,
            client_ca_pem: Vec::new(),
            unauthenticated: false,
        },
        configuration: None,
        max_message_bytes: DEFAULT_MAX_MESSAGE_BYTES,
        dedicated_controllers: false,
        controller_zones: BTreeSet::new(),
        client_sources: Sources::default(),
        monitoring_sources: Sources::default(),
        security_group_ids: BTreeSet::new(),
        size: SizeSpec::default(),
        deletion_protection: true,
        tags: BTreeMap::new(),
        local: LocalSpec::default(),
        aws: None,
    }
}

/// `zone-a`, `zone-b`, `zone-c`.
pub(crate) fn zone_names(zones: u32) -> BTreeSet<String> {
    ["zone-a", "zone-b", "zone-c"]
        .into_iter()
        .take(zones as usize)
        .map(str::to_owned)
        .collect()
}

/// What `ClaimIdentity` draws for the cluster.
pub(crate) fn identity(spec: &ClusterSpec) -> ClusterIdentity {
    ClusterIdentity {
        kafka_cluster_id: KafkaUuid::new("clusterAAAAAAAAAAAAAAA"),
        zones: spec.zones.iter().cloned().collect(),
        base_port: spec.aws.is_none().then_some(20_000),
        voter_directory_ids: spec
            .controller_ids()
            .into_iter()
            .map(|id| (id, KafkaUuid::new(format!("directory{:013}", id.0))))
            .collect(),
        internal_ca_pem: "internal ca\n".to_owned(),
        server_ca_pem: "server ca\n".to_owned(),
    }
}

/// The status of a node that is in sync, with a view in which all is well.
pub(crate) fn status(
    desired: &ClusterDesired,
    node: NodeId,
    generation: Generation,
    now: Timestamp,
) -> NodeStatus {
    let process = ProcessIdentity {
        process_id: 1000 + node.0,
        process_start: 1,
    };
    let voters: Vec<NodeId> = desired.initial_voters.iter().map(|voter| voter.node_id).collect();
    let brokers: Vec<NodeId> = desired
        .nodes
        .iter()
        .filter(|node| node.is_broker)
        .map(|node| node.id)
        .collect();
    NodeStatus {
        node_id: node,
        incarnation: Incarnation {
            boot_id: "boot".to_owned(),
            instance_id: String::new(),
            agent: process.clone(),
            kafka: Some(process),
        },
        written_at: now,
        heartbeat_seconds: 5,
        agent_version: "0.1.0".to_owned(),
        phase: NodePhase::InSync,
        progress: String::new(),
        problem: None,
        applied: generation,
        dials_until: None,
        asks_for_certificates: false,
        certificates_expire_at: None,
        view: brokers.contains(&node).then(|| PeerView {
            observed_at: now,
            live_brokers: brokers.clone(),
            quorum_leader: voters.first().copied(),
            voters: voters.clone(),
            caught_up_voters: voters,
            ..PeerView::default()
        }),
        unexpected_exits: 0,
        machine: None,
    }
}

/// The document and the statuses of a cluster in which all is well.
pub(crate) fn healthy(spec: &ClusterSpec, now: Timestamp) -> (ClusterDesired, BTreeMap<NodeId, NodeStatus>) {
    let desired = first_document(spec, Drawn::on_one_machine(&identity(spec)));
    let statuses = desired
        .nodes
        .iter()
        .map(|node| (node.id, status(&desired, node.id, Generation(1), now)))
        .collect();
    (desired, statuses)
}

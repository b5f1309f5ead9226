//! From documents to the attributes of `msk_cluster`.

use crate::observed::{ObservedCluster, Seen};
use crate::planner::outputs;
use crate::planner::report::PlannedOperation;
use crate::store::documents::{ClusterDesired, ListenerName, NodePhase, Phase};
use crate::tfplugin::{Object, Value};

/// Sets everything that only the provider tells, from what was seen. What is not known stays as it was.
pub(super) fn set_computed(state: &mut Object, seen: &ObservedCluster) {
    state.set("state", cluster_state(seen));
    for null in [
        "bootstrap_brokers_sasl_iam",
        "zookeeper_connect_string",
        "zookeeper_connect_string_tls",
    ] {
        state.set(null, Value::Null);
    }
    if let Seen::Known(identity) = &seen.identity {
        state.set("kafka_cluster_id", identity.kafka_cluster_id.as_str());
    }
    if let Seen::Known((_, desired)) = &seen.desired {
        set_endpoints(state, desired, seen);
    }
}

fn set_endpoints(state: &mut Object, desired: &ClusterDesired, seen: &ObservedCluster) {
    let listeners = [
        ("bootstrap_brokers", ListenerName::ClientPlaintext),
        ("bootstrap_brokers_tls", ListenerName::ClientTls),
        ("bootstrap_brokers_sasl_scram", ListenerName::ClientScram),
    ];
    for (attribute, listener) in listeners {
        state.set(attribute, outputs::bootstrap_brokers(desired, listener));
    }
    state.set("ca_certificate_pem", outputs::ca_certificate_pem(desired));
    state.set(
        "client_properties",
        Value::map(outputs::client_properties(desired)),
    );
    let brokers = outputs::brokers(desired, seen).into_iter().map(|broker| {
        Object::new()
            .with("id", broker.id.0)
            .with("zone", broker.zone)
            .with("host", broker.host)
            .with("instance_id", broker.instance_id)
            .with("volume_id", broker.volume_id)
            .with("private_ip", broker.private_ip)
    });
    state.set("brokers", Value::list(brokers));
}

/// Nodes are down, and all of them come up by themselves.
pub(super) const HEALING: &str = "HEALING";

/// The word for the cluster as a whole.
pub(super) fn cluster_state(seen: &ObservedCluster) -> &'static str {
    if !seen.was_active {
        return if seen.phase == Phase::Making {
            "CREATING"
        } else {
            "FAILED"
        };
    }
    let Seen::Known((_, desired)) = &seen.desired else {
        return "DEGRADED";
    };
    let phases = desired.nodes.iter().map(|node| {
        let seen = seen.nodes.get(&node.id)?;
        let is_up = seen.status_is_fresh && !matches!(seen.agent, Seen::Absent);
        seen.status.as_ref().filter(|_| is_up).map(|status| status.phase)
    });
    let phases: Vec<Option<NodePhase>> = phases.collect();
    let all = |fits: fn(NodePhase) -> bool| phases.iter().all(|phase| phase.is_some_and(fits));
    if all(|phase| phase == NodePhase::InSync) {
        return "ACTIVE";
    }
    let comes_up = |phase| {
        matches!(
            phase,
            NodePhase::InSync
                | NodePhase::Running
                | NodePhase::Starting
                | NodePhase::Recovering
                | NodePhase::Preparing
                | NodePhase::Formatting
        )
    };
    if all(comes_up) { HEALING } else { "DEGRADED" }
}

/// The value of `planned_operations`.
pub(super) fn operations(rows: Vec<PlannedOperation>) -> Value {
    Value::list(rows.into_iter().map(|row| {
        Object::new()
            .with("order", row.order)
            .with("operation", row.operation)
            .with("target", row.target)
            .with("reason", row.reason)
            .with("effect", row.effect)
            .with("estimated_seconds", row.estimated_seconds)
    }))
}

//! The cluster as a whole: its id, its brokers.

use kafka_protocol::messages::{DescribeClusterRequest, UnregisterBrokerRequest};

use super::{Admin, node, our_node, owned};
use crate::kafka::client::error::Error;
use crate::spec::ids::{KafkaUuid, NodeId};

/// Which addresses are asked for; a controller's listener answers only for controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointKind {
    /// Brokers; to be asked of a broker.
    Brokers,
    /// Controllers; to be asked of a controller.
    Controllers,
}

/// A node as the cluster knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerNode {
    /// The node's id.
    pub id: NodeId,
    /// The host that it advertises on the listener that was asked.
    pub host: String,
    /// The port that goes with it.
    pub port: i32,
    /// Its rack: the availability zone.
    pub rack: Option<String>,
    /// Whether it is registered but not in service; `None` before Kafka 4.0, which lists only brokers in
    /// service.
    pub is_fenced: Option<bool>,
}

/// The cluster's id and nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDescription {
    /// The id that the cluster was formatted with.
    pub cluster_id: KafkaUuid,
    /// Asked of a controller: the active one. Asked of a broker in `KRaft`: any broker, so do not use it.
    pub controller: Option<NodeId>,
    /// The nodes, fenced ones included from Kafka 4.0 on.
    pub nodes: Vec<BrokerNode>,
}

impl Admin {
    /// Describes the cluster.
    ///
    /// # Errors
    /// [`Error`]; `MISMATCHED_ENDPOINT_TYPE` if a broker is asked for controllers or the other way round.
    pub async fn describe_cluster(&self, kind: EndpointKind) -> Result<ClusterDescription, Error> {
        let answer = self
            .session
            .call(|version| {
                let request = DescribeClusterRequest::default();
                match (version, kind) {
                    (0, _) => request,
                    (1, EndpointKind::Brokers) => request.with_endpoint_type(1),
                    (_, EndpointKind::Brokers) => {
                        request.with_endpoint_type(1).with_include_fenced_brokers(true)
                    }
                    (_, EndpointKind::Controllers) => request.with_endpoint_type(2),
                }
            })
            .await?;
        let tells_fenced = answer.version >= 2 && kind == EndpointKind::Brokers;
        let body = answer.body;
        self.check::<DescribeClusterRequest>(body.error_code, body.error_message.as_deref())?;
        let nodes = body.brokers.iter().filter_map(|broker| {
            Some(BrokerNode {
                id: our_node(broker.broker_id)?,
                host: broker.host.as_str().to_owned(),
                port: broker.port,
                rack: owned(broker.rack.as_ref()),
                is_fenced: tells_fenced.then_some(broker.is_fenced),
            })
        });
        Ok(ClusterDescription {
            cluster_id: KafkaUuid::new(body.cluster_id.as_str()),
            controller: our_node(body.controller_id),
            nodes: nodes.collect(),
        })
    }

    /// Makes the cluster forget a broker. Kafka does not ask whether it lives: stop it first.
    ///
    /// # Errors
    /// [`Error`]; `BROKER_ID_NOT_REGISTERED` if it is forgotten already.
    pub async fn unregister_broker(&self, id: NodeId) -> Result<(), Error> {
        let answer = self
            .session
            .call(|_| UnregisterBrokerRequest::default().with_broker_id(node(id)))
            .await?;
        self.check::<UnregisterBrokerRequest>(answer.body.error_code, answer.body.error_message.as_deref())
    }
}

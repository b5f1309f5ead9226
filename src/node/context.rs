//! What the loops of one agent share. Each value has one writer; the others watch it.

use std::sync::Arc;

use tokio::sync::watch;

use super::certificates::Certificates;
use super::home::{NodeDirectory, NodeHome};
use super::own_machine::OwnMachine;
use super::secrets::Secrets;
use crate::clock::Timestamp;
use crate::spec::ids::{Generation, NodeId};
use crate::store::Documents;
use crate::store::documents::{ClusterDesired, NodeDesired, NodeStatus, PeerView, Problem};
use crate::vault::Vault;

/// The desired document that the agent obeys at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Desired {
    /// Its generation.
    pub(crate) generation: Generation,
    /// The document.
    pub(crate) cluster: ClusterDesired,
}

/// How Kafka's process stands, for the loops that talk to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KafkaState {
    /// It cannot be talked to.
    Down,
    /// It answers, since this moment.
    Ready(Timestamp),
}

/// What the agents of the other nodes say, with the time at which each status was written.
pub(crate) type Peers = Vec<NodeStatus>;

/// What every part of an agent needs.
pub(crate) struct Context {
    /// `node.json`.
    pub(crate) home: NodeHome,
    /// The node's directory.
    pub(crate) directory: NodeDirectory,
    /// The cluster's documents.
    pub(crate) documents: Documents,
    /// The machine, if it is this node's alone.
    pub(crate) machine: Option<OwnMachine>,
    /// What is private to the cluster, as far as this node may have it.
    pub(crate) vault: Vault,
    /// The way to users' secrets; none on one machine.
    pub(crate) secrets: Secrets,
    /// Written by the supervisor.
    pub(crate) desired: watch::Sender<Option<Arc<Desired>>>,
    /// Written by the supervisor.
    pub(crate) kafka: watch::Sender<KafkaState>,
    /// What this broker's metadata says; written by the observer.
    pub(crate) view: watch::Sender<Option<PeerView>>,
    /// The other nodes' last statuses; written by the observer.
    pub(crate) peers: watch::Sender<Peers>,
    /// The certificates that this agent has put in place; connections begin anew when they change.
    pub(crate) certificates: watch::Sender<Option<Certificates>>,
    /// Whether this node waits for a controller to sign its certificates.
    pub(crate) asks: watch::Sender<bool>,
    /// What keeps certificates from being renewed; written by the renewal.
    pub(crate) renewal: watch::Sender<Option<Problem>>,
    /// Whether Kafka is to be restarted once; set by who holds the disruption lock, taken back by the
    /// supervisor.
    pub(crate) restart: watch::Sender<bool>,
    /// What a restart that is due waits for; empty: nothing. Written by who takes the disruption lock.
    pub(crate) restart_waits: watch::Sender<String>,
}

impl Context {
    /// Puts the parts together; nothing is known yet.
    pub(crate) fn new(
        home: NodeHome,
        directory: NodeDirectory,
        documents: Documents,
        machine: Option<OwnMachine>,
    ) -> Self {
        Self {
            vault: home.vault(documents.store()),
            machine,
            secrets: Secrets::default(),
            home,
            directory,
            documents,
            desired: watch::Sender::new(None),
            kafka: watch::Sender::new(KafkaState::Down),
            view: watch::Sender::new(None),
            peers: watch::Sender::new(Vec::new()),
            certificates: watch::Sender::new(None),
            asks: watch::Sender::new(false),
            renewal: watch::Sender::new(None),
            restart: watch::Sender::new(false),
            restart_waits: watch::Sender::new(String::new()),
        }
    }

    /// With a way to Secrets Manager.
    pub(crate) fn with_secrets(mut self, client: aws_sdk_secretsmanager::Client) -> Self {
        self.secrets = Secrets::new(client);
        self
    }

    /// This node's id.
    pub(crate) const fn node_id(&self) -> NodeId {
        self.home.node_id
    }

    /// Whether a restart is asked for; it is asked for no more after that.
    pub(crate) fn take_restart(&self) -> bool {
        self.restart.send_if_modified(std::mem::take)
    }

    /// Says whether this node waits for a controller to sign its certificates.
    pub(crate) fn tell_asking(&self, asks: bool) {
        self.asks
            .send_if_modified(|before| std::mem::replace(before, asks) != asks);
    }

    /// The document obeyed at present.
    pub(crate) fn desired(&self) -> Option<Arc<Desired>> {
        self.desired.borrow().clone()
    }
}

impl Desired {
    /// The entry of one node.
    pub(crate) fn node(&self, id: NodeId) -> Option<&NodeDesired> {
        self.cluster.node(id)
    }
}

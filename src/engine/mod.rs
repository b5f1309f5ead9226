//! Does what the plan says, one journalled step after the other. Makes no choices.
//!
//! [`Engine`] is what differs between one machine and AWS; everything else (claims, the record, the
//! journal, waiting for nodes, topics, ACLs, users, configurations) is the same and lives here.

use std::collections::BTreeMap;

use crate::kafka::versions::KafkaVersion;
use crate::observed::Seen;
use crate::observed::cloud::{ObservedMachine, ObservedSecurityGroup};
use crate::planner::step::Step;
use crate::spec::cluster::ClusterSpec;
use crate::spec::ids::{ClusterName, ClusterUid, NodeId};
use crate::store::Store;
use crate::store::documents::{ClusterDesired, ClusterIdentity, ClusterPlaces, NodeStatus};

/// Numbers every effect on the world, so that a test can cut a run before or after each of them.
pub mod effects;

/// What both engines draw once for a cluster and keep in its vault.
pub mod authorities;

/// The record of what an operation does, kept in the store.
pub mod journal;

/// Runs the steps of a plan: one order at a time, the steps of one order together.
pub mod run;

/// The operations on one cluster: create, look, change, delete.
pub mod cluster;

/// Configurations in the control store.
pub mod configurations;

/// Topics, ACLs and users.
pub mod access;

/// The engine that the provider block names.
pub mod any;

/// The engine for one machine.
pub mod local;

/// The engine for the user's AWS account.
pub mod ec2;

/// `terraform-provider-msk clusters …`.
pub mod command_line;

/// An engine's own error, on its way to a message.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Names a cluster for an engine: what keys, tags and directories are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterPlace {
    /// The name.
    pub name: ClusterName,
    /// The identity.
    pub uid: ClusterUid,
}

/// What an engine sees of one node, without its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePlace {
    /// The place for the node's data.
    pub disk: Seen<()>,
    /// The agent's process (AWS: the instance).
    pub agent: Seen<()>,
    /// Kafka's process.
    pub kafka: Seen<()>,
    /// AWS: the node's objects.
    pub machine: Option<ObservedMachine>,
}

/// What an engine sees of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// The nodes.
    pub nodes: BTreeMap<NodeId, NodePlace>,
    /// AWS: the cluster's security group; absent on one machine.
    pub security_group: Seen<ObservedSecurityGroup>,
}

/// What a step is about that makes something.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The control store.
    pub store: &'a Store,
    /// The cluster.
    pub place: &'a ClusterPlace,
    /// What is wanted.
    pub wanted: &'a ClusterSpec,
}

impl NodePlace {
    /// A node of which nothing is there.
    pub const ABSENT: Self = Self {
        disk: Seen::Absent,
        agent: Seen::Absent,
        kafka: Seen::Absent,
        machine: None,
    };
}

/// What makes, finds and removes the machines of a cluster. Every method can be called twice with the
/// same result and dropped at any await.
pub trait Engine: Send + Sync + 'static {
    /// Checks what the steps need of the host (Java, room, free ports, where Kafka comes from), before
    /// the first effect, so that nothing is half done.
    ///
    /// # Errors
    /// What is missing and how to mend it.
    fn check_host(
        &self,
        wanted: &ClusterSpec,
        steps: &[Step],
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Puts Kafka's distribution in place (AWS: into the control bucket).
    ///
    /// # Errors
    /// Where it was looked for and what failed.
    fn fetch_kafka(
        &self,
        store: &Store,
        version: KafkaVersion,
        progress: &run::Progress,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Draws what a cluster keeps for life: ids, a block of ports, authorities. Called again after a
    /// cut, it keeps what it claimed before.
    ///
    /// # Errors
    /// What could not be claimed or written.
    fn draw_identity(
        &self,
        store: &Store,
        place: &ClusterPlace,
        wanted: &ClusterSpec,
    ) -> impl Future<Output = Result<ClusterIdentity, BoxError>> + Send;

    /// AWS: makes what outlives every instance and is not there yet, and notes it in [`ClusterPlaces`]. No plan for one
    /// machine has this step.
    ///
    /// # Errors
    /// What could not be made.
    fn make_places(
        &self,
        order: Order<'_>,
        progress: &run::Progress,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// AWS: brings the inbound rules of the cluster's security group and the groups on its interfaces in line.
    ///
    /// # Errors
    /// What could not be changed.
    fn align_network(&self, order: Order<'_>) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// AWS: brings the tags of every object, and what the next instances start with, in line. No instance is replaced.
    ///
    /// # Errors
    /// What AWS said.
    fn align_objects(
        &self,
        order: Order<'_>,
        progress: &run::Progress,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// AWS: changes a node's volume online, until its new size can be used.
    ///
    /// # Errors
    /// What AWS said.
    fn change_volume(
        &self,
        order: Order<'_>,
        node: NodeId,
        progress: &run::Progress,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Ends the node's machine and gives it an empty volume in place of one that is gone. One machine has none.
    ///
    /// # Errors
    /// What AWS said; the volume is there after all.
    fn replace_volume(
        &self,
        order: Order<'_>,
        node: NodeId,
        progress: &run::Progress,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Looks at the engine's own side of a cluster: the nodes of the desired document, and any others that are there.
    ///
    /// # Errors
    /// What could not be looked at.
    fn observe(
        &self,
        store: &Store,
        place: &ClusterPlace,
        desired: Option<&ClusterDesired>,
        places: Option<&ClusterPlaces>,
    ) -> impl Future<Output = Result<Sight, BoxError>> + Send;

    /// Whether a status comes from the node's current incarnation.
    fn is_current(&self, status: &NodeStatus) -> bool;

    /// Makes a node's place if it is not there and starts its agent if none runs.
    ///
    /// # Errors
    /// What the agent said.
    fn start_node(
        &self,
        order: Order<'_>,
        node: NodeId,
        progress: &run::Progress,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Why the agent of a node may have ended, in its own last words.
    fn last_words(&self, place: &ClusterPlace, node: NodeId) -> String;

    /// Ends a node's processes wherever they hang, then removes its place with all data.
    ///
    /// # Errors
    /// What stays.
    fn remove_node(
        &self,
        store: &Store,
        place: &ClusterPlace,
        node: NodeId,
        progress: &run::Progress,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// The arguments of `terraform-provider-msk clusters` that name the control store.
    fn arguments(&self) -> String;

    /// What a person does with the parts of a cluster whose documents are gone, as the end of a sentence.
    fn way_to_remove(&self, name: &ClusterName) -> String {
        format!(
            "run `terraform-provider-msk clusters discard {name} {}`",
            self.arguments()
        )
    }

    /// Removes what is left of a cluster outside the store: stray processes, keys, claims of ports.
    ///
    /// # Errors
    /// What stays.
    fn remove_cluster(
        &self,
        store: &Store,
        place: &ClusterPlace,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// The clusters of which anything is there outside the store.
    ///
    /// # Errors
    /// What could not be looked at.
    fn find_places(&self) -> impl Future<Output = Result<Vec<ClusterPlace>, BoxError>> + Send;

    /// What of a cluster is still there outside the store, for people; empty: nothing.
    ///
    /// # Errors
    /// What could not be looked at.
    fn leftovers(&self, place: &ClusterPlace) -> impl Future<Output = Result<Vec<String>, BoxError>> + Send;
}

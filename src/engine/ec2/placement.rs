//! What keeps an instance for a node: an Auto Scaling group of one, or nothing but the next apply.

use std::collections::BTreeMap;

use super::account::Ec2Engine;
use super::error::Ec2Error;
use super::group::GroupOfOne;
use super::instance::PlainInstance;
use super::names::Names;
use super::tag::Change;
use crate::spec::cluster::SelfHealing;
use crate::spec::ids::NodeId;

/// A node and what fixes its instance: two instances cannot have one interface, so there is never more than one.
#[derive(Debug, Clone)]
pub struct Held<'a> {
    /// The node.
    pub node: NodeId,
    /// Its fixed interface; `None` while it is not made.
    pub interface_id: Option<&'a str>,
}

/// What a node's instance should be.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The node and its interface.
    pub held: Held<'a>,
    /// The zone of interface and volume.
    pub zone: &'a str,
    /// The launch template of the next instance.
    pub template_id: &'a str,
    /// Tags of the user.
    pub tags: &'a BTreeMap<String, String>,
}

/// What keeps an instance, as it was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The instance.
    pub instance_id: Option<String>,
    /// What others changed of it, in words.
    pub drift: Vec<String>,
}

/// A way to keep an instance for a node. Everything can be done twice with the same result.
pub trait Placement {
    /// What keeps an instance for each of some nodes; one for which nothing does is missing.
    fn look(
        &self,
        nodes: &[Held<'_>],
    ) -> impl Future<Output = Result<BTreeMap<NodeId, Kept>, Ec2Error>> + Send;

    /// Makes what is missing, and undoes what others changed.
    fn ensure(&self, wanted: &Wanted<'_>) -> impl Future<Output = Result<(), Ec2Error>> + Send;

    /// Changes the tags of what keeps the instance; those of EC2's own objects are changed elsewhere.
    fn change_tags(
        &self,
        node: NodeId,
        change: &Change<'_>,
    ) -> impl Future<Output = Result<(), Ec2Error>> + Send;

    /// Ends the instance and waits until it has; interface and volume are free soon after.
    fn stop(&self, node: &Held<'_>) -> impl Future<Output = Result<(), Ec2Error>> + Send;

    /// Removes what kept the instance, which must have ended.
    fn remove(&self, node: NodeId) -> impl Future<Output = Result<(), Ec2Error>> + Send;

    /// What AWS last said of the node's instances, newest first: why none comes up.
    fn words(&self, node: NodeId) -> impl Future<Output = Result<Vec<String>, Ec2Error>> + Send;
}

/// The way of one cluster.
#[derive(Debug)]
pub enum AnyPlacement {
    /// `self_healing = "always"`.
    Group(GroupOfOne),
    /// `self_healing = "apply"`.
    Instance(PlainInstance),
}

impl Placement for AnyPlacement {
    async fn look(&self, nodes: &[Held<'_>]) -> Result<BTreeMap<NodeId, Kept>, Ec2Error> {
        match self {
            Self::Group(group) => group.look(nodes).await,
            Self::Instance(instance) => instance.look(nodes).await,
        }
    }

    async fn ensure(&self, wanted: &Wanted<'_>) -> Result<(), Ec2Error> {
        match self {
            Self::Group(group) => group.ensure(wanted).await,
            Self::Instance(instance) => instance.ensure(wanted).await,
        }
    }

    async fn change_tags(&self, node: NodeId, change: &Change<'_>) -> Result<(), Ec2Error> {
        match self {
            Self::Group(group) => group.change_tags(node, change).await,
            Self::Instance(instance) => instance.change_tags(node, change).await,
        }
    }

    async fn stop(&self, node: &Held<'_>) -> Result<(), Ec2Error> {
        match self {
            Self::Group(group) => group.stop(node).await,
            Self::Instance(instance) => instance.stop(node).await,
        }
    }

    async fn remove(&self, node: NodeId) -> Result<(), Ec2Error> {
        match self {
            Self::Group(group) => group.remove(node).await,
            Self::Instance(instance) => instance.remove(node).await,
        }
    }

    async fn words(&self, node: NodeId) -> Result<Vec<String>, Ec2Error> {
        match self {
            Self::Group(group) => group.words(node).await,
            Self::Instance(instance) => instance.words(node).await,
        }
    }
}

impl Ec2Engine {
    /// The way that the cluster was made with.
    pub(super) async fn placement(
        &self,
        names: &Names,
        self_healing: SelfHealing,
    ) -> Result<AnyPlacement, Ec2Error> {
        let connection = self.connection().await?;
        let names = names.clone();
        Ok(match self_healing {
            SelfHealing::Always => AnyPlacement::Group(GroupOfOne::new(connection.auto_scaling(), names)),
            SelfHealing::Apply => AnyPlacement::Instance(PlainInstance::new(connection.ec2(), names)),
        })
    }
}

//! The engine that the provider block names, whichever it is.

use super::access::SecretsHome;
use super::ec2::Ec2Engine;
use super::local::LocalEngine;
use super::run::Progress;
use super::{BoxError, ClusterPlace, Engine, Order, Sight};
use crate::kafka::versions::KafkaVersion;
use crate::planner::preflight::Finding;
use crate::planner::step::Step;
use crate::spec::cluster::ClusterSpec;
use crate::spec::ids::{ClusterName, NodeId, StoreId};
use crate::store::Store;
use crate::store::documents::{ClusterDesired, ClusterIdentity, ClusterPlaces, NodeStatus};

/// One of the engines.
#[derive(Debug)]
pub enum AnyEngine {
    /// One machine.
    Local(Box<LocalEngine>),
    /// An AWS account.
    Ec2(Box<Ec2Engine>),
}

/// Calls the same method of the engine that it is. Boxed: the callers' futures would be as large as the larger of two.
macro_rules! delegate {
    ($self:ident.$($call:tt)+) => {
        match $self {
            Self::Local(engine) => Box::pin(engine.$($call)+).await,
            Self::Ec2(engine) => Box::pin(engine.$($call)+).await,
        }
    };
}

impl AnyEngine {
    /// Where the passwords of a cluster's users lie.
    ///
    /// # Errors
    /// No way to the account.
    pub async fn secrets(&self, place: &ClusterPlace, store: &Store) -> Result<SecretsHome, BoxError> {
        Ok(match self {
            Self::Local(engine) => SecretsHome::Directory(engine.data().private(&place.name, &place.uid)),
            Self::Ec2(engine) => SecretsHome::Managed(Box::pin(engine.secrets(place, store)).await?),
        })
    }

    /// Whether the account can carry a cluster: every finding at once. Nothing is asked on one machine.
    ///
    /// # Errors
    /// What could not be asked.
    pub async fn preflight(&self, wanted: &ClusterSpec) -> Result<Vec<Finding>, BoxError> {
        match self {
            Self::Local(_) => {
                let _ = wanted;
                Ok(Vec::new())
            }
            Self::Ec2(engine) => Ok(Box::pin(engine.preflight(wanted)).await?),
        }
    }

    /// Opens the control store for a refresh: nothing is made or changed.
    ///
    /// # Errors
    /// No store there, another store than the expected one, not ours, no way to it.
    pub async fn open_existing(&self, expected: Option<&StoreId>) -> Result<Store, BoxError> {
        match self {
            Self::Local(engine) => Ok(engine.open_existing(expected).await?),
            Self::Ec2(engine) => Ok(Box::pin(engine.open_existing(expected)).await?),
        }
    }

    /// Opens the control store for a create: what it lies in and the store are made if nothing is there.
    ///
    /// # Errors
    /// Not ours, not writable, full, or emptied while clusters are still there.
    pub async fn open_or_create(&self) -> Result<Store, BoxError> {
        match self {
            Self::Local(engine) => Ok(engine.open_or_create().await?),
            Self::Ec2(engine) => Ok(Box::pin(engine.open_or_create()).await?),
        }
    }
}

impl Engine for AnyEngine {
    fn arguments(&self) -> String {
        match self {
            Self::Local(engine) => engine.arguments(),
            Self::Ec2(engine) => engine.arguments(),
        }
    }

    fn way_to_remove(&self, name: &ClusterName) -> String {
        match self {
            Self::Local(engine) => engine.way_to_remove(name),
            Self::Ec2(engine) => engine.way_to_remove(name),
        }
    }

    async fn check_host(&self, wanted: &ClusterSpec, steps: &[Step]) -> Result<(), BoxError> {
        delegate!(self.check_host(wanted, steps))
    }

    async fn fetch_kafka(
        &self,
        store: &Store,
        version: KafkaVersion,
        progress: &Progress,
    ) -> Result<(), BoxError> {
        delegate!(self.fetch_kafka(store, version, progress))
    }

    async fn draw_identity(
        &self,
        store: &Store,
        place: &ClusterPlace,
        wanted: &ClusterSpec,
    ) -> Result<ClusterIdentity, BoxError> {
        delegate!(self.draw_identity(store, place, wanted))
    }

    async fn make_places(&self, order: Order<'_>, progress: &Progress) -> Result<(), BoxError> {
        delegate!(self.make_places(order, progress))
    }

    async fn align_network(&self, order: Order<'_>) -> Result<(), BoxError> {
        delegate!(self.align_network(order))
    }

    async fn align_objects(&self, order: Order<'_>, progress: &Progress) -> Result<(), BoxError> {
        delegate!(self.align_objects(order, progress))
    }

    async fn replace_volume(
        &self,
        order: Order<'_>,
        node: NodeId,
        progress: &Progress,
    ) -> Result<(), BoxError> {
        delegate!(self.replace_volume(order, node, progress))
    }

    async fn change_volume(
        &self,
        order: Order<'_>,
        node: NodeId,
        progress: &Progress,
    ) -> Result<(), BoxError> {
        delegate!(self.change_volume(order, node, progress))
    }

    async fn observe(
        &self,
        store: &Store,
        place: &ClusterPlace,
        desired: Option<&ClusterDesired>,
        places: Option<&ClusterPlaces>,
    ) -> Result<Sight, BoxError> {
        delegate!(self.observe(store, place, desired, places))
    }

    fn is_current(&self, status: &NodeStatus) -> bool {
        match self {
            Self::Local(engine) => engine.is_current(status),
            Self::Ec2(engine) => engine.is_current(status),
        }
    }

    async fn start_node(&self, order: Order<'_>, node: NodeId, progress: &Progress) -> Result<(), BoxError> {
        delegate!(self.start_node(order, node, progress))
    }

    fn last_words(&self, place: &ClusterPlace, node: NodeId) -> String {
        match self {
            Self::Local(engine) => engine.last_words(place, node),
            Self::Ec2(engine) => engine.last_words(place, node),
        }
    }

    async fn remove_node(
        &self,
        store: &Store,
        place: &ClusterPlace,
        node: NodeId,
        progress: &Progress,
    ) -> Result<(), BoxError> {
        delegate!(self.remove_node(store, place, node, progress))
    }

    async fn remove_cluster(&self, store: &Store, place: &ClusterPlace) -> Result<(), BoxError> {
        delegate!(self.remove_cluster(store, place))
    }

    async fn find_places(&self) -> Result<Vec<ClusterPlace>, BoxError> {
        delegate!(self.find_places())
    }

    async fn leftovers(&self, place: &ClusterPlace) -> Result<Vec<String>, BoxError> {
        delegate!(self.leftovers(place))
    }
}

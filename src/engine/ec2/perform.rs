//! [`Engine`] for an AWS account.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::account::Ec2Engine;
use super::error::Ec2Error;
use super::places::Book;
use super::{interface, quotas, security_group, volume};
use crate::engine::run::Progress;
use crate::engine::{BoxError, ClusterPlace, Engine, Order, Sight};
use crate::kafka::versions::KafkaVersion;
use crate::planner::account::{interface_groups, rules, volume_shape};
use crate::planner::step::Step;
use crate::spec::cluster::ClusterSpec;
use crate::spec::ids::{ClusterName, NodeId};
use crate::store::documents::keys::{self, PerNode, Single};
use crate::store::documents::{ClusterDesired, ClusterIdentity, ClusterPlaces, NodeStatus};
use crate::store::{Documents, Store};

/// EBS makes a new size usable within this time, usually in seconds.
const CHANGED_WITHIN: Duration = Duration::from_mins(30);
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Ec2Engine {
    async fn align(&self, order: Order<'_>) -> Result<(), Ec2Error> {
        let client = self.connection().await?.ec2();
        let names = self.names(order.place, order.store);
        let book = Book::open(order.store, order.place).await?;
        let places = book.places().ok_or(Ec2Error::Missing { what: "places" })?;
        let group = places.security_group_id.as_deref().ok_or(Ec2Error::Missing {
            what: "security group",
        })?;
        let key = keys::single(&order.place.uid, Single::Cluster)?;
        let documents = Documents::of_cluster(order.store, &order.place.uid);
        let desired = documents.read::<ClusterDesired>(&key).await?;
        let desired = desired
            .ok_or(Ec2Error::Missing {
                what: "desired document",
            })?
            .body;
        let quota = quotas::rules_of_a_group(&self.connection().await?.service_quotas()).await;
        security_group::align(
            &client,
            &names,
            group,
            &rules(order.wanted, &desired),
            quota,
            &order.wanted.tags,
        )
        .await?;
        let groups = interface_groups(order.wanted, group);
        let ids = super::places::interface_ids(places);
        for (id, found) in interface::some(&client, &ids).await? {
            if found
                .groups
                .iter()
                .cloned()
                .collect::<std::collections::BTreeSet<_>>()
                != groups
            {
                let groups: Vec<String> = groups.iter().cloned().collect();
                interface::set_groups(&client, &id, &groups).await?;
            }
        }
        Ok(())
    }

    async fn change(&self, order: Order<'_>, node: NodeId, progress: &Progress) -> Result<(), Ec2Error> {
        let client = self.connection().await?.ec2();
        let book = Book::open(order.store, order.place).await?;
        let id = book
            .places()
            .and_then(|places| places.nodes.get(&node)?.volume_id.clone())
            .ok_or(Ec2Error::Missing { what: "volume" })?;
        let mut shape = volume_shape(order.wanted, node);
        let begun = Instant::now();
        // A change that a run before has begun: the volume looks like the former one until it is done, and EBS refuses
        // another one meanwhile.
        while volume::modifications(&client, std::slice::from_ref(&id))
            .await?
            .get(&id)
            .is_some_and(|change| change.state == "modifying")
            && begun.elapsed() < CHANGED_WITHIN
        {
            progress.say("EBS still carries out the last change of the volume");
            sleep(LOOK_EVERY).await;
        }
        if let Some(there) = volume::look(&client, &id).await? {
            shape.size = shape.size.max(there.shape.size);
            if there.shape != shape {
                volume::modify(&client, &id, &shape).await?;
            }
        }
        loop {
            let changes = volume::modifications(&client, std::slice::from_ref(&id)).await?;
            let change = changes.get(&id);
            let has_grown = self.has_grown(order, node, shape.size).await?;
            match change {
                Some(change) if change.state == "failed" => {
                    return Err(Ec2Error::Modification {
                        volume: id,
                        message: change.message.clone(),
                    });
                }
                Some(change) if !change.is_usable() => {
                    progress.say(&format!("EBS changes the volume: {} %", change.progress));
                }
                _ if has_grown => return Ok(()),
                _ => progress.say("the agent grows the file system"),
            }
            if begun.elapsed() >= CHANGED_WITHIN {
                return Err(Ec2Error::TooLate {
                    what: format!("the volume {id}"),
                    state: change
                        .map_or("growing", |change| change.state.as_str())
                        .to_owned(),
                    seconds: CHANGED_WITHIN.as_secs(),
                });
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Whether the file system fills the volume, by the agent's word. XFS keeps less than a hundredth for itself.
    async fn has_grown(&self, order: Order<'_>, node: NodeId, gib: u32) -> Result<bool, Ec2Error> {
        let key = keys::per_node(&order.place.uid, node, PerNode::Node)?;
        let documents = Documents::of_cluster(order.store, &order.place.uid);
        let status = documents.read::<NodeStatus>(&key).await?;
        let bytes = status
            .and_then(|read| read.body.machine)
            .map(|machine| machine.file_system_bytes);
        let wanted = (u64::from(gib) << 30) / 100 * 97;
        Ok(bytes.is_some_and(|bytes| bytes >= wanted))
    }
}

impl Engine for Ec2Engine {
    fn arguments(&self) -> String {
        let settings = &self.settings;
        let region = settings.account.region.as_ref();
        let region = region.map_or_else(String::new, |region| format!(" --region {region}"));
        let prefix = match settings.control_prefix.as_str() {
            "msk/" => String::new(),
            prefix => format!(" --control-prefix '{prefix}'"),
        };
        format!("--control-bucket {}{prefix}{region}", settings.control_bucket)
    }

    /// Objects are found by the documents, and these are gone.
    fn way_to_remove(&self, _name: &ClusterName) -> String {
        "look whether you still need their data, remove them in the EC2 console, and apply again".to_owned()
    }

    /// The plan has asked the account; what this machine lacks for the artefacts is said by the first step.
    async fn check_host(&self, _wanted: &ClusterSpec, _steps: &[Step]) -> Result<(), BoxError> {
        Ok(())
    }

    async fn fetch_kafka(
        &self,
        _store: &Store,
        version: KafkaVersion,
        progress: &Progress,
    ) -> Result<(), BoxError> {
        Ok(self.upload_kafka(version, progress).await?)
    }

    async fn draw_identity(
        &self,
        store: &Store,
        place: &ClusterPlace,
        wanted: &ClusterSpec,
    ) -> Result<ClusterIdentity, BoxError> {
        Ok(self.draw(store, place, wanted).await?)
    }

    async fn make_places(&self, order: Order<'_>, progress: &Progress) -> Result<(), BoxError> {
        Ok(self.make(order, progress).await?)
    }

    async fn align_network(&self, order: Order<'_>) -> Result<(), BoxError> {
        Ok(self.align(order).await?)
    }

    async fn align_objects(&self, order: Order<'_>, progress: &Progress) -> Result<(), BoxError> {
        Ok(Box::pin(self.renew(order, progress)).await?)
    }

    async fn change_volume(
        &self,
        order: Order<'_>,
        node: NodeId,
        progress: &Progress,
    ) -> Result<(), BoxError> {
        Ok(self.change(order, node, progress).await?)
    }

    async fn replace_volume(
        &self,
        order: Order<'_>,
        node: NodeId,
        progress: &Progress,
    ) -> Result<(), BoxError> {
        Ok(self.replace(order, node, progress).await?)
    }

    async fn observe(
        &self,
        store: &Store,
        place: &ClusterPlace,
        _desired: Option<&ClusterDesired>,
        places: Option<&ClusterPlaces>,
    ) -> Result<Sight, BoxError> {
        Ok(Box::pin(self.look(store, place, places)).await?)
    }

    /// A status of an instance that is no longer the node's says nothing of the node.
    fn is_current(&self, status: &NodeStatus) -> bool {
        let instances = self.instances.lock().unwrap_or_else(PoisonError::into_inner);
        let instance = &status.incarnation.instance_id;
        instances.values().any(|current| current == instance)
    }

    async fn start_node(&self, order: Order<'_>, node: NodeId, progress: &Progress) -> Result<(), BoxError> {
        Ok(Box::pin(self.launch(order, node, progress)).await?)
    }

    fn last_words(&self, place: &ClusterPlace, node: NodeId) -> String {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        words
            .get(&(place.uid.clone(), node))
            .cloned()
            .unwrap_or_else(|| "none".to_owned())
    }

    async fn remove_node(
        &self,
        store: &Store,
        place: &ClusterPlace,
        node: NodeId,
        progress: &Progress,
    ) -> Result<(), BoxError> {
        Ok(self.remove(store, place, node, progress).await?)
    }

    async fn remove_cluster(&self, store: &Store, place: &ClusterPlace) -> Result<(), BoxError> {
        Ok(self.remove_rest(store, place).await?)
    }

    async fn find_places(&self) -> Result<Vec<ClusterPlace>, BoxError> {
        // Every cluster writes its record before anything else, and the last act of a removal is to delete it.
        Ok(Vec::new())
    }

    async fn leftovers(&self, place: &ClusterPlace) -> Result<Vec<String>, BoxError> {
        Ok(self.what_is_left(place).await?)
    }
}

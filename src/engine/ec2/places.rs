//! Makes what outlives every instance: security group, network interfaces, volumes.
//!
//! What is to be made is written down first, then made, then its id is written down. A run that was cut off anywhere
//! is repeated with the same client tokens and gets the same objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::account::Ec2Engine;
use super::error::Ec2Error;
use super::names::Names;
use super::placement::Held;
use super::records::{self, Addresses};
use super::{interface, security_group, survey, volume};
use crate::clock::Timestamp;
use crate::engine::Order;
use crate::engine::run::Progress;
use crate::observed::account::{InstanceType, Subnet};
use crate::planner::account::{host_name, interface_groups, volume_shape};
use crate::spec::cluster::SelfHealing;
use crate::spec::ids::{ClusterName, NodeId};
use crate::store::documents::keys::{self, Single};
use crate::store::documents::{ClusterIdentity, ClusterPlaces, PlacedInterface, PlacedNode, PrivateZone};
use crate::store::{Documents, Put, Store, Versioned};
use crate::version::VERSION;

/// Calls of one kind at a time: EC2 throttles those that change something.
const AT_ONCE: usize = 8;
/// Only this run writes the document; another one has taken the cluster over if it keeps changing.
const RACES: u32 = 5;

/// The document, and the way to write it.
pub(super) struct Book {
    documents: Documents,
    key: crate::store::Key,
    read: Option<Versioned<ClusterPlaces>>,
}

impl Book {
    pub(super) async fn open(store: &Store, place: &crate::engine::ClusterPlace) -> Result<Self, Ec2Error> {
        let documents = Documents::of_cluster(store, &place.uid);
        let key = keys::single(&place.uid, Single::Places)?;
        let read = documents.read::<ClusterPlaces>(&key).await?;
        Ok(Self { documents, key, read })
    }

    pub(super) fn places(&self) -> Option<&ClusterPlaces> {
        self.read.as_ref().map(|read| &read.body)
    }

    /// When the document was written last.
    pub(super) fn written_at(&self) -> Option<Timestamp> {
        self.read.as_ref().map(|read| read.modified_at)
    }

    /// Writes the document with a change. The change may be made again on what another write left.
    pub(super) async fn write(
        &mut self,
        change: impl Fn(Option<&ClusterPlaces>) -> ClusterPlaces,
    ) -> Result<(), Ec2Error> {
        for _ in 0..RACES {
            let body = change(self.places());
            if self.places() == Some(&body) {
                return Ok(());
            }
            let put = match &self.read {
                Some(read) => self.documents.replace(&self.key, read, &body).await?,
                None => self.documents.create(&self.key, &body).await?,
            };
            self.read = self.documents.read::<ClusterPlaces>(&self.key).await?;
            if let Put::Written(..) = put {
                return Ok(());
            }
        }
        Err(Ec2Error::TakenOver)
    }

    /// Changes the document, which must be there.
    pub(super) async fn change(&mut self, change: impl Fn(&mut ClusterPlaces)) -> Result<(), Ec2Error> {
        if self.read.is_none() {
            return Err(Ec2Error::Missing { what: "places" });
        }
        self.write(|places| {
            let mut places = places.cloned().unwrap_or_else(nowhere);
            change(&mut places);
            places
        })
        .await
    }

    pub(super) async fn note(
        &mut self,
        node: NodeId,
        change: impl Fn(&mut PlacedNode),
    ) -> Result<(), Ec2Error> {
        self.change(|places| {
            if let Some(placed) = places.nodes.get_mut(&node) {
                change(placed);
            }
        })
        .await
    }
}

/// Futures of which a few run at a time. Those that still run end with it.
struct AtOnce<T> {
    running: JoinSet<T>,
    permits: Arc<Semaphore>,
}

impl<T: Send + 'static> AtOnce<T> {
    fn new() -> Self {
        Self {
            running: JoinSet::new(),
            permits: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    fn add(&mut self, work: impl Future<Output = T> + Send + 'static) {
        let permits = Arc::clone(&self.permits);
        self.running.spawn(async move {
            // Never closed; without a permit the work would only not be slowed down.
            let _permit = permits.acquire_owned().await;
            work.await
        });
    }

    /// The next one that is done; `None` after the last.
    async fn next(&mut self) -> Result<Option<T>, Ec2Error> {
        match self.running.join_next().await {
            None => Ok(None),
            Some(Ok(done)) => Ok(Some(done)),
            Some(Err(_)) => Err(Ec2Error::Broken),
        }
    }
}

/// Never written: the intent stands before any note.
fn nowhere() -> ClusterPlaces {
    ClusterPlaces {
        account: String::new(),
        region: String::new(),
        vpc_id: String::new(),
        security_group_id: None,
        images: BTreeMap::new(),
        nodes: BTreeMap::new(),
        tags: BTreeMap::new(),
        version: String::new(),
        private_zone: None,
        keeps_snapshots: true,
        self_healing: SelfHealing::default(),
    }
}

impl Ec2Engine {
    pub(super) async fn make(&self, order: Order<'_>, progress: &Progress) -> Result<(), Ec2Error> {
        let names = self.names(order.place, order.store);
        let mut book = Book::open(order.store, order.place).await?;
        progress.say("looks at subnets and instance types");
        self.write_intent(order, &names, &mut book).await?;
        // A missing agent or Java is found before anything is made.
        let places = book
            .places()
            .cloned()
            .ok_or(Ec2Error::Missing { what: "places" })?;
        self.provide(order, &places, progress).await?;
        self.make_group(order, &names, &mut book).await?;
        self.make_interfaces(order, &names, &mut book, progress).await?;
        self.make_records(order, &mut book, progress).await?;
        self.make_volumes(order, &names, &mut book, progress).await?;
        self.resolve_images(order, &names, &mut book, progress).await
    }

    /// Writes down what every node will have, before any of it is made.
    async fn write_intent(&self, order: Order<'_>, names: &Names, book: &mut Book) -> Result<(), Ec2Error> {
        let (wanted, connection) = (order.wanted, self.connection().await?);
        let zones = zones(order).await?;
        let missing: Vec<NodeId> = wanted
            .node_ids()
            .into_iter()
            .filter(|node| {
                book.places()
                    .is_none_or(|places| !places.nodes.contains_key(node))
            })
            .collect();
        let keeps_snapshots = wanted.aws.as_ref().is_none_or(|aws| aws.keeps_snapshots);
        if missing.is_empty() {
            return book
                .change(|places| places.keeps_snapshots = keeps_snapshots)
                .await;
        }
        let client = connection.ec2();
        let subnet_ids: BTreeSet<String> = wanted.zones.union(&wanted.controller_zones).cloned().collect();
        let types: BTreeSet<String> = missing
            .iter()
            .map(|node| wanted.instance_type(*node).to_owned())
            .collect();
        let (subnets, types) = tokio::try_join!(
            survey::subnets(&client, &subnet_ids),
            survey::instance_types(&client, &types)
        )?;
        let mut nodes = BTreeMap::new();
        for node in missing {
            nodes.insert(node, intent(order, (&zones, &subnets, &types), node)?);
        }
        let vpc_id = subnets
            .values()
            .next()
            .map(|subnet| subnet.vpc_id.clone())
            .unwrap_or_default();
        let (account, _) = self.account().await?;
        let region = connection.region().to_owned();
        let private_zone = self.private_zone(order).await?;
        let self_healing = wanted
            .aws
            .as_ref()
            .map(|aws| aws.self_healing)
            .unwrap_or_default();
        book.write(|places| {
            let mut places = places.cloned().unwrap_or_else(|| ClusterPlaces {
                account: account.clone(),
                region: region.clone(),
                vpc_id: vpc_id.clone(),
                self_healing,
                private_zone: private_zone.clone(),
                tags: names.user_tags(&wanted.tags),
                version: VERSION.to_owned(),
                ..nowhere()
            });
            places.nodes.extend(nodes.clone());
            places.keeps_snapshots = keeps_snapshots;
            places
        })
        .await
    }

    async fn make_group(&self, order: Order<'_>, names: &Names, book: &mut Book) -> Result<(), Ec2Error> {
        let client = self.connection().await?.ec2();
        let vpc_id = book
            .places()
            .map(|places| places.vpc_id.clone())
            .unwrap_or_default();
        let id = security_group::ensure(&client, names, &vpc_id, &order.wanted.tags).await?;
        book.change(|places| places.security_group_id = Some(id.clone()))
            .await
    }

    /// Makes the interfaces that are missing. One that was there and is gone comes back with its address.
    async fn make_interfaces(
        &self,
        order: Order<'_>,
        names: &Names,
        book: &mut Book,
        progress: &Progress,
    ) -> Result<(), Ec2Error> {
        let client = self.connection().await?.ec2();
        let Some(places) = book.places().cloned() else {
            return Err(Ec2Error::TakenOver);
        };
        let ids: Vec<String> = interface_ids(&places);
        let there = interface::some(&client, &ids).await?;
        let group = places.security_group_id.as_deref().unwrap_or_default();
        let groups: Vec<String> = interface_groups(order.wanted, group).into_iter().collect();
        let mut making = AtOnce::new();
        let mut count = 0;
        for (node, placed) in &places.nodes {
            let known = placed.interface.clone();
            if known.as_ref().is_some_and(|known| there.contains_key(&known.id)) {
                continue;
            }
            count += 1;
            let life = placed.interface_life + u32::from(known.is_some());
            let (node, subnet_id, tags) = (*node, placed.subnet_id.clone(), order.wanted.tags.clone());
            let (client, names, groups) = (client.clone(), names.clone(), groups.clone());
            making.add(async move {
                let wanted = interface::Wanted {
                    node,
                    subnet_id: &subnet_id,
                    address: known.as_ref().map(|known| known.address.as_str()),
                    groups: &groups,
                    tags: &tags,
                    life,
                };
                let made = interface::create(&client, &names, &wanted).await;
                (node, life, made)
            });
        }
        let mut failure = None;
        let mut done = 0;
        // What was made is written down even if another one failed.
        while let Some((node, life, made)) = making.next().await? {
            match made {
                Ok(made) => {
                    done += 1;
                    progress.say(&format!("{done} of {count} network interfaces"));
                    let name = match &places.private_zone {
                        Some(zone) => Some(host_name(node, &order.place.name, &zone.domain)),
                        None => made.private_name.clone(),
                    };
                    let interface = PlacedInterface {
                        host: name.unwrap_or_else(|| made.private_address.clone()),
                        address: made.private_address,
                        id: made.id,
                    };
                    book.note(node, |placed| {
                        placed.interface = Some(interface.clone());
                        placed.interface_life = life;
                    })
                    .await?;
                }
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// The private zone as it is, for a cluster that is made in it.
    async fn private_zone(&self, order: Order<'_>) -> Result<Option<PrivateZone>, Ec2Error> {
        let aws = order.wanted.aws.as_ref();
        let Some(id) = aws.and_then(|aws| aws.private_zone_id.clone()) else {
            return Ok(None);
        };
        let client = self.connection().await?.route53();
        let Some(found) = records::zone(&client, &id).await? else {
            return Err(Ec2Error::NoZone { zone: id });
        };
        Ok(Some(PrivateZone {
            id,
            domain: found.domain,
            is_ours: false,
        }))
    }

    /// Makes the nodes' names lead to their interfaces.
    async fn make_records(
        &self,
        order: Order<'_>,
        book: &mut Book,
        progress: &Progress,
    ) -> Result<(), Ec2Error> {
        let Some(places) = book.places().cloned() else {
            return Err(Ec2Error::TakenOver);
        };
        let Some(zone) = &places.private_zone else {
            return Ok(());
        };
        let client = self.connection().await?.route53();
        let names = addresses(&order.place.name, &places);
        records::ensure(&client, zone, &names, |words| progress.say(words)).await?;
        let is_ours = |places: &mut ClusterPlaces| {
            if let Some(zone) = &mut places.private_zone {
                zone.is_ours = true;
            }
        };
        book.change(is_ours).await
    }

    /// Makes the volumes that were never made. One that is gone is not made anew: a person decides.
    async fn make_volumes(
        &self,
        order: Order<'_>,
        names: &Names,
        book: &mut Book,
        progress: &Progress,
    ) -> Result<(), Ec2Error> {
        let client = self.connection().await?.ec2();
        let Some(places) = book.places().cloned() else {
            return Err(Ec2Error::TakenOver);
        };
        let wanted = order.wanted;
        let mut making = AtOnce::new();
        let mut count = 0;
        for (node, placed) in places.nodes {
            if placed.volume_id.is_some() {
                continue;
            }
            count += 1;
            let (client, names, key, tags) = (
                client.clone(),
                names.clone(),
                wanted.size.kms_key_id.clone(),
                wanted.tags.clone(),
            );
            let shape = volume_shape(wanted, node);
            let snapshots = wanted.aws.as_ref().map(|aws| &aws.restore_snapshot_ids);
            let snapshot_id = snapshots.and_then(|snapshots| snapshots.get(&node)).cloned();
            making.add(async move {
                let wanted = volume::Wanted {
                    node,
                    zone: &placed.zone,
                    shape: &shape,
                    key: key.as_deref(),
                    snapshot_id: snapshot_id.as_deref(),
                    tags: &tags,
                    life: placed.volume_life,
                };
                (node, volume::create(&client, &names, &wanted).await)
            });
        }
        let mut failure = None;
        let mut done = 0;
        while let Some((node, made)) = making.next().await? {
            match made {
                Ok(made) => {
                    done += 1;
                    progress.say(&format!("{done} of {count} volumes"));
                    book.note(node, |placed| placed.volume_id = Some(made.id.clone()))
                        .await?;
                }
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// The nodes' names in the private zone, with the addresses that they lead to; empty without a zone.
pub(super) fn addresses(cluster: &ClusterName, places: &ClusterPlaces) -> Addresses {
    let Some(zone) = &places.private_zone else {
        return Addresses::new();
    };
    let pairs = places.nodes.iter().filter_map(|(node, placed)| {
        let address = placed.interface.as_ref()?.address.clone();
        Some((host_name(*node, cluster, &zone.domain), address))
    });
    pairs.collect()
}

pub(super) fn interface_ids(places: &ClusterPlaces) -> Vec<String> {
    let interfaces = places
        .nodes
        .values()
        .filter_map(|placed| placed.interface.as_ref());
    interfaces.map(|interface| interface.id.clone()).collect()
}

/// Every node with the interface that fixes its instance.
pub(super) fn held(places: &ClusterPlaces) -> Vec<Held<'_>> {
    let nodes = places.nodes.iter();
    let held = nodes.map(|(node, placed)| Held {
        node: *node,
        interface_id: placed.interface.as_ref().map(|interface| interface.id.as_str()),
    });
    held.collect()
}

/// The zones by number, as they were drawn.
async fn zones(order: Order<'_>) -> Result<Vec<String>, Ec2Error> {
    let key = keys::single(&order.place.uid, Single::Identity)?;
    let documents = Documents::of_cluster(order.store, &order.place.uid);
    let identity = documents.read::<ClusterIdentity>(&key).await?;
    Ok(identity.ok_or(Ec2Error::Missing { what: "identity" })?.body.zones)
}

fn intent(
    order: Order<'_>,
    (zones, subnets, types): (
        &[String],
        &BTreeMap<String, Subnet>,
        &BTreeMap<String, InstanceType>,
    ),
    node: NodeId,
) -> Result<PlacedNode, Ec2Error> {
    let subnet_id = order.wanted.zone_of(node, zones).unwrap_or_default();
    let subnet = subnets.get(subnet_id).ok_or_else(|| Ec2Error::NoSubnet {
        subnet: subnet_id.to_owned(),
    })?;
    let name = order.wanted.instance_type(node);
    let about = types.get(name).ok_or_else(|| Ec2Error::NoInstanceType {
        name: name.to_owned(),
    })?;
    let architecture = ["x86_64", "arm64"]
        .into_iter()
        .find(|architecture| about.architectures.contains(*architecture))
        .ok_or_else(|| Ec2Error::NoInstanceType {
            name: name.to_owned(),
        })?;
    Ok(PlacedNode {
        subnet_id: subnet_id.to_owned(),
        zone: subnet.zone.clone(),
        zone_id: subnet.zone_id.clone(),
        architecture: architecture.to_owned(),
        memory: about.memory,
        interface: None,
        interface_life: 0,
        volume_id: None,
        volume_life: 0,
    })
}

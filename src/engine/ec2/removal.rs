//! Removes a cluster's objects, in the order in which AWS lets them go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::sleep;

use super::account::Ec2Engine;
use super::error::Ec2Error;
use super::names::{NODE_TAG, Names};
use super::placement::{Held, Placement as _};
use super::places::{Book, addresses};
use super::{interface, records, role, security_group, template, volume};
use crate::clock::Timestamp;
use crate::engine::ClusterPlace;
use crate::engine::run::Progress;
use crate::spec::ids::NodeId;
use crate::store::documents::{ClusterPlaces, ClusterRecord, keys};
use crate::store::{Documents, Store};

/// Lists by tag know of something this long after it was made, at the latest (reference: EC2 API, eventual
/// consistency; tag filters lag more than ids).
const LISTED_WITHIN: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_secs(3);

impl Ec2Engine {
    pub(super) async fn remove(
        &self,
        store: &Store,
        place: &ClusterPlace,
        node: NodeId,
        progress: &Progress,
    ) -> Result<(), Ec2Error> {
        let connection = self.connection().await?;
        let client = connection.ec2();
        let names = self.names(place, store);
        let book = Book::open(store, place).await?;
        progress.say("waits until the instance has ended");
        let self_healing = book.places().map(|places| places.self_healing);
        let placement = self.placement(&names, self_healing.unwrap_or_default()).await?;
        let interface = book
            .places()
            .and_then(|places| places.nodes.get(&node)?.interface.as_ref());
        let held = Held {
            node,
            interface_id: interface.map(|interface| interface.id.as_str()),
        };
        placement.stop(&held).await?;
        placement.remove(node).await?;
        for template in template::all(&client, &names).await? {
            if template.tags.get(NODE_TAG) == Some(&node.to_string()) {
                template::remove(&client, &template.id).await?;
            }
        }
        let lost = self.find_lost(&names, node, &book).await?;
        for id in &lost.volumes {
            if keeps_snapshot(store, place, book.places()).await? {
                progress.say("begins the last snapshot of the volume");
                let tags = book
                    .places()
                    .map(|places| places.tags.clone())
                    .unwrap_or_default();
                volume::snapshot(&client, &names, (node, id), names.uid().as_str(), &tags).await?;
            }
            progress.say("removes the volume");
            volume::remove(&client, id).await?;
        }
        for id in &lost.interfaces {
            progress.say("removes the network interface");
            interface::remove(&client, id).await?;
        }
        role::remove(&connection.iam(), &names, node).await
    }

    /// Interfaces and volumes of a node: those that are written down, and those that a cut create made last and wrote
    /// down nowhere.
    async fn find_lost(&self, names: &Names, node: NodeId, book: &Book) -> Result<Lost, Ec2Error> {
        let client = self.connection().await?.ec2();
        let placed = book.places().and_then(|places| places.nodes.get(&node));
        let mut lost = Lost::default();
        if let Some(placed) = placed {
            lost.interfaces
                .extend(placed.interface.iter().map(|known| known.id.clone()));
            lost.volumes.extend(placed.volume_id.clone());
        }
        let is_whole = placed.is_some_and(|placed| placed.interface.is_some() && placed.volume_id.is_some());
        loop {
            let (interfaces, volumes) =
                tokio::try_join!(interface::all(&client, names), volume::all(&client, names))?;
            let is_here = |tags: &BTreeMap<String, String>| names.is_ours(tags, Some(node));
            lost.interfaces.extend(
                interfaces
                    .into_iter()
                    .filter(|found| is_here(&found.tags))
                    .map(|found| found.id),
            );
            lost.volumes.extend(
                volumes
                    .into_iter()
                    .filter(|found| is_here(&found.tags))
                    .map(|found| found.id),
            );
            let may_be_late = book
                .written_at()
                .is_some_and(|at| Timestamp::now().since(at) < LISTED_WITHIN);
            let is_found = !lost.interfaces.is_empty() && !lost.volumes.is_empty();
            if is_whole || is_found || placed.is_none() || !may_be_late {
                return Ok(lost);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    pub(super) async fn remove_rest(&self, store: &Store, place: &ClusterPlace) -> Result<(), Ec2Error> {
        let client = self.connection().await?.ec2();
        let names = self.names(place, store);
        let book = Book::open(store, place).await?;
        for template in template::all(&client, &names).await? {
            template::remove(&client, &template.id).await?;
        }
        if let Some(places) = book.places() {
            security_group::remove(&client, &names, &places.vpc_id).await?;
            if let Some(zone) = &places.private_zone {
                let client = self.connection().await?.route53();
                records::remove(&client, zone, &addresses(&place.name, places)).await?;
            }
        }
        self.remove_images(&names).await?;
        self.secrets(place, store).await?.remove_all().await?;
        Ok(())
    }

    pub(super) async fn what_is_left(&self, place: &ClusterPlace) -> Result<Vec<String>, Ec2Error> {
        let connection = self.connection().await?;
        let client = connection.ec2();
        // Looked for by the cluster's own tag; the store's id plays no part.
        let names = Names::new(
            place,
            &crate::spec::ids::StoreId::new(String::new()),
            &BTreeMap::new(),
        );
        let (interfaces, volumes, templates) = tokio::try_join!(
            interface::all(&client, &names),
            volume::all(&client, &names),
            template::all(&client, &names),
        )?;
        let mut left = Vec::new();
        left.extend(
            interfaces
                .into_iter()
                .map(|found| format!("network interface {}", found.id)),
        );
        let is_there = |state: &str| !matches!(state, "deleting" | "deleted");
        left.extend(
            volumes
                .into_iter()
                .filter(|found| is_there(&found.state))
                .map(|found| format!("volume {}", found.id)),
        );
        left.extend(
            templates
                .into_iter()
                .map(|found| format!("launch template {}", found.name)),
        );
        Ok(left)
    }
}

#[derive(Default)]
struct Lost {
    interfaces: BTreeSet<String>,
    volumes: BTreeSet<String>,
}

/// A cluster that never served has nothing to keep.
async fn keeps_snapshot(
    store: &Store,
    place: &ClusterPlace,
    places: Option<&ClusterPlaces>,
) -> Result<bool, Ec2Error> {
    if places.is_some_and(|places| !places.keeps_snapshots) {
        return Ok(false);
    }
    let key = keys::cluster_record(&place.name)?;
    let record = Documents::of_store(store).read::<ClusterRecord>(&key).await?;
    Ok(record.is_some_and(|record| record.body.first_active_at.is_some()))
}

//! An empty volume in place of one that is gone. Only the user's word leads here.

use super::account::Ec2Engine;
use super::error::Ec2Error;
use super::placement::{Held, Placement as _};
use super::places::Book;
use super::volume;
use crate::engine::Order;
use crate::engine::run::Progress;
use crate::planner::account::volume_shape;
use crate::spec::ids::NodeId;
use crate::store::documents::FormatClaim;
use crate::store::documents::keys::{self, PerNode};
use crate::store::{Deleted, Documents};

impl Ec2Engine {
    /// The new volume is written down last, so that a run that was cut off is repeated with the same client token.
    pub(super) async fn replace(
        &self,
        order: Order<'_>,
        node: NodeId,
        progress: &Progress,
    ) -> Result<(), Ec2Error> {
        let client = self.connection().await?.ec2();
        let names = self.names(order.place, order.store);
        let mut book = Book::open(order.store, order.place).await?;
        let places = book.places().ok_or(Ec2Error::Missing { what: "places" })?;
        let self_healing = places.self_healing;
        let placed = places.nodes.get(&node).cloned().ok_or(Ec2Error::Missing {
            what: "place of the node",
        })?;
        let lost = placed
            .volume_id
            .clone()
            .ok_or(Ec2Error::Missing { what: "volume" })?;
        // Once more by its id: a list may have passed it over.
        if let Some(there) = volume::look(&client, &lost).await?
            && !there.is_lost()
        {
            return Err(Ec2Error::NotLost { volume: lost });
        }
        progress.say("ends the instance, which has no volume");
        let placement = self.placement(&names, self_healing).await?;
        let interface = placed.interface.as_ref();
        let held = Held {
            node,
            interface_id: interface.map(|interface| interface.id.as_str()),
        };
        placement.stop(&held).await?;
        progress.say("makes an empty volume");
        let life = placed.volume_life + 1;
        let wanted = volume::Wanted {
            node,
            zone: &placed.zone,
            shape: &volume_shape(order.wanted, node),
            key: order.wanted.size.kms_key_id.as_deref(),
            snapshot_id: None,
            tags: &order.wanted.tags,
            life,
        };
        let made = volume::create(&client, &names, &wanted).await?;
        self.give_up_claim(order, node, &lost).await?;
        book.note(node, |placed| {
            placed.volume_id = Some(made.id.clone());
            placed.volume_life = life;
        })
        .await
    }

    /// The claim says that the node's data was formatted on the volume that is gone. The agent makes another one, with
    /// another directory id, for the new volume.
    async fn give_up_claim(&self, order: Order<'_>, node: NodeId, lost: &str) -> Result<(), Ec2Error> {
        let documents = Documents::of_cluster(order.store, &order.place.uid);
        let key = keys::per_node(&order.place.uid, node, PerNode::Format)?;
        match documents.read::<FormatClaim>(&key).await? {
            Some(claim) if claim.body.disk_id == lost => match documents.delete(&key, &claim).await? {
                Deleted::Conflict => Err(Ec2Error::TakenOver),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

//! Gives a node an instance: role, launch template, and what keeps the instance.

use super::account::Ec2Engine;
use super::error::Ec2Error;
use super::names::NODE_TAG;
use super::placement::{self, Held, Placement as _};
use super::places::Book;
use super::policy::{self, Roles};
use super::role;
use super::template::{self, Launch};
use crate::engine::Order;
use crate::engine::run::Progress;
use crate::spec::ids::NodeId;

impl Ec2Engine {
    /// Everything is looked for before it is made, so that a second call, and one after a cut, changes nothing.
    pub(super) async fn launch(
        &self,
        order: Order<'_>,
        node: NodeId,
        progress: &Progress,
    ) -> Result<(), Ec2Error> {
        let connection = self.connection().await?;
        let client = connection.ec2();
        let names = self.names(order.place, order.store);
        let wanted = order.wanted;
        let book = Book::open(order.store, order.place).await?;
        let places = book.places().ok_or(Ec2Error::Missing { what: "places" })?;
        let placed = places.nodes.get(&node).ok_or(Ec2Error::Missing {
            what: "place of the node",
        })?;
        let interface = placed
            .interface
            .as_ref()
            .ok_or(Ec2Error::Missing { what: "interface" })?;
        let image = places
            .images
            .get(&placed.architecture)
            .ok_or(Ec2Error::Missing { what: "image" })?;
        let instance_profile = self.instance_profile(order, node).await?;
        let user_data = self.user_data(order, (places, node, placed), progress).await?;
        let launch = Launch {
            image_id: image.id.clone(),
            instance_type: wanted.instance_type(node).to_owned(),
            interface_id: interface.id.clone(),
            instance_profile,
            root_device: image.root_device.clone(),
            root_size: image.root_size,
            user_data,
            tags: names.tags(Some(node), &wanted.tags),
        };
        let template = template::ensure(&client, &names, node, &launch).await?;
        let placement = self.placement(&names, places.self_healing).await?;
        let kept = placement::Wanted {
            held: Held {
                node,
                interface_id: Some(&interface.id),
            },
            zone: &placed.zone,
            template_id: &template.id,
            tags: &wanted.tags,
        };
        placement.ensure(&kept).await?;
        // Nothing points at the former ones any more.
        for old in template::all(&client, &names).await? {
            if old.tags.get(NODE_TAG) == Some(&node.to_string()) && old.id != template.id {
                template::remove(&client, &old.id).await?;
            }
        }
        Ok(())
    }

    /// The user's, or one of the node's own with a role that may do what this node does.
    async fn instance_profile(&self, order: Order<'_>, node: NodeId) -> Result<String, Ec2Error> {
        let aws = order.wanted.aws.as_ref();
        if let Some(profile) = aws.and_then(|aws| aws.instance_profile.clone()) {
            return Ok(profile);
        }
        let scope = self.scope(order.place, order.wanted).await?;
        let roles = Roles {
            is_broker: order.wanted.broker_ids().contains(&node),
            is_controller: order.wanted.controller_ids().contains(&node),
        };
        role::ensure(
            &self.connection().await?.iam(),
            &self.names(order.place, order.store),
            &role::Wanted {
                node,
                trust: &policy::trust(&scope.partition),
                policy: &policy::node(&scope, node, roles),
                permissions_boundary: aws.and_then(|aws| aws.permissions_boundary.as_deref()),
                tags: &order.wanted.tags,
            },
        )
        .await
    }
}

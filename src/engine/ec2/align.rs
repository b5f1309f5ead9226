//! Brings what was made once up to date: the tags of every object, and what the next instances start with. No instance
//! is replaced: running agents take the new release by themselves.

use std::collections::BTreeMap;

use super::account::Ec2Engine;
use super::error::Ec2Error;
use super::placement::Placement as _;
use super::places::Book;
use super::role;
use super::tag::{self, Change};
use crate::engine::Order;
use crate::engine::run::Progress;
use crate::version::VERSION;

impl Ec2Engine {
    /// What is in force is written down last, so that a run that was cut off is repeated.
    pub(super) async fn renew(&self, order: Order<'_>, progress: &Progress) -> Result<(), Ec2Error> {
        let names = self.names(order.place, order.store);
        let mut book = Book::open(order.store, order.place).await?;
        let places = book
            .places()
            .cloned()
            .ok_or(Ec2Error::Missing { what: "places" })?;
        let tags = names.user_tags(&order.wanted.tags);
        let change = (places.tags != tags).then(|| Change::new(&names, &order.wanted.tags, &places.tags));
        if let Some(change) = &change {
            progress.say("tags of network interfaces, volumes, instances and their disks");
            tag::change(&self.connection().await?.ec2(), change).await?;
            progress.say("tags of users' secrets");
            let secrets = self.secrets(order.place, order.store).await?;
            // They have those of the provider block alone.
            let none = BTreeMap::new();
            let of_block = Change::new(&names, &none, &places.tags);
            secrets.change_tags(&of_block).await?;
        }
        let has_own_roles = order
            .wanted
            .aws
            .as_ref()
            .is_none_or(|aws| aws.instance_profile.is_none());
        let placement = self.placement(&names, places.self_healing).await?;
        let count = places.nodes.len();
        for (done, node) in places.nodes.keys().enumerate() {
            progress.say(&format!("what instances start with: {done} of {count} nodes"));
            // Makes a template with the new tags and the new agent, and points the group at it.
            Box::pin(self.launch(order, *node, progress)).await?;
            if let Some(change) = &change {
                placement.change_tags(*node, change).await?;
                if has_own_roles {
                    role::change_tags(&self.connection().await?.iam(), *node, change).await?;
                }
            }
        }
        book.change(|places| {
            places.tags.clone_from(&tags);
            VERSION.clone_into(&mut places.version);
        })
        .await
    }
}

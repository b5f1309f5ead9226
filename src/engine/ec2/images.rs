//! The images of a cluster: resolved once, copied into the account, removed with it.

use std::collections::BTreeSet;

use super::account::Ec2Engine;
use super::error::Ec2Error;
use super::image;
use super::names::Names;
use super::places::Book;
use crate::engine::Order;
use crate::engine::run::Progress;
use crate::store::documents::PlacedImage;

/// GiB of an instance's root disk at the least: the system, and what the agent unpacks before the volume is there.
const LEAST_ROOT: u32 = 8;

impl Ec2Engine {
    /// Resolves the image of every architecture that has none yet. One that is written down stays: an instance that is
    /// replaced years later starts from the same one.
    pub(super) async fn resolve_images(
        &self,
        order: Order<'_>,
        names: &Names,
        book: &mut Book,
        progress: &Progress,
    ) -> Result<(), Ec2Error> {
        let connection = self.connection().await?;
        let client = connection.ec2();
        let places = book.places().ok_or(Ec2Error::Missing { what: "places" })?;
        let architectures: BTreeSet<String> = places
            .nodes
            .values()
            .map(|placed| placed.architecture.clone())
            .filter(|architecture| !places.images.contains_key(architecture))
            .collect();
        let aws = order.wanted.aws.as_ref();
        for architecture in architectures {
            let written = aws.and_then(|aws| aws.image_id.as_deref());
            let source = image::find(&client, written, &architecture).await?;
            let is_copy = aws.is_none_or(|aws| aws.copies_image);
            let found = if is_copy {
                let say = |text: String| progress.say(&text);
                let tags = &order.wanted.tags;
                image::copy(&client, names, connection.region(), &source, 0, tags, &say).await?
            } else {
                source
            };
            let placed = PlacedImage {
                id: found.id,
                is_copy,
                root_device: found.root_device,
                root_size: found.root_size.max(LEAST_ROOT),
            };
            book.change(|places| {
                places.images.insert(architecture.clone(), placed.clone());
            })
            .await?;
        }
        Ok(())
    }

    /// Removes the copies, also one that a cut create wrote down nowhere.
    pub(super) async fn remove_images(&self, names: &Names) -> Result<(), Ec2Error> {
        let client = self.connection().await?.ec2();
        for found in image::all(&client, names).await? {
            image::remove(&client, names, &found.id).await?;
        }
        image::remove_orphans(&client, names).await
    }
}

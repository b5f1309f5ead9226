//! The image that nodes start from: Amazon Linux 2023 or the user's, looked up once and copied into the account, so that
//! a machine can be replaced in years, when Amazon no longer offers the original.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Image as Answer, ImageState, ResourceType};

use super::calls::{KNOWN_WITHIN, Patience, ec2, filter, gone, insist, tag_specification, tags};
use super::error::Ec2Error;
use super::names::{CLUSTER_TAG, Names};
use crate::aws::Kind;

/// Amazon's images by name, before architecture. The kernel is the default one of the release.
const AMAZON_LINUX: &str = "al2023-ami-2023.*";
/// Copying 8 GiB takes minutes; S3 behind it may be slow.
const COPIED_WITHIN: Duration = Duration::from_mins(30);
/// A snapshot of an image that was just removed is in use for a while.
const LET_GO_WITHIN: Duration = Duration::from_mins(2);

/// An image, as far as launches need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `ami-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// The device of its root disk, such as `/dev/xvda`.
    pub root_device: String,
    /// GiB of its root disk, at the least.
    pub root_size: u32,
    /// The snapshots of its disks.
    pub snapshots: Vec<String>,
    /// `pending`, `available`, `failed` ….
    pub state: String,
    /// Why it failed.
    pub reason: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

fn read(from: &Answer) -> Option<Image> {
    let root_device = from.root_device_name.clone()?;
    let disks = from.block_device_mappings();
    let root = disks
        .iter()
        .find(|disk| disk.device_name() == Some(root_device.as_str()))
        .and_then(|disk| disk.ebs());
    Some(Image {
        id: from.image_id.clone()?,
        name: from.name.clone().unwrap_or_default(),
        architecture: from.architecture()?.as_str().to_owned(),
        root_size: root
            .and_then(|root| root.volume_size)
            .and_then(|size| u32::try_from(size).ok())
            .unwrap_or_default(),
        root_device,
        snapshots: disks
            .iter()
            .filter_map(|disk| disk.ebs()?.snapshot_id.clone())
            .collect(),
        state: from
            .state()
            .map(ImageState::as_str)
            .unwrap_or_default()
            .to_owned(),
        reason: from
            .state_reason()
            .and_then(|reason| reason.message())
            .unwrap_or_default()
            .to_owned(),
        tags: tags(from.tags()),
    })
}

/// Looks for the image to start from: the user's, else the newest Amazon Linux 2023.
///
/// # Errors
/// [`Ec2Error::NoImage`] with the way out: none, not available, or of another architecture.
pub async fn find(client: &Client, ami_id: Option<&str>, architecture: &str) -> Result<Image, Ec2Error> {
    let Some(id) = ami_id else {
        return newest(client, architecture).await;
    };
    let none = |why: String| Ec2Error::NoImage {
        image: id.to_owned(),
        why,
    };
    let Some(found) = look(client, id).await? else {
        return Err(none(
            "is not there; check `ami_id`, the Region, and whether it is shared with this account".to_owned(),
        ));
    };
    if found.state != "available" {
        return Err(none(format!("is {}; take one that is available", found.state)));
    }
    if found.architecture != architecture {
        return Err(none(format!(
            "is for {}, and `instance_type` has {architecture}; take an image or a type of the same architecture",
            found.architecture
        )));
    }
    Ok(found)
}

async fn newest(client: &Client, architecture: &str) -> Result<Image, Ec2Error> {
    let mut found: Option<(String, Image)> = None;
    let mut pages = client
        .describe_images()
        .owners("amazon")
        .filters(filter("name", &format!("{AMAZON_LINUX}-{architecture}")))
        .filters(filter("architecture", architecture))
        .filters(filter("state", "available"))
        .filters(filter("root-device-type", "ebs"))
        .into_paginator()
        .items()
        .send();
    while let Some(page) = pages.next().await {
        let answer = page.map_err(ec2("DescribeImages"))?;
        let made = answer.creation_date.clone().unwrap_or_default();
        // ISO 8601 in UTC: texts sort as times do. The name tells apart what was made in the same second.
        let is_newer = |image: &Image| {
            found
                .as_ref()
                .is_none_or(|(other, kept)| (other, &kept.name) < (&made, &image.name))
        };
        if let Some(image) = read(&answer).filter(is_newer) {
            found = Some((made, image));
        }
    }
    found.map(|(_, image)| image).ok_or_else(|| Ec2Error::NoImage {
        image: format!("{AMAZON_LINUX}-{architecture}"),
        why: "is not offered by Amazon in this Region; set `ami_id`".to_owned(),
    })
}

/// One image by its id; `None` if it is gone.
///
/// # Errors
/// [`Ec2Error`].
pub async fn look(client: &Client, id: &str) -> Result<Option<Image>, Ec2Error> {
    let asked = client.describe_images().image_ids(id).send().await;
    match asked.map_err(ec2("DescribeImages")) {
        Ok(answer) => Ok(answer.images().first().and_then(read)),
        Err(error) if error.kind() == Kind::NotFound || error.code() == "InvalidAMIID.Unavailable" => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Every image of a cluster in the account, by its tag. The tag index lags: what is missing here may be there.
///
/// # Errors
/// [`Ec2Error`].
pub async fn all(client: &Client, names: &Names) -> Result<Vec<Image>, Ec2Error> {
    let mut found = Vec::new();
    let mut pages = client
        .describe_images()
        .owners("self")
        .filters(filter(&format!("tag:{CLUSTER_TAG}"), names.uid().as_str()))
        .into_paginator()
        .items()
        .send();
    while let Some(page) = pages.next().await {
        found.extend(read(&page.map_err(ec2("DescribeImages"))?));
    }
    Ok(found)
}

/// The name of a cluster's copy of an image.
pub fn copy_name(names: &Names, source_id: &str) -> String {
    format!("{}-{source_id}", names.cluster())
}

/// Copies an image into the account and waits until it can be launched; the same call after a cut gives the same copy.
/// Its disk is encrypted if the account encrypts by default, else as the source is.
///
/// `life` counts copies of this source that were removed before; `say` gets a text while it lasts.
///
/// # Errors
/// [`Ec2Error::NoImage`] if the copy fails; [`Ec2Error::TooLate`]; other [`Ec2Error`].
pub async fn copy(
    client: &Client,
    names: &Names,
    region: &str,
    source: &Image,
    life: u32,
    user_tags: &BTreeMap<String, String>,
    say: &(dyn Fn(String) + Send + Sync),
) -> Result<Image, Ec2Error> {
    let name = copy_name(names, &source.id);
    let all = names.tags(None, user_tags);
    let made = client
        .copy_image()
        .name(&name)
        .source_image_id(&source.id)
        .source_region(region)
        .description(format!("{} for {}", source.name, names.cluster()))
        .client_token(names.image_token(&source.id, life))
        .tag_specifications(tag_specification(ResourceType::Image, &all))
        .tag_specifications(tag_specification(ResourceType::Snapshot, &all))
        .send()
        .await
        .map_err(ec2("CopyImage"))?;
    let id = made.image_id.ok_or(Ec2Error::Incomplete {
        service: "ec2",
        action: "CopyImage",
        what: "the image's id",
    })?;
    say(format!("copies the image {} ({})", source.id, source.name));
    let mut patience = Patience::of(COPIED_WITHIN);
    let mut unknown = Patience::of(KNOWN_WITHIN);
    loop {
        let failed = |why: String| Ec2Error::NoImage {
            image: id.clone(),
            why,
        };
        let Some(found) = look(client, &id).await? else {
            // Just made, or a former copy whose token is burnt.
            if unknown.pause().await {
                continue;
            }
            return Err(failed(format!(
                "was a copy of {} and is gone; run again",
                source.id
            )));
        };
        match ImageState::from(found.state.as_str()) {
            ImageState::Available => return Ok(found),
            ImageState::Pending => {
                say(format!(
                    "waits until the image {id}, a copy of {}, is ready",
                    source.id
                ));
            }
            state => {
                return Err(failed(format!(
                    "is a copy of {} and {}: {}. Remove it and run again, or set `copy_ami = false`",
                    source.id,
                    state.as_str(),
                    found.reason
                )));
            }
        }
        if !patience.pause().await {
            return Err(patience.too_late(format!("the image {id}"), "pending"));
        }
    }
}

/// Removes a copy that is the cluster's, with its snapshots. What is not ours is not touched.
///
/// # Errors
/// [`Ec2Error::NotOurs`]; other [`Ec2Error`].
pub async fn remove(client: &Client, names: &Names, id: &str) -> Result<(), Ec2Error> {
    let found = look(client, id).await?;
    if let Some(found) = &found {
        if !names.is_ours(&found.tags, None) {
            return Err(Ec2Error::NotOurs {
                what: "image",
                name: found.name.clone(),
                id: id.to_owned(),
            });
        }
        let removed = client.deregister_image().image_id(id).send().await;
        gone(removed.map_err(ec2("DeregisterImage")))?;
    }
    for snapshot in found.map(|found| found.snapshots).unwrap_or_default() {
        remove_snapshot(client, &snapshot).await?;
    }
    Ok(())
}

/// Removes the snapshots of copies that are gone: a run was cut off between the two. Those of volumes, the user's last
/// data, have the node's tag as well.
///
/// # Errors
/// [`Ec2Error`].
pub async fn remove_orphans(client: &Client, names: &Names) -> Result<(), Ec2Error> {
    let mut orphans = Vec::new();
    let mut pages = client
        .describe_snapshots()
        .owner_ids("self")
        .filters(filter(&format!("tag:{CLUSTER_TAG}"), names.uid().as_str()))
        .into_paginator()
        .items()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(ec2("DescribeSnapshots"))?;
        if names.is_ours(&tags(page.tags()), None) {
            orphans.extend(page.snapshot_id);
        }
    }
    for snapshot in orphans {
        remove_snapshot(client, &snapshot).await?;
    }
    Ok(())
}

async fn remove_snapshot(client: &Client, id: &str) -> Result<(), Ec2Error> {
    let removed = insist(
        LET_GO_WITHIN,
        |error| error.code() == "InvalidSnapshot.InUse",
        || async {
            client
                .delete_snapshot()
                .snapshot_id(id)
                .send()
                .await
                .map_err(ec2("DeleteSnapshot"))
        },
    );
    gone(removed.await)?;
    Ok(())
}

//! The volume with a node's data. Made and kept by the provider, attached by the node's agent.
//!
//! *Never*: detached by force, made again under its id, shrunk. A volume that is gone is an error of the plan.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{ResourceType, Snapshot, Tag, VolumeModificationState, VolumeState, VolumeType};

use super::calls::{KNOWN_WITHIN, Patience, ec2, filter, gone, insist, one_of, tag_specification, tags};
use super::error::Ec2Error;
use super::names::{CLUSTER_TAG, Made, Names};
use crate::aws::{CallError, Kind};
use crate::observed::cloud::VolumeShape;
use crate::spec::ids::NodeId;

/// EBS says `creating` for so long at most; from a snapshot as well, which is then read in the background.
const CREATED_WITHIN: Duration = Duration::from_mins(5);
/// An instance that is shutting down keeps its volume for so long.
const LET_GO_WITHIN: Duration = Duration::from_mins(10);

/// A volume, as EC2 tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// `vol-…`.
    pub id: String,
    /// The zone.
    pub zone: String,
    /// What it is.
    pub shape: VolumeShape,
    /// Whether it is encrypted.
    pub is_encrypted: bool,
    /// The ARN of its key.
    pub key_arn: Option<String>,
    /// Where it was restored from.
    pub snapshot_id: Option<String>,
    /// `creating`, `available`, `in-use`, `deleting`, `error`.
    pub state: String,
    /// The instance that holds it.
    pub instance_id: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Volume {
    /// Whether its data is gone.
    pub fn is_lost(&self) -> bool {
        matches!(self.state.as_str(), "deleting" | "deleted" | "error")
    }
}

fn read(from: &aws_sdk_ec2::types::Volume) -> Option<Volume> {
    let number = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    Some(Volume {
        id: from.volume_id.clone()?,
        zone: from.availability_zone.clone()?,
        shape: VolumeShape {
            size: number(from.size)?,
            kind: from.volume_type()?.as_str().to_owned(),
            iops: number(from.iops),
            throughput: number(from.throughput),
        },
        is_encrypted: from.encrypted == Some(true),
        key_arn: from.kms_key_id.clone(),
        snapshot_id: from.snapshot_id.clone().filter(|id| !id.is_empty()),
        state: from.state()?.as_str().to_owned(),
        instance_id: from
            .attachments()
            .iter()
            .find_map(|attachment| attachment.instance_id.clone()),
        tags: tags(from.tags()),
    })
}

/// Every volume of a cluster, by its tag. The tag index lags: what is missing here may be there.
///
/// # Errors
/// [`Ec2Error`].
pub async fn all(client: &Client, names: &Names) -> Result<Vec<Volume>, Ec2Error> {
    let mut found = Vec::new();
    let mut pages = client
        .describe_volumes()
        .filters(filter(&format!("tag:{CLUSTER_TAG}"), names.uid().as_str()))
        .into_paginator()
        .items()
        .send();
    while let Some(page) = pages.next().await {
        found.extend(read(&page.map_err(ec2("DescribeVolumes"))?));
    }
    Ok(found)
}

/// Some volumes by their ids, in one question; those that are gone are missing.
///
/// # Errors
/// [`Ec2Error`].
pub async fn some(client: &Client, ids: &[String]) -> Result<BTreeMap<String, Volume>, Ec2Error> {
    let mut found = BTreeMap::new();
    // A filter may name 200 values (EC2 API reference, Filter).
    for ids in ids.chunks(200) {
        let mut pages = client
            .describe_volumes()
            .filters(one_of("volume-id", ids))
            .into_paginator()
            .items()
            .send();
        while let Some(page) = pages.next().await {
            if let Some(volume) = read(&page.map_err(ec2("DescribeVolumes"))?) {
                found.insert(volume.id.clone(), volume);
            }
        }
    }
    Ok(found)
}

/// One volume by its id; `None` if it is gone.
///
/// # Errors
/// [`Ec2Error`].
pub async fn look(client: &Client, id: &str) -> Result<Option<Volume>, Ec2Error> {
    let asked = client.describe_volumes().volume_ids(id).send().await;
    match asked.map_err(ec2("DescribeVolumes")) {
        Ok(answer) => Ok(answer.volumes().first().and_then(read)),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What a node's volume should be, and where.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The node.
    pub node: NodeId,
    /// The zone of its interface.
    pub zone: &'a str,
    /// What it should be.
    pub shape: &'a VolumeShape,
    /// The key's id, alias or ARN; `None`: the account's key for EBS.
    pub key: Option<&'a str>,
    /// What it is restored from.
    pub snapshot_id: Option<&'a str>,
    /// Tags of the user.
    pub tags: &'a BTreeMap<String, String>,
    /// How many volumes had this place before.
    pub life: u32,
}

/// Makes the volume; the same call after a cut gives the same one. Waits until it can be attached.
///
/// A key that EC2 may not use is told late: the call succeeds, and the volume vanishes or fails.
///
/// # Errors
/// [`Ec2Error::KeyRefused`]; other [`Ec2Error`].
pub async fn create(client: &Client, names: &Names, wanted: &Wanted<'_>) -> Result<Volume, Ec2Error> {
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let made = client
        .create_volume()
        .availability_zone(wanted.zone)
        .size(number(wanted.shape.size))
        .volume_type(VolumeType::from(wanted.shape.kind.as_str()))
        .set_iops(wanted.shape.iops.map(number))
        .set_throughput(wanted.shape.throughput.map(number))
        .encrypted(true)
        .set_kms_key_id(wanted.key.map(str::to_owned))
        .set_snapshot_id(wanted.snapshot_id.map(str::to_owned))
        .client_token(names.token(Made::Volume, wanted.node, wanted.life))
        .tag_specifications(tag_specification(
            ResourceType::Volume,
            &names.tags(Some(wanted.node), wanted.tags),
        ))
        .send()
        .await
        .map_err(ec2("CreateVolume"))?;
    let id = made.volume_id.ok_or(Ec2Error::Incomplete {
        service: "ec2",
        action: "CreateVolume",
        what: "the volume's id",
    })?;
    let refused = |state: &str| Ec2Error::KeyRefused {
        volume: id.clone(),
        state: state.to_owned(),
        key: wanted.key.unwrap_or("the account's key for EBS").to_owned(),
    };
    let mut patience = Patience::of(CREATED_WITHIN);
    let mut unknown = Patience::of(KNOWN_WITHIN);
    loop {
        let found = look(client, &id).await?;
        match found
            .as_ref()
            .map(|found| VolumeState::from(found.state.as_str()))
        {
            Some(VolumeState::Available | VolumeState::InUse) => {
                return found.ok_or_else(|| refused("gone"));
            }
            Some(VolumeState::Error | VolumeState::Deleting | VolumeState::Deleted) => {
                return Err(refused("failed"));
            }
            // Just made, or taken away again: after a minute it is the latter.
            None if !unknown.pause().await => return Err(refused("gone")),
            Some(state) if !patience.pause().await => {
                return Err(patience.too_late(format!("the volume {id}"), state.as_str()));
            }
            None | Some(_) => {}
        }
    }
}

/// Asks EBS to change size, operations and throughput, all in one request: it takes four in 24 hours. The new size
/// can be used while the volume is still `optimizing`.
///
/// # Errors
/// [`Ec2Error`]; AWS's own words say when the next change is allowed.
pub async fn modify(client: &Client, id: &str, shape: &VolumeShape) -> Result<(), Ec2Error> {
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    client
        .modify_volume()
        .volume_id(id)
        .size(number(shape.size))
        .volume_type(VolumeType::from(shape.kind.as_str()))
        .set_iops(shape.iops.map(number))
        .set_throughput(shape.throughput.map(number))
        .send()
        .await
        .map_err(ec2("ModifyVolume"))?;
    Ok(())
}

/// How far the last change of a volume is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modification {
    /// `modifying`, `optimizing`, `completed`, `failed`.
    pub state: String,
    /// Percent.
    pub progress: i64,
    /// Why it failed.
    pub message: String,
}

impl Modification {
    /// Whether the new size is there.
    pub fn is_usable(&self) -> bool {
        let state = VolumeModificationState::from(self.state.as_str());
        matches!(
            state,
            VolumeModificationState::Optimizing | VolumeModificationState::Completed
        )
    }
}

/// The newest change of each of some volumes; those that never changed are missing.
///
/// # Errors
/// [`Ec2Error`].
pub async fn modifications(
    client: &Client,
    ids: &[String],
) -> Result<BTreeMap<String, Modification>, Ec2Error> {
    let mut newest: BTreeMap<String, (i64, Modification)> = BTreeMap::new();
    let mut pages = client
        .describe_volumes_modifications()
        .filters(one_of("volume-id", ids))
        .into_paginator()
        .items()
        .send();
    while let Some(page) = pages.next().await {
        let change = page.map_err(ec2("DescribeVolumesModifications"))?;
        let (Some(id), Some(state)) = (change.volume_id(), change.modification_state()) else {
            continue;
        };
        let begun = change.start_time().map(DateTime::secs).unwrap_or_default();
        let read = Modification {
            state: state.as_str().to_owned(),
            progress: change.progress().unwrap_or_default(),
            message: change.status_message().unwrap_or_default().to_owned(),
        };
        let kept = newest
            .entry(id.to_owned())
            .or_insert_with(|| (begun, read.clone()));
        if begun >= kept.0 {
            *kept = (begun, read);
        }
    }
    Ok(newest.into_iter().map(|(id, (_, change))| (id, change)).collect())
}

/// Puts a tag on the volume.
///
/// # Errors
/// [`Ec2Error`].
pub async fn tag(client: &Client, id: &str, key: &str, value: &str) -> Result<(), Ec2Error> {
    let tagged = insist(
        KNOWN_WITHIN,
        |error| error.kind() == Kind::NotFound,
        || async {
            client
                .create_tags()
                .resources(id)
                .tags(Tag::builder().key(key).value(value).build())
                .send()
                .await
                .map_err(ec2("CreateTags"))
        },
    );
    tagged.await?;
    Ok(())
}

/// Begins a snapshot of the volume and answers its id. It holds the data of this moment, also before it is complete.
/// `run` names the destroy that asks, so that one that was cut off does not begin a second one.
///
/// # Errors
/// [`Ec2Error`].
pub async fn snapshot(
    client: &Client,
    names: &Names,
    (node, volume_id): (NodeId, &str),
    run: &str,
    user_tags: &BTreeMap<String, String>,
) -> Result<String, Ec2Error> {
    const RUN_TAG: &str = "tfmsk-run";
    let there = client
        .describe_snapshots()
        .owner_ids("self")
        .filters(filter("volume-id", volume_id))
        .filters(filter(&format!("tag:{RUN_TAG}"), run))
        .send()
        .await
        .map_err(ec2("DescribeSnapshots"))?;
    if let Some(id) = there.snapshots().first().and_then(Snapshot::snapshot_id) {
        return Ok(id.to_owned());
    }
    let mut all = names.tags(Some(node), user_tags);
    all.insert(RUN_TAG.to_owned(), run.to_owned());
    let made = client
        .create_snapshot()
        .volume_id(volume_id)
        .description(format!("last data of {}", names.node(node)))
        .tag_specifications(tag_specification(ResourceType::Snapshot, &all))
        .send()
        .await
        .map_err(ec2("CreateSnapshot"))?;
    made.snapshot_id.ok_or(Ec2Error::Incomplete {
        service: "ec2",
        action: "CreateSnapshot",
        what: "the snapshot's id",
    })
}

/// Removes the volume with its data. An instance that is shutting down is waited for.
///
/// # Errors
/// [`Ec2Error`].
pub async fn remove(client: &Client, id: &str) -> Result<(), Ec2Error> {
    let is_held = |error: &CallError| matches!(error.code(), "VolumeInUse" | "IncorrectState");
    let removed = insist(LET_GO_WITHIN, is_held, || async {
        client
            .delete_volume()
            .volume_id(id)
            .send()
            .await
            .map_err(ec2("DeleteVolume"))
    });
    Ok(gone(removed.await)?)
}

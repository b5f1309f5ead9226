//! The Auto Scaling group of one node: size one, in one zone. While nobody runs Terraform it replaces a machine that
//! is lost by another with the same interface.
//!
//! EC2 itself is the fence: the interface stands in the launch template, so a second machine cannot start while the
//! first one holds it; the group tries again.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::config::http::HttpResponse;
use aws_sdk_autoscaling::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_autoscaling::types::{
    InstanceMaintenancePolicy, LaunchTemplateSpecification, ScalingActivityStatusCode, Tag,
};

use super::calls::{Patience, insist};
use super::error::Ec2Error;
use super::names::Names;
use super::placement::{Held, Kept, Placement, Wanted};
use super::tag::Change;
use crate::aws::{CallError, Service};
use crate::spec::ids::NodeId;

/// A fresh instance profile is unknown to EC2 for so long.
const PROFILE_KNOWN_WITHIN: Duration = Duration::from_mins(2);
/// A machine is gone within this time; one whose host is ill may take as long.
const EMPTY_WITHIN: Duration = Duration::from_mins(15);
/// Names in one call of `DescribeAutoScalingGroups` (API reference: 50 by default, 100 at most).
const AT_ONCE: usize = 50;

/// [`Placement`] by an Auto Scaling group of one.
#[derive(Debug)]
pub struct GroupOfOne {
    client: Client,
    names: Names,
}

impl GroupOfOne {
    /// The groups of one cluster.
    pub const fn new(client: Client, names: Names) -> Self {
        Self { client, names }
    }
}

impl Placement for GroupOfOne {
    async fn look(&self, nodes: &[Held<'_>]) -> Result<BTreeMap<NodeId, Kept>, Ec2Error> {
        let nodes: Vec<NodeId> = nodes.iter().map(|held| held.node).collect();
        let groups = look(&self.client, &self.names, &nodes).await?.into_iter();
        let kept = |(node, group): (NodeId, Group)| {
            let kept = Kept {
                drift: drift(&group),
                instance_id: group.machines.into_iter().next().map(|machine| machine.id),
            };
            (!group.is_leaving).then_some((node, kept))
        };
        Ok(groups.filter_map(kept).collect())
    }

    async fn ensure(&self, wanted: &Wanted<'_>) -> Result<(), Ec2Error> {
        ensure(&self.client, &self.names, wanted).await
    }

    async fn change_tags(&self, node: NodeId, change: &Change<'_>) -> Result<(), Ec2Error> {
        let name = self.names.node(node);
        let tags = group_tags(&name, &change.wanted(Some(node)));
        let tagged = self.client.create_or_update_tags().set_tags(Some(tags));
        tagged.send().await.map_err(failed("CreateOrUpdateTags"))?;
        if change.removed.is_empty() {
            return Ok(());
        }
        let gone = change.removed.iter().map(|key| (key.clone(), String::new()));
        let untagged = self
            .client
            .delete_tags()
            .set_tags(Some(group_tags(&name, &gone.collect())));
        untagged.send().await.map_err(failed("DeleteTags"))?;
        Ok(())
    }

    async fn stop(&self, node: &Held<'_>) -> Result<(), Ec2Error> {
        stop(&self.client, &self.names, node.node).await
    }

    async fn remove(&self, node: NodeId) -> Result<(), Ec2Error> {
        remove(&self.client, &self.names, node).await
    }

    async fn words(&self, node: NodeId) -> Result<Vec<String>, Ec2Error> {
        activities(&self.client, &self.names, node).await
    }
}

/// What others changed of a group, in words.
fn drift(group: &Group) -> Vec<String> {
    let mut words = Vec::new();
    let size = (group.least, group.wanted, group.most);
    if size != (1, 1, 1) {
        let (least, wanted, most) = size;
        words.push(format!(
            "its group was changed by hand: least {least}, wanted {wanted}, most {most} instances instead of 1"
        ));
    }
    if !group.suspended.is_empty() {
        words.push(format!(
            "its group's processes {} are suspended",
            group.suspended.join(", ")
        ));
    }
    words
}

/// A machine of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// `i-…`.
    pub id: String,
    /// `Pending`, `InService`, `Terminating` ….
    pub lifecycle: String,
    /// `Healthy` or `Unhealthy`.
    pub health: String,
    /// The launch template that it was launched with.
    pub template_id: Option<String>,
}

/// A group, as Auto Scaling tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The least size.
    pub least: i32,
    /// The size that is wanted.
    pub wanted: i32,
    /// The largest size.
    pub most: i32,
    /// The launch template of the next machine.
    pub template_id: Option<String>,
    /// The zones.
    pub zones: Vec<String>,
    /// Its machines.
    pub machines: Vec<Machine>,
    /// Processes that somebody has suspended.
    pub suspended: Vec<String>,
    /// Whether it is being deleted.
    pub is_leaving: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Group {
    /// Whether it holds one machine of this template, whoever asked.
    pub fn is_as_made(&self, template_id: &str) -> bool {
        (self.least, self.wanted, self.most) == (1, 1, 1)
            && self.template_id.as_deref() == Some(template_id)
            && self.suspended.is_empty()
    }
}

fn failed<E>(action: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    move |error| CallError::new(Service::AutoScaling, action, &error)
}

/// The groups of some nodes, by node; what is not there is missing.
///
/// # Errors
/// [`Ec2Error::NotOurs`] if a group of another has the name of ours.
pub async fn look(
    client: &Client,
    names: &Names,
    nodes: &[NodeId],
) -> Result<BTreeMap<NodeId, Group>, Ec2Error> {
    let by_name: BTreeMap<String, NodeId> = nodes.iter().map(|node| (names.node(*node), *node)).collect();
    let all: Vec<String> = by_name.keys().cloned().collect();
    let mut found = BTreeMap::new();
    for part in all.chunks(AT_ONCE) {
        let mut pages = client
            .describe_auto_scaling_groups()
            .set_auto_scaling_group_names(Some(part.to_vec()))
            .into_paginator()
            .items()
            .send();
        while let Some(page) = pages.next().await {
            let group = read(&page.map_err(failed("DescribeAutoScalingGroups"))?);
            let Some(group) = group else { continue };
            let Some(node) = by_name.get(&group.name) else {
                continue;
            };
            if !names.is_ours(&group.tags, Some(*node)) {
                return Err(Ec2Error::NotOurs {
                    what: "Auto Scaling group",
                    name: group.name.clone(),
                    id: group.name,
                });
            }
            found.insert(*node, group);
        }
    }
    Ok(found)
}

fn read(from: &aws_sdk_autoscaling::types::AutoScalingGroup) -> Option<Group> {
    let machines = from.instances().iter().filter_map(|instance| {
        Some(Machine {
            id: instance.instance_id.clone()?,
            lifecycle: instance.lifecycle_state()?.as_str().to_owned(),
            health: instance.health_status.clone().unwrap_or_default(),
            template_id: instance
                .launch_template()
                .and_then(|template| template.launch_template_id.clone()),
        })
    });
    let suspended = from.suspended_processes().iter();
    let tags = from.tags().iter();
    Some(Group {
        name: from.auto_scaling_group_name.clone()?,
        least: from.min_size?,
        wanted: from.desired_capacity?,
        most: from.max_size?,
        template_id: from
            .launch_template()
            .and_then(|template| template.launch_template_id.clone()),
        zones: from.availability_zones().to_vec(),
        machines: machines.collect(),
        suspended: suspended
            .filter_map(|process| process.process_name.clone())
            .collect(),
        is_leaving: from.status.is_some(),
        tags: tags
            .filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default())))
            .collect(),
    })
}

fn group_tags(name: &str, tags: &BTreeMap<String, String>) -> Vec<Tag> {
    let tags = tags.iter().map(|(key, value)| {
        Tag::builder()
            .resource_id(name)
            .resource_type("auto-scaling-group")
            .key(key)
            .value(value)
            // The template tags machines, and their disks as well.
            .propagate_at_launch(false)
            .build()
    });
    tags.collect()
}

fn template(id: &str) -> LaunchTemplateSpecification {
    LaunchTemplateSpecification::builder()
        .launch_template_id(id)
        .version("1")
        .build()
}

/// Makes the group with its machine, or brings one that is there to size one and this template.
///
/// # Errors
/// [`Ec2Error`].
pub async fn ensure(client: &Client, names: &Names, wanted: &Wanted<'_>) -> Result<(), Ec2Error> {
    let node = wanted.held.node;
    let name = names.node(node);
    let there = look(client, names, &[node]).await?;
    if let Some(group) = there.get(&node) {
        if !group.suspended.is_empty() {
            let resumed = client
                .resume_processes()
                .auto_scaling_group_name(&name)
                .set_scaling_processes(Some(group.suspended.clone()))
                .send();
            resumed.await.map_err(failed("ResumeProcesses"))?;
        }
        if !group.is_as_made(wanted.template_id) {
            resize(client, &name, 1, Some(wanted.template_id)).await?;
        }
        return Ok(());
    }
    let tags = group_tags(&name, &names.tags(Some(node), wanted.tags));
    let is_passing = |error: &CallError| {
        error.code() == "ResourceContention"
            || error.message().contains("Invalid IAM Instance Profile")
            || is_template_unknown(error)
    };
    let made = insist(PROFILE_KNOWN_WITHIN, is_passing, || async {
        client
            .create_auto_scaling_group()
            .auto_scaling_group_name(&name)
            .min_size(1)
            .max_size(1)
            .desired_capacity(1)
            // Zones and no subnets: the interface in the template says where.
            .availability_zones(wanted.zone)
            .launch_template(template(wanted.template_id))
            // A broker that is behind is none to be replaced.
            .health_check_type("EC2")
            .instance_maintenance_policy(
                InstanceMaintenancePolicy::builder()
                    .min_healthy_percentage(0)
                    .max_healthy_percentage(100)
                    .build(),
            )
            .set_tags(Some(tags.clone()))
            .send()
            .await
            .map_err(failed("CreateAutoScalingGroup"))
    });
    match made.await {
        // Made by a call whose answer was lost.
        Err(error) if error.code() == "AlreadyExists" || error.code() == "AlreadyExistsFault" => {
            match look(client, names, &[node]).await?.remove(&node) {
                Some(_) => Ok(()),
                None => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Auto Scaling learns of what was just made late: of an instance profile, and of a launch template.
fn is_template_unknown(error: &CallError) -> bool {
    error.message().contains("launch template") && error.message().contains("does not exist")
}

async fn resize(client: &Client, name: &str, size: i32, template_id: Option<&str>) -> Result<(), Ec2Error> {
    let is_passing = |error: &CallError| {
        matches!(
            error.code(),
            "ScalingActivityInProgress"
                | "ScalingActivityInProgressFault"
                | "ResourceContention"
                | "ResourceContentionFault"
        ) || is_template_unknown(error)
    };
    let updated = insist(PROFILE_KNOWN_WITHIN, is_passing, || async {
        client
            .update_auto_scaling_group()
            .auto_scaling_group_name(name)
            .min_size(size)
            .desired_capacity(size)
            .max_size(1)
            .set_launch_template(template_id.map(template))
            .send()
            .await
            .map_err(failed("UpdateAutoScalingGroup"))
    });
    updated.await?;
    Ok(())
}

/// Points the group at another template, for the next machine; nothing is replaced.
///
/// # Errors
/// [`Ec2Error`].
pub async fn repoint(
    client: &Client,
    names: &Names,
    node: NodeId,
    template_id: &str,
) -> Result<(), Ec2Error> {
    client
        .update_auto_scaling_group()
        .auto_scaling_group_name(names.node(node))
        .launch_template(template(template_id))
        .send()
        .await
        .map_err(failed("UpdateAutoScalingGroup"))?;
    Ok(())
}

/// Ends the node's machine and waits until the group has none; interface and volume are free soon after.
///
/// # Errors
/// [`Ec2Error`].
pub async fn stop(client: &Client, names: &Names, node: NodeId) -> Result<(), Ec2Error> {
    let name = names.node(node);
    let Some(group) = look(client, names, &[node]).await?.remove(&node) else {
        return Ok(());
    };
    if group.wanted != 0 {
        resize(client, &name, 0, None).await?;
    }
    let mut patience = Patience::of(EMPTY_WITHIN);
    loop {
        let Some(group) = look(client, names, &[node]).await?.remove(&node) else {
            return Ok(());
        };
        let Some(machine) = group.machines.first() else {
            return Ok(());
        };
        if !patience.pause().await {
            let what = format!("the machine {} of {name}", machine.id);
            return Err(patience.too_late(what, machine.lifecycle.clone()));
        }
    }
}

/// Removes the group, which must be empty.
///
/// # Errors
/// [`Ec2Error`].
pub async fn remove(client: &Client, names: &Names, node: NodeId) -> Result<(), Ec2Error> {
    let name = names.node(node);
    if look(client, names, &[node]).await?.is_empty() {
        return Ok(());
    }
    let is_passing = |error: &CallError| {
        matches!(
            error.code(),
            "ScalingActivityInProgress"
                | "ScalingActivityInProgressFault"
                | "ResourceInUse"
                | "ResourceInUseFault"
                | "ResourceContention"
                | "ResourceContentionFault"
        )
    };
    let removed = insist(EMPTY_WITHIN, is_passing, || async {
        client
            .delete_auto_scaling_group()
            .auto_scaling_group_name(&name)
            .send()
            .await
            .map_err(failed("DeleteAutoScalingGroup"))
    });
    match removed.await {
        // Not found is a ValidationError with these words.
        Err(error) if error.message().contains("not found") => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// What the group last tried, newest first, in AWS's own words: why a machine does not come up.
///
/// # Errors
/// [`Ec2Error`].
pub async fn activities(client: &Client, names: &Names, node: NodeId) -> Result<Vec<String>, Ec2Error> {
    let answer = client
        .describe_scaling_activities()
        .auto_scaling_group_name(names.node(node))
        .max_records(5)
        .send()
        .await
        .map_err(failed("DescribeScalingActivities"))?;
    let words = answer.activities().iter().map(|activity| {
        let status = activity
            .status_code()
            .map(ScalingActivityStatusCode::as_str)
            .unwrap_or_default();
        let said = activity
            .status_message()
            .or(activity.description())
            .unwrap_or_default();
        format!("{status}: {said}")
    });
    Ok(words.collect())
}

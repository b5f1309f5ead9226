//! The launch template of a node: what its next machine will be. One template for each content, always version 1, so
//! that nothing changes under a group; a group points at one by id and number.

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    InstanceMetadataEndpointState, LaunchTemplateBlockDeviceMappingRequest,
    LaunchTemplateEbsBlockDeviceRequest, LaunchTemplateHttpTokensState,
    LaunchTemplateIamInstanceProfileSpecificationRequest, LaunchTemplateInstanceMetadataOptionsRequest,
    LaunchTemplateInstanceMetadataTagsState, LaunchTemplateInstanceNetworkInterfaceSpecificationRequest,
    LaunchTemplateTagSpecificationRequest, RequestLaunchTemplateData, ResourceType, Tag, VolumeType,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::calls::{KNOWN_WITHIN, Patience, ec2, filter, gone, tag_specification, tags};
use super::error::Ec2Error;
use super::names::{CLUSTER_TAG, Names};
use crate::spec::ids::NodeId;

/// EC2 takes 16 KiB before base64.
pub const LONGEST_USER_DATA: usize = 16 << 10;

/// Everything that a node's machine is launched with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The AMI.
    pub image_id: String,
    /// Such as `m5.large`.
    pub instance_type: String,
    /// The node's fixed interface, which has the security groups.
    pub interface_id: String,
    /// The instance profile's name.
    pub instance_profile: String,
    /// The device of the AMI's root disk, such as `/dev/xvda`.
    pub root_device: String,
    /// GiB of the root disk.
    pub root_size: u32,
    /// What cloud-init does at the first boot.
    pub user_data: String,
    /// Tags of the instance and of its root disk.
    pub tags: BTreeMap<String, String>,
}

impl Launch {
    /// The whole content as text: two launches are the same exactly if these are.
    fn content(&self) -> String {
        format!("{self:?}")
    }

    fn data(&self) -> RequestLaunchTemplateData {
        let interface = LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder()
            .device_index(0)
            .network_interface_id(&self.interface_id)
            // Said in words: the interface outlives the machine.
            .delete_on_termination(false)
            .build();
        let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
            .http_endpoint(
                aws_sdk_ec2::types::LaunchTemplateInstanceMetadataEndpointState::from(
                    InstanceMetadataEndpointState::Enabled.as_str(),
                ),
            )
            .http_tokens(LaunchTemplateHttpTokensState::Required)
            .http_put_response_hop_limit(1)
            // Users' keys of tags may hold characters with which a launch is refused.
            .instance_metadata_tags(LaunchTemplateInstanceMetadataTagsState::Disabled)
            .build();
        // Without a key: that of the account. The data volume is not made by the launch.
        let disk = LaunchTemplateEbsBlockDeviceRequest::builder()
            .volume_type(VolumeType::Gp3)
            .volume_size(i32::try_from(self.root_size).unwrap_or(i32::MAX))
            .encrypted(true)
            .delete_on_termination(true)
            .build();
        let root = LaunchTemplateBlockDeviceMappingRequest::builder()
            .device_name(&self.root_device)
            .ebs(disk)
            .build();
        let tagged = |kind| {
            let tags = self
                .tags
                .iter()
                .map(|(key, value)| Tag::builder().key(key).value(value).build());
            LaunchTemplateTagSpecificationRequest::builder()
                .resource_type(kind)
                .set_tags(Some(tags.collect()))
                .build()
        };
        RequestLaunchTemplateData::builder()
            .image_id(&self.image_id)
            .instance_type(self.instance_type.as_str().into())
            .network_interfaces(interface)
            .iam_instance_profile(
                LaunchTemplateIamInstanceProfileSpecificationRequest::builder()
                    .name(&self.instance_profile)
                    .build(),
            )
            .metadata_options(metadata)
            .block_device_mappings(root)
            .user_data(STANDARD.encode(&self.user_data))
            .tag_specifications(tagged(ResourceType::Instance))
            .tag_specifications(tagged(ResourceType::Volume))
            .build()
    }
}

/// A launch template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// `lt-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Every template of a cluster, by its tag.
///
/// # Errors
/// [`Ec2Error`].
pub async fn all(client: &Client, names: &Names) -> Result<Vec<Template>, Ec2Error> {
    let mut found = Vec::new();
    let mut pages = client
        .describe_launch_templates()
        .filters(filter(&format!("tag:{CLUSTER_TAG}"), names.uid().as_str()))
        .into_paginator()
        .items()
        .send();
    while let Some(page) = pages.next().await {
        found.extend(read(&page.map_err(ec2("DescribeLaunchTemplates"))?));
    }
    Ok(found)
}

fn read(from: &aws_sdk_ec2::types::LaunchTemplate) -> Option<Template> {
    Some(Template {
        id: from.launch_template_id.clone()?,
        name: from.launch_template_name.clone()?,
        tags: tags(from.tags()),
    })
}

/// Makes the template unless there is one with this content.
///
/// # Errors
/// [`Ec2Error::UserData`], [`Ec2Error::NotOurs`]; other [`Ec2Error`].
pub async fn ensure(
    client: &Client,
    names: &Names,
    node: NodeId,
    launch: &Launch,
) -> Result<Template, Ec2Error> {
    if launch.user_data.len() > LONGEST_USER_DATA {
        return Err(Ec2Error::UserData {
            length: launch.user_data.len(),
        });
    }
    let name = names.template(node, &launch.content());
    if let Some(there) = find(client, names, node, &name).await? {
        return Ok(there);
    }
    let made = client
        .create_launch_template()
        .launch_template_name(&name)
        .launch_template_data(launch.data())
        .tag_specifications(tag_specification(
            ResourceType::LaunchTemplate,
            &names.tags(Some(node), &launch.tags),
        ))
        .send()
        .await
        .map_err(ec2("CreateLaunchTemplate"));
    match made {
        Ok(made) => made.launch_template().and_then(read).ok_or(Ec2Error::Incomplete {
            service: "ec2",
            action: "CreateLaunchTemplate",
            what: "the template",
        }),
        Err(error) if error.code() == "InvalidLaunchTemplateName.AlreadyExistsException" => {
            let mut patience = Patience::of(KNOWN_WITHIN);
            loop {
                match find(client, names, node, &name).await? {
                    Some(there) => return Ok(there),
                    None if patience.pause().await => {}
                    None => return Err(error.into()),
                }
            }
        }
        Err(error) => Err(error.into()),
    }
}

async fn find(
    client: &Client,
    names: &Names,
    node: NodeId,
    name: &str,
) -> Result<Option<Template>, Ec2Error> {
    let asked = client
        .describe_launch_templates()
        .launch_template_names(name)
        .send()
        .await
        .map_err(ec2("DescribeLaunchTemplates"));
    let answer = match asked {
        Err(error) if error.code().starts_with("InvalidLaunchTemplateName.NotFound") => return Ok(None),
        asked => asked?,
    };
    let Some(there) = answer.launch_templates().first().and_then(read) else {
        return Ok(None);
    };
    if names.is_ours(&there.tags, Some(node)) {
        return Ok(Some(there));
    }
    Err(Ec2Error::NotOurs {
        what: "launch template",
        name: name.to_owned(),
        id: there.id,
    })
}

/// Removes a template. Machines that were launched with it go on.
///
/// # Errors
/// [`Ec2Error`].
pub async fn remove(client: &Client, id: &str) -> Result<(), Ec2Error> {
    let removed = client
        .delete_launch_template()
        .launch_template_id(id)
        .send()
        .await;
    match removed.map_err(ec2("DeleteLaunchTemplate")) {
        Err(error) if error.code().starts_with("InvalidLaunchTemplateId.NotFound") => Ok(()),
        removed => Ok(gone(removed)?),
    }
}

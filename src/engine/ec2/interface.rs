//! The fixed network interface of a node: its address and name for life.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{NetworkInterface, NetworkInterfaceStatus, ResourceType};

use super::calls::{KNOWN_WITHIN, Patience, ec2, filter, gone, insist, one_of, tag_specification, tags};
use super::error::Ec2Error;
use super::names::{CLUSTER_TAG, Made, Names};
use crate::aws::{CallError, Kind};
use crate::spec::ids::NodeId;

/// An instance that is shutting down keeps its interface for so long.
const LET_GO_WITHIN: Duration = Duration::from_mins(10);

/// An interface of a node, as EC2 tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// `eni-…`.
    pub id: String,
    /// The subnet.
    pub subnet_id: String,
    /// The address, for life.
    pub private_address: String,
    /// The name that the VPC's DNS gives it.
    pub private_name: Option<String>,
    /// The security groups on it.
    pub groups: Vec<String>,
    /// The instance that holds it.
    pub instance_id: Option<String>,
    /// Whether an instance could take it.
    pub is_free: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

fn read(from: &NetworkInterface) -> Option<Interface> {
    Some(Interface {
        id: from.network_interface_id.clone()?,
        subnet_id: from.subnet_id.clone()?,
        private_address: from.private_ip_address.clone()?,
        private_name: from.private_dns_name.clone().filter(|name| !name.is_empty()),
        groups: from
            .groups()
            .iter()
            .filter_map(|group| group.group_id.clone())
            .collect(),
        instance_id: from
            .attachment()
            .and_then(|attachment| attachment.instance_id.clone()),
        is_free: from.status() == Some(&NetworkInterfaceStatus::Available),
        tags: tags(from.tag_set()),
    })
}

/// Every interface of a cluster, by its tag. The tag index lags: what is missing here may be there.
///
/// # Errors
/// [`Ec2Error`].
pub async fn all(client: &Client, names: &Names) -> Result<Vec<Interface>, Ec2Error> {
    let mut found = Vec::new();
    let mut pages = client
        .describe_network_interfaces()
        .filters(filter(&format!("tag:{CLUSTER_TAG}"), names.uid().as_str()))
        .into_paginator()
        .items()
        .send();
    while let Some(page) = pages.next().await {
        found.extend(read(&page.map_err(ec2("DescribeNetworkInterfaces"))?));
    }
    Ok(found)
}

/// Some interfaces by their ids, in one question; those that are gone are missing.
///
/// # Errors
/// [`Ec2Error`].
pub async fn some(client: &Client, ids: &[String]) -> Result<BTreeMap<String, Interface>, Ec2Error> {
    let mut found = BTreeMap::new();
    // A filter may name 200 values (EC2 API reference, Filter).
    for ids in ids.chunks(200) {
        let mut pages = client
            .describe_network_interfaces()
            .filters(one_of("network-interface-id", ids))
            .into_paginator()
            .items()
            .send();
        while let Some(page) = pages.next().await {
            if let Some(interface) = read(&page.map_err(ec2("DescribeNetworkInterfaces"))?) {
                found.insert(interface.id.clone(), interface);
            }
        }
    }
    Ok(found)
}

/// One interface by its id; `None` if it is certainly gone.
///
/// # Errors
/// [`Ec2Error`].
pub async fn look(client: &Client, id: &str) -> Result<Option<Interface>, Ec2Error> {
    let asked = client
        .describe_network_interfaces()
        .network_interface_ids(id)
        .send()
        .await
        .map_err(ec2("DescribeNetworkInterfaces"));
    match asked {
        Ok(answer) => Ok(answer.network_interfaces().first().and_then(read)),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What a node's interface should be.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The node.
    pub node: NodeId,
    /// The subnet.
    pub subnet_id: &'a str,
    /// The address of the one that had this place before, which clients and certificates know.
    pub address: Option<&'a str>,
    /// The cluster's own group first.
    pub groups: &'a [String],
    /// Tags of the user.
    pub tags: &'a BTreeMap<String, String>,
    /// How many interfaces had this place before.
    pub life: u32,
}

/// Makes the interface; the same call after a cut gives the same one. Waits until it is known and free.
///
/// # Errors
/// [`Ec2Error`].
pub async fn create(client: &Client, names: &Names, wanted: &Wanted<'_>) -> Result<Interface, Ec2Error> {
    // The cluster's own group was just made.
    let made = insist(
        KNOWN_WITHIN,
        |error| error.kind() == Kind::NotFound,
        || async {
            client
                .create_network_interface()
                .subnet_id(wanted.subnet_id)
                .set_private_ip_address(wanted.address.map(str::to_owned))
                .description(names.node(wanted.node))
                .set_groups(Some(wanted.groups.to_vec()))
                .client_token(names.token(Made::Interface, wanted.node, wanted.life))
                .tag_specifications(tag_specification(
                    ResourceType::NetworkInterface,
                    &names.tags(Some(wanted.node), wanted.tags),
                ))
                .send()
                .await
                .map_err(ec2("CreateNetworkInterface"))
        },
    );
    let made = made.await?;
    let made = made
        .network_interface()
        .and_then(read)
        .ok_or(Ec2Error::Incomplete {
            service: "ec2",
            action: "CreateNetworkInterface",
            what: "the interface",
        })?;
    let mut patience = Patience::of(KNOWN_WITHIN);
    loop {
        match look(client, &made.id).await? {
            // One that this token made before may be in use already.
            Some(found) if found.is_free || found.instance_id.is_some() => return Ok(found),
            found => {
                if !patience.pause().await {
                    let state = if found.is_some() {
                        "pending"
                    } else {
                        "unknown to EC2"
                    };
                    return Err(patience.too_late(format!("the network interface {}", made.id), state));
                }
            }
        }
    }
}

/// Puts exactly these security groups on the interface; at once, without restart.
///
/// # Errors
/// [`Ec2Error`].
pub async fn set_groups(client: &Client, id: &str, groups: &[String]) -> Result<(), Ec2Error> {
    client
        .modify_network_interface_attribute()
        .network_interface_id(id)
        .set_groups(Some(groups.to_vec()))
        .send()
        .await
        .map_err(ec2("ModifyNetworkInterfaceAttribute"))?;
    Ok(())
}

/// Removes the interface. An instance that is shutting down is waited for; never detached by force.
///
/// # Errors
/// [`Ec2Error`].
pub async fn remove(client: &Client, id: &str) -> Result<(), Ec2Error> {
    let is_held = |error: &CallError| {
        error.code() == "InvalidNetworkInterface.InUse"
            || error.code() == "InvalidParameterValue" && error.message().contains("in use")
    };
    let removed = insist(LET_GO_WITHIN, is_held, || async {
        client
            .delete_network_interface()
            .network_interface_id(id)
            .send()
            .await
            .map_err(ec2("DeleteNetworkInterface"))
    });
    Ok(gone(removed.await)?)
}

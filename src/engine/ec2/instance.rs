//! A plain instance for one node. If it is lost, the next apply starts another one with the same interface.
//!
//! An instance has no name. It is found by the interface that it holds, and made once by its client token.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    Instance, InstanceStateName, LaunchTemplateSpecification, Placement as Zone, Reservation,
};

use super::calls::{Patience, ec2, filter, insist, one_of};
use super::error::Ec2Error;
use super::names::{CLUSTER_TAG, Made, NODE_TAG, Names};
use super::placement::{Held, Kept, Placement, Wanted};
use super::tag::Change;
use crate::aws::{CallError, Kind};
use crate::spec::ids::NodeId;

/// An instance profile, a template and an interface that were just made or let go are unknown to EC2 for so long.
const KNOWN_WITHIN: Duration = Duration::from_mins(2);
/// An instance is gone within this time; one whose host is ill may take as long.
const GONE_WITHIN: Duration = Duration::from_mins(15);
/// Tokens of instances that ended stay burnt for a while; nobody replaces a machine that often meanwhile.
const MOST_LIVES: u32 = 100;
/// States of an instance that is there or comes back.
const ALIVE: [InstanceStateName; 4] = [
    InstanceStateName::Pending,
    InstanceStateName::Running,
    InstanceStateName::Stopping,
    InstanceStateName::Stopped,
];

/// [`Placement`] without an Auto Scaling group.
#[derive(Debug)]
pub struct PlainInstance {
    client: Client,
    names: Names,
}

struct Found {
    id: String,
    interface_id: String,
    state: InstanceStateName,
}

fn read(from: &Instance) -> Vec<Found> {
    let (Some(id), Some(state)) = (
        from.instance_id(),
        from.state().and_then(|state| state.name().cloned()),
    ) else {
        return Vec::new();
    };
    let interfaces = from.network_interfaces().iter();
    let found = interfaces.filter_map(|interface| {
        Some(Found {
            id: id.to_owned(),
            interface_id: interface.network_interface_id.clone()?,
            state: state.clone(),
        })
    });
    found.collect()
}

impl PlainInstance {
    /// The instances of one cluster.
    pub const fn new(client: Client, names: Names) -> Self {
        Self { client, names }
    }

    /// The instances that hold some interfaces, by interface. One that has ended holds none.
    async fn holders(&self, interface_ids: &[String]) -> Result<BTreeMap<String, Found>, Ec2Error> {
        let mut found = BTreeMap::new();
        // A filter may name 200 values (EC2 API reference, Filter).
        for ids in interface_ids.chunks(200) {
            let mut pages = self
                .client
                .describe_instances()
                .filters(one_of("network-interface.network-interface-id", ids))
                .into_paginator()
                .items()
                .send();
            while let Some(page) = pages.next().await {
                let reservation = page.map_err(ec2("DescribeInstances"))?;
                let held = reservation.instances().iter().flat_map(read);
                let held = held.filter(|one| one.state != InstanceStateName::Terminated);
                found.extend(held.map(|one| (one.interface_id.clone(), one)));
            }
        }
        Ok(found)
    }

    async fn holder(&self, node: &Held<'_>) -> Result<Option<Found>, Ec2Error> {
        let Some(interface_id) = node.interface_id else {
            return Ok(None);
        };
        Ok(self
            .holders(&[interface_id.to_owned()])
            .await?
            .remove(interface_id))
    }

    /// Starts an instance under this token. `None`: the token belongs to one that is no more.
    async fn run(&self, wanted: &Wanted<'_>, life: u32) -> Result<Option<()>, Ec2Error> {
        let template = LaunchTemplateSpecification::builder()
            .launch_template_id(wanted.template_id)
            .version("1")
            .build();
        let is_passing = |error: &CallError| {
            matches!(
                error.code(),
                "InvalidLaunchTemplateId.NotFound" | "InvalidNetworkInterface.InUse"
            ) || error.message().contains("Invalid IAM Instance Profile")
        };
        let made = insist(KNOWN_WITHIN, is_passing, || async {
            self.client
                .run_instances()
                .min_count(1)
                .max_count(1)
                .placement(Zone::builder().availability_zone(wanted.zone).build())
                .launch_template(template.clone())
                .client_token(self.names.token(Made::Instance, wanted.held.node, life))
                .send()
                .await
                .map_err(ec2("RunInstances"))
        });
        match made.await {
            Ok(_) => Ok(Some(())),
            // The second: of one that was started from another template.
            Err(error)
                if matches!(
                    error.code(),
                    "IdempotentInstanceTerminated" | "IdempotentParameterMismatch"
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Placement for PlainInstance {
    async fn look(&self, nodes: &[Held<'_>]) -> Result<BTreeMap<NodeId, Kept>, Ec2Error> {
        let interfaces = nodes.iter().filter_map(|node| node.interface_id);
        let ids: Vec<String> = interfaces.map(str::to_owned).collect();
        let mut holders = self.holders(&ids).await?;
        let mut kept = BTreeMap::new();
        for node in nodes {
            let holder = node.interface_id.and_then(|id| holders.remove(id));
            let Some(holder) = holder.filter(|holder| ALIVE.contains(&holder.state)) else {
                continue;
            };
            let drift = match holder.state {
                InstanceStateName::Stopping | InstanceStateName::Stopped => {
                    vec![format!("its instance {} was stopped", holder.id)]
                }
                _ => Vec::new(),
            };
            kept.insert(
                node.node,
                Kept {
                    instance_id: Some(holder.id),
                    drift,
                },
            );
        }
        Ok(kept)
    }

    async fn ensure(&self, wanted: &Wanted<'_>) -> Result<(), Ec2Error> {
        let mut patience = Patience::of(GONE_WITHIN);
        while let Some(holder) = self.holder(&wanted.held).await? {
            match holder.state {
                InstanceStateName::Pending | InstanceStateName::Running => return Ok(()),
                InstanceStateName::Stopped => {
                    let started = self.client.start_instances().instance_ids(&holder.id).send();
                    started.await.map_err(ec2("StartInstances"))?;
                    return Ok(());
                }
                // On its way to stop, or to its end.
                state if !patience.pause().await => {
                    return Err(patience.too_late(format!("the instance {}", holder.id), state.as_str()));
                }
                _ => {}
            }
        }
        for life in 0..MOST_LIVES {
            if self.run(wanted, life).await?.is_some() {
                return Ok(());
            }
        }
        Err(Ec2Error::Missing { what: "instance" })
    }

    /// An instance is an object of EC2.
    async fn change_tags(&self, _node: NodeId, _change: &Change<'_>) -> Result<(), Ec2Error> {
        Ok(())
    }

    async fn stop(&self, node: &Held<'_>) -> Result<(), Ec2Error> {
        let mut patience = Patience::of(GONE_WITHIN);
        while let Some(holder) = self.holder(node).await? {
            if ALIVE.contains(&holder.state) {
                let ended = self
                    .client
                    .terminate_instances()
                    .instance_ids(&holder.id)
                    .send()
                    .await;
                match ended.map_err(ec2("TerminateInstances")) {
                    // Just started, and not yet known by its id everywhere.
                    Err(error) if error.kind() == Kind::NotFound => {}
                    Err(error) => return Err(error.into()),
                    Ok(_) => {}
                }
            }
            if !patience.pause().await {
                return Err(patience.too_late(format!("the instance {}", holder.id), holder.state.as_str()));
            }
        }
        Ok(())
    }

    async fn remove(&self, _node: NodeId) -> Result<(), Ec2Error> {
        Ok(())
    }

    async fn words(&self, node: NodeId) -> Result<Vec<String>, Ec2Error> {
        let answer = self
            .client
            .describe_instances()
            .filters(filter(&format!("tag:{CLUSTER_TAG}"), self.names.uid().as_str()))
            .filters(filter(&format!("tag:{NODE_TAG}"), &node.to_string()))
            .send()
            .await
            .map_err(ec2("DescribeInstances"))?;
        let instances = answer.reservations().iter().flat_map(Reservation::instances);
        let mut said: Vec<(i64, String)> = instances
            .filter_map(|instance| {
                let begun = instance.launch_time().map(DateTime::secs).unwrap_or_default();
                let words = instance.state_reason()?.message()?;
                Some((begun, format!("{}: {words}", instance.instance_id()?)))
            })
            .collect();
        said.sort_by_key(|(begun, _)| std::cmp::Reverse(*begun));
        Ok(said.into_iter().map(|(_, words)| words).collect())
    }
}

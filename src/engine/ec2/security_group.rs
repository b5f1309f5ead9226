//! The cluster's own security group and its rules.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    IpPermission, IpRange, Ipv6Range, ResourceType, SecurityGroup, SecurityGroupRule, UserIdGroupPair,
};

use super::calls::{KNOWN_WITHIN, Patience, ec2, filter, gone, insist, tag_specification, tags};
use super::error::Ec2Error;
use super::names::Names;
use crate::aws::Kind;
use crate::planner::firewall::{Changes, Count, Rule, Source, changes};

/// An interface that is still on its way out keeps the group for so long.
const LET_GO_WITHIN: Duration = Duration::from_mins(10);
/// What people read beside a rule.
const DESCRIPTION: &str = "made by terraform-provider-msk";

/// The group of a cluster in its VPC, if it is there and ours.
///
/// # Errors
/// [`Ec2Error::NotOurs`] if another one has its name.
pub async fn find(client: &Client, names: &Names, vpc_id: &str) -> Result<Option<String>, Ec2Error> {
    let answer = client
        .describe_security_groups()
        .filters(filter("group-name", names.cluster()))
        .filters(filter("vpc-id", vpc_id))
        .send()
        .await
        .map_err(ec2("DescribeSecurityGroups"))?;
    let Some(group) = answer.security_groups().first() else {
        return Ok(None);
    };
    let id = id_of(group)?;
    if names.is_ours(&tags(group.tags()), None) {
        return Ok(Some(id));
    }
    Err(Ec2Error::NotOurs {
        what: "security group",
        name: names.cluster().to_owned(),
        id,
    })
}

fn id_of(group: &SecurityGroup) -> Result<String, Ec2Error> {
    group.group_id.clone().ok_or(Ec2Error::Incomplete {
        service: "ec2",
        action: "DescribeSecurityGroups",
        what: "the group's id",
    })
}

/// Makes the group unless it is there. A name is unique in a VPC, so two runs get the same one.
///
/// # Errors
/// [`Ec2Error`].
pub async fn ensure(
    client: &Client,
    names: &Names,
    vpc_id: &str,
    user_tags: &BTreeMap<String, String>,
) -> Result<String, Ec2Error> {
    if let Some(id) = find(client, names, vpc_id).await? {
        return Ok(id);
    }
    let made = client
        .create_security_group()
        .group_name(names.cluster())
        .description(DESCRIPTION)
        .vpc_id(vpc_id)
        .tag_specifications(tag_specification(
            ResourceType::SecurityGroup,
            &names.tags(None, user_tags),
        ))
        .send()
        .await
        .map_err(ec2("CreateSecurityGroup"));
    match made {
        Ok(made) => made.group_id.ok_or(Ec2Error::Incomplete {
            service: "ec2",
            action: "CreateSecurityGroup",
            what: "the group's id",
        }),
        // Made by a run of which we did not know, or by a call whose answer was lost.
        Err(error) if error.code() == "InvalidGroup.Duplicate" => {
            let mut patience = Patience::of(KNOWN_WITHIN);
            loop {
                // Lists know of it later than the call that refuses a second one.
                match find(client, names, vpc_id).await? {
                    Some(id) => return Ok(id),
                    None if patience.pause().await => {}
                    None => return Err(error.into()),
                }
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// What is in a group: rules of ours by id, and how many others made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Rules of ours, by id.
    pub ours: BTreeMap<String, Rule>,
    /// How many others made.
    pub foreign: Count,
}

/// The rules of the cluster's group; `None` if the group is gone, or was never made.
///
/// # Errors
/// [`Ec2Error`].
pub async fn observe(
    client: &Client,
    names: &Names,
    group_id: Option<&str>,
) -> Result<Option<Rules>, Ec2Error> {
    let Some(id) = group_id else { return Ok(None) };
    match rules(client, names, id).await {
        Ok(rules) if rules.ours.is_empty() && rules.foreign == Count::of([]) => {
            // A group without rules, or none.
            let asked = client
                .describe_security_groups()
                .filters(filter("group-id", id))
                .send()
                .await
                .map_err(ec2("DescribeSecurityGroups"))?;
            Ok(asked.security_groups().first().map(|_| rules))
        }
        Ok(rules) => Ok(Some(rules)),
        Err(Ec2Error::Call(error)) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the inbound rules of the group.
///
/// # Errors
/// [`Ec2Error`].
pub async fn rules(client: &Client, names: &Names, group_id: &str) -> Result<Rules, Ec2Error> {
    let mut found = Vec::new();
    let mut pages = client
        .describe_security_group_rules()
        .filters(filter("group-id", group_id))
        .into_paginator()
        .items()
        .send();
    while let Some(rule) = pages.next().await {
        found.push(rule.map_err(ec2("DescribeSecurityGroupRules"))?);
    }
    let mut ours = BTreeMap::new();
    let mut foreign = Vec::new();
    for rule in found.iter().filter(|rule| rule.is_egress != Some(true)) {
        let is_ours = names.is_ours(&tags(rule.tags()), None);
        match (is_ours, rule.security_group_rule_id(), read(rule, group_id)) {
            (true, Some(id), Some(rule)) => {
                ours.insert(id.to_owned(), rule);
            }
            (_, _, Some(rule)) => foreign.push(rule),
            // A prefix list or another protocol: made by others, and counted as one.
            (_, _, None) => foreign.push(Rule {
                port: 0,
                source: Source::Group(String::new()),
            }),
        }
    }
    Ok(Rules {
        ours,
        foreign: Count::of(&foreign),
    })
}

fn read(rule: &SecurityGroupRule, group_id: &str) -> Option<Rule> {
    let port = u16::try_from(rule.from_port?).ok()?;
    if rule.ip_protocol() != Some("tcp") || rule.from_port != rule.to_port {
        return None;
    }
    let group = rule.referenced_group_info().and_then(|info| info.group_id());
    let source = match (group, rule.cidr_ipv4(), rule.cidr_ipv6()) {
        (Some(group), _, _) if group == group_id => Source::Nodes,
        (Some(group), _, _) => Source::Group(group.to_owned()),
        (_, Some(range), _) => Source::Ipv4(range.to_owned()),
        (_, _, Some(range)) => Source::Ipv6(range.to_owned()),
        (None, None, None) => return None,
    };
    Some(Rule { port, source })
}

/// Brings the rules of ours in line with what is wanted: adds first, then takes away. Answers what was changed.
/// `quota` is how many rules the group may have.
///
/// # Errors
/// [`Ec2Error::TooManyRules`] before anything is changed; other [`Ec2Error`].
pub async fn align(
    client: &Client,
    names: &Names,
    group_id: &str,
    wanted: &BTreeSet<Rule>,
    quota: usize,
    user_tags: &BTreeMap<String, String>,
) -> Result<Changes, Ec2Error> {
    let there = rules(client, names, group_id).await?;
    let count = Count::of(wanted);
    if !count.fits(there.foreign, quota) {
        return Err(Ec2Error::TooManyRules {
            count,
            foreign: there.foreign.groups + there.foreign.ipv4 + there.foreign.ipv6,
            quota,
        });
    }
    let changes = changes(wanted, &there.ours);
    // One call a rule: a rule that is there already fails a whole call, and each gets a tag of ours.
    for rule in &changes.add {
        let added = insist(
            KNOWN_WITHIN,
            |error| error.kind() == Kind::NotFound,
            || async {
                client
                    .authorize_security_group_ingress()
                    .group_id(group_id)
                    .ip_permissions(permission(rule, group_id))
                    .tag_specifications(tag_specification(
                        ResourceType::SecurityGroupRule,
                        &names.tags(None, user_tags),
                    ))
                    .send()
                    .await
                    .map_err(ec2("AuthorizeSecurityGroupIngress"))
            },
        );
        match added.await {
            Err(error) if error.code() != "InvalidPermission.Duplicate" => return Err(error.into()),
            _ => {}
        }
    }
    if !changes.remove.is_empty() {
        let removed = client
            .revoke_security_group_ingress()
            .group_id(group_id)
            .set_security_group_rule_ids(Some(changes.remove.iter().cloned().collect()))
            .send()
            .await
            .map_err(ec2("RevokeSecurityGroupIngress"));
        gone(removed)?;
    }
    Ok(changes)
}

fn permission(rule: &Rule, group_id: &str) -> IpPermission {
    let port = i32::from(rule.port);
    let permission = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(port)
        .to_port(port);
    let group = |id: &str| {
        UserIdGroupPair::builder()
            .group_id(id)
            .description(DESCRIPTION)
            .build()
    };
    match &rule.source {
        Source::Nodes => permission.user_id_group_pairs(group(group_id)),
        Source::Group(id) => permission.user_id_group_pairs(group(id)),
        Source::Ipv4(range) => {
            permission.ip_ranges(IpRange::builder().cidr_ip(range).description(DESCRIPTION).build())
        }
        Source::Ipv6(range) => permission.ipv6_ranges(
            Ipv6Range::builder()
                .cidr_ipv6(range)
                .description(DESCRIPTION)
                .build(),
        ),
    }
    .build()
}

/// Removes the group. Interfaces that are on their way out are waited for.
///
/// # Errors
/// [`Ec2Error`].
pub async fn remove(client: &Client, names: &Names, vpc_id: &str) -> Result<(), Ec2Error> {
    let Some(id) = find(client, names, vpc_id).await? else {
        return Ok(());
    };
    let is_held = |error: &crate::aws::CallError| error.code() == "DependencyViolation";
    let removed = insist(LET_GO_WITHIN, is_held, || async {
        client
            .delete_security_group()
            .group_id(&id)
            .send()
            .await
            .map_err(ec2("DeleteSecurityGroup"))
    });
    Ok(gone(removed.await)?)
}

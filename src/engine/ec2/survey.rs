//! Reads of an account what a cluster needs to know before anything is made. Changes nothing.
//!
//! Ids are asked for through filters and not by name: one that is not there is then missing in the answer, and does
//! not fail the call for all the others.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    AvailabilityZoneState, InstanceType as Ec2Type, InstanceTypeInfo, LocationType, ProcessorInfo,
    VpcAttributeName,
};
use aws_sdk_kms::types::{KeySpec, KeyState, KeyUsageType};

use super::calls::{ec2, one_of};
use super::error::Ec2Error;
use super::{image, quotas, records};
use crate::aws::{CallError, Connection, Kind, Service};
use crate::observed::account::{
    Account, HostedZone, ImageSeen, InstanceType, Key, KeyAnswer, Quotas, Subnet, Vpc, Zone,
};
use crate::spec::cluster::ClusterSpec;

fn list(of: &BTreeSet<String>) -> Vec<String> {
    of.iter().cloned().collect()
}

/// Asks for everything that [`crate::planner::preflight::check`] looks at.
///
/// # Errors
/// [`Ec2Error`]; a missing permission names its action.
pub async fn survey(connection: &Connection, spec: &ClusterSpec) -> Result<Account, Ec2Error> {
    let client = connection.ec2();
    let subnet_ids: BTreeSet<String> = spec.zones.union(&spec.controller_zones).cloned().collect();
    let group_ids: BTreeSet<String> = [
        &spec.security_group_ids,
        &spec.client_sources.security_group_ids,
        &spec.monitoring_sources.security_group_ids,
    ]
    .into_iter()
    .flatten()
    .cloned()
    .collect();
    let types: BTreeSet<String> = [
        Some(&spec.size.instance_type),
        spec.size.controller_instance_type.as_ref(),
    ]
    .into_iter()
    .flatten()
    .cloned()
    .collect();
    let (subnets, zones, instance_types, offers, security_groups, key, default_key) = tokio::try_join!(
        subnets(&client, &subnet_ids),
        zones(&client),
        instance_types(&client, &types),
        offers(&client, &types),
        security_groups(&client, &group_ids),
        written_key(connection, spec.size.kms_key_id.as_deref()),
        default_key(connection, &client),
    )?;
    let aws = spec.aws.as_ref();
    let iam = connection.iam();
    let (image, hosted_zone, profile_roles, has_boundary) = tokio::try_join!(
        image(&client, aws.and_then(|aws| aws.image_id.as_deref())),
        hosted_zone(connection, aws.and_then(|aws| aws.private_zone_id.as_deref())),
        profile_roles(&iam, aws.and_then(|aws| aws.instance_profile.as_deref())),
        has_boundary(&iam, aws.and_then(|aws| aws.permissions_boundary.as_deref())),
    )?;
    let (quotas, quotas_unasked) = match quotas::ask(&connection.service_quotas()).await {
        Ok(quotas) => (quotas, None),
        Err(error) => (Quotas::default(), Some(error.to_string())),
    };
    let vpc_ids: BTreeSet<String> = subnets.values().map(|subnet| subnet.vpc_id.clone()).collect();
    let mut vpcs = BTreeMap::new();
    for id in vpc_ids {
        let vpc = vpc(&client, &id).await?;
        vpcs.insert(id, vpc);
    }
    Ok(Account {
        region: connection.region().to_owned(),
        subnets,
        vpcs,
        zones,
        instance_types,
        offers,
        security_groups,
        key,
        image,
        hosted_zone,
        profile_roles,
        has_boundary,
        default_key,
        quotas,
        quotas_unasked,
    })
}

async fn image(client: &Client, id: Option<&str>) -> Result<Option<ImageSeen>, Ec2Error> {
    let Some(id) = id else { return Ok(None) };
    let found = image::look(client, id).await?;
    Ok(found.map(|found| ImageSeen {
        architecture: found.architecture,
        state: found.state,
    }))
}

async fn hosted_zone(connection: &Connection, id: Option<&str>) -> Result<Option<HostedZone>, Ec2Error> {
    match id {
        Some(id) => records::zone(&connection.route53(), id).await,
        None => Ok(None),
    }
}

async fn profile_roles(client: &aws_sdk_iam::Client, name: Option<&str>) -> Result<Option<usize>, Ec2Error> {
    let Some(name) = name else { return Ok(None) };
    let asked = client
        .get_instance_profile()
        .instance_profile_name(name)
        .send()
        .await;
    match asked.map_err(|error| CallError::new(Service::Iam, "GetInstanceProfile", &error)) {
        Ok(answer) => Ok(answer.instance_profile().map(|profile| profile.roles().len())),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn has_boundary(client: &aws_sdk_iam::Client, arn: Option<&str>) -> Result<bool, Ec2Error> {
    let Some(arn) = arn else { return Ok(false) };
    let asked = client.get_policy().policy_arn(arn).send().await;
    match asked.map_err(|error| CallError::new(Service::Iam, "GetPolicy", &error)) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == Kind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn subnets(
    client: &Client,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, Subnet>, Ec2Error> {
    let mut found = BTreeMap::new();
    let mut pages = client
        .describe_subnets()
        .filters(one_of("subnet-id", &list(ids)))
        .into_paginator()
        .items()
        .send();
    while let Some(page) = pages.next().await {
        let subnet = page.map_err(ec2("DescribeSubnets"))?;
        let (Some(id), Some(vpc_id), Some(zone)) =
            (subnet.subnet_id, subnet.vpc_id, subnet.availability_zone)
        else {
            continue;
        };
        let free = subnet.available_ip_address_count.unwrap_or_default();
        let subnet = Subnet {
            vpc_id,
            zone,
            zone_id: subnet.availability_zone_id.unwrap_or_default(),
            free_addresses: u32::try_from(free).unwrap_or_default(),
        };
        found.insert(id, subnet);
    }
    Ok(found)
}

async fn vpc(client: &Client, id: &str) -> Result<Vpc, Ec2Error> {
    let ask = async |name: VpcAttributeName| {
        let asked = client
            .describe_vpc_attribute()
            .vpc_id(id)
            .attribute(name)
            .send()
            .await;
        asked.map_err(ec2("DescribeVpcAttribute"))
    };
    let support = ask(VpcAttributeName::EnableDnsSupport).await?;
    let names = ask(VpcAttributeName::EnableDnsHostnames).await?;
    let is_on = |value: Option<bool>| value == Some(true);
    Ok(Vpc {
        has_dns: is_on(support.enable_dns_support().and_then(|value| value.value)),
        has_host_names: is_on(names.enable_dns_hostnames().and_then(|value| value.value)),
    })
}

async fn zones(client: &Client) -> Result<BTreeMap<String, Zone>, Ec2Error> {
    let answer = client
        .describe_availability_zones()
        .all_availability_zones(true)
        .send()
        .await
        .map_err(ec2("DescribeAvailabilityZones"))?;
    let zones = answer.availability_zones.unwrap_or_default().into_iter();
    let read = |zone: aws_sdk_ec2::types::AvailabilityZone| {
        let about = Zone {
            is_availability_zone: zone.zone_type.as_deref() == Some("availability-zone"),
            is_available: zone.state == Some(AvailabilityZoneState::Available),
        };
        Some((zone.zone_name?, about))
    };
    Ok(zones.filter_map(read).collect())
}

pub(super) async fn instance_types(
    client: &Client,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, InstanceType>, Ec2Error> {
    let mut found = BTreeMap::new();
    let mut pages = client
        .describe_instance_types()
        .filters(one_of("instance-type", &list(names)))
        .into_paginator()
        .items()
        .send();
    while let Some(page) = pages.next().await {
        let info = page.map_err(ec2("DescribeInstanceTypes"))?;
        if let Some(name) = info.instance_type().map(Ec2Type::as_str) {
            found.insert(name.to_owned(), read_type(&info));
        }
    }
    Ok(found)
}

fn read_type(info: &InstanceTypeInfo) -> InstanceType {
    let architectures = info.processor_info().map(ProcessorInfo::supported_architectures);
    let volumes = info.ebs_info().and_then(|volumes| volumes.ebs_optimized_info());
    let memory = info.memory_info().and_then(|memory| memory.size_in_mib);
    let processors = info.v_cpu_info().and_then(|processors| processors.default_v_cpus);
    // Both counts are whole MB/s and operations; what is missing is not checked.
    let throughput = volumes.and_then(|volumes| volumes.baseline_throughput_in_m_bps);
    let throughput = throughput.and_then(|rate| format!("{rate:.0}").parse::<u32>().ok());
    let iops = volumes.and_then(|volumes| volumes.baseline_iops);
    InstanceType {
        architectures: architectures
            .unwrap_or_default()
            .iter()
            .map(|architecture| architecture.as_str().to_owned())
            .collect(),
        memory: memory
            .and_then(|memory| u64::try_from(memory).ok())
            .unwrap_or_default(),
        processors: processors
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or_default(),
        baseline_throughput: throughput,
        baseline_iops: iops.and_then(|iops| u32::try_from(iops).ok()),
    }
}

async fn offers(client: &Client, names: &BTreeSet<String>) -> Result<BTreeSet<(String, String)>, Ec2Error> {
    let mut found = BTreeSet::new();
    let mut pages = client
        .describe_instance_type_offerings()
        .location_type(LocationType::AvailabilityZone)
        .filters(one_of("instance-type", &list(names)))
        .into_paginator()
        .items()
        .send();
    while let Some(page) = pages.next().await {
        let offer = page.map_err(ec2("DescribeInstanceTypeOfferings"))?;
        if let (Some(name), Some(zone)) = (offer.instance_type().map(Ec2Type::as_str), offer.location()) {
            found.insert((name.to_owned(), zone.to_owned()));
        }
    }
    Ok(found)
}

async fn security_groups(
    client: &Client,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, Ec2Error> {
    let mut found = BTreeMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let mut pages = client
        .describe_security_groups()
        .filters(one_of("group-id", &list(ids)))
        .into_paginator()
        .items()
        .send();
    while let Some(page) = pages.next().await {
        let group = page.map_err(ec2("DescribeSecurityGroups"))?;
        if let (Some(id), Some(vpc)) = (group.group_id, group.vpc_id) {
            found.insert(id, vpc);
        }
    }
    Ok(found)
}

async fn written_key(connection: &Connection, key: Option<&str>) -> Result<Option<KeyAnswer>, Ec2Error> {
    match key {
        Some(key) => Ok(Some(look_at_key(connection, key).await?)),
        None => Ok(None),
    }
}

async fn look_at_key(connection: &Connection, key: &str) -> Result<KeyAnswer, Ec2Error> {
    let asked = connection.kms().describe_key().key_id(key).send().await;
    let asked = asked.map_err(|error| CallError::new(Service::Kms, "DescribeKey", &error));
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) if error.kind() == Kind::NotFound => return Ok(KeyAnswer::Absent),
        // Who runs Terraform may lack this one permission on a key of another account, and EC2 have all of them.
        Err(error) if error.kind() == Kind::Denied && is_of_another(connection, key).await => {
            return Ok(KeyAnswer::Hidden);
        }
        Err(error) => return Err(error.into()),
    };
    let about = answer.key_metadata().ok_or(Ec2Error::Incomplete {
        service: "kms",
        action: "DescribeKey",
        what: "the key",
    })?;
    Ok(KeyAnswer::Found(Key {
        arn: about.arn.clone().unwrap_or_default(),
        state: about
            .key_state()
            .map(KeyState::as_str)
            .unwrap_or_default()
            .to_owned(),
        is_symmetric: about.key_spec() == Some(&KeySpec::SymmetricDefault)
            && about
                .key_usage()
                .is_none_or(|usage| *usage == KeyUsageType::EncryptDecrypt),
    }))
}

/// The ARN of a key that is written by its id, alias or ARN: policies name keys so.
///
/// # Errors
/// [`Ec2Error`].
pub(super) async fn key_arn(connection: &Connection, key: &str) -> Result<String, Ec2Error> {
    match look_at_key(connection, key).await? {
        KeyAnswer::Found(found) => Ok(found.arn),
        KeyAnswer::Absent | KeyAnswer::Hidden => Ok(key.to_owned()),
    }
}

async fn is_of_another(connection: &Connection, key: &str) -> bool {
    let account = key.split(':').nth(4);
    match (account, connection.identity().await) {
        (Some(account), Ok(Some(identity))) => account != identity.account,
        _ => false,
    }
}

/// The key that new volumes get unless they name one: only if the account encrypts them all, and only a customer's.
async fn default_key(connection: &Connection, client: &Client) -> Result<Option<Key>, Ec2Error> {
    let encrypts = client
        .get_ebs_encryption_by_default()
        .send()
        .await
        .map_err(ec2("GetEbsEncryptionByDefault"))?;
    if encrypts.ebs_encryption_by_default != Some(true) {
        return Ok(None);
    }
    let answer = client
        .get_ebs_default_kms_key_id()
        .send()
        .await
        .map_err(ec2("GetEbsDefaultKmsKeyId"))?;
    let Some(id) = answer.kms_key_id().filter(|id| !id.contains("alias/aws/")) else {
        return Ok(None);
    };
    match look_at_key(connection, id).await? {
        KeyAnswer::Found(key) => Ok(Some(key)),
        KeyAnswer::Absent | KeyAnswer::Hidden => Ok(None),
    }
}

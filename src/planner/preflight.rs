//! Whether an account can carry a cluster, before anything is made: every finding at once.

mod quotas;

use std::collections::{BTreeMap, BTreeSet};

use super::account::host_name;
use super::firewall::OpenPorts;
use crate::observed::account::{Account, InstanceType, Key, KeyAnswer, Subnet};
use crate::spec::cluster::{ClusterSpec, FIRST_CONTROLLER_ID};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing can be made.
    Error,
    /// It works, and not as well as it reads.
    Warning,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// The attribute of the cluster; empty: it is about the provider block.
    pub attribute: &'static str,
    /// What is wrong, and the way out.
    pub text: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn error(&mut self, attribute: &'static str, text: String) {
        self.0.push(Finding {
            severity: Severity::Error,
            attribute,
            text,
        });
    }

    fn warning(&mut self, attribute: &'static str, text: String) {
        self.0.push(Finding {
            severity: Severity::Warning,
            attribute,
            text,
        });
    }
}

/// Checks everything. `ports` are those that the cluster's nodes open.
pub fn check(spec: &ClusterSpec, ports: &OpenPorts, account: &Account) -> Vec<Finding> {
    let mut found = Findings::default();
    subnets(spec, account, &mut found);
    addresses(spec, account, &mut found);
    let broker_type = spec.size.instance_type.as_str();
    instance_type("instance_type", broker_type, &spec.zones, account, &mut found);
    if spec.dedicated_controllers
        && let Some(controller_type) = &spec.size.controller_instance_type
    {
        let zones = controller_subnets(spec);
        instance_type(
            "controller_instance_type",
            controller_type,
            zones,
            account,
            &mut found,
        );
    }
    if let Some(broker) = account.instance_types.get(broker_type) {
        baseline(spec, broker_type, broker, &mut found);
    }
    key(spec, account, &mut found);
    image(spec, account, &mut found);
    private_zone(spec, account, &mut found);
    permissions(spec, account, &mut found);
    security_groups(spec, account, &mut found);
    quotas::check(spec, ports, account, &mut found);
    found.0
}

fn controller_subnets(spec: &ClusterSpec) -> &BTreeSet<String> {
    if spec.controller_zones.is_empty() {
        &spec.zones
    } else {
        &spec.controller_zones
    }
}

fn subnets(spec: &ClusterSpec, account: &Account, found: &mut Findings) {
    let named = [
        ("subnet_ids", &spec.zones),
        ("controller_subnet_ids", &spec.controller_zones),
    ];
    for (attribute, ids) in named {
        let mut by_zone: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for id in ids {
            let Some(subnet) = account.subnets.get(id) else {
                found.error(
                    attribute,
                    format!(
                        "The subnet `{id}` is not there in {}. Check the id, the Region and the account.",
                        account.region
                    ),
                );
                continue;
            };
            by_zone.entry(&subnet.zone).or_default().push(id);
            zone(attribute, id, subnet, account, found);
        }
        for (zone, ids) in by_zone.iter().filter(|(_, ids)| ids.len() > 1) {
            found.error(
                attribute,
                format!(
                    "The subnets {} are all in the zone {zone}. Name one subnet for each zone.",
                    ids.join(", ")
                ),
            );
        }
    }
    let all = spec.zones.iter().chain(&spec.controller_zones);
    let vpcs: BTreeSet<&str> = all
        .filter_map(|id| account.subnets.get(id))
        .map(|subnet| subnet.vpc_id.as_str())
        .collect();
    if vpcs.len() > 1 {
        let list: Vec<&str> = vpcs.iter().copied().collect();
        found.error(
            "subnet_ids",
            format!(
                "The subnets are in several VPCs: {}. A cluster lives in one.",
                list.join(", ")
            ),
        );
    }
    for id in vpcs {
        let Some(vpc) = account.vpcs.get(id) else { continue };
        for (is_on, name) in [
            (vpc.has_dns, "enableDnsSupport"),
            (vpc.has_host_names, "enableDnsHostnames"),
        ] {
            if !is_on {
                found.error(
                    "subnet_ids",
                    format!(
                        "The VPC {id} has `{name}` off, so its machines have no names that clients could resolve. Turn it on \
                         (`aws ec2 modify-vpc-attribute`)."
                    ),
                );
            }
        }
    }
}

/// A label of a name has at most 63 characters, a name 253 (RFC 1035, section 2.3.4, without the length octets).
fn private_zone(spec: &ClusterSpec, account: &Account, found: &mut Findings) {
    const ATTRIBUTE: &str = "private_zone_id";
    let Some(id) = spec.aws.as_ref().and_then(|aws| aws.private_zone_id.as_deref()) else {
        return;
    };
    let Some(zone) = &account.hosted_zone else {
        let text = format!("The hosted zone `{id}` is not there. Check the id and the account.");
        found.error(ATTRIBUTE, text);
        return;
    };
    let domain = &zone.domain;
    if !zone.is_private {
        let text = format!(
            "The hosted zone `{id}` ({domain}) is public: it would show the addresses of your brokers to everybody. Name a \
             private one."
        );
        found.error(ATTRIBUTE, text);
    }
    let vpcs: BTreeSet<&str> = spec
        .zones
        .iter()
        .filter_map(|id| Some(account.subnets.get(id)?.vpc_id.as_str()))
        .collect();
    for vpc in vpcs
        .into_iter()
        .filter(|vpc| zone.is_private && !zone.vpc_ids.contains(*vpc))
    {
        let text = format!(
            "The private zone `{id}` ({domain}) is not associated with the VPC {vpc}, so the nodes would not find each \
             other. Associate it (`aws route53 associate-vpc-with-hosted-zone`)."
        );
        found.error(ATTRIBUTE, text);
    }
    let longest = spec
        .node_ids()
        .into_iter()
        .map(|node| host_name(node, &spec.name, domain));
    if let Some(name) = longest.max_by_key(String::len)
        && (spec.name.as_str().len() > 63 || name.len() > 253)
    {
        let text = format!(
            "`{name}` is no name of a host: a part between two dots has at most 63 characters, all together 253. Name the \
             cluster shorter, or take a zone with a shorter domain."
        );
        found.error(ATTRIBUTE, text);
    }
}

fn zone(attribute: &'static str, id: &str, subnet: &Subnet, account: &Account, found: &mut Findings) {
    let Some(zone) = account.zones.get(&subnet.zone) else {
        return;
    };
    if !zone.is_availability_zone {
        found.error(
            attribute,
            format!(
                "The subnet `{id}` is in {}, which is a local or wavelength zone. Name a subnet in an availability zone.",
                subnet.zone
            ),
        );
    } else if !zone.is_available {
        found.error(
            attribute,
            format!(
                "The subnet `{id}` is in {}, which AWS says is impaired or closed at present.",
                subnet.zone
            ),
        );
    }
}

/// Each node has one address for life.
fn addresses(spec: &ClusterSpec, account: &Account, found: &mut Findings) {
    let mut needed: BTreeMap<&str, u32> = BTreeMap::new();
    for id in &spec.zones {
        *needed.entry(id).or_default() += spec.brokers_per_zone;
    }
    if spec.dedicated_controllers {
        let subnets: Vec<&String> = controller_subnets(spec).iter().collect();
        for controller in spec.controller_ids() {
            let position = controller.0.saturating_sub(FIRST_CONTROLLER_ID) as usize % subnets.len().max(1);
            if let Some(id) = subnets.get(position) {
                *needed.entry(id).or_default() += 1;
            }
        }
    }
    for (id, needed) in needed {
        let Some(subnet) = account.subnets.get(id) else {
            continue;
        };
        if subnet.free_addresses < needed {
            found.error(
                "subnet_ids",
                format!(
                    "The subnet `{id}` has {} free addresses, and {needed} nodes need one each.",
                    subnet.free_addresses
                ),
            );
        }
    }
}

fn instance_type<'a>(
    attribute: &'static str,
    name: &str,
    subnet_ids: impl IntoIterator<Item = &'a String>,
    account: &Account,
    found: &mut Findings,
) {
    let Some(instance_type) = account.instance_types.get(name) else {
        found.error(
            attribute,
            format!("EC2 knows no instance type `{name}` in {}.", account.region),
        );
        return;
    };
    if !["x86_64", "arm64"]
        .iter()
        .any(|known| instance_type.architectures.contains(*known))
    {
        found.error(
            attribute,
            format!("`{name}` runs neither x86_64 nor arm64 programs. Name another type."),
        );
    }
    let zones: BTreeSet<&String> = subnet_ids
        .into_iter()
        .filter_map(|id| account.subnets.get(id))
        .map(|subnet| &subnet.zone)
        .collect();
    let offers = |zone: &&&String| account.offers.contains(&(name.to_owned(), (**zone).clone()));
    let missing: Vec<&str> = zones
        .iter()
        .filter(|zone| !offers(zone))
        .map(|zone| zone.as_str())
        .collect();
    if !missing.is_empty() {
        found.error(
            attribute,
            format!(
                "`{name}` is not offered in {}. Name another type, or subnets in other zones.",
                missing.join(", ")
            ),
        );
    }
}

/// What a volume could do and the machine cannot pass on is paid for in vain.
fn baseline(spec: &ClusterSpec, name: &str, machine: &InstanceType, found: &mut Findings) {
    // EBS counts MiB, an instance type MB.
    let throughput = spec
        .size
        .volume_throughput
        .map(|mib| u64::from(mib) * 1_048_576 / 1_000_000);
    if let (Some(asked), Some(baseline)) = (throughput, machine.baseline_throughput)
        && asked > u64::from(baseline)
    {
        found.warning(
            "volume_throughput",
            format!(
                "`{name}` passes on {baseline} MB/s to its volumes all day, less than the {asked} MB/s that are asked of the \
                 volume; more comes in bursts of minutes. Take a larger type, or less throughput."
            ),
        );
    }
    if let (Some(asked), Some(baseline)) = (spec.size.volume_iops, machine.baseline_iops)
        && asked > baseline
    {
        found.warning(
            "volume_iops",
            format!(
                "`{name}` passes on {baseline} operations per second all day, less than the {asked} that are asked of the \
                 volume. Take a larger type, or fewer operations."
            ),
        );
    }
}

fn key(spec: &ClusterSpec, account: &Account, found: &mut Findings) {
    let written = spec.size.kms_key_id.as_deref().unwrap_or_default();
    match &account.key {
        Some(KeyAnswer::Found(key)) => key_fits(written, key, account, found),
        Some(KeyAnswer::Absent) => found.error(
            "kms_key_id",
            format!("There is no key `{written}` in {}.", account.region),
        ),
        Some(KeyAnswer::Hidden) => found.warning(
            "kms_key_id",
            format!(
                "The key `{written}` shows itself to these credentials not; whether EC2 may use it is seen when the first \
                 volume is made. Its policy must allow kms:DescribeKey, kms:Decrypt, kms:GenerateDataKeyWithoutPlaintext, \
                 kms:ReEncrypt* and kms:CreateGrant."
            ),
        ),
        None => {}
    }
    if let Some(key) = &account.default_key
        && (key.state != "Enabled" || !key.is_symmetric)
    {
        found.error(
            "kms_key_id",
            format!(
                "The account encrypts every new volume with {}, which is {}; the machines' root disks could not be made. \
                 Enable it, or set another default (`aws ec2 modify-ebs-default-kms-key-id`).",
                key.arn, key.state
            ),
        );
    } else if let Some(key) = &account.default_key {
        found.warning(
            "kms_key_id",
            format!(
                "The account encrypts every new volume with {}, the machines' root disks as well. Auto Scaling launches \
                 them, so the key's policy must let the role AWSServiceRoleForAutoScaling use the key and create grants; \
                 else machines end right after their launch.",
                key.arn
            ),
        );
    }
}

fn key_fits(written: &str, key: &Key, account: &Account, found: &mut Findings) {
    if key.state != "Enabled" {
        found.error(
            "kms_key_id",
            format!(
                "The key `{written}` is {}. Enable it, or name another one.",
                key.state
            ),
        );
    }
    if !key.is_symmetric {
        found.error(
            "kms_key_id",
            format!("The key `{written}` is not a symmetric key for encryption, which EBS needs. Name another one."),
        );
    }
    let region = key.arn.split(':').nth(3).unwrap_or_default();
    if region != account.region {
        found.error(
            "kms_key_id",
            format!(
                "The key `{written}` is in {region}, and the cluster in {}. EBS takes keys of its own Region.",
                account.region
            ),
        );
    }
}

/// Every machine starts from the one image that is written.
fn image(spec: &ClusterSpec, account: &Account, found: &mut Findings) {
    let Some(id) = spec.aws.as_ref().and_then(|aws| aws.image_id.as_deref()) else {
        return;
    };
    let Some(image) = &account.image else {
        found.error(
            "ami_id",
            format!(
                "The image `{id}` is not there in {}, or is not shared with this account.",
                account.region
            ),
        );
        return;
    };
    if image.state != "available" {
        found.error(
            "ami_id",
            format!("The image `{id}` is {}. Name one that is available.", image.state),
        );
    }
    let nodes = spec.node_ids();
    let types: BTreeSet<&str> = nodes.iter().map(|node| spec.instance_type(*node)).collect();
    for name in types {
        let seen = account.instance_types.get(name);
        let Some(seen) = seen.filter(|seen| !seen.architectures.contains(&image.architecture)) else {
            continue;
        };
        let runs: Vec<&str> = seen.architectures.iter().map(String::as_str).collect();
        found.error(
            "ami_id",
            format!(
                "The image `{id}` is for {}, and `{name}` runs {}. Name an image and instance types of one architecture.",
                image.architecture,
                runs.join(", ")
            ),
        );
    }
}

/// The user's own instance profile or boundary.
fn permissions(spec: &ClusterSpec, account: &Account, found: &mut Findings) {
    let Some(aws) = &spec.aws else { return };
    if let Some(profile) = &aws.instance_profile {
        match account.profile_roles {
            Some(0) => found.error(
                "instance_profile",
                format!("The instance profile `{profile}` has no role. Put one into it (`aws iam add-role-to-instance-profile`)."),
            ),
            Some(_) => {}
            None => found.error(
                "instance_profile",
                format!("There is no instance profile `{profile}` in this account. Name one that is there, or leave it out."),
            ),
        }
    }
    if let Some(boundary) = &aws.permissions_boundary
        && !account.has_boundary
    {
        found.error(
            "permissions_boundary",
            format!(
                "There is no policy `{boundary}` in this account. Name one that is there, or leave it out."
            ),
        );
    }
}

fn security_groups(spec: &ClusterSpec, account: &Account, found: &mut Findings) {
    let vpc = spec
        .zones
        .iter()
        .find_map(|id| account.subnets.get(id))
        .map(|subnet| &subnet.vpc_id);
    let named = [
        ("security_group_ids", &spec.security_group_ids, true),
        (
            "client_security_group_ids",
            &spec.client_sources.security_group_ids,
            false,
        ),
        (
            "monitoring_security_group_ids",
            &spec.monitoring_sources.security_group_ids,
            false,
        ),
    ];
    for (attribute, ids, must_be_in_vpc) in named {
        for id in ids {
            match (account.security_groups.get(id), vpc) {
                (None, _) if must_be_in_vpc => found.error(
                    attribute,
                    format!("The security group `{id}` is not there in {}.", account.region),
                ),
                (None, _) => found.warning(
                    attribute,
                    format!(
                        "The security group `{id}` is not there in this account. It must be one of a peered VPC in {}.",
                        account.region
                    ),
                ),
                (Some(there), Some(vpc)) if must_be_in_vpc && there != vpc => found.error(
                    attribute,
                    format!("The security group `{id}` is in {there}, and the subnets are in {vpc}."),
                ),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;

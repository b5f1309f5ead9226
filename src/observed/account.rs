//! What was seen of an AWS account before a cluster is made in it: what the plan is checked against.

use std::collections::{BTreeMap, BTreeSet};

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Its VPC.
    pub vpc_id: String,
    /// The name of its zone, such as `eu-central-1a`.
    pub zone: String,
    /// The id of its zone, such as `euc1-az2`: the same in every account.
    pub zone_id: String,
    /// Addresses that are free.
    pub free_addresses: u32,
}

/// A VPC, as far as nodes need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vpc {
    /// Whether Amazon's DNS server answers in it (`enableDnsSupport`).
    pub has_dns: bool,
    /// Whether machines in it have names (`enableDnsHostnames`).
    pub has_host_names: bool,
}

/// A zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Whether it is an availability zone, and no local or wavelength zone.
    pub is_availability_zone: bool,
    /// Whether it is open to this account and works.
    pub is_available: bool,
}

/// An instance type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceType {
    /// `x86_64`, `arm64` ….
    pub architectures: BTreeSet<String>,
    /// MiB.
    pub memory: u64,
    /// Virtual processors.
    pub processors: u32,
    /// What its volumes get all day, in MB/s (10⁶ bytes).
    pub baseline_throughput: Option<u32>,
    /// What its volumes get all day, in operations per second.
    pub baseline_iops: Option<u32>,
}

/// A KMS key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its ARN.
    pub arn: String,
    /// `Enabled`, `Disabled`, `PendingDeletion` ….
    pub state: String,
    /// Whether it is `SYMMETRIC_DEFAULT` for `ENCRYPT_DECRYPT`.
    pub is_symmetric: bool,
}

/// What was found under a key's id, alias or ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyAnswer {
    /// A key.
    Found(Key),
    /// No key.
    Absent,
    /// It may be there: another account's key shows itself to nobody who may not describe it.
    Hidden,
}

/// A hosted zone of Route 53.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedZone {
    /// Its domain, without the dot at the end.
    pub domain: String,
    /// Whether only VPCs see it.
    pub is_private: bool,
    /// The VPCs that see it.
    pub vpc_ids: BTreeSet<String>,
}

/// An image, as far as a plan needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSeen {
    /// `x86_64`, `arm64` ….
    pub architecture: String,
    /// `available`, `pending`, `failed` ….
    pub state: String,
}

/// What Service Quotas lets an account have in its Region. `None`: it names no value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Virtual processors of running on-demand instances of the standard families together.
    pub standard_processors: Option<u64>,
    /// TiB of gp3 volumes together.
    pub gp3_storage: Option<u64>,
    /// Inbound rules of a security group, for IPv4 and IPv6 each.
    pub group_rules: Option<u64>,
}

/// An account, as far as one cluster needs it. What is missing in a map was asked for and is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// The Region.
    pub region: String,
    /// Subnets by id.
    pub subnets: BTreeMap<String, Subnet>,
    /// VPCs by id.
    pub vpcs: BTreeMap<String, Vpc>,
    /// Zones by name.
    pub zones: BTreeMap<String, Zone>,
    /// Instance types by name.
    pub instance_types: BTreeMap<String, InstanceType>,
    /// Instance types with the zones that offer them.
    pub offers: BTreeSet<(String, String)>,
    /// The VPC of each security group, by id.
    pub security_groups: BTreeMap<String, String>,
    /// The key for volumes, if one is written.
    pub key: Option<KeyAnswer>,
    /// The image, if one is written and there.
    pub image: Option<ImageSeen>,
    /// The hosted zone, if one is written and there.
    pub hosted_zone: Option<HostedZone>,
    /// How many roles the written instance profile has; `None` if it is not there.
    pub profile_roles: Option<usize>,
    /// Whether the written permissions boundary is there.
    pub has_boundary: bool,
    /// The key that every new volume of the account gets unless it names one, if that is a customer's key.
    pub default_key: Option<Key>,
    /// The quotas, as far as they could be asked.
    pub quotas: Quotas,
    /// Why the quotas could not be asked.
    pub quotas_unasked: Option<String>,
}

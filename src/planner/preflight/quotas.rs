//! Whether the account may have so much: what the cluster needs by itself, without what else runs in the account.

use std::collections::BTreeMap;

use super::super::account::volume_shape;
use super::super::firewall::{Count, OpenPorts, RULE_QUOTA, wanted};
use super::Findings;
use crate::observed::account::Account;
use crate::spec::cluster::ClusterSpec;

/// Families whose instances share one quota: A, C, D, H, I, M, R, T, Z (EC2 user guide, "on-demand instance quotas").
const STANDARD: [&str; 11] = ["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"];
const GIB_PER_TIB: u64 = 1_024;

pub(super) fn check(spec: &ClusterSpec, ports: &OpenPorts, account: &Account, found: &mut Findings) {
    rules(spec, ports, account, found);
    processors(spec, account, found);
    storage(spec, account, found);
    if let Some(why) = &account.quotas_unasked {
        found.warning(
            "",
            format!("The quotas of the account were not compared with what the cluster needs: {why}"),
        );
    }
}

fn rules(spec: &ClusterSpec, ports: &OpenPorts, account: &Account, found: &mut Findings) {
    let count = Count::of(&wanted(ports, &spec.client_sources, &spec.monitoring_sources));
    let of_account = account
        .quotas
        .group_rules
        .and_then(|count| usize::try_from(count).ok());
    let quota = of_account.unwrap_or(RULE_QUOTA);
    if !count.fits(Count::of([]), quota) {
        found.error(
            "client_cidr_blocks",
            format!(
                "The open listeners and their sources make more rules than a security group may have ({quota} for each kind of \
                 address): {count}. Name address ranges that hold several of yours, or give the clients one common security \
                 group."
            ),
        );
    }
}

fn processors(spec: &ClusterSpec, account: &Account, found: &mut Findings) {
    let Some(quota) = account.quotas.standard_processors else {
        return;
    };
    let mut nodes: BTreeMap<&str, u64> = BTreeMap::new();
    let ids = spec.node_ids();
    for name in ids
        .iter()
        .map(|node| spec.instance_type(*node))
        .filter(|name| is_standard(name))
    {
        *nodes.entry(name).or_default() += 1;
    }
    let mut needed = 0;
    let mut sum = Vec::new();
    for (name, count) in nodes {
        let Some(seen) = account.instance_types.get(name) else {
            continue;
        };
        needed += count * u64::from(seen.processors);
        sum.push(format!("{count} × {} of {name}", seen.processors));
    }
    if needed > quota {
        found.error(
            "instance_type",
            format!(
                "The nodes need {needed} virtual processors ({}), and the account may run {quota} in {}. Take smaller types, or \
                 ask AWS for more (`aws service-quotas request-service-quota-increase --service-code ec2 --quota-code \
                 L-1216C47A --desired-value {needed}`).",
                sum.join(" + "),
                account.region
            ),
        );
    }
}

fn is_standard(instance_type: &str) -> bool {
    let family = instance_type
        .split(|character: char| !character.is_ascii_lowercase())
        .next();
    family.is_some_and(|family| STANDARD.contains(&family))
}

fn storage(spec: &ClusterSpec, account: &Account, found: &mut Findings) {
    let Some(quota) = account.quotas.gp3_storage else {
        return;
    };
    let shapes = spec.node_ids().into_iter().map(|node| volume_shape(spec, node));
    let needed: u64 = shapes
        .filter(|shape| shape.kind == "gp3")
        .map(|shape| u64::from(shape.size))
        .sum();
    let needed = needed.div_ceil(GIB_PER_TIB);
    if needed > quota {
        found.error(
            "volume_size",
            format!(
                "The nodes need {needed} TiB of gp3 volumes, and the account may have {quota} in {}. Take smaller volumes, or ask \
                 AWS for more (`aws service-quotas request-service-quota-increase --service-code ebs --quota-code L-7A658B76 \
                 --desired-value {needed}`).",
                account.region
            ),
        );
    }
}

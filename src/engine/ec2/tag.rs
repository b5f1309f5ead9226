//! Tags of objects that are there: what the user wants now, and away with what was wanted before. Tags of others stay.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::Tag;

use super::calls::{ec2, filter, one_of};
use super::error::Ec2Error;
use super::names::{CLUSTER_TAG, NODE_TAG, Names};
use crate::aws::{CallError, Kind};
use crate::spec::ids::NodeId;

/// Resources in one call of `CreateTags` and `DeleteTags` (EC2 API reference: 1,000 at most), and values of a filter
/// (200 at most).
const AT_ONCE: usize = 200;

/// Other tags for objects that are there.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// The names of the cluster, with the tags of the provider block.
    pub names: &'a Names,
    /// The cluster's own tags.
    pub own: &'a BTreeMap<String, String>,
    /// Keys that the user no longer wants.
    pub removed: BTreeSet<String>,
}

impl<'a> Change<'a> {
    /// From the user's tags that were there before, those of the provider block included. A key that is ours, and the
    /// name, are never taken away.
    pub fn new(
        names: &'a Names,
        own: &'a BTreeMap<String, String>,
        before: &BTreeMap<String, String>,
    ) -> Self {
        let wanted = names.tags(Some(NodeId(0)), own);
        let removed = before.keys().filter(|key| !wanted.contains_key(*key));
        Self {
            names,
            own,
            removed: removed.cloned().collect(),
        }
    }

    /// What an object of this node, or of the cluster, should have.
    pub fn wanted(&self, node: Option<NodeId>) -> BTreeMap<String, String> {
        self.names.tags(node, self.own)
    }
}

/// Every object of EC2 with the cluster's tag: instances and their disks, interfaces, volumes, groups and rules,
/// templates, images and their snapshots; by node.
async fn all(client: &Client, names: &Names) -> Result<BTreeMap<Option<NodeId>, Vec<String>>, Ec2Error> {
    let mut ids = BTreeSet::new();
    let mut pages = client
        .describe_tags()
        .filters(filter("key", CLUSTER_TAG))
        .filters(filter("value", names.uid().as_str()))
        .into_paginator()
        .items()
        .send();
    while let Some(page) = pages.next().await {
        ids.extend(page.map_err(ec2("DescribeTags"))?.resource_id);
    }
    let ids: Vec<String> = ids.into_iter().collect();
    let mut nodes = BTreeMap::new();
    for part in ids.chunks(AT_ONCE) {
        let mut pages = client
            .describe_tags()
            .filters(filter("key", NODE_TAG))
            .filters(one_of("resource-id", part))
            .into_paginator()
            .items()
            .send();
        while let Some(page) = pages.next().await {
            let found = page.map_err(ec2("DescribeTags"))?;
            let node = found.value.and_then(|value| value.parse().ok());
            if let (Some(id), Some(node)) = (found.resource_id, node) {
                nodes.insert(id, NodeId(node));
            }
        }
    }
    let mut by_node: BTreeMap<Option<NodeId>, Vec<String>> = BTreeMap::new();
    for id in ids {
        by_node.entry(nodes.get(&id).copied()).or_default().push(id);
    }
    Ok(by_node)
}

/// Changes the tags of every object of EC2.
///
/// # Errors
/// [`Ec2Error`].
pub async fn change(client: &Client, change: &Change<'_>) -> Result<(), Ec2Error> {
    for (node, ids) in all(client, change.names).await? {
        let wanted = change.wanted(node);
        for part in ids.chunks(AT_ONCE) {
            match set(client, part, &wanted, &change.removed).await {
                // Of instances that ended a while ago one is no longer there.
                Err(error) if error.kind() == Kind::NotFound => {
                    for id in part {
                        match set(client, std::slice::from_ref(id), &wanted, &change.removed).await {
                            Err(error) if error.kind() != Kind::NotFound => return Err(error.into()),
                            _ => {}
                        }
                    }
                }
                set => set?,
            }
        }
    }
    Ok(())
}

async fn set(
    client: &Client,
    ids: &[String],
    wanted: &BTreeMap<String, String>,
    removed: &BTreeSet<String>,
) -> Result<(), CallError> {
    let tags = wanted
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build());
    let tagged = client
        .create_tags()
        .set_resources(Some(ids.to_vec()))
        .set_tags(Some(tags.collect()));
    tagged.send().await.map_err(ec2("CreateTags"))?;
    if removed.is_empty() {
        return Ok(());
    }
    let keys = removed.iter().map(|key| Tag::builder().key(key).build());
    let untagged = client
        .delete_tags()
        .set_resources(Some(ids.to_vec()))
        .set_tags(Some(keys.collect()));
    untagged.send().await.map_err(ec2("DeleteTags"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ClusterPlace;
    use crate::engine::ec2::names::STORE_TAG;
    use crate::spec::ids::{ClusterName, ClusterUid, StoreId};

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn only_what_the_user_wanted_before_is_taken_away() {
        let place = ClusterPlace {
            name: ClusterName::new("events"),
            uid: ClusterUid::new("0123456789abcdef0123456789abcdef"),
        };
        let names = Names::new(&place, &StoreId::new("s-1"), &map(&[("team", "data")]));
        let before = map(&[
            ("team", "x"),
            ("old", "1"),
            ("Name", "mine"),
            (STORE_TAG, "forged"),
        ]);
        let own = map(&[("new", "2")]);
        let change = Change::new(&names, &own, &before);
        assert_eq!(change.removed, ["old".to_owned()].into());
        let wanted = change.wanted(Some(NodeId(3)));
        assert_eq!(wanted["Name"], "msk-events-01234567-3");
        assert_eq!((wanted["team"].as_str(), wanted["new"].as_str()), ("data", "2"));
    }
}

//! Names, tags and tokens of everything that belongs to a cluster in the account.
//!
//! All are derived from the cluster's uid, so that a run that was cut off finds what it made, and two clusters never
//! meet. An object counts as ours only by its tags; a name alone proves nothing.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};

use crate::engine::ClusterPlace;
use crate::hex::hex;
use crate::spec::ids::{ClusterUid, NodeId, StoreId};

/// The tag with the cluster's uid. Policies are scoped by it. Plain characters, so that the instance metadata
/// service may show it.
pub const CLUSTER_TAG: &str = "tfmsk-cluster";
/// The tag with the node's id.
pub const NODE_TAG: &str = "tfmsk-node";
/// The tag with the id of the control store, for people who look for the owner.
pub const STORE_TAG: &str = "tfmsk-store";
/// Set by the provider on a volume that was formatted: such a one is never formatted again.
pub const INITIALIZED_TAG: &str = "tfmsk-initialized";
/// The IAM path of roles and instance profiles.
pub const IAM_PATH: &str = "/tfmsk/";

/// The longest part of a cluster's name in other names: an IAM role's has 64 characters.
const NAME_PART: usize = 32;
/// The part of the uid in names; the whole uid is in the tag.
const UID_PART: usize = 8;

/// What the objects of one cluster are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    base: String,
    uid: ClusterUid,
    store: StoreId,
    default_tags: BTreeMap<String, String>,
}

/// What a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// A network interface.
    Interface,
    /// A volume.
    Volume,
    /// An instance.
    Instance,
}

impl Names {
    /// Of a cluster; `default_tags` come from the provider block and lose against ours.
    pub fn new(place: &ClusterPlace, store: &StoreId, default_tags: &BTreeMap<String, String>) -> Self {
        let name: String = place.name.as_str().chars().take(NAME_PART).collect();
        let uid: String = place.uid.as_str().chars().take(UID_PART).collect();
        Self {
            base: format!("msk-{}-{uid}", name.trim_end_matches('-')),
            uid: place.uid.clone(),
            store: store.clone(),
            default_tags: default_tags.clone(),
        }
    }

    /// The cluster's uid.
    pub const fn uid(&self) -> &ClusterUid {
        &self.uid
    }

    /// The name of what there is once: the security group.
    pub fn cluster(&self) -> &str {
        &self.base
    }

    /// The name of what each node has: group, role, instance profile.
    pub fn node(&self, node: NodeId) -> String {
        format!("{}-{node}", self.base)
    }

    /// The name of a launch template: one for each content, so that a template never changes under a group.
    pub fn template(&self, node: NodeId, content: &str) -> String {
        let hash = hex(digest(&SHA256, content.as_bytes()).as_ref());
        format!("{}-{node}-{}", self.base, hash.get(..12).unwrap_or(&hash))
    }

    /// The tags of an object: `tags_all`, then ours.
    pub fn tags(&self, node: Option<NodeId>, tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut all = self.default_tags.clone();
        all.extend(tags.clone());
        let name = node.map_or_else(|| self.base.clone(), |node| self.node(node));
        all.entry("Name".to_owned()).or_insert(name);
        all.insert(CLUSTER_TAG.to_owned(), self.uid.as_str().to_owned());
        all.insert(STORE_TAG.to_owned(), self.store.as_str().to_owned());
        if let Some(node) = node {
            all.insert(NODE_TAG.to_owned(), node.to_string());
        }
        all
    }

    /// The user's tags of an object: those of the provider block, and its own over them.
    pub fn user_tags(&self, tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut all = self.default_tags.clone();
        all.extend(tags.clone());
        all
    }

    /// Whether an object with these tags belongs to this cluster and node.
    pub fn is_ours(&self, tags: &BTreeMap<String, String>, node: Option<NodeId>) -> bool {
        tags.get(CLUSTER_TAG).is_some_and(|uid| uid == self.uid.as_str())
            && tags.get(NODE_TAG).cloned() == node.map(|node| node.to_string())
    }

    /// A client token: the same call, repeated after a cut, gives the same object. `life` counts the objects that
    /// took this place before: the token of one that was deleted gives nothing new.
    pub fn token(&self, made: Made, node: NodeId, life: u32) -> String {
        let kind = match made {
            Made::Interface => "interface",
            Made::Volume => "volume",
            Made::Instance => "instance",
        };
        let text = format!("{}/{kind}/{node}/{life}", self.uid.as_str());
        // EC2 takes 64 ASCII characters.
        hex(digest(&SHA256, text.as_bytes()).as_ref())
    }

    /// As [`token`](Self::token), for the cluster's copy of an image.
    pub fn image_token(&self, source_id: &str, life: u32) -> String {
        let text = format!("{}/image/{source_id}/{life}", self.uid.as_str());
        hex(digest(&SHA256, text.as_bytes()).as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ids::ClusterName;

    fn names(name: &str) -> Names {
        let place = ClusterPlace {
            name: ClusterName::new(name),
            uid: ClusterUid::new("0123456789abcdef0123456789abcdef"),
        };
        let defaults = BTreeMap::from([
            ("team".to_owned(), "data".to_owned()),
            (CLUSTER_TAG.to_owned(), "forged".to_owned()),
        ]);
        Names::new(&place, &StoreId::new("s-1"), &defaults)
    }

    #[test]
    fn names_fit_into_amazons_limits_and_end_in_no_hyphen() {
        let longest = names(&"x".repeat(64));
        assert!(longest.node(NodeId(3_002)).len() <= 64);
        assert!(longest.template(NodeId(3_002), "content").len() <= 128);
        let cut = names(&format!("{}-tail", "y".repeat(NAME_PART - 1)));
        assert_eq!(
            cut.cluster(),
            format!("msk-{}-01234567", "y".repeat(NAME_PART - 1))
        );
    }

    #[test]
    fn an_object_is_ours_by_cluster_and_node_whatever_the_block_says() {
        let names = names("events");
        let own = BTreeMap::from([("Name".to_owned(), "mine".to_owned())]);
        let tags = names.tags(Some(NodeId(1)), &own);
        assert_eq!(tags["Name"], "mine");
        assert_eq!(tags["team"], "data");
        assert!(names.is_ours(&tags, Some(NodeId(1))));
        assert!(!names.is_ours(&tags, Some(NodeId(2))) && !names.is_ours(&tags, None));
        assert!(names.is_ours(&names.tags(None, &BTreeMap::new()), None));
        assert!(!names.is_ours(&own, None));
    }

    #[test]
    fn a_token_is_one_for_each_object_and_life() {
        let names = names("events");
        let mut all: Vec<String> = Vec::new();
        for made in [Made::Interface, Made::Volume, Made::Instance] {
            for node in [1, 2] {
                for life in [0, 1] {
                    all.push(names.token(made, NodeId(node), life));
                }
            }
        }
        assert!(all.iter().all(|token| token.len() <= 64 && token.is_ascii()));
        assert_eq!(names.token(Made::Volume, NodeId(1), 0), all[4]);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 12);
        assert_ne!(names.template(NodeId(1), "a"), names.template(NodeId(1), "b"));
    }
}

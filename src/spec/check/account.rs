//! What of a cluster concerns an AWS account alone.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::ClusterContext;
use super::{Check, quoted};
use crate::spec::cluster::{AwsSpec, SelfHealing};
use crate::spec::ids::NodeId;
use crate::tfplugin::{Attr, AttributePath, Object};

/// Tags of the user on one object (EC2 user guide, Tag restrictions: 50; `Name` and four of ours are among them).
const MOST_TAGS: usize = 45;

/// `Some(None)` on one machine, where none of it matters.
#[expect(
    clippy::option_option,
    reason = "as of every optional value here: the outer one is a finding"
)]
pub(super) fn account(
    check: &mut Check<'_>,
    written: &Object,
    context: &ClusterContext<'_>,
) -> Option<Option<AwsSpec>> {
    let keeps_snapshots = check
        .boolean(written, "skip_final_snapshot", false)
        .map(|skips| !skips);
    let restore_snapshot_ids = snapshots(check, written);
    let image_id = check.optional_text(written, "ami_id", "the id of an image (`ami-…`)", |text| {
        text.starts_with("ami-")
    });
    let copies_image = check.boolean(written, "copy_ami", true);
    let private_zone_id = check.optional_text(
        written,
        "private_zone_id",
        "the id of a private hosted zone: at most 32 capital letters and digits",
        is_zone_id,
    );
    let instance_profile = check.optional_text(
        written,
        "instance_profile",
        "the name of an instance profile: at most 128 letters, digits and `+=,.@_-`, not its ARN",
        is_iam_name,
    );
    let permissions_boundary = check.optional_text(
        written,
        "permissions_boundary",
        "the ARN of an IAM policy (`arn:aws:iam::…:policy/…`)",
        |text| text.starts_with("arn:") && text.contains(":iam::") && text.contains(":policy/"),
    );
    let self_healing = check
        .optional_text(written, "self_healing", "`always` or `apply`", |text| {
            ["always", "apply"].contains(&text)
        })
        .map(|text| match text.as_deref() {
            Some("apply") => SelfHealing::Apply,
            _ => SelfHealing::Always,
        });
    let replace_volumes = replaced(check, written);
    if let (Some(Some(_)), Some(Some(_))) = (&instance_profile, &permissions_boundary) {
        check.error(
            &AttributePath::of("permissions_boundary"),
            "Two things that exclude each other",
            "`permissions_boundary` bounds the roles that the cluster makes for its nodes, and with `instance_profile` it \
             makes none. Take one of them out, and set the boundary on the role of your own profile.",
        );
    }
    if !context.is_aws {
        return Some(None);
    }
    let own = check.known(written.string_map("tags"), Some(BTreeMap::new()))?;
    let mut all_tags = context.default_tags.clone();
    all_tags.extend(own);
    if all_tags.len() > MOST_TAGS {
        let detail = format!(
            "`tags`, with the `default_tags` of the provider block, has {} entries. An object of EC2 has at most 50, of \
             which 5 are `Name` and the cluster's own: {MOST_TAGS} are left. Take some out.",
            all_tags.len()
        );
        check.error(&AttributePath::of("tags"), "Too many tags", detail);
        return None;
    }
    for name in ["subnet_ids", "controller_subnet_ids"] {
        subnets(check, written, name);
    }
    Some(Some(AwsSpec {
        image_id: image_id?,
        copies_image: copies_image?,
        private_zone_id: private_zone_id?,
        instance_profile: instance_profile?,
        permissions_boundary: permissions_boundary?,
        self_healing: self_healing?,
        replace_volumes: replace_volumes?,
        keeps_snapshots: keeps_snapshots?,
        restore_snapshot_ids: restore_snapshot_ids?,
        all_tags,
    }))
}

/// IAM API reference, `InstanceProfileName`.
fn is_iam_name(text: &str) -> bool {
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "+=,.@_-".contains(letter);
    (1..=128).contains(&text.len()) && text.chars().all(is_allowed)
}

/// Route 53 API reference, `ResourceId`.
fn is_zone_id(text: &str) -> bool {
    let is_allowed = |letter: u8| letter.is_ascii_uppercase() || letter.is_ascii_digit();
    (1..=32).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// On AWS a zone is named by a subnet in it.
fn subnets(check: &mut Check<'_>, written: &Object, name: &str) {
    let Attr::Known(subnets) = written.strings(name) else {
        return;
    };
    for subnet in subnets.iter().filter(|subnet| !subnet.starts_with("subnet-")) {
        check.breaks(
            &AttributePath::of(name),
            quoted(subnet),
            "the id of a subnet (`subnet-…`): the provider block says `aws`",
        );
    }
}

fn replaced(check: &mut Check<'_>, written: &Object) -> Option<BTreeSet<NodeId>> {
    let mut nodes = BTreeSet::new();
    for node in check.known(
        written.strings("replace_volumes"),
        Some(BTreeSet::new().into_iter().collect()),
    )? {
        match node.parse() {
            Ok(id) if id > 0 => {
                nodes.insert(NodeId(id));
            }
            _ => check.breaks(
                &AttributePath::of("replace_volumes"),
                quoted(&node),
                "a set with the ids of brokers, such as `[2]`",
            ),
        }
    }
    Some(nodes)
}

fn snapshots(check: &mut Check<'_>, written: &Object) -> Option<BTreeMap<NodeId, String>> {
    let path = AttributePath::of("restore_snapshot_ids");
    let mut by_node = BTreeMap::new();
    for (node, snapshot) in check.known(written.string_map("restore_snapshot_ids"), Some(BTreeMap::new()))? {
        let path = path.key(node.as_str());
        match node.parse() {
            Ok(id) if id > 0 => {
                by_node.insert(NodeId(id), snapshot.clone());
            }
            _ => check.breaks(
                &path,
                quoted(&node),
                "a map with the ids of nodes as keys, such as `\"1\"`",
            ),
        }
        if !snapshot.starts_with("snap-") {
            check.breaks(&path, quoted(&snapshot), "the id of a snapshot (`snap-…`)");
        }
    }
    Some(by_node)
}

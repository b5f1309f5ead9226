//! The page for people, `docs/guides/permissions.md`.

use std::fmt::Write as _;

use serde_json::Value;

use super::documents::{Document, Place, operator, plan_role};
use super::{Condition, Grant, ROWS, Row, Target, Who};
use crate::engine::ec2::bucket;
use crate::engine::ec2::policy::{self, Roles, Scope};
use crate::spec::ids::{ClusterName, ClusterUid, NodeId};

const HEAD: &str = "---
page_title: \"Permissions in AWS\"
subcategory: \"\"
description: |-
  The exact IAM policies for the person who runs Terraform, for a role that only plans, and for the nodes.
---

# Permissions in AWS

Everything on this page is generated from one table of the calls in the provider's code, and a test compares the table with the code.
Replace the placeholders: `ACCOUNT`, `REGION`, `BUCKET` (`aws.control_bucket`), `PREFIX` (`aws.control_prefix`), `KEY` (the ids of the KMS keys of volumes, control bucket and secrets).
In China and in GovCloud, `arn:aws:` is `arn:aws-cn:` and `arn:aws-us-gov:`.

Every policy stays below the 6,144 characters that IAM takes for a managed policy.
What the provider makes carries the tag `tfmsk-cluster` from the call that makes it, and what it changes or removes has to carry it.
Without keys of your own (`kms_key_id`, `aws.control_kms_key_id`), leave out the statements with `kms:`.
";

const OPERATOR: &str = "
## Who runs Terraform

Attach all of them to the role that applies and destroys; the last one only if the provider makes the control bucket.
";

const BOUNDARY: &str = "
`iam:CreateRole` and `iam:PutRolePolicy` let their holder write what roles below the path `/tfmsk/` may do, and `iam:PassRole` hands such a role to an instance.
Where that is too much, demand a permissions boundary: set `permissions_boundary` in the cluster, and add to the statements of both actions the condition `\"StringEquals\": {\"iam:PermissionsBoundary\": \"ARN\"}`.
Or make roles and profiles yourself, name them in `instance_profile`, and keep of the policy *identities* `iam:PassRole` on your roles and the statements for secrets.
";

const PLAN: &str = "
## A role that only plans

`terraform plan` needs no more than this.
The role reads documents, and neither keys nor passwords.
";

const NODES: &str = "
## Nodes

The provider makes one role for each node and gives it an inline policy.
`UID` is the cluster's `id`, `NAME` its name, `1` and `10001` ids of nodes.
In names of secrets and in the tag `tfmsk-scram-UID`, the first eight characters of the `id` stand for it.
Make such roles yourself if you set `instance_profile`; only EC2 may take them.
";

const REST: &str = "
## What to know

* `sts:GetCallerIdentity` is called and needs no permission; `sts:AssumeRole` is needed for the roles of `aws.assume_role`, by whoever takes them.
* `ec2:CopyImage` and `ec2:RunInstances` name images of Amazon's, which have no tag of ours: images are not bound to a tag there.
* `ec2:RunInstances` is asked of whoever makes or changes an Auto Scaling group with a launch template; subnets and security groups are among its resources although the node's interface is there already.
  Whether EC2 asks for them then is to be settled on a real account.
* `ec2:DeleteSnapshot` holds for the disk of the copied image alone: the last snapshots of volumes carry the tag `tfmsk-node`, and this policy cannot delete them.
* `secretsmanager:TagResource`, `GetSecretValue` and `UntagResource` hold for every secret whose name begins with `AmazonMSK_`: a secret that you bring (`secret_arn`) has no tag of ours before.
* `kms:ReEncryptFrom` and `kms:ReEncryptTo` are needed only for snapshots under another key (`restore_snapshot_ids`), and where the account encrypts copied images.
* `iam:GetRole`, `iam:RemoveRoleFromInstanceProfile` and `iam:DeleteInstanceProfile` hold for names that begin with `msk-` without the path, too: what is not there has no path, and a destroy that is repeated has to learn that it is gone.
* `iam:CreateServiceLinkedRole` is needed once in an account that never had an Auto Scaling group.
* Actions on `*` take no resource in IAM.
";

/// The whole page.
pub fn page() -> String {
    let place = placeholders();
    let mut page = HEAD.to_owned();
    page.push_str(OPERATOR);
    for document in operator(&place) {
        add(&mut page, &document);
    }
    page.push_str(BOUNDARY);
    page.push_str(PLAN);
    add_json(&mut page, &plan_role(&place).policy);
    page.push_str(NODES);
    let role = |is_broker, node| {
        let roles = Roles {
            is_broker,
            is_controller: !is_broker,
        };
        policy::node(&scope(), NodeId(node), roles)
    };
    for (title, policy) in [
        ("A broker", role(true, 1)),
        ("A controller", role(false, 10_001)),
        ("Who may take the roles", policy::trust("aws")),
    ] {
        add_title(&mut page, title);
        add_json(&mut page, &policy);
    }
    page.push_str("\n## The control bucket\n\nThe policy of a bucket that the provider makes; give it to one of your own, too.\n");
    let fence = bucket::policy("aws", Some("ACCOUNT"), ("BUCKET", "PREFIX/"), false);
    add_json(&mut page, &fence);
    page.push_str("\n## Action by action\n\n");
    table(&mut page);
    page.push_str(REST);
    page
}

fn placeholders() -> Place {
    Place {
        partition: "aws".to_owned(),
        region: "REGION".to_owned(),
        account: "ACCOUNT".to_owned(),
        bucket: "BUCKET".to_owned(),
        prefix: "PREFIX/".to_owned(),
        keys: vec!["arn:aws:kms:REGION:ACCOUNT:key/KEY".to_owned()],
        permissions_boundary: None,
    }
}

fn scope() -> Scope {
    let place = placeholders();
    let key = place.keys.first().cloned();
    Scope {
        partition: place.partition,
        region: place.region,
        account: place.account,
        bucket: place.bucket,
        prefix: place.prefix,
        store_key_arn: key.clone(),
        volume_key_arn: key,
        uid: ClusterUid::new("UID"),
        name: ClusterName::new("NAME"),
    }
}

fn add(page: &mut String, document: &Document) {
    add_title(page, document.name);
    page.push('\n');
    page.push_str(document.about);
    page.push('\n');
    add_json(page, &document.policy);
}

fn add_title(page: &mut String, title: &str) {
    page.push_str("\n### ");
    page.push_str(title);
    page.push('\n');
}

fn add_json(page: &mut String, policy: &Value) {
    // Writing to a text never fails.
    let _ = write!(page, "\n```json\n{policy:#}\n```\n");
}

fn table(page: &mut String) {
    page.push_str("| action | who | on | if | for |\n| --- | --- | --- | --- | --- |\n");
    for row in ROWS {
        for (number, grant) in row.grants.iter().enumerate() {
            let (action, who, why) = match number {
                0 => (format!("`{}`", row.action), who(row), row.why),
                _ => (String::new(), "", ""),
            };
            let _ = writeln!(
                page,
                "| {action} | {who} | {} | {} | {why} |",
                targets(grant),
                condition(grant.condition)
            );
        }
    }
}

const fn who(row: &Row) -> &'static str {
    match row.who {
        Who::Operator => "operator",
        Who::Both => "operator, plan",
        Who::Node => "node",
    }
}

fn targets(grant: &Grant) -> String {
    let words = |target: &Target| match *target {
        Target::Any => "`*`".to_owned(),
        Target::Ec2(kind) | Target::Shared(kind) => kind.to_owned(),
        Target::Group => "Auto Scaling groups `msk-*`".to_owned(),
        Target::Role => "roles below `/tfmsk/`".to_owned(),
        Target::Profile => "instance profiles below `/tfmsk/`".to_owned(),
        Target::RoleByName => "roles `msk-*`".to_owned(),
        Target::ProfileByName => "instance profiles `msk-*`".to_owned(),
        Target::AnyProfile => "instance profiles".to_owned(),
        Target::AnyPolicy => "policies".to_owned(),
        Target::AutoScalingsRole => "Auto Scaling's own role".to_owned(),
        Target::Bucket => "the control bucket".to_owned(),
        Target::Objects(_) => "objects below the prefix".to_owned(),
        Target::Keys => "the keys".to_owned(),
        Target::Zones => "hosted zones".to_owned(),
        Target::ZoneChanges => "changes of hosted zones".to_owned(),
        Target::Secrets => "secrets `AmazonMSK_*`".to_owned(),
    };
    grant.targets.iter().map(words).collect::<Vec<_>>().join(", ")
}

const fn condition(condition: Condition) -> &'static str {
    match condition {
        Condition::Always => "",
        Condition::Tagging => "our tag is given in the call",
        Condition::Tagged => "it has our tag",
        Condition::TaggedOfNoNode => "it has our tag, and that of no node",
        Condition::TaggingOnCreate => "in the call that makes it, with our tag",
        Condition::PassedToEc2 => "given to EC2",
        Condition::ForAutoScaling => "for Auto Scaling",
        Condition::Bounded => "with a boundary, if you demand one",
        Condition::BoundedTagging => "our tag is given in the call; with a boundary, if you demand one",
        Condition::ThroughEc2 => "through EC2",
        Condition::GrantThroughEc2 => "through EC2, for a service of AWS",
        Condition::ThroughServices => "through EC2, S3, Secrets Manager",
        Condition::ThroughS3 => "through S3",
    }
}

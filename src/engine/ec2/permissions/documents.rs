//! The policies that the table makes, for an account.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Condition, Part, ROWS, Row, Target, Who};
use crate::engine::ec2::names::{CLUSTER_TAG, IAM_PATH, NODE_TAG};
use crate::engine::ec2::secret;

/// The longest managed policy that IAM takes, without white space.
pub const LONGEST: usize = 6_144;

/// The account that the policies are for. Any of it may be a placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The Region.
    pub region: String,
    /// The account, 12 digits.
    pub account: String,
    /// The bucket of the control store.
    pub bucket: String,
    /// The prefix of the control store in it; ends with `/`, or is empty.
    pub prefix: String,
    /// The ARNs of the keys of volumes, control store and secrets. None: only the account's own keys of AWS are used.
    pub keys: Vec<String>,
    /// The ARN of the policy that has to bound every role of a node, if the account demands one.
    pub permissions_boundary: Option<String>,
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The name for people.
    pub name: &'static str,
    /// When it is needed.
    pub about: &'static str,
    /// The policy.
    pub policy: Value,
}

const PARTS: [(Part, &str, &str); 6] = [
    (Part::Machines, "Machines", "Networks and volumes."),
    (
        Part::Launches,
        "Launches",
        "Images, instances and their groups, tags.",
    ),
    (Part::Store, "Store", "The control store, and the use of keys."),
    (
        Part::Identities,
        "Identities",
        "Roles of nodes, and users' secrets.",
    ),
    (
        Part::Bucket,
        "Bucket",
        "Only with `create_control_bucket = true`.",
    ),
    (
        Part::Names,
        "Names",
        "Only with `private_zone_id`; put your zone's id for the star.",
    ),
];

/// The policies of who applies and destroys, all of them to be attached.
pub fn operator(place: &Place) -> Vec<Document> {
    let has = |row: &&Row| row.who.is_operators();
    let documents = PARTS.into_iter().map(|(part, name, about)| Document {
        name,
        about,
        policy: policy(
            statements(place, ROWS.iter().filter(has).filter(|row| row.part == part)),
            None,
        ),
    });
    documents.collect()
}

/// The policy of a role that only plans. It sees no key, no password and no object of the operator's own.
pub fn plan_role(place: &Place) -> Document {
    let rows = ROWS.iter().filter(|row| row.who.is_plans());
    let secret = [
        arn(place, Target::Objects("*/private/*")),
        arn(place, Target::Objects("*/operator/*")),
    ];
    let never = json!({
        "Sid": "NoKeysAndPasswords", "Effect": "Deny", "Action": "s3:GetObject", "Resource": secret.concat(),
    });
    Document {
        name: "Plan",
        about: "All that a plan needs.",
        policy: policy(statements(place, rows), Some(never)),
    }
}

fn policy(mut statements: Vec<Value>, last: Option<Value>) -> Value {
    statements.extend(last);
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// One statement for all actions with the same resources and condition.
fn statements<'a>(place: &Place, rows: impl Iterator<Item = &'a Row>) -> Vec<Value> {
    let mut groups: BTreeMap<(Condition, &'static [Target]), Vec<&'static str>> = BTreeMap::new();
    for row in rows.filter(|row| row.who != Who::Node) {
        for grant in row.grants {
            groups
                .entry((grant.condition, grant.targets))
                .or_default()
                .push(row.action);
        }
    }
    let one = |((condition, targets), mut actions): ((Condition, &'static [Target]), Vec<&'static str>)| {
        actions.sort_unstable();
        let resources: Vec<String> = targets.iter().flat_map(|target| arn(place, *target)).collect();
        // No key of the customer's: nothing to allow.
        if resources.is_empty() {
            return None;
        }
        let mut statement = json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
        let conditions = conditions(place, condition);
        if let (Some(statement), false) = (statement.as_object_mut(), conditions.is_empty()) {
            statement.insert("Condition".to_owned(), Value::Object(conditions));
        }
        Some(statement)
    };
    groups.into_iter().filter_map(one).collect()
}

/// The ARNs of a target; none if there are no such objects.
pub(super) fn arn(place: &Place, target: Target) -> Vec<String> {
    let Place {
        partition,
        region,
        account,
        bucket,
        prefix,
        ..
    } = place;
    let iam = |kind: &str, path: &str| format!("arn:{partition}:iam::{account}:{kind}{path}");
    vec![match target {
        Target::Any => "*".to_owned(),
        Target::Ec2(kind) => format!("arn:{partition}:ec2:{region}:{account}:{kind}/*"),
        Target::Shared(kind) => format!("arn:{partition}:ec2:{region}::{kind}/*"),
        Target::Group => format!(
            "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/msk-*"
        ),
        Target::Role => iam("role", &format!("{IAM_PATH}*")),
        Target::Profile => iam("instance-profile", &format!("{IAM_PATH}*")),
        Target::RoleByName => iam("role", "/msk-*"),
        Target::ProfileByName => iam("instance-profile", "/msk-*"),
        Target::AnyProfile => iam("instance-profile", "/*"),
        Target::AnyPolicy => iam("policy", "/*"),
        Target::AutoScalingsRole => iam("role", "/aws-service-role/autoscaling.amazonaws.com/*"),
        Target::Bucket => format!("arn:{partition}:s3:::{bucket}"),
        Target::Objects(below) => format!("arn:{partition}:s3:::{bucket}/{prefix}{below}"),
        Target::Keys => return place.keys.clone(),
        Target::Zones => format!("arn:{partition}:route53:::hostedzone/*"),
        Target::ZoneChanges => format!("arn:{partition}:route53:::change/*"),
        Target::Secrets => format!(
            "arn:{partition}:secretsmanager:{region}:{account}:secret:{}*",
            secret::PREFIX
        ),
    }]
}

/// The calls of EC2 that give tags to what they make.
const TAGGED_BY: [&str; 8] = [
    "AuthorizeSecurityGroupIngress",
    "CopyImage",
    "CreateLaunchTemplate",
    "CreateNetworkInterface",
    "CreateSecurityGroup",
    "CreateSnapshot",
    "CreateVolume",
    "RunInstances",
];

/// The element `Condition`; empty if there is none.
pub(super) fn conditions(place: &Place, condition: Condition) -> Map<String, Value> {
    let ours = |key: &str| json!({ format!("aws:{key}/{CLUSTER_TAG}"): "false" });
    let suffix = if place.partition == "aws-cn" { ".cn" } else { "" };
    let through = |service: &str| format!("{service}.{}.amazonaws.com", place.region);
    let bounded = || match &place.permissions_boundary {
        Some(arn) => json!({ "StringEquals": { "iam:PermissionsBoundary": arn } }),
        None => json!({}),
    };
    let with_tag = |mut of: Value| {
        if let Some(of) = of.as_object_mut() {
            of.insert("Null".to_owned(), ours("RequestTag"));
        }
        of
    };
    let condition = match condition {
        Condition::Always => json!({}),
        Condition::Tagging => with_tag(json!({})),
        Condition::Tagged => json!({ "Null": ours("ResourceTag") }),
        Condition::TaggedOfNoNode => json!({ "Null": {
            format!("aws:ResourceTag/{CLUSTER_TAG}"): "false",
            format!("aws:ResourceTag/{NODE_TAG}"): "true",
        } }),
        Condition::TaggingOnCreate => with_tag(json!({ "StringEquals": { "ec2:CreateAction": TAGGED_BY } })),
        Condition::PassedToEc2 => {
            json!({ "StringEquals": { "iam:PassedToService": format!("ec2.amazonaws.com{suffix}") } })
        }
        Condition::ForAutoScaling => {
            json!({ "StringEquals": { "iam:AWSServiceName": "autoscaling.amazonaws.com" } })
        }
        Condition::Bounded => bounded(),
        Condition::BoundedTagging => with_tag(bounded()),
        Condition::ThroughEc2 => json!({ "StringEquals": { "kms:ViaService": through("ec2") } }),
        Condition::ThroughS3 => json!({ "StringEquals": { "kms:ViaService": through("s3") } }),
        Condition::ThroughServices => json!({ "StringEquals": {
            "kms:ViaService": (["ec2", "s3", "secretsmanager"].map(through))
        } }),
        Condition::GrantThroughEc2 => json!({
            "StringEquals": { "kms:ViaService": through("ec2") },
            "Bool": { "kms:GrantIsForAWSResource": "true" },
        }),
    };
    match condition {
        Value::Object(condition) => condition,
        _ => Map::new(),
    }
}

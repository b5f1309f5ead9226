use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::engine::ec2::policy::{self, Roles, Scope};
use crate::spec::ids::{ClusterName, ClusterUid, NodeId};

const KEYS: [&str; 3] = ["volumes", "store", "secrets"];

fn place() -> Place {
    let key = |name: &str| format!("arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/{name:0>36}");
    Place {
        partition: "aws-us-gov".to_owned(),
        region: "us-gov-west-1".to_owned(),
        account: "123456789012".to_owned(),
        bucket: "b".repeat(63),
        prefix: "a/prefix/of/some/length/".to_owned(),
        keys: KEYS.map(key).into(),
        permissions_boundary: Some("arn:aws-us-gov:iam::123456789012:policy/boundary".to_owned()),
    }
}

fn statements(policy: &Value) -> &Vec<Value> {
    policy["Statement"].as_array().unwrap()
}

fn actions(policy: &Value) -> BTreeSet<String> {
    let texts = |of: &Value| match of {
        Value::String(one) => vec![one.clone()],
        many => many
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap().to_owned())
            .collect(),
    };
    let allowed = statements(policy)
        .iter()
        .filter(|statement| statement["Effect"] == "Allow");
    allowed
        .flat_map(|statement| texts(&statement["Action"]))
        .collect()
}

fn of_table(is_meant: impl Fn(Who) -> bool) -> BTreeSet<String> {
    let rows = ROWS.iter().filter(|row| is_meant(row.who));
    rows.map(|row| row.action.to_owned()).collect()
}

#[test]
fn every_policy_fits_into_a_managed_policy_of_iam() {
    let mut all = operator(&place());
    all.push(plan_role(&place()));
    for document in all {
        let text = document.policy.to_string();
        let length = text.chars().filter(|letter| !letter.is_whitespace()).count();
        assert!(length <= LONGEST, "{}: {length}", document.name);
    }
}

#[test]
fn the_policies_hold_exactly_the_actions_of_the_table_and_no_pattern_of_actions() {
    let all: BTreeSet<String> = operator(&place())
        .iter()
        .flat_map(|document| actions(&document.policy))
        .collect();
    assert_eq!(all, of_table(Who::is_operators));
    let plan = actions(&plan_role(&place()).policy);
    assert_eq!(plan, of_table(Who::is_plans));
    assert!(plan.is_subset(&all));
    assert!(all.iter().all(|action| !action.contains('*')));
}

#[test]
fn a_row_is_there_once_and_is_about_something() {
    let mut seen = BTreeSet::new();
    for row in ROWS {
        assert!(
            seen.insert((row.action, row.who == Who::Node)),
            "{} twice",
            row.action
        );
        assert!(
            !row.grants.is_empty() && !row.calls.is_empty() && !row.why.is_empty(),
            "{}",
            row.action
        );
    }
}

#[test]
fn the_roles_of_nodes_have_the_actions_of_the_table() {
    let scope = Scope {
        partition: "aws".to_owned(),
        region: "eu-central-1".to_owned(),
        account: "123456789012".to_owned(),
        bucket: "control".to_owned(),
        prefix: "msk/".to_owned(),
        store_key_arn: Some("arn:aws:kms:eu-central-1:123456789012:key/store".to_owned()),
        volume_key_arn: Some("arn:aws:kms:eu-central-1:123456789012:key/volume".to_owned()),
        uid: ClusterUid::new("0123456789abcdef0123456789abcdef"),
        name: ClusterName::new("events"),
    };
    let roles = Roles {
        is_broker: true,
        is_controller: true,
    };
    let node = policy::node(&scope, NodeId(1), roles);
    assert_eq!(actions(&node), of_table(|who| who == Who::Node));
}

#[test]
fn without_a_key_of_the_customers_nothing_is_allowed_about_keys() {
    let plain = Place {
        keys: Vec::new(),
        ..place()
    };
    for document in operator(&plain) {
        assert!(!document.policy.to_string().contains("kms:"), "{}", document.name);
    }
}

#[test]
fn a_boundary_that_the_account_demands_binds_both_ways_to_change_a_role() {
    let all = operator(&place());
    for action in ["iam:CreateRole", "iam:PutRolePolicy"] {
        let one = all
            .iter()
            .flat_map(|document| statements(&document.policy))
            .find(|statement| statement["Action"].to_string().contains(action))
            .unwrap();
        let bound = &one["Condition"]["StringEquals"]["iam:PermissionsBoundary"];
        assert_eq!(
            bound, "arn:aws-us-gov:iam::123456789012:policy/boundary",
            "{action}"
        );
    }
}

#[test]
fn a_plan_reads_no_key_and_no_password() {
    let plan = plan_role(&place()).policy;
    let denied: Vec<&Value> = statements(&plan)
        .iter()
        .filter(|one| one["Effect"] == "Deny")
        .collect();
    assert_eq!(denied.len(), 1);
    let text = denied[0]["Resource"].to_string();
    assert!(
        text.contains("/*/private/*") && text.contains("/*/operator/*"),
        "{text}"
    );
    let all = plan.to_string();
    for never in [
        "secretsmanager:",
        "iam:PassRole",
        "Put",
        "Create",
        "Delete",
        "Run",
    ] {
        assert!(!all.contains(never), "{never}");
    }
}

#[test]
fn last_snapshots_of_volumes_cannot_be_deleted() {
    let all = operator(&place());
    let one = all
        .iter()
        .flat_map(|document| statements(&document.policy))
        .find(|statement| statement["Action"].to_string().contains("ec2:DeleteSnapshot"))
        .unwrap();
    assert_eq!(one["Condition"]["Null"]["aws:ResourceTag/tfmsk-node"], "true");
}

//! Other tags for a cluster that exists: every object has them, nothing is replaced, and tags of others stay.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Account, in_one_zone};

/// One node, and a user's secret.
const SMALL: &str = "  dedicated_controllers = false\n  volume_size = 20";
const USER: &str = "\nresource \"msk_scram_secret\" \"app\" {\n  cluster_id = msk_cluster.events.id\n  username = \"app\"\n}\n";

/// The tags of every object of the cluster, by its kind and id.
const TAGS: &str = "
found = {}
def note(kind, id, tags):
    found[f'{kind} {id}'] = {t['Key']: t['Value'] for t in tags}
ec2, iam = boto3.client('ec2'), boto3.client('iam')
for tag in ec2.get_paginator('describe_tags').paginate(Filters=[{'Name': 'key', 'Values': ['tfmsk-cluster']}]).search('Tags'):
    named = [{'Name': 'resource-id', 'Values': [tag['ResourceId']]}]
    pages = ec2.get_paginator('describe_tags').paginate(Filters=named)
    note(tag['ResourceType'], tag['ResourceId'], pages.search('Tags'))
for group in boto3.client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups']:
    note('auto-scaling-group', group['AutoScalingGroupName'], group['Tags'])
for role in iam.list_roles(PathPrefix='/tfmsk/')['Roles']:
    note('role', role['RoleName'], iam.get_role(RoleName=role['RoleName'])['Role']['Tags'])
for one in iam.list_instance_profiles(PathPrefix='/tfmsk/')['InstanceProfiles']:
    name = one['InstanceProfileName']
    note('instance-profile', name, iam.get_instance_profile(InstanceProfileName=name)['InstanceProfile']['Tags'])
for secret in boto3.client('secretsmanager').list_secrets()['SecretList']:
    note('secret', secret['Name'], secret['Tags'])
print(json.dumps(found))";

type Tags = BTreeMap<String, BTreeMap<String, String>>;

fn tags(account: &Account) -> Tags {
    serde_json::from_str(&account.stand.by_hand(TAGS, &[])).unwrap()
}

/// The kinds of objects that have tags.
fn kinds(tags: &Tags) -> Vec<&str> {
    let mut kinds: Vec<&str> = tags.keys().filter_map(|name| name.split(' ').next()).collect();
    kinds.dedup();
    kinds
}

fn operations(planned: &Value) -> Vec<&str> {
    let rows = planned["after"]["planned_operations"].as_array().unwrap();
    rows.iter().filter_map(|row| row["operation"].as_str()).collect()
}

#[test]
fn other_tags_reach_every_object_and_nothing_is_replaced() {
    let account = Account::with(SMALL);
    let write = |tags: &str| {
        let cluster = in_one_zone(&format!("{SMALL}\n  tags = {tags}"));
        account.terraform.write("main.tf", &(cluster + USER));
    };
    write("{ old = \"1\", kept = \"a\", Name = \"mine\" }");
    let by_default = |tag: &str| format!("aws = {{\n    default_tags = {{ {tag} }}");
    let data = by_default("team = \"data\"");
    account.terraform.replace("provider.tf", "aws = {", &data);
    account.terraform.apply(&[]).must_succeed();
    let before = tags(&account);
    let kinds_before = kinds(&before);
    for kind in [
        "auto-scaling-group",
        "image",
        "instance",
        "instance-profile",
        "launch-template",
        "network-interface",
        "role",
        "secret",
        "security-group",
        "security-group-rule",
        "snapshot",
        "volume",
    ] {
        assert!(kinds_before.contains(&kind), "{kind}: {kinds_before:?}");
    }
    for (name, tags) in &before {
        assert_eq!(
            tags.get("team").map(String::as_str),
            Some("data"),
            "{name}: {tags:?}"
        );
        if !name.starts_with("secret ") {
            assert_eq!(
                (tags["old"].as_str(), tags["Name"].as_str()),
                ("1", "mine"),
                "{name}"
            );
        }
    }
    // Somebody's own: on a volume and on a group.
    account.stand.by_hand(
        "ec2, scaling = boto3.client('ec2'), boto3.client('autoscaling')\n\
         ec2.create_tags(Resources=[v['VolumeId'] for v in ec2.describe_volumes()['Volumes']], \
         Tags=[{'Key': 'bill', 'Value': '7'}])\n\
         for group in scaling.describe_auto_scaling_groups()['AutoScalingGroups']:\n\
         \x20   scaling.create_or_update_tags(Tags=[{'ResourceId': group['AutoScalingGroupName'], \
         'ResourceType': 'auto-scaling-group', 'Key': 'bill', 'Value': '7', 'PropagateAtLaunch': False}])",
        &[],
    );

    write("{ kept = \"b\", new = \"2\" }");
    account
        .terraform
        .replace("provider.tf", &data, &by_default("cost = \"42\""));
    let planned = account.terraform.plan(&[]);
    let change = planned.change("msk_cluster.events");
    assert_eq!(operations(change), ["align_objects"]);
    assert_eq!(
        change["after"]["tags_all"],
        json!({"cost": "42", "kept": "b", "new": "2"})
    );
    account.terraform.apply(&[]).must_succeed();
    account.terraform.plan_must_be_empty();
    let after = tags(&account);
    assert_eq!(kinds(&after), kinds(&before));
    let same = |tags: &Tags| -> Vec<String> {
        let others = tags.keys().filter(|name| !name.starts_with("launch-template"));
        others.cloned().collect()
    };
    assert_eq!(same(&after), same(&before), "nothing was replaced");
    for (name, tags) in &after {
        let has = |key: &str| tags.get(key).map(String::as_str);
        assert_eq!(
            (has("cost"), has("team"), has("old")),
            (Some("42"), None, None),
            "{name}"
        );
        assert!(
            has("Name").is_some_and(|own| own.starts_with("msk-events-")),
            "{name}: {tags:?}"
        );
        assert!(has("tfmsk-cluster").is_some(), "{name}");
        if !name.starts_with("secret ") {
            assert_eq!((has("kept"), has("new")), (Some("b"), Some("2")), "{name}");
        }
        if name.starts_with("volume ") || name.starts_with("auto-scaling-group ") {
            assert_eq!(has("bill"), Some("7"), "{name}");
        }
    }

    // The next instance starts with the new tags.
    let lost = account.terraform.state("msk_cluster.events")["brokers"][0]["instance_id"].clone();
    account.stand.by_hand(
        "ec2, old = boto3.client('ec2'), argument[0]\n\
         ec2.terminate_instances(InstanceIds=[old])\n\
         alive = [{'Name': 'instance-state-name', 'Values': ['running']}]\n\
         for _ in range(120):\n\
         \x20   found = [i for r in ec2.describe_instances(Filters=alive)['Reservations'] for i in r['Instances']]\n\
         \x20   if any(i['InstanceId'] != old for i in found): break\n\
         \x20   time.sleep(1)\n\
         else: sys.exit('no new instance')",
        &[lost.as_str().unwrap()],
    );
    let again = tags(&account);
    let instances = again.iter().filter(|(name, _)| name.starts_with("instance "));
    for (name, tags) in instances.filter(|(name, _)| !after.contains_key(*name)) {
        assert_eq!(
            (tags["cost"].as_str(), tags["new"].as_str()),
            ("42", "2"),
            "{name}"
        );
    }
    account.destroy();
}

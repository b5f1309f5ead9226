//! Instances other than the default: without Auto Scaling groups, of an image of the user's, with a profile of the user's.

use serde_json::json;

use super::{Account, in_one_zone};

/// One node: broker and controller.
const SMALL: &str = "  dedicated_controllers = false\n  volume_size = 20";

impl Account {
    fn broker(&self) -> serde_json::Value {
        self.terraform.state("msk_cluster.events")["brokers"][0].clone()
    }
}

#[test]
fn instances_without_groups_are_replaced_by_the_next_apply() {
    let account = Account::with(SMALL);
    let image = account.stand.by_hand(
        "named = [{'Name': 'name', 'Values': ['al2023-ami-2023*-x86_64']}]\n\
         print(boto3.client('ec2').describe_images(Owners=['amazon'], Filters=named)['Images'][0]['ImageId'])",
        &[],
    );
    let boundary = account.stand.by_hand(
        "allow = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': '*', 'Resource': '*'}]}\n\
         made = boto3.client('iam').create_policy(PolicyName='bound', PolicyDocument=json.dumps(allow))\n\
         print(made['Policy']['Arn'])",
        &[],
    );
    let attributes = |image: &str| {
        format!(
            "{SMALL}\n  self_healing = \"apply\"\n  ami_id = \"{image}\"\n  copy_ami = false\n  \
             permissions_boundary = \"{boundary}\""
        )
    };
    let write = |attributes: &str| account.terraform.write("main.tf", &in_one_zone(attributes));
    write(&attributes("ami-00000000000000000"));
    account
        .terraform
        .plan(&[])
        .outcome
        .must_fail_with(&["The image `ami-00000000000000000` is not there"]);
    write(&attributes(&image));
    account.terraform.apply(&[]).must_succeed();
    account.terraform.plan_must_be_empty();
    let left = account.stand.left();
    for kind in ["auto-scaling-group", "image", "snapshot"] {
        assert!(left.get(kind).is_none(), "{left:#}");
    }
    let bounded = account.stand.by_hand(
        "iam = boto3.client('iam')\n\
         roles = [r['RoleName'] for r in iam.list_roles(PathPrefix='/tfmsk/')['Roles']]\n\
         print(*[iam.get_role(RoleName=r)['Role']['PermissionsBoundary']['PermissionsBoundaryArn'] for r in roles])",
        &[],
    );
    assert_eq!(bounded, boundary);

    let before = account.broker();
    let lost = before["instance_id"].as_str().unwrap();
    account.stand.by_hand(
        "ec2 = boto3.client('ec2')\n\
         ec2.terminate_instances(InstanceIds=argument)\n\
         ec2.get_waiter('instance_terminated').wait(InstanceIds=argument, WaiterConfig={'Delay': 1})",
        &[lost],
    );
    let planned = account.terraform.plan(&[]);
    let operations = &planned.change("msk_cluster.events")["after"]["planned_operations"];
    assert!(
        operations
            .as_array()
            .unwrap()
            .iter()
            .any(|row| { row["operation"] == "start_node" && row["reason"] == "it has no instance" }),
        "{operations:#}"
    );
    account.terraform.apply(&[]).must_succeed();
    account.terraform.plan_must_be_empty();
    let after = account.broker();
    for same in ["id", "host", "private_ip", "volume_id"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_ne!(before["instance_id"], after["instance_id"]);

    write(&attributes(&image).replace("\"apply\"", "\"always\""));
    account
        .terraform
        .plan(&[])
        .outcome
        .must_fail_with(&["self_healing", "This never changes"]);
    write(&attributes(&image));
    account.terraform.destroy(&[]).must_succeed();
    let delete = "boto3.client('iam').delete_policy(PolicyArn=argument[0])";
    account.stand.by_hand(delete, &[&boundary]);
    account.stand.must_be_content();
    assert_eq!(account.stand.left(), json!({}));
}

#[test]
fn a_profile_of_the_users_own_is_used_and_left_alone() {
    let account = Account::with(&format!("{SMALL}\n  instance_profile = \"kafka-node\""));
    let write = |attributes: &str| account.terraform.write("main.tf", &in_one_zone(attributes));
    write(&format!("{SMALL}\n  instance_profile = \"kafka-node\""));
    account
        .terraform
        .plan(&[])
        .outcome
        .must_fail_with(&["There is no instance profile `kafka-node`"]);
    account.stand.by_hand(
        "iam = boto3.client('iam')\n\
         trust = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 'sts:AssumeRole',\n\
         \x20        'Principal': {'Service': 'ec2.amazonaws.com'}}]}\n\
         iam.create_role(RoleName='kafka-node', AssumeRolePolicyDocument=json.dumps(trust))\n\
         iam.create_instance_profile(InstanceProfileName='kafka-node')\n\
         iam.add_role_to_instance_profile(InstanceProfileName='kafka-node', RoleName='kafka-node')",
        &[],
    );
    account.terraform.apply(&[]).must_succeed();
    account.terraform.plan_must_be_empty();
    let instance = account.broker()["instance_id"].as_str().unwrap().to_owned();
    let profile = account.stand.by_hand(
        "found = boto3.client('ec2').describe_instances(InstanceIds=argument)\n\
         print(found['Reservations'][0]['Instances'][0]['IamInstanceProfile']['Arn'])",
        &[&instance],
    );
    assert!(profile.ends_with(":instance-profile/kafka-node"), "{profile}");
    account.terraform.destroy(&[]).must_succeed();
    // The user's own are still there.
    account.stand.by_hand(
        "iam = boto3.client('iam')\n\
         iam.remove_role_from_instance_profile(InstanceProfileName='kafka-node', RoleName='kafka-node')\n\
         iam.delete_instance_profile(InstanceProfileName='kafka-node')\n\
         iam.delete_role(RoleName='kafka-node')",
        &[],
    );
    account.stand.must_be_content();
    assert_eq!(account.stand.left(), json!({}));
}

//! The life of a cluster over three zones, from an empty account to an empty account.

use std::time::{Duration, Instant};

use super::World;
use super::stolen::a_stolen_role_does_what_its_broker_does;

#[test]
#[ignore = "needs root and a stand with machines of its own"]
fn three_zones_live_and_heal_and_leave_nothing() {
    let world = World::applied();
    let made = world.cluster();
    assert_eq!(made["state"], "ACTIVE");
    assert_eq!(made["brokers"].as_array().unwrap().len(), 3);
    world.terraform.plan_must_be_empty();

    assert_eq!(world.reach("client"), "reached");
    assert_eq!(world.reach("stranger"), "refused _TRANSPORT");

    // Nobody runs Terraform while a machine is lost and replaced.
    let writing = world.write("terminated");
    std::thread::sleep(Duration::from_secs(5));
    let lost = world.stand.terminate("b-1");
    std::thread::sleep(Duration::from_mins(1));
    let took = world.must_serve_within(Duration::from_mins(2));
    println!("all nodes served {:.1} s after the minute", took.as_secs_f64());
    writing.must_be_read_back();

    let healed = world.cluster();
    for (before, after) in made["brokers"]
        .as_array()
        .unwrap()
        .iter()
        .zip(healed["brokers"].as_array().unwrap())
    {
        for same in ["id", "host", "private_ip", "volume_id", "zone"] {
            assert_eq!(before[same], after[same], "{same}");
        }
        let is_replaced = before["instance_id"] != after["instance_id"];
        assert_eq!(is_replaced, before["instance_id"] == lost, "{before} {after}");
    }
    world.terraform.plan_must_be_empty();

    a_stolen_role_does_what_its_broker_does(&world);
    lose_a_volume(&world);
    world.destroy();
}

/// A volume is deleted by hand. Only the user's word makes another one, which is filled from the other brokers.
fn lose_a_volume(world: &World) {
    let writing = world.write("lost");
    let before = world.cluster();
    let lost = before["brokers"][1]["volume_id"].as_str().unwrap();
    world.stand.by_hand(LOSE, &["-2", lost]);
    let warned = world.terraform.plan(&[]).outcome.warnings();
    assert!(
        warned.iter().any(|text| text.contains("`replace_volumes = [2]`")),
        "{warned:#?}"
    );
    let protected = "deletion_protection = true";
    let unprotected = "deletion_protection = false";
    world.terraform.replace("main.tf", unprotected, protected);
    world.terraform.plan(&[]).outcome.must_fail_with(&[
        "A volume is gone",
        "The volume of broker 2 is gone, and its data with it",
    ]);
    let named = "deletion_protection = false\n  replace_volumes = [2]";
    world.terraform.replace("main.tf", protected, named);
    let begin = Instant::now();
    world.terraform.apply(&[]).must_succeed();
    println!(
        "the volume was replaced in {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    writing.must_be_read_back();
    let after = world.cluster();
    assert_eq!(after["state"], "ACTIVE");
    for number in 0..3 {
        let (before, after) = (&before["brokers"][number], &after["brokers"][number]);
        for same in ["id", "host", "private_ip", "zone"] {
            assert_eq!(before[same], after[same], "{same}");
        }
        assert_eq!(before["volume_id"] != after["volume_id"], number == 1);
    }
    world.terraform.plan_must_be_empty();
    world.terraform.replace("main.tf", named, unprotected);
    world.terraform.apply(&[]).must_succeed();
    world.terraform.plan_must_be_empty();
}

/// Arguments: the end of the group's name, the volume.
const LOSE: &str = "\
scaling, ec2 = boto3.client('autoscaling'), boto3.client('ec2')
pages = scaling.get_paginator('describe_auto_scaling_groups').paginate()
names = [group['AutoScalingGroupName'] for page in pages for group in page['AutoScalingGroups']]
name = next(name for name in names if name.endswith(argument[0]))
scaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0, DesiredCapacity=0)
ec2.get_waiter('volume_available').wait(VolumeIds=[argument[1]], WaiterConfig={'Delay': 1, 'MaxAttempts': 300})
ec2.delete_volume(VolumeId=argument[1])
ec2.get_waiter('volume_deleted').wait(VolumeIds=[argument[1]], WaiterConfig={'Delay': 1, 'MaxAttempts': 60})
";

"""Launch templates, instances and Auto Scaling groups."""

from __future__ import annotations

import base64
import json

from conftest import ZONES, Lab

EC2_TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
)


def profile(lab: Lab) -> str:
    """An instance profile with a role of the same name."""
    name = lab.name("profile")
    lab.iam.create_role(RoleName=name, AssumeRolePolicyDocument=EC2_TRUST)
    lab.iam.create_instance_profile(InstanceProfileName=name)
    lab.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return name


def test_what_a_template_says_is_what_the_instance_has(lab: Lab) -> None:
    name = profile(lab)
    group = lab.group()
    interface = lab.interface(Groups=[group], PrivateIpAddress="10.88.0.220")
    data = base64.b64encode(b"#cloud-config\n").decode()
    template = lab.template(
        interface, IamInstanceProfile={"Name": name}, UserData=data,
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "node", "Value": "1"}]}],
    )  # fmt: skip
    scaling = lab.scaling(template, Tags=[{"Key": "cluster", "Value": "c", "PropagateAtLaunch": True}, {"Key": "not", "Value": "n", "PropagateAtLaunch": False}])
    id = lab.in_service(scaling)
    shown = lab.ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]
    assert shown["PrivateIpAddress"] == "10.88.0.220"
    assert shown["PrivateDnsName"] == "ip-10-88-0-220.eu-central-1.compute.internal"
    assert [i["NetworkInterfaceId"] for i in shown["NetworkInterfaces"]] == [interface]
    assert shown["IamInstanceProfile"]["Arn"].endswith(f"/{name}")
    assert shown["MetadataOptions"]["HttpTokens"] == "required"
    assert [g["GroupId"] for g in shown["SecurityGroups"]] == [group]
    tags = {t["Key"]: t["Value"] for t in shown["Tags"]}
    assert tags == {"node": "1", "cluster": "c", "aws:autoscaling:groupName": scaling,
                    "aws:ec2launchtemplate:id": template, "aws:ec2launchtemplate:version": "1"}  # fmt: skip
    assert lab.ec2.describe_instance_attribute(InstanceId=id, Attribute="userData")["UserData"]["Value"] == data
    spec = next(i for i in lab.stand.world.instances() if i.id == id)
    assert spec.user_data == b"#cloud-config\n" and spec.role_name == name and spec.metadata.http_tokens == "required"
    assert spec.subnet_cidr == "10.88.0.0/24" and spec.zone == ZONES[0] and spec.security_group_ids == (group,)
    credentials = lab.stand.world.role_credentials(id)
    assert credentials is not None
    sts = lab.client("sts", credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    assert sts.get_caller_identity()["Arn"].endswith(f":assumed-role/{name}/{id}")


def test_template_data_is_checked_when_the_template_is_made(lab: Lab) -> None:
    interface = lab.interface()
    lab.refused("InvalidParameterCombination", lambda: lab.template(interface, SecurityGroupIds=[lab.group()]), "security groups")
    lab.refused("InvalidParameterValue", lambda: lab.template(interface, UserData=base64.b64encode(b"x" * 16_385).decode()), "16384")
    lab.refused("InvalidParameterValue", lambda: lab.template(interface, InstanceType="m7g.large"), "architecture")
    lab.refused("InvalidParameterValue", lambda: lab.template(interface, InstanceType="m5.tiny"))
    lab.refused("InvalidNetworkInterfaceID.NotFound", lambda: lab.template("eni-0123456789abcdef0"))
    lab.template(interface, ImageId=lab.arm_image, InstanceType="m7g.large")


def test_a_template_name_clashes_but_its_token_repeats(lab: Lab) -> None:
    data = {"ImageId": lab.image, "InstanceType": "m5.large"}
    name, token = lab.name("template"), lab.name("token")
    first = lab.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data, ClientToken=token)
    again = lab.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data, ClientToken=token)
    assert first["LaunchTemplate"]["LaunchTemplateId"] == again["LaunchTemplate"]["LaunchTemplateId"]
    lab.refused(
        "InvalidLaunchTemplateName.AlreadyExistsException",
        lambda: lab.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data),
    )


def test_a_further_version_takes_over_what_its_source_has(lab: Lab) -> None:
    template = lab.template(UserData="aGk=")
    lab.ec2.create_launch_template_version(LaunchTemplateId=template, SourceVersion="1", LaunchTemplateData={"InstanceType": "m5.xlarge"})
    found = lab.ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=["2"])["LaunchTemplateVersions"]
    assert found[0]["LaunchTemplateData"]["UserData"] == "aGk=" and found[0]["LaunchTemplateData"]["InstanceType"] == "m5.xlarge"


def test_run_instances_remembers_its_token(lab: Lab) -> None:
    token = lab.name("token")
    asked = {"ImageId": lab.image, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1, "SubnetId": lab.subnets[0], "ClientToken": token}
    first = lab.ec2.run_instances(**asked)["Instances"][0]["InstanceId"]
    assert lab.ec2.run_instances(**asked)["Instances"][0]["InstanceId"] == first
    lab.refused("IdempotentParameterMismatch", lambda: lab.ec2.run_instances(**{**asked, "InstanceType": "m5.xlarge"}))
    lab.ec2.terminate_instances(InstanceIds=[first])
    lab.until(lambda: lab.state(first) == "terminated")
    lab.refused("IdempotentInstanceTerminated", lambda: lab.ec2.run_instances(**asked))
    lab.refused("IncorrectInstanceState", lambda: lab.ec2.stop_instances(InstanceIds=[first]))


def test_a_dry_run_makes_nothing(lab: Lab) -> None:
    asked = {"ImageId": lab.image, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1, "SubnetId": lab.subnets[0]}
    before = len(lab.stand.world.instances_)
    lab.refused("DryRunOperation", lambda: lab.ec2.run_instances(**asked, DryRun=True))
    assert len(lab.stand.world.instances_) == before


def test_an_instance_is_pending_for_as_many_polls_as_set(lab: Lab) -> None:
    lab.set(hold_polls=2, hold_seconds=60.0)
    asked = {"ImageId": lab.image, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1, "SubnetId": lab.subnets[0]}
    id = lab.ec2.run_instances(**asked)["Instances"][0]["InstanceId"]
    assert [lab.state(id) for _ in range(3)] == ["pending", "pending", "running"]
    lab.ec2.terminate_instances(InstanceIds=[id])
    assert lab.state(id) == "shutting-down"


def test_a_new_instance_profile_is_not_known_at_first(lab: Lab) -> None:
    lab.set(iam_lag_attempts=1, iam_lag_seconds=60.0)
    name = profile(lab)
    template = lab.template(lab.interface(), IamInstanceProfile={"Name": name})
    lab.refused("ValidationError", lambda: lab.scaling(template), "Invalid IAM Instance Profile name")
    lab.in_service(lab.scaling(template))


def test_a_second_group_of_a_name_is_refused(lab: Lab) -> None:
    name, instance, interface = lab.node()
    template = lab.template(interface)
    asked = {"AutoScalingGroupName": name, "MinSize": 0, "MaxSize": 1, "AvailabilityZones": [ZONES[0]], "LaunchTemplate": {"LaunchTemplateId": template, "Version": "1"}}
    lab.refused("AlreadyExists", lambda: lab.asg.create_auto_scaling_group(**asked))
    assert [m["InstanceId"] for m in lab.members(name)] == [instance]


def test_an_interface_in_the_template_goes_with_zones_and_not_with_subnets(lab: Lab) -> None:
    template = lab.template(lab.interface())
    asked = {"AutoScalingGroupName": lab.name("asg"), "MinSize": 1, "MaxSize": 1, "LaunchTemplate": {"LaunchTemplateId": template, "Version": "1"}}
    lab.refused("ValidationError", lambda: lab.asg.create_auto_scaling_group(**asked, VPCZoneIdentifier=lab.subnets[0]))
    lab.refused("ValidationError", lambda: lab.asg.create_auto_scaling_group(**{**asked, "MaxSize": 2}, AvailabilityZones=[ZONES[0]]))


def test_a_group_in_the_wrong_zone_never_launches_and_says_why(lab: Lab) -> None:
    name = lab.scaling(lab.template(lab.interface(zone=0)), zone=1)
    failed = lab.until(lambda: lab.activities(name))
    assert failed[0]["StatusCode"] == "Failed" and ZONES[0] in failed[0]["StatusMessage"]


def test_a_terminated_instance_is_replaced_with_its_address_after_failing_launches(lab: Lab) -> None:
    lab.set(group_gaps=[0.2, 0.4, 0.8])
    name, first, interface = lab.node()
    lab.set(hold_polls=1000, hold_seconds=1.0)
    lab.ec2.terminate_instances(InstanceIds=[first])
    second = str(lab.until(lambda: next((m["InstanceId"] for m in lab.members(name) if m["InstanceId"] != first and m["LifecycleState"] == "InService"), None)))
    shown = lab.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
    assert shown["Attachment"]["InstanceId"] == second
    failed = [a for a in reversed(lab.activities(name)) if a["StatusCode"] == "Failed"]
    assert len(failed) >= 2, "the group launches while the old instance still holds the interface"
    assert all(f"Interface: [{interface}] in use" in a["StatusMessage"] for a in failed)
    starts = [a["StartTime"] for a in failed]
    gaps = [(b - a).total_seconds() for a, b in zip(starts, starts[1:], strict=False)]
    assert gaps == sorted(gaps)


def test_a_suspended_process_does_nothing(lab: Lab) -> None:
    name, first, _ = lab.node()
    lab.asg.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["Launch"])
    group = lab.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
    assert [p["ProcessName"] for p in group["SuspendedProcesses"]] == ["Launch"]
    lab.ec2.terminate_instances(InstanceIds=[first])
    lab.until(lambda: lab.members(name) == [])
    assert lab.members(name) == []
    lab.asg.resume_processes(AutoScalingGroupName=name)
    assert lab.in_service(name) != first


def test_with_replacement_suspended_the_ended_instance_stays_a_member(lab: Lab) -> None:
    name, first, _ = lab.node()
    lab.asg.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["ReplaceUnhealthy"])
    lab.ec2.terminate_instances(InstanceIds=[first])
    lab.until(lambda: lab.members(name)[0]["HealthStatus"] == "Unhealthy")
    assert [m["InstanceId"] for m in lab.members(name)] == [first]


def test_an_instance_that_powers_itself_off_is_replaced(lab: Lab) -> None:
    name, first, _ = lab.node()
    lab.stand.world.stopped_itself(first)
    lab.until(lambda: [m["InstanceId"] for m in lab.members(name) if m["LifecycleState"] == "InService"] not in ([], [first]))
    lab.until(lambda: lab.state(first) == "terminated")


def test_size_zero_terminates_and_a_new_template_counts_from_the_next_launch(lab: Lab) -> None:
    name, first, interface = lab.node()
    bigger = lab.template(interface, InstanceType="m5.xlarge")
    lab.asg.update_auto_scaling_group(AutoScalingGroupName=name, LaunchTemplate={"LaunchTemplateId": bigger, "Version": "1"})
    assert lab.members(name)[0]["InstanceId"] == first
    lab.asg.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0, DesiredCapacity=0)
    lab.until(lambda: lab.members(name) == [])
    lab.asg.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=1, DesiredCapacity=1)
    lab.in_service(name)
    assert lab.members(name)[0]["InstanceType"] == "m5.xlarge"


def test_a_group_with_instances_is_not_deleted_without_force(lab: Lab) -> None:
    name, first, _ = lab.node()
    lab.refused("ResourceInUse", lambda: lab.asg.delete_auto_scaling_group(AutoScalingGroupName=name))
    lab.set(hold_polls=1000, hold_seconds=0.5)
    lab.asg.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0, DesiredCapacity=0)
    lab.until(lambda: lab.members(name)[0]["LifecycleState"] == "Terminating")
    lab.refused("ScalingActivityInProgress", lambda: lab.asg.delete_auto_scaling_group(AutoScalingGroupName=name))
    lab.asg.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    group = lab.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
    assert group["Status"] == "Delete in progress"
    lab.until(lambda: lab.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"] == [])
    lab.refused("ValidationError", lambda: lab.asg.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0), "not found")
    assert lab.state(first) == "terminated"


def test_a_protected_group_stays(lab: Lab) -> None:
    name = lab.scaling(lab.template(lab.interface()), size=0, DeletionProtection="prevent-all-deletion")
    lab.refused("ResourceInUse", lambda: lab.asg.delete_auto_scaling_group(AutoScalingGroupName=name))
    lab.asg.update_auto_scaling_group(AutoScalingGroupName=name, DeletionProtection="none")
    lab.asg.delete_auto_scaling_group(AutoScalingGroupName=name)


def test_capacity_that_is_lacking_is_told_in_the_activities(lab: Lab) -> None:
    lab.stand.faults.add({"service": "ec2", "action": "RunInstances", "count": 2, "code": "InsufficientInstanceCapacity",
                          "message": "We currently do not have sufficient m5.large capacity", "principal": "AWSServiceRoleForAutoScaling"})  # fmt: skip
    lab.set(group_gaps=[0.1])
    name = lab.scaling(lab.template(lab.interface()))
    lab.in_service(name)
    failed = [a for a in lab.activities(name) if a["StatusCode"] == "Failed"]
    assert len(failed) == 2 and "sufficient m5.large capacity" in failed[0]["StatusMessage"]


def test_activities_come_in_pages_newest_first(lab: Lab) -> None:
    lab.stand.faults.add({"service": "ec2", "action": "RunInstances", "count": 4, "code": "InsufficientInstanceCapacity"})
    lab.set(group_gaps=[0.1], page_size=2)
    name = lab.scaling(lab.template(lab.interface()))
    lab.in_service(name)
    assert len(lab.asg.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]) == 2
    found = lab.activities(name)
    assert len(found) == 5 and found[0]["StatusCode"] == "Successful"


def test_an_image_copy_is_pending_first_and_can_be_removed(lab: Lab) -> None:
    lab.set(hold_polls=1, hold_seconds=60.0)
    id = lab.ec2.copy_image(Name=lab.name("copy"), SourceImageId=lab.image, SourceRegion="eu-central-1")["ImageId"]
    lab.refused("InvalidAMIID.Unavailable", lambda: lab.template(ImageId=id))
    assert [lab.ec2.describe_images(ImageIds=[id])["Images"][0]["State"] for _ in range(2)] == ["pending", "available"]
    lab.template(ImageId=id)
    lab.ec2.deregister_image(ImageId=id)
    lab.refused("AuthFailure", lambda: lab.ec2.deregister_image(ImageId=lab.image))


def test_a_launch_that_is_refused_leaves_no_interface(lab: Lab) -> None:
    def interfaces() -> set[str]:
        return {i["NetworkInterfaceId"] for i in lab.ec2.describe_network_interfaces()["NetworkInterfaces"]}

    before = interfaces()
    asked = {"ImageId": lab.image, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1, "SubnetId": lab.subnets[0]}
    lab.refused("InvalidParameterValue", lambda: lab.ec2.run_instances(**asked, Placement={"AvailabilityZone": ZONES[1]}))
    lab.refused("InvalidParameterValue", lambda: lab.ec2.run_instances(**asked, IamInstanceProfile={"Name": "none"}))
    assert interfaces() == before
    id = lab.ec2.run_instances(**asked)["Instances"][0]["InstanceId"]
    assert len(interfaces()) == len(before) + 1
    lab.until(lambda: lab.state(id) == "running")
    lab.ec2.terminate_instances(InstanceIds=[id])
    lab.until(lambda: lab.state(id) == "terminated")
    assert interfaces() == before


def test_a_copy_has_the_root_disk_of_its_source_and_tags_of_its_own(lab: Lab) -> None:
    tag = {"Key": "tfmsk-cluster", "Value": lab.name("uid")}
    both = [{"ResourceType": kind, "Tags": [tag]} for kind in ("image", "snapshot")]
    id = lab.ec2.copy_image(Name=lab.name("copy"), SourceImageId=lab.image, SourceRegion="eu-central-1", TagSpecifications=both)["ImageId"]
    source, copy = (lab.ec2.describe_images(ImageIds=[one])["Images"][0] for one in (lab.image, id))
    assert copy["RootDeviceName"] == source["RootDeviceName"] and tag in copy["Tags"]
    disk = next(d for d in copy["BlockDeviceMappings"] if d["DeviceName"] == copy["RootDeviceName"])
    snapshot = lab.ec2.describe_snapshots(SnapshotIds=[disk["Ebs"]["SnapshotId"]])["Snapshots"][0]
    assert tag in snapshot["Tags"]

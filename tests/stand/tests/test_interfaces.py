"""Network interfaces and security groups."""

from __future__ import annotations

from conftest import Lab


def test_an_address_is_given_once(lab: Lab) -> None:
    lab.interface(PrivateIpAddress="10.88.0.200")
    lab.refused("InvalidIPAddress.InUse", lambda: lab.interface(PrivateIpAddress="10.88.0.200"))


def test_an_address_outside_the_subnet_or_reserved_is_refused(lab: Lab) -> None:
    lab.refused("InvalidParameterValue", lambda: lab.interface(PrivateIpAddress="10.88.1.20"))
    lab.refused("InvalidParameterValue", lambda: lab.interface(PrivateIpAddress="10.88.0.2"))


def test_a_full_subnet_is_told(lab: Lab) -> None:
    small = lab.ec2.create_subnet(VpcId=lab.vpc, CidrBlock="10.88.9.0/28")["Subnet"]["SubnetId"]
    for _ in range(11):
        lab.ec2.create_network_interface(SubnetId=small)
    assert lab.ec2.describe_subnets(SubnetIds=[small])["Subnets"][0]["AvailableIpAddressCount"] == 0
    lab.refused("InsufficientFreeAddressesInSubnet", lambda: lab.ec2.create_network_interface(SubnetId=small))
    lab.refused("DependencyViolation", lambda: lab.ec2.delete_subnet(SubnetId=small))


def test_a_client_token_gives_the_same_interface_and_refuses_another_request(lab: Lab) -> None:
    token = lab.name("token")
    first = lab.interface(ClientToken=token)
    assert lab.interface(ClientToken=token) == first
    lab.refused("IdempotentParameterMismatch", lambda: lab.interface(zone=1, ClientToken=token))


def test_an_interface_is_pending_first(lab: Lab) -> None:
    lab.set(hold_polls=1, hold_seconds=60.0)
    id = lab.interface()
    states = [lab.ec2.describe_network_interfaces(NetworkInterfaceIds=[id])["NetworkInterfaces"][0]["Status"] for _ in range(2)]
    assert states == ["pending", "available"]


def test_an_interface_has_one_holder_and_cannot_be_deleted_meanwhile(lab: Lab) -> None:
    _, instance, interface = lab.node()
    data = {"ImageId": lab.image, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1}
    wanted = [{"DeviceIndex": 0, "NetworkInterfaceId": interface}]
    lab.refused("InvalidNetworkInterface.InUse", lambda: lab.ec2.run_instances(**data, NetworkInterfaces=wanted))
    lab.refused("InvalidNetworkInterface.InUse", lambda: lab.ec2.delete_network_interface(NetworkInterfaceId=interface))
    other = lab.node()[1]
    lab.refused("InvalidNetworkInterface.InUse", lambda: lab.ec2.attach_network_interface(NetworkInterfaceId=interface, InstanceId=other, DeviceIndex=1))
    shown = lab.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
    assert shown["Status"] == "in-use" and shown["Attachment"]["InstanceId"] == instance
    lab.refused("OperationNotPermitted", lambda: lab.ec2.detach_network_interface(AttachmentId=shown["Attachment"]["AttachmentId"]))


def test_an_interface_is_free_again_once_its_instance_is_gone(lab: Lab) -> None:
    name, instance, interface = lab.node()
    lab.set(hold_polls=1000, hold_seconds=0.5)
    lab.asg.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0, DesiredCapacity=0)
    lab.until(lambda: lab.state(instance) == "shutting-down")
    shown = lab.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
    assert shown["Status"] == "in-use"
    lab.until(lambda: lab.state(instance) == "terminated")
    shown = lab.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
    assert shown["Status"] == "available" and "Attachment" not in shown
    lab.ec2.delete_network_interface(NetworkInterfaceId=interface)


def test_filters_look_at_what_is_shown(lab: Lab) -> None:
    _, instance, interface = lab.node()
    wanted = [{"Name": "attachment.instance-id", "Values": [instance]}]
    found = lab.ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
    assert [i["NetworkInterfaceId"] for i in found] == [interface]
    wanted = [{"Name": "network-interface.network-interface-id", "Values": [interface]}]
    assert len(lab.ec2.describe_instances(Filters=wanted)["Reservations"]) == 1


def test_a_filter_that_is_not_known_is_loud(lab: Lab) -> None:
    lab.volume()
    lab.refused("StandFailure", lambda: lab.ec2.describe_volumes(Filters=[{"Name": "colour", "Values": ["x"]}]))
    lab.failed("does not know the filter 'colour'")


def test_a_security_group_in_use_cannot_be_deleted(lab: Lab) -> None:
    group = lab.group()
    interface = lab.interface(Groups=[group])
    lab.refused("DependencyViolation", lambda: lab.ec2.delete_security_group(GroupId=group))
    lab.ec2.delete_network_interface(NetworkInterfaceId=interface)
    lab.ec2.delete_security_group(GroupId=group)
    lab.refused("InvalidGroup.NotFound", lambda: lab.ec2.delete_security_group(GroupId=group))


def test_a_security_group_that_another_names_cannot_be_deleted(lab: Lab) -> None:
    group, other = lab.group(), lab.group()
    rule = [{"IpProtocol": "tcp", "FromPort": 9094, "ToPort": 9094, "UserIdGroupPairs": [{"GroupId": group}]}]
    lab.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=rule)
    lab.refused("DependencyViolation", lambda: lab.ec2.delete_security_group(GroupId=group))
    lab.refused("InvalidPermission.Duplicate", lambda: lab.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=rule))
    lab.ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=rule)
    lab.refused("InvalidPermission.NotFound", lambda: lab.ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=rule))
    lab.ec2.delete_security_group(GroupId=group)


def test_a_group_has_60_rules_at_most(lab: Lab) -> None:
    group = lab.group()
    ranges = [{"CidrIp": f"10.9.{i}.0/24"} for i in range(61)]
    rule = {"IpProtocol": "tcp", "FromPort": 9094, "ToPort": 9094}
    def add(some: list[dict[str, str]]) -> None:
        lab.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**rule, "IpRanges": some}])
    lab.refused("RulesPerSecurityGroupLimitExceeded", lambda: add(ranges))
    add(ranges[:60])
    lab.refused("RulesPerSecurityGroupLimitExceeded", lambda: add(ranges[60:]))


def test_a_group_of_another_network_is_refused(lab: Lab) -> None:
    other = lab.ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    group = lab.ec2.create_security_group(GroupName="x", Description="x", VpcId=other)["GroupId"]
    lab.refused("InvalidParameter", lambda: lab.interface(Groups=[group]))
    lab.refused("DependencyViolation", lambda: lab.ec2.delete_vpc(VpcId=other))


def test_a_new_id_is_not_found_at_first_and_lists_by_tag_lag_longer(lab: Lab) -> None:
    lab.set(id_lag_polls=1, filter_lag_polls=2, lag_seconds=60.0)
    tag = lab.name("tag")
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "t", "Value": tag}]}]
    volume = lab.volume(TagSpecifications=tags)
    lab.refused("InvalidVolume.NotFound", lambda: lab.ec2.create_tags(Resources=[volume], Tags=[{"Key": "a", "Value": "b"}]))
    assert len(lab.ec2.describe_volumes(VolumeIds=[volume])["Volumes"]) == 1
    wanted = [{"Name": "tag:t", "Values": [tag]}]
    assert [len(lab.ec2.describe_volumes(Filters=wanted)["Volumes"]) for _ in range(3)] == [0, 0, 1]


def test_lists_come_in_pages_of_two_in_no_order(lab: Lab) -> None:
    tag = lab.name("tag")
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "t", "Value": tag}]}]
    made = [lab.volume(TagSpecifications=tags) for _ in range(7)]
    lab.set(page_size=2)
    asked = {"Filters": [{"Name": "tag:t", "Values": [tag]}]}
    pages = [[v["VolumeId"] for v in page["Volumes"]] for page in lab.ec2.get_paginator("describe_volumes").paginate(**asked)]
    assert [len(page) for page in pages] == [2, 2, 2, 1]
    seen = [id for page in pages for id in page]
    assert sorted(seen) == sorted(made)
    orders = {tuple(v["VolumeId"] for page in lab.ec2.get_paginator("describe_volumes").paginate(**asked) for v in page["Volumes"]) for _ in range(4)}
    assert len(orders) > 1
    lab.refused("InvalidNextToken", lambda: lab.ec2.describe_volumes(NextToken="made up"))
    lab.refused("InvalidParameterCombination", lambda: lab.ec2.describe_volumes(VolumeIds=made, MaxResults=5))


def test_an_interface_is_named_after_its_address_and_region(lab: Lab) -> None:
    id = lab.interface(PrivateIpAddress="10.88.0.210")
    found = lab.ec2.describe_network_interfaces(NetworkInterfaceIds=[id])["NetworkInterfaces"][0]
    assert found["PrivateDnsName"] == "ip-10-88-0-210.eu-central-1.compute.internal"

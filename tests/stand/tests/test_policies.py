"""Policies are evaluated: every action, every resource of a call, conditions, boundaries, bucket policies, KMS behind services."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from aws_stand.policy import document
from aws_stand.policy.resources import table
from aws_stand.rules import PASSING, RULES
from conftest import REGION, ZONES, Lab

Statement = dict[str, Any]
ACCOUNT = "123456789012"


def policy(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Resource": "*", **s} for s in statements]})


def allow(*actions: str, **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), **more}


class Person:
    """A user with a policy, and clients."""

    def __init__(self, lab: Lab, *statements: Statement, boundary: str | None = None) -> None:
        self.lab, self.name = lab, lab.name("person")
        more = {"PermissionsBoundary": boundary} if boundary else {}
        lab.iam.create_user(UserName=self.name, **more)
        self.may(*statements)
        made = lab.iam.create_access_key(UserName=self.name)["AccessKey"]
        self.keys = (made["AccessKeyId"], made["SecretAccessKey"])
        lab.set(enforce_policies=True)

    def may(self, *statements: Statement) -> None:
        """Replaces the policy."""
        if statements:
            self.lab.iam.put_user_policy(UserName=self.name, PolicyName="p", PolicyDocument=policy(*statements))

    def __getattr__(self, service: str) -> Any:
        return self.lab.client(service, *self.keys)


def tagged(kind: str, **tags: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]


def denied(lab: Lab, action: str, call: Callable[[], Any], code: str = "UnauthorizedOperation") -> None:
    lab.refused(code, call, f"not authorized to perform: {action} on resource")


def test_without_a_policy_nothing_is_allowed_and_the_action_is_named(lab: Lab) -> None:
    person = Person(lab)
    denied(lab, "ec2:DescribeVpcs", person.ec2.describe_vpcs)
    denied(lab, "autoscaling:DescribeAutoScalingGroups", person.autoscaling.describe_auto_scaling_groups, "AccessDenied")
    denied(lab, "kms:ListKeys", person.kms.list_keys, "AccessDeniedException")
    denied(lab, "s3:ListAllMyBuckets", person.s3.list_buckets, "AccessDenied")
    assert person.sts.get_caller_identity()["Arn"].endswith(person.name)
    person.may(allow("ec2:Describe*"))
    person.ec2.describe_vpcs()


def test_policies_do_not_count_while_they_are_switched_off(lab: Lab) -> None:
    person = Person(lab)
    lab.set(enforce_policies=False)
    person.ec2.describe_vpcs()


def test_an_explicit_deny_wins(lab: Lab) -> None:
    person = Person(lab, allow("*"), {"Effect": "Deny", "Action": "ec2:CreateVolume"})
    lab.refused("UnauthorizedOperation", lambda: person.ec2.create_volume(AvailabilityZone=ZONES[0], Size=1), "explicit deny")
    person.ec2.describe_vpcs()


def test_request_tags_and_tagging_on_creation_are_checked(lab: Lab) -> None:
    condition = {"StringEquals": {"aws:RequestTag/cluster": "c"}}
    person = Person(lab, allow("ec2:CreateVolume", Resource="arn:aws:ec2:*:*:volume/*", Condition=condition))
    make: Any = lambda **tags: person.ec2.create_volume(AvailabilityZone=ZONES[0], Size=1, TagSpecifications=tagged("volume", **tags))  # noqa: E731
    denied(lab, "ec2:CreateVolume", lambda: person.ec2.create_volume(AvailabilityZone=ZONES[0], Size=1))
    denied(lab, "ec2:CreateVolume", lambda: make(cluster="other"))
    denied(lab, "ec2:CreateTags", lambda: make(cluster="c"))
    person.may(
        allow("ec2:CreateVolume", Resource="arn:aws:ec2:*:*:volume/*", Condition=condition),
        allow("ec2:CreateTags", Condition={"StringEquals": {"ec2:CreateAction": "CreateSnapshot"}}),
    )
    denied(lab, "ec2:CreateTags", lambda: make(cluster="c"))
    person.may(
        allow("ec2:CreateVolume", Resource="arn:aws:ec2:*:*:volume/*", Condition=condition),
        allow("ec2:CreateTags", Condition={"StringEquals": {"ec2:CreateAction": "CreateVolume"}}),
    )
    id = make(cluster="c")["VolumeId"]
    denied(lab, "ec2:CreateTags", lambda: person.ec2.create_tags(Resources=[id], Tags=[{"Key": "a", "Value": "b"}]))


def test_tag_keys_are_checked_as_a_set(lab: Lab) -> None:
    keys = {"ForAllValues:StringEquals": {"aws:TagKeys": ["cluster", "node"]}}
    person = Person(lab, allow("ec2:CreateVolume"), allow("ec2:CreateTags", Condition=keys))
    make: Any = lambda **tags: person.ec2.create_volume(AvailabilityZone=ZONES[0], Size=1, TagSpecifications=tagged("volume", **tags))  # noqa: E731
    make(cluster="c", node="1")
    denied(lab, "ec2:CreateTags", lambda: make(cluster="c", owner="x"))


def test_both_resources_of_an_attachment_need_the_tag(lab: Lab) -> None:
    mine, other = lab.volume(TagSpecifications=tagged("volume", cluster="c")), lab.volume()
    _, instance, _ = lab.node(TagSpecifications=tagged("instance", cluster="c"))
    _, foreign, _ = lab.node()
    condition = {"StringEquals": {"aws:ResourceTag/cluster": "c"}}
    person = Person(lab, allow("ec2:AttachVolume", Condition=condition))
    attach: Any = lambda volume, to: person.ec2.attach_volume(VolumeId=volume, InstanceId=to, Device="/dev/sdf")  # noqa: E731
    denied(lab, "ec2:AttachVolume", lambda: attach(other, instance))
    denied(lab, "ec2:AttachVolume", lambda: attach(mine, foreign))
    attach(mine, instance)


def test_other_resources_of_a_creation_need_a_statement_of_their_own(lab: Lab) -> None:
    condition = {"StringEquals": {"aws:RequestTag/cluster": "c"}}
    tags = {"TagSpecifications": tagged("network-interface", cluster="c")}
    person = Person(lab, allow("ec2:CreateNetworkInterface", Condition=condition), allow("ec2:CreateTags"))
    denied(lab, "ec2:CreateNetworkInterface", lambda: person.ec2.create_network_interface(SubnetId=lab.subnets[0], **tags))
    person.may(
        allow("ec2:CreateNetworkInterface", Condition=condition), allow("ec2:CreateTags"),
        allow("ec2:CreateNetworkInterface", Resource="arn:aws:ec2:*:*:subnet/*"),
    )  # fmt: skip
    person.ec2.create_network_interface(SubnetId=lab.subnets[0], **tags)


def test_a_group_with_a_template_needs_run_instances_and_pass_role(lab: Lab) -> None:
    trust = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}).replace('"Resource": "*", ', "")
    name = lab.name("role")
    role = lab.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    lab.iam.create_instance_profile(InstanceProfileName=name)
    lab.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    template = lab.template(lab.interface(), IamInstanceProfile={"Name": name})
    person = Person(lab, allow("autoscaling:*"))
    make: Any = lambda: person.autoscaling.create_auto_scaling_group(  # noqa: E731
        AutoScalingGroupName=lab.name("asg"), MinSize=0, MaxSize=1, AvailabilityZones=[ZONES[0]],
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
    )  # fmt: skip
    denied(lab, "ec2:RunInstances", make, "AccessDenied")
    person.may(allow("autoscaling:*", "ec2:RunInstances"))
    denied(lab, "iam:PassRole", make, "AccessDenied")
    wrong = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    person.may(allow("autoscaling:*", "ec2:RunInstances"), allow("iam:PassRole", Resource=role, Condition=wrong))
    denied(lab, "iam:PassRole", make, "AccessDenied")
    right = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    person.may(allow("autoscaling:*", "ec2:RunInstances"), allow("iam:PassRole", Resource=role, Condition=right))
    make()


def test_a_permissions_boundary_limits(lab: Lab) -> None:
    boundary = lab.iam.create_policy(PolicyName=lab.name("boundary"), PolicyDocument=policy(allow("ec2:Describe*")))["Policy"]["Arn"]
    person = Person(lab, allow("*"), boundary=boundary)
    person.ec2.describe_vpcs()
    lab.refused("UnauthorizedOperation", lambda: person.ec2.create_volume(AvailabilityZone=ZONES[0], Size=1), "permissions boundary")


def key(lab: Lab) -> str:
    return str(lab.kms.create_key()["KeyMetadata"]["Arn"])


def test_a_volume_goes_away_if_its_maker_may_not_use_the_key_through_ec2(lab: Lab) -> None:
    arn = key(lab)
    person = Person(lab, allow("ec2:*"), allow("kms:*", Condition={"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}))
    make: Any = lambda: person.ec2.create_volume(AvailabilityZone=ZONES[0], Size=1, Encrypted=True, KmsKeyId=arn)["VolumeId"]  # noqa: E731
    gone = make()
    lab.refused("InvalidVolume.NotFound", lambda: lab.until(lambda: not lab.ec2.describe_volumes(VolumeIds=[gone])))
    via = {"StringEquals": {"kms:ViaService": f"ec2.{REGION}.amazonaws.com"}}
    grant = {"Bool": {"kms:GrantIsForAWSResource": "true"}, **via}
    person.may(
        allow("ec2:*"), allow("kms:GenerateDataKeyWithoutPlaintext", Resource=arn, Condition=via),
        allow("kms:CreateGrant", Resource=arn, Condition=grant),
    )  # fmt: skip
    id = make()
    assert lab.ec2.describe_volumes(VolumeIds=[id])["Volumes"][0]["State"] == "available"


def test_an_attachment_reverts_if_the_caller_may_not_use_the_key(lab: Lab) -> None:
    arn = key(lab)
    volume = lab.volume(Encrypted=True, KmsKeyId=arn)
    _, instance, _ = lab.node()
    person = Person(lab, allow("ec2:*", "kms:Decrypt"))
    person.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    lab.until(lambda: lab.attachment(volume) == {})
    person.may(allow("ec2:*", "kms:Decrypt", "kms:CreateGrant"))
    person.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    lab.until(lambda: lab.attachment(volume).get("State") == "attached")


def bucket(lab: Lab) -> str:
    name = lab.name("bucket")
    lab.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


def test_objects_are_allowed_by_prefix_and_lists_by_condition(lab: Lab) -> None:
    name = bucket(lab)
    prefix = {"StringLike": {"s3:prefix": "mine/*"}}
    person = Person(
        lab, allow("s3:PutObject", "s3:GetObject", Resource=f"arn:aws:s3:::{name}/mine/*"),
        allow("s3:ListBucket", Resource=f"arn:aws:s3:::{name}", Condition=prefix),
    )  # fmt: skip
    person.s3.put_object(Bucket=name, Key="mine/a", Body=b"")
    denied(lab, "s3:PutObject", lambda: person.s3.put_object(Bucket=name, Key="other/a", Body=b""), "AccessDenied")
    assert person.s3.list_objects_v2(Bucket=name, Prefix="mine/")["KeyCount"] == 1
    denied(lab, "s3:ListBucket", lambda: person.s3.list_objects_v2(Bucket=name), "AccessDenied")


def test_who_may_not_list_sees_forbidden_instead_of_missing(lab: Lab) -> None:
    name = bucket(lab)
    person = Person(lab, allow("s3:GetObject"))
    lab.refused("AccessDenied", lambda: person.s3.get_object(Bucket=name, Key="none"))
    person.may(allow("s3:GetObject", "s3:ListBucket"))
    lab.refused("NoSuchKey", lambda: person.s3.get_object(Bucket=name, Key="none"))


def test_a_bucket_policy_denies_and_grants(lab: Lab) -> None:
    name = bucket(lab)
    person = Person(lab, allow("s3:GetObject"))
    arn = f"arn:aws:iam::{ACCOUNT}:user/{person.name}"
    def put(*statements: Statement) -> None:
        lab.s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    put({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}/desired/*"})
    person.s3.put_object(Bucket=name, Key="desired/a", Body=b"")
    denied(lab, "s3:PutObject", lambda: person.s3.put_object(Bucket=name, Key="status/a", Body=b""), "AccessDenied")
    other = {"ArnNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/operator"}}
    put({"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}/*", "Condition": other})
    lab.refused("AccessDenied", lambda: person.s3.get_object(Bucket=name, Key="desired/a"), "resource-based policy")


def test_objects_of_an_encrypted_bucket_need_its_key(lab: Lab) -> None:
    name, arn = bucket(lab), key(lab)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}, "BucketKeyEnabled": True}
    lab.s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    lab.s3.put_object(Bucket=name, Key="k", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=arn)
    person = Person(lab, allow("s3:*"))
    denied(lab, "kms:GenerateDataKey", lambda: person.s3.put_object(Bucket=name, Key="k", Body=b""), "AccessDenied")
    denied(lab, "kms:Decrypt", lambda: person.s3.get_object(Bucket=name, Key="k"), "AccessDenied")
    via = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    person.may(allow("s3:*"), allow("kms:GenerateDataKey", "kms:Decrypt", Resource=arn, Condition=via))
    person.s3.get_object(Bucket=name, Key="k")


def test_a_secret_is_read_by_its_tag_and_with_its_key(lab: Lab) -> None:
    arn, name = key(lab), lab.name("AmazonMSK_")
    lab.client("secretsmanager").create_secret(Name=name, SecretString="x", KmsKeyId=arn, ClientRequestToken="z" * 32, Tags=[{"Key": "cluster", "Value": "c"}])
    condition = {"StringEquals": {"aws:ResourceTag/cluster": "c"}}
    read: Any = lambda person: person.secretsmanager.get_secret_value(SecretId=name)  # noqa: E731
    denied(lab, "secretsmanager:GetSecretValue", lambda: read(Person(lab)), "AccessDeniedException")
    person = Person(lab, allow("secretsmanager:GetSecretValue", Condition=condition))
    denied(lab, "kms:Decrypt", lambda: read(person), "AccessDeniedException")
    person.may(allow("secretsmanager:GetSecretValue", Condition=condition), allow("kms:Decrypt", Resource=arn))
    assert read(person)["SecretString"] == "x"


def test_a_role_session_has_the_roles_policy_and_trust_is_checked(lab: Lab) -> None:
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole",
                        "Condition": {"StringEquals": {"sts:ExternalId": "secret"}}}]})  # fmt: skip
    name = lab.name("role")
    arn = lab.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    lab.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(allow("ec2:DescribeVpcs")))
    person = Person(lab, allow("sts:AssumeRole", Resource=arn))
    assume: Any = lambda **more: person.sts.assume_role(RoleArn=arn, RoleSessionName="session", **more)["Credentials"]  # noqa: E731
    lab.refused("AccessDenied", assume)
    made = assume(ExternalId="secret")
    ec2 = lab.client("ec2", made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    ec2.describe_vpcs()
    denied(lab, "ec2:DescribeVolumes", ec2.describe_volumes)


def test_a_condition_key_that_the_action_does_not_have_is_loud(lab: Lab) -> None:
    person = Person(lab, allow("ec2:DescribeVolumes", Condition={"StringEquals": {"aws:ResourceTag/cluster": "c"}}))
    lab.refused("StandFailure", person.ec2.describe_volumes)
    lab.failed("ec2:DescribeVolumes does not support the condition key aws:ResourceTag/cluster")


def test_a_condition_operator_that_is_not_known_is_loud(lab: Lab) -> None:
    person = Person(lab, allow("ec2:DescribeVpcs", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    lab.refused("StandFailure", person.ec2.describe_vpcs)
    lab.failed("does not know the condition operator IpAddress")


@pytest.mark.parametrize(
    ("operator", "values", "have", "result"),
    [
        ("StringEquals", ["a"], ["a"], True), ("StringEquals", ["a"], None, False), ("StringNotEquals", ["a"], None, True),
        ("StringNotEquals", ["a", "b"], ["b"], False), ("StringLike", ["a*"], ["abc"], True), ("StringEqualsIfExists", ["a"], None, True),
        ("Null", ["true"], None, True), ("Null", ["false"], None, False), ("Null", ["false"], ["x"], True), ("Bool", ["true"], ["True"], True),
        ("ArnLike", ["arn:aws:iam::*:role/x-*"], ["arn:aws:iam::1:role/x-1"], True),
        ("ArnLike", ["arn:aws:*:role/x"], ["arn:aws:iam::1:role/x"], False),
        ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False), ("ForAnyValue:StringEquals", ["a", "b"], ["a", "c"], True),
        ("ForAllValues:StringEquals", ["a"], None, True), ("ForAnyValue:StringEquals", ["a"], None, False),
    ],
)  # fmt: skip
def test_conditions_hold_as_iam_says(operator: str, values: list[str], have: list[str] | None, result: bool) -> None:
    context = {"aws:RequestTag/k": have} if have is not None else {}
    assert document.holds(operator, "aws:requesttag/k", values, context) is result


def test_policy_variables_are_filled_in() -> None:
    context = {"aws:PrincipalTag/cluster": ["c"], "aws:ResourceTag/cluster": ["c"]}
    assert document.holds("StringEquals", "aws:ResourceTag/cluster", ["${aws:PrincipalTag/cluster}"], context)
    assert not document.holds("StringEquals", "aws:ResourceTag/cluster", ["${aws:PrincipalTag/none}"], context)


def test_every_action_that_the_cluster_needs_has_a_row() -> None:
    served = {key for key in RULES if key[0] in ("ec2", "autoscaling", "s3")} | {("ec2", a) for a in PASSING["ec2"]}
    set_up_only = {"CreateVpc", "CreateSubnet", "DeleteSubnet", "ModifySubnetAttribute", "CreateVpcEndpoint", "DeleteVpcEndpoints",
                   "CreateManagedPrefixList", "DetachNetworkInterface", "DescribeStaleSecurityGroups"}  # fmt: skip
    missing = {f"{s}:{a}" for s, a in served if (s, a) not in table() and a not in set_up_only}
    assert missing == set()


def test_a_roles_boundary_limits_its_sessions(lab: Lab) -> None:
    boundary = lab.iam.create_policy(PolicyName=lab.name("boundary"), PolicyDocument=policy(allow("ec2:Describe*")))["Policy"]["Arn"]
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]})
    name = lab.name("role")
    arn = lab.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, PermissionsBoundary=boundary)["Role"]["Arn"]
    lab.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(allow("*")))
    made = lab.sts.assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    lab.set(enforce_policies=True)
    ec2 = lab.client("ec2", made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    ec2.describe_vpcs()
    lab.refused("UnauthorizedOperation", lambda: ec2.create_volume(AvailabilityZone=ZONES[0], Size=1), "permissions boundary")


def test_what_is_gone_is_not_found_and_not_forbidden(lab: Lab) -> None:
    person = Person(lab, allow("ec2:DeleteVolume", Condition={"StringEquals": {"aws:ResourceTag/cluster": "c"}}))
    volume, other = lab.volume(TagSpecifications=tagged("volume", cluster="c")), lab.volume()
    denied(lab, "ec2:DeleteVolume", lambda: person.ec2.delete_volume(VolumeId=other))
    person.ec2.delete_volume(VolumeId=volume)
    lab.refused("InvalidVolume.NotFound", lambda: person.ec2.delete_volume(VolumeId=volume))


def test_a_template_that_is_not_seen_yet_opens_no_door(lab: Lab) -> None:
    template = lab.template(lab.interface())
    person = Person(lab, allow("autoscaling:*"))
    lab.set(id_lag_polls=1, lag_seconds=60.0)
    lab.stand.world.born(template)
    make: Any = lambda: person.autoscaling.create_auto_scaling_group(  # noqa: E731
        AutoScalingGroupName=lab.name("asg"), MinSize=0, MaxSize=1, AvailabilityZones=[ZONES[0]],
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
    )  # fmt: skip
    lab.refused("ValidationError", make)
    denied(lab, "ec2:RunInstances", make, "AccessDenied")


def test_policies_hold_while_many_things_are_made_at_once(lab: Lab) -> None:
    person = Person(lab, allow("ec2:*", "autoscaling:*"))

    def make(number: int) -> str:
        interface = person.ec2.create_network_interface(SubnetId=lab.subnets[number % 3])["NetworkInterface"]["NetworkInterfaceId"]
        name = lab.scaling(lab.template(interface), zone=number % 3)
        person.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0, DesiredCapacity=0)
        return str(interface)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(24)))
    found = lab.ec2.describe_network_interfaces(NetworkInterfaceIds=made)["NetworkInterfaces"]
    assert len({(i["SubnetId"], i["PrivateIpAddress"]) for i in found}) == 24

"""Networks and subnets, which the stand's own set-up makes, and small things of EC2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..messages import AwsError, Call, Params
from . import passing, rule
from .common import dry_run

if TYPE_CHECKING:
    from ..stand import Stand

passing("ec2", "CreateVpc", "CreateSubnet", "ModifyVpcAttribute", "ModifySubnetAttribute", "CreateVpcEndpoint",
        "DeleteVpcEndpoints", "CreateManagedPrefixList")  # fmt: skip


@rule("ec2", "DeleteSubnet")
def delete_subnet(stand: Stand, call: Call) -> Params:
    """`DependencyViolation` while an interface is in it."""
    id = call.params["SubnetId"]
    for item in stand.ask(call, "DescribeNetworkInterfaces", {})["NetworkInterfaces"]:
        if item["SubnetId"] == id:
            raise AwsError("DependencyViolation", f"The subnet '{id}' has dependencies and cannot be deleted.")
    dry_run(call)
    return stand.ask(call, "DeleteSubnet", call.params)


@rule("ec2", "DeleteVpc")
def delete_vpc(stand: Stand, call: Call) -> Params:
    """`DependencyViolation` while a subnet or a group of ours is in it."""
    id = call.params["VpcId"]
    subnets = stand.ask(call, "DescribeSubnets", {})["Subnets"]
    groups = stand.ask(call, "DescribeSecurityGroups", {})["SecurityGroups"]
    if any(s["VpcId"] == id for s in subnets) or any(g.get("VpcId") == id and g["GroupName"] != "default" for g in groups):
        raise AwsError("DependencyViolation", f"The vpc '{id}' has dependencies and cannot be deleted.")
    dry_run(call)
    return stand.ask(call, "DeleteVpc", call.params)


@rule("ec2", "CreateTags", "DeleteTags")
def tags(stand: Stand, call: Call) -> Params:
    """Tags of ids that are seen already."""
    for id in call.params.get("Resources", []):
        if stand.world.looks_unborn(id):
            raise AwsError(_missing(id), f"The ID '{id}' does not exist")
    keys = [tag.get("Key", "") for tag in call.params.get("Tags") or []]
    if any(key.lower().startswith("aws:") for key in keys):
        raise AwsError("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
    dry_run(call)
    return stand.ask(call, call.action, call.params)


def _missing(id: str) -> str:
    kind = id.partition("-")[0]
    codes = {
        "i": "InvalidInstanceID.NotFound", "vol": "InvalidVolume.NotFound", "eni": "InvalidNetworkInterfaceID.NotFound",
        "sg": "InvalidGroup.NotFound", "lt": "InvalidLaunchTemplateId.NotFound", "snap": "InvalidSnapshot.NotFound",
        "ami": "InvalidAMIID.NotFound", "subnet": "InvalidSubnetID.NotFound", "vpc": "InvalidVpcID.NotFound",
    }  # fmt: skip
    return codes.get(kind, "InvalidID")


@rule("ec2", "GetEbsEncryptionByDefault")
def get_default_encryption(stand: Stand, call: Call) -> Params:
    """Off, unless it was switched on."""
    return {"EbsEncryptionByDefault": stand.world.default_encryption(call)}


@rule("ec2", "EnableEbsEncryptionByDefault", "DisableEbsEncryptionByDefault")
def set_default_encryption(stand: Stand, call: Call) -> Params:
    """Switches it."""
    on = call.action.startswith("Enable")
    stand.world.ebs_defaults.setdefault((call.account, call.region), {})["on"] = on
    return {"EbsEncryptionByDefault": on}


@rule("ec2", "GetEbsDefaultKmsKeyId")
def get_default_key(stand: Stand, call: Call) -> Params:
    """AWS's own key, unless another was set."""
    return {"KmsKeyId": stand.world.default_key(call)}


@rule("ec2", "ModifyEbsDefaultKmsKeyId", "ResetEbsDefaultKmsKeyId")
def set_default_key(stand: Stand, call: Call) -> Params:
    """Sets or resets it."""
    values = stand.world.ebs_defaults.setdefault((call.account, call.region), {})
    values["key"] = call.params.get("KmsKeyId")
    return {"KmsKeyId": stand.world.default_key(call)}

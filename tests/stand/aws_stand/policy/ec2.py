"""EC2 resources and launches, as policies see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..messages import AwsError, Call, Params
from ..rules.common import tag_map
from ..rules.ec2_templates import version_data
from .document import Context, Request

if TYPE_CHECKING:
    from ..stand import Stand

_NO_ACCOUNT = {"image", "snapshot"}
_KINDS = {
    "i": "instance", "vol": "volume", "eni": "network-interface", "sg": "security-group", "lt": "launch-template",
    "snap": "snapshot", "ami": "image", "subnet": "subnet", "vpc": "vpc", "sgr": "security-group-rule",
}  # fmt: skip


def request_tags(tags: list[dict[str, Any]] | None) -> Context:
    """The keys that tags of a request give."""
    context: Context = {f"aws:RequestTag/{tag['Key']}": [tag.get("Value", "")] for tag in tags or [] if "Key" in tag}
    if context:
        context["aws:TagKeys"] = [tag["Key"] for tag in tags or [] if "Key" in tag]
    return context


def specified(params: Params, kind: str) -> list[dict[str, Any]]:
    """The tags that a request gives to one resource type."""
    return [t for s in params.get("TagSpecifications") or [] if s.get("ResourceType") == kind for t in s.get("Tags", [])]


def ec2_arn(call: Call, kind: str, id: str) -> str:
    """The ARN of an EC2 resource."""
    return f"arn:aws:ec2:{call.region}:{'' if kind in _NO_ACCOUNT else call.account}:{kind}/{id}"


def ec2_existing(stand: Stand, call: Call, kind: str, id: str) -> list[tuple[str, Context]]:
    """An EC2 resource with its tags; none if it is not there."""
    if kind == "any":
        kind = _KINDS.get(id.partition("-")[0], "unknown")
    asked = {"Filters": [{"Name": "resource-id", "Values": [id]}]}
    tags = tag_map(stand.ask(call, "DescribeTags", asked, "ec2").get("Tags"))
    instance = stand.world.instances_.get(id)
    if instance is not None:
        tags.update(instance.tags)
    if not tags and not _exists(stand, call, kind, id):
        return []
    context: Context = {}
    for key, value in tags.items():
        context[f"aws:ResourceTag/{key}"] = context[f"ec2:ResourceTag/{key}"] = [value]
    return [(ec2_arn(call, kind, id), context)]


def _exists(stand: Stand, call: Call, kind: str, id: str) -> bool:
    """What is not there is told as not found, not as forbidden: drivers with tag conditions rely on that at AWS."""
    held: dict[str, dict[str, Any]] = {"instance": stand.world.instances_, "volume": stand.world.volumes, "network-interface": stand.world.interfaces}
    if kind in held:
        return id in held[kind]
    lists = {
        "security-group": ("DescribeSecurityGroups", "GroupIds"), "snapshot": ("DescribeSnapshots", "SnapshotIds"),
        "launch-template": ("DescribeLaunchTemplates", "LaunchTemplateIds"),
    }  # fmt: skip
    if kind not in lists:
        return True
    action, member = lists[kind]
    try:
        answer = stand.ask(call, action, {member: [id]}, "ec2")
    except AwsError:
        return False
    return any(isinstance(value, list) and value for value in answer.values())


def merged(stand: Stand, call: Call, params: Params) -> Params:
    """Launch parameters with the template's data under them."""
    if not params.get("LaunchTemplate"):
        return params
    template, _, data = version_data(stand, call, {k: v for k, v in params["LaunchTemplate"].items() if v})
    merged = {**data, **{k: v for k, v in params.items() if k != "LaunchTemplate"}}
    return {**merged, "launch-template": template["LaunchTemplateId"]}


def launch_resources(stand: Stand, call: Call, data: Params) -> list[tuple[str, Context]]:
    """Every resource that a launch touches or makes."""
    own: Context = {"ec2:InstanceType": [str(data.get("InstanceType", ""))]}
    tokens = (data.get("MetadataOptions") or {}).get("HttpTokens")
    if tokens:
        own["ec2:MetadataHttpTokens"] = [tokens]
    found = [
        (ec2_arn(call, "instance", "*"), {**own, **request_tags(specified(data, "instance"))}),
        (ec2_arn(call, "volume", "*"), request_tags(specified(data, "volume"))),
    ]
    interfaces = data.get("NetworkInterfaces") or [{}]
    for one in interfaces:
        if one.get("NetworkInterfaceId"):
            found += ec2_existing(stand, call, "network-interface", one["NetworkInterfaceId"])
            continue
        found.append((ec2_arn(call, "network-interface", "*"), request_tags(specified(data, "network-interface"))))
        subnet = one.get("SubnetId") or data.get("SubnetId")
        if subnet:
            found += ec2_existing(stand, call, "subnet", subnet)
        for group in one.get("Groups") or data.get("SecurityGroupIds") or []:
            found += ec2_existing(stand, call, "security-group", group)
    if data.get("ImageId"):
        found += ec2_existing(stand, call, "image", data["ImageId"])
    if data.get("launch-template"):
        found += ec2_existing(stand, call, "launch-template", data["launch-template"])
    return found


def launch_questions(stand: Stand, call: Call, params: Params) -> list[Request]:
    """A group's template is checked against whoever makes or changes the group."""
    data = merged(stand, call, params)
    asked = [Request("ec2:RunInstances", arn, context) for arn, context in launch_resources(stand, call, data)]
    for kind in ("instance", "volume"):
        if specified(data, kind):
            context = {"ec2:CreateAction": ["RunInstances"], **request_tags(specified(data, kind))}
            asked.append(Request("ec2:CreateTags", ec2_arn(call, kind, "*"), context))
    return asked + pass_role(stand, call, data)


def pass_role(stand: Stand, call: Call, data: Params) -> list[Request]:
    """The role of a profile is handed to EC2."""
    profile = data.get("IamInstanceProfile") or {}
    name = profile.get("Name") or str(profile.get("Arn", "")).rpartition("/")[2]
    if not name:
        return []
    try:
        found = stand.ask(call, "GetInstanceProfile", {"InstanceProfileName": name}, "iam")["InstanceProfile"]
    except AwsError:
        return []
    return [Request("iam:PassRole", role["Arn"], {"iam:PassedToService": ["ec2.amazonaws.com"]}) for role in found.get("Roles") or []]

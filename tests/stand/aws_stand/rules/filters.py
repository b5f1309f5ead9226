"""EC2's filters, evaluated on what the stand shows (moto would evaluate them on states that are not shown)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from ..messages import AwsError, Refused

VOLUME = {
    "volume-id": "VolumeId", "status": "State", "size": "Size", "encrypted": "Encrypted", "volume-type": "VolumeType",
    "availability-zone": "AvailabilityZone", "snapshot-id": "SnapshotId", "attachment.instance-id": "Attachments[].InstanceId",
    "attachment.status": "Attachments[].State", "attachment.device": "Attachments[].Device",
}  # fmt: skip
INTERFACE = {
    "network-interface-id": "NetworkInterfaceId", "status": "Status", "subnet-id": "SubnetId", "vpc-id": "VpcId",
    "group-id": "Groups[].GroupId", "description": "Description", "availability-zone": "AvailabilityZone",
    "private-ip-address": "PrivateIpAddress", "addresses.private-ip-address": "PrivateIpAddresses[].PrivateIpAddress",
    "attachment.instance-id": "Attachment.InstanceId", "attachment.status": "Attachment.Status",
    "attachment.attachment-id": "Attachment.AttachmentId", "interface-type": "InterfaceType",
}  # fmt: skip
INSTANCE = {
    "instance-id": "InstanceId", "instance-state-name": "State.Name", "instance-state-code": "State.Code",
    "subnet-id": "SubnetId", "vpc-id": "VpcId", "availability-zone": "Placement.AvailabilityZone",
    "instance-type": "InstanceType", "image-id": "ImageId", "private-ip-address": "PrivateIpAddress",
    "network-interface.network-interface-id": "NetworkInterfaces[].NetworkInterfaceId", "client-token": "ClientToken",
    "block-device-mapping.volume-id": "BlockDeviceMappings[].Ebs.VolumeId", "instance.group-id": "SecurityGroups[].GroupId",
    "iam-instance-profile.arn": "IamInstanceProfile.Arn", "private-dns-name": "PrivateDnsName",
}  # fmt: skip
SECURITY_GROUP = {"group-id": "GroupId", "group-name": "GroupName", "vpc-id": "VpcId", "description": "Description",
                  "owner-id": "OwnerId"}  # fmt: skip
SECURITY_GROUP_RULE = {"group-id": "GroupId", "security-group-rule-id": "SecurityGroupRuleId"}
TEMPLATE = {"launch-template-name": "LaunchTemplateName"}
SNAPSHOT = {"snapshot-id": "SnapshotId", "volume-id": "VolumeId", "status": "State", "owner-id": "OwnerId",
            "description": "Description", "encrypted": "Encrypted", "volume-size": "VolumeSize"}  # fmt: skip
MODIFICATION = {"volume-id": "VolumeId", "modification-state": "ModificationState"}
TAG = {"key": "Key", "value": "Value", "resource-id": "ResourceId", "resource-type": "ResourceType"}
SUBNET = {"subnet-id": "SubnetId", "vpc-id": "VpcId", "availability-zone": "AvailabilityZone", "state": "State",
          "availability-zone-id": "AvailabilityZoneId", "cidr-block": "CidrBlock"}  # fmt: skip


def keep(item: dict[str, Any], filters: list[dict[str, Any]], known: dict[str, str], tags: str = "Tags") -> bool:
    """Whether an item passes all filters."""
    for one in filters:
        name, wanted = one.get("Name", ""), one.get("Values", [])
        if name == "":
            raise AwsError("InvalidParameterValue", "The filter 'null' is invalid")
        if name.startswith("tag:"):
            values = [t.get("Value", "") for t in item.get(tags) or [] if t["Key"] == name[4:]]
        elif name == "tag-key":
            values = [t["Key"] for t in item.get(tags) or []]
        elif name in known:
            values = _values(item, known[name])
        else:
            raise Refused(f"the stand does not know the filter {name!r}")
        if not any(fnmatchcase(value, _glob(want)) for value in values for want in wanted):
            return False
    return True


def by_tag(filters: list[dict[str, Any]]) -> bool:
    """Whether a list asks by tag; those lag most."""
    return any(one.get("Name", "").startswith("tag") for one in filters)


def _glob(want: str) -> str:
    """EC2 knows `*` and `?`; brackets are plain."""
    return want.replace("[", "[[]")


def _values(item: Any, path: str) -> list[str]:
    found = [item]
    for part in path.split("."):
        name, many = part.removesuffix("[]"), part.endswith("[]")
        step = [one.get(name) for one in found if isinstance(one, dict)]
        found = [x for one in step if one for x in one] if many else [one for one in step if one is not None]
    return [str(v).lower() if isinstance(v, bool) else str(v) for v in found]

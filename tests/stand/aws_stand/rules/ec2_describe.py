"""Describe calls: what moto has, as AWS would show it at this moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..messages import AwsError, Call, Params
from . import filters, passing, rule
from .common import dry_run, private_name

if TYPE_CHECKING:
    from ..stand import Stand

passing(
    "ec2", "DescribeAvailabilityZones", "DescribeRegions", "DescribeInstanceTypes", "DescribeInstanceTypeOfferings",
    "DescribeVpcAttribute", "DescribeRouteTables", "DescribeVpcEndpoints", "DescribePrefixLists",
    "DescribeManagedPrefixLists", "DescribeDhcpOptions", "DescribeNetworkAcls", "DescribeInternetGateways",
)  # fmt: skip

Item = dict[str, Any]
Overlay = Callable[["Stand", Item], "Item | None"]


@dataclass(frozen=True)
class Listing:
    """One kind of object and how it is listed."""

    result: str
    id: str
    ids: str
    missing: str
    known: dict[str, str]
    overlay: Overlay
    poll: Callable[[Stand, str], None] = lambda stand, id: None


def show(stand: Stand, call: Call, listing: Listing) -> list[Item]:
    """All items that the caller sees now: by ids, or by filters."""
    dry_run(call)
    ids = call.params.get(listing.ids) or []
    wanted = call.params.get("Filters") or []
    if ids and call.params.get("MaxResults") and listing.id in ("InstanceId", "VolumeId"):
        raise AwsError("InvalidParameterCombination", f"The parameter {listing.ids} cannot be used with the parameter MaxResults")
    found: list[Item] = []
    if call.params.get("NextToken"):
        return found
    for item in stand.ask(call, call.action, {listing.ids: ids} if 0 < len(ids) <= 10 else {})[listing.result]:
        id = item[listing.id]
        if ids and id not in ids:
            continue
        shown = listing.overlay(stand, item)
        if shown is None or not filters.keep(shown, wanted, listing.known):
            continue
        if _unseen(stand, id, bool(ids), wanted):
            continue
        found.append(shown)
    missing = [id for id in ids if id not in {item[listing.id] for item in found}]
    if missing and not wanted:
        raise AwsError(listing.missing, f"The {listing.id} '{', '.join(missing)}' does not exist")
    for item in found:
        listing.poll(stand, item[listing.id])
    return found


def _unseen(stand: Stand, id: str, by_id: bool, wanted: list[dict[str, Any]]) -> bool:
    unseen = stand.world.unseen.get(id)
    if unseen is None:
        return False
    if by_id:
        return unseen.by_id.poll()
    if wanted:
        return unseen.by_filter.poll()
    return not unseen.by_id.over


def listed(stand: Stand, call: Call, listing: Listing) -> Params:
    """A whole result."""
    return {listing.result: show(stand, call, listing)}


# --- volumes ---------------------------------------------------------------------------------------------------------


def volume_overlay(stand: Stand, item: Item) -> Item | None:
    """A volume with the states that are held."""
    state = stand.world.volumes.get(item["VolumeId"])
    if state is None:
        return item
    item = dict(item)
    item["Size"] = state.gib
    last = state.modifications[-1] if state.modifications else None
    if last is not None and last.state == "modifying":
        item.update({k: v for k, v in last.original.items() if v is not None})
    if state.holder is None:
        item["Attachments"] = []
        item["State"] = "available" if state.creating.over else "creating"
        return item
    item["State"] = "in-use"
    item["Attachments"] = [
        {
            "AttachTime": state.attach_time,
            "Device": state.device,
            "InstanceId": state.holder,
            "State": state.attach_state,
            "VolumeId": state.id,
            "DeleteOnTermination": state.root,
        }
    ]
    return item


def _poll_volume(stand: Stand, id: str) -> None:
    state = stand.world.volumes.get(id)
    if state is not None:
        state.creating.poll()
        if state.attach_hold is not None:
            state.attach_hold.poll()


VOLUMES = Listing("Volumes", "VolumeId", "VolumeIds", "InvalidVolume.NotFound", filters.VOLUME, volume_overlay, _poll_volume)


@rule("ec2", "DescribeVolumes")
def describe_volumes(stand: Stand, call: Call) -> Params:
    """Volumes; time passes with each look."""
    stand.world.tick()
    return listed(stand, call, VOLUMES)


# --- network interfaces ----------------------------------------------------------------------------------------------


def interface_overlay(stand: Stand, item: Item) -> Item | None:
    """An interface with its one holder (moto leaves it `in-use` for ever)."""
    state = stand.world.interfaces.get(item["NetworkInterfaceId"])
    if state is None:
        return item
    item = {k: v for k, v in item.items() if k not in ("Attachment", "Association")}
    # moto names every address as in us-east-1.
    item["PrivateDnsName"] = private_name(item["PrivateIpAddress"], state.home.region)
    item["Status"] = "available" if state.pending.over else "pending"
    holder = stand.world.instances_.get(state.holder or "")
    if holder is not None:
        item["Status"] = "in-use"
        item["Attachment"] = {
            "AttachTime": state.attach_time,
            "AttachmentId": state.attachment_id,
            "DeleteOnTermination": state.delete_on_termination,
            "DeviceIndex": state.device_index,
            "InstanceId": holder.id,
            "InstanceOwnerId": holder.home.account,
            "Status": "attached" if holder.state != "pending" else "attaching",
        }
    return item


def _poll_interface(stand: Stand, id: str) -> None:
    state = stand.world.interfaces.get(id)
    if state is not None:
        state.pending.poll()


INTERFACES = Listing(
    "NetworkInterfaces", "NetworkInterfaceId", "NetworkInterfaceIds", "InvalidNetworkInterfaceID.NotFound",
    filters.INTERFACE, interface_overlay, _poll_interface,
)  # fmt: skip


@rule("ec2", "DescribeNetworkInterfaces")
def describe_interfaces(stand: Stand, call: Call) -> Params:
    """Interfaces."""
    stand.world.tick()
    return listed(stand, call, INTERFACES)


# --- kinds without states of their own -------------------------------------------------------------------------------


def _plain(stand: Stand, item: Item) -> Item | None:
    return item


GROUPS = Listing("SecurityGroups", "GroupId", "GroupIds", "InvalidGroup.NotFound", filters.SECURITY_GROUP, _plain)
SUBNETS = Listing("Subnets", "SubnetId", "SubnetIds", "InvalidSubnetID.NotFound", filters.SUBNET, _plain)
VPCS = Listing("Vpcs", "VpcId", "VpcIds", "InvalidVpcID.NotFound", {"vpc-id": "VpcId", "cidr": "CidrBlock",
               "is-default": "IsDefault", "state": "State"}, _plain)  # fmt: skip


@rule("ec2", "DescribeSecurityGroups")
def describe_groups(stand: Stand, call: Call) -> Params:
    """Security groups."""
    return listed(stand, call, GROUPS)


@rule("ec2", "DescribeSubnets")
def describe_subnets(stand: Stand, call: Call) -> Params:
    """Subnets; free addresses are counted from interfaces."""
    items = listed(stand, call, SUBNETS)
    used: dict[str, int] = {}
    for interface in stand.ask(call, "DescribeNetworkInterfaces", {})["NetworkInterfaces"]:
        used[interface["SubnetId"]] = used.get(interface["SubnetId"], 0) + 1
    for subnet in items["Subnets"]:
        size = 2 ** (32 - int(subnet["CidrBlock"].split("/")[1]))
        subnet["AvailableIpAddressCount"] = size - 5 - used.get(subnet["SubnetId"], 0)
    return items


@rule("ec2", "DescribeVpcs")
def describe_vpcs(stand: Stand, call: Call) -> Params:
    """Networks."""
    return listed(stand, call, VPCS)


@rule("ec2", "DescribeSecurityGroupRules")
def describe_group_rules(stand: Stand, call: Call) -> Params:
    """Rules of groups. A group that is not there has none (no error)."""
    dry_run(call)
    if call.params.get("NextToken"):
        return {"SecurityGroupRules": []}
    wanted = call.params.get("Filters") or []
    rules_: list[Item] = []
    for group in stand.ask(call, "DescribeSecurityGroups", {})["SecurityGroups"]:
        one = {"Filters": [{"Name": "group-id", "Values": [group["GroupId"]]}]}
        rules_ += stand.ask(call, "DescribeSecurityGroupRules", one)["SecurityGroupRules"]
    ids = call.params.get("SecurityGroupRuleIds") or []
    missing = set(ids) - {r["SecurityGroupRuleId"] for r in rules_}
    if missing:
        raise AwsError("InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{missing.pop()}' does not exist")
    return {
        "SecurityGroupRules": [
            r
            for r in rules_
            if (not ids or r["SecurityGroupRuleId"] in ids) and filters.keep(r, wanted, filters.SECURITY_GROUP_RULE)
        ]
    }


@rule("ec2", "DescribeTags")
def describe_tags(stand: Stand, call: Call) -> Params:
    """Tags, by filter; new resources lag."""
    dry_run(call)
    if call.params.get("NextToken"):
        return {"Tags": []}
    wanted = call.params.get("Filters") or []
    found = []
    for tag in stand.ask(call, "DescribeTags", {})["Tags"]:
        as_item = {**tag, "Tags": [{"Key": tag["Key"], "Value": tag["Value"]}]}
        unseen = stand.world.unseen.get(tag["ResourceId"])
        if filters.keep(as_item, wanted, filters.TAG) and not (unseen and unseen.by_filter.poll()):
            found.append(tag)
    return {"Tags": found}

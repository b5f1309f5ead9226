"""Network interfaces: fixed addresses that are free and inside the subnet, and one holder at a time."""

from __future__ import annotations

import ipaddress
import secrets
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..messages import AwsError, Call, Params
from ..objects import Home, InterfaceState
from . import rule
from .common import check_tags, dry_run, private_name, remembered

if TYPE_CHECKING:
    from ..stand import Stand


@rule("ec2", "CreateNetworkInterface")
def create(stand: Stand, call: Call) -> Params:
    """Makes an interface; it is `pending` first."""
    check_tags(call, "network-interface")
    subnet = find_subnet(stand, call, call.params["SubnetId"])
    groups = call.params.get("Groups") or []
    if len(groups) > 5:
        raise AwsError("SecurityGroupsPerInterfaceLimitExceeded", "The maximum number of security groups per interface is 5")
    check_groups(stand, call, groups, subnet["VpcId"])
    dry_run(call)

    def make() -> Params:
        address = free_address(stand, call, subnet, call.params.get("PrivateIpAddress"))
        params = {k: v for k, v in call.params.items() if k != "ClientToken"}
        result = stand.ask(call, "CreateNetworkInterface", {**params, "PrivateIpAddress": address})
        item = result["NetworkInterface"]
        item["Status"] = "pending"
        home = stand.world.home(call)
        item["PrivateDnsName"] = private_name(address, home.region)
        stand.world.interfaces[item["NetworkInterfaceId"]] = InterfaceState(
            item["NetworkInterfaceId"], home, stand.world.hold()
        )
        stand.world.born(item["NetworkInterfaceId"])
        stand.world.network_changed()
        return {**result, "ClientToken": call.params.get("ClientToken")}

    return remembered(stand, call, make)


@rule("ec2", "DeleteNetworkInterface")
def delete(stand: Stand, call: Call) -> Params:
    """Refused while an instance holds it."""
    id = call.params["NetworkInterfaceId"]
    _need(stand, call, id)
    state = stand.world.interfaces.get(id)
    if state is not None and state.holder is not None:
        raise AwsError("InvalidNetworkInterface.InUse", f"Network interface '{id}' is currently in use.")
    dry_run(call)
    stand.ask(call, "DeleteNetworkInterface", {"NetworkInterfaceId": id})
    stand.world.interfaces.pop(id, None)
    stand.world.network_changed()
    return {}


@rule("ec2", "ModifyNetworkInterfaceAttribute")
def modify(stand: Stand, call: Call) -> Params:
    """Groups (an absolute list), description, and whether it ends with its instance."""
    id = call.params["NetworkInterfaceId"]
    item = _need(stand, call, id)
    given = [k for k in call.params if k not in ("NetworkInterfaceId", "DryRun")]
    if len(given) != 1:
        raise AwsError("InvalidParameterCombination", "Only one attribute can be modified at a time")
    if "Groups" in call.params:
        if not 1 <= len(call.params["Groups"]) <= 5:
            raise AwsError("InvalidParameterValue", "An interface has 1 to 5 security groups")
        check_groups(stand, call, call.params["Groups"], item["VpcId"])
    dry_run(call)
    if "Attachment" in call.params:
        state = stand.world.interfaces[id]
        change = call.params["Attachment"]
        if state.holder is None or change.get("AttachmentId") != state.attachment_id:
            raise AwsError("InvalidAttachmentID.NotFound", "The attachment does not exist")
        state.delete_on_termination = bool(change.get("DeleteOnTermination"))
        return {}
    stand.ask(call, "ModifyNetworkInterfaceAttribute", call.params)
    stand.world.network_changed()
    return {}


@rule("ec2", "AttachNetworkInterface")
def attach(stand: Stand, call: Call) -> Params:
    """A second interface of a running instance. The design does not use it; it must not be wrong either."""
    id, instance_id = call.params["NetworkInterfaceId"], call.params["InstanceId"]
    item = _need(stand, call, id)
    instance = stand.world.instances_.get(instance_id)
    if instance is None:
        raise AwsError("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")
    if instance.state not in ("running", "stopped"):
        raise AwsError("IncorrectState", f"The instance '{instance_id}' is {instance.state}")
    state = stand.world.interfaces[id]
    check_free(state)
    if item["AvailabilityZone"] != instance.spec.zone:
        raise AwsError("InvalidParameterValue", "The interface and the instance are in different Availability Zones")
    index = call.params["DeviceIndex"]
    taken = {i.device_index for i in stand.world.interfaces.values() if i.holder == instance_id}
    if index in taken:
        raise AwsError("InvalidParameterValue", f"Instance '{instance_id}' already has an interface attached at device index '{index}'.")
    dry_run(call)
    hold(state, instance_id, index, delete=False)
    instance.interface_ids.append(id)
    return {"AttachmentId": state.attachment_id, "NetworkCardIndex": 0}


@rule("ec2", "DetachNetworkInterface")
def detach(stand: Stand, call: Call) -> Params:
    """The primary interface cannot be detached."""
    for state in stand.world.interfaces.values():
        if state.holder and state.attachment_id == call.params["AttachmentId"]:
            if state.device_index == 0:
                raise AwsError("OperationNotPermitted", "The network interface at device index 0 cannot be detached.")
            dry_run(call)
            state.holder = None
            return {}
    raise AwsError("InvalidAttachmentID.NotFound", f"The attachment '{call.params['AttachmentId']}' does not exist")


def check_free(state: InterfaceState) -> None:
    """One holder per interface."""
    if state.holder is not None:
        raise AwsError("InvalidNetworkInterface.InUse", f"Interface: [{state.id}] in use.")


def hold(state: InterfaceState, instance_id: str, index: int, delete: bool) -> None:
    """Gives an interface to an instance."""
    state.holder, state.device_index = instance_id, index
    state.attachment_id = f"eni-attach-{secrets.token_hex(8)}1"
    state.attach_time = datetime.now(timezone.utc)
    state.delete_on_termination = delete


def _need(stand: Stand, call: Call, id: str) -> dict[str, Any]:
    stand.world.need(id, "InvalidNetworkInterfaceID.NotFound", "networkInterface ID")
    return find(stand, stand.world.home(call), id)


def find(stand: Stand, home: Home, id: str) -> dict[str, Any]:
    """An interface, or the error."""
    items = stand.world.moto(home, "DescribeNetworkInterfaces", NetworkInterfaceIds=[id])["NetworkInterfaces"]
    found: dict[str, Any] = items[0]
    return found


def find_subnet(stand: Stand, call: Call, id: str) -> dict[str, Any]:
    """A subnet, or the error."""
    stand.world.need(id, "InvalidSubnetID.NotFound", "subnet ID")
    found: dict[str, Any] = stand.ask(call, "DescribeSubnets", {"SubnetIds": [id]}, "ec2")["Subnets"][0]
    return found


def check_groups(stand: Stand, call: Call, ids: list[str], vpc: str) -> None:
    """Groups exist, are seen, and belong to the network."""
    for id in ids:
        stand.world.need(id, "InvalidGroup.NotFound", "security group")
    if not ids:
        return
    for group in stand.ask(call, "DescribeSecurityGroups", {"GroupIds": ids}, "ec2")["SecurityGroups"]:
        if group.get("VpcId") != vpc:
            raise AwsError(
                "InvalidParameter",
                f"Security group {group['GroupId']} and subnet belong to different networks.",
            )


def free_address(stand: Stand, call: Call, subnet: dict[str, Any], asked: str | None) -> str:
    """The asked address if it is free, else the first free one (moto gives one address twice)."""
    network = ipaddress.ip_network(subnet["CidrBlock"])
    items = stand.ask(call, "DescribeNetworkInterfaces", {}, "ec2")["NetworkInterfaces"]
    used = {a["PrivateIpAddress"] for i in items if i["SubnetId"] == subnet["SubnetId"] for a in i["PrivateIpAddresses"]}
    hosts = [str(network[i]) for i in range(4, network.num_addresses - 1)]
    if asked is not None:
        if asked not in hosts:
            raise AwsError("InvalidParameterValue", f"Address {asked} does not fall within the subnet's address range or is reserved")
        if asked in used:
            raise AwsError("InvalidIPAddress.InUse", f"The specified address is already in use: {asked}")
        return asked
    for host in hosts:
        if host not in used:
            return host
    raise AwsError(
        "InsufficientFreeAddressesInSubnet", f"The subnet '{subnet['SubnetId']}' has insufficient free addresses."
    )

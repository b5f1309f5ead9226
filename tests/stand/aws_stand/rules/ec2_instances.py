"""Instances: states that are held, templates that count, an end that takes its time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..messages import AwsError, Call, Params
from ..objects import InstanceState
from . import filters, rule
from .common import check_tags, dry_run, private_name, remembered
from .ec2_describe import Listing, show
from .ec2_launch import find_profile, launch
from .ec2_templates import version_data

if TYPE_CHECKING:
    from ..stand import Stand

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


@rule("ec2", "RunInstances")
def run(stand: Stand, call: Call) -> Params:
    """One instance at a time, from parameters over a template."""
    check_tags(call, "instance", "volume", "network-interface")
    params = dict(call.params)
    if params["MinCount"] != 1 or params["MaxCount"] != 1:
        interfaces = params.get("NetworkInterfaces") or []
        if any(i.get("NetworkInterfaceId") for i in interfaces):
            raise AwsError("InvalidParameterCombination", "A network interface can be given to one instance only")
        raise AwsError("InvalidParameterValue", "the stand launches one instance per request")
    own: dict[str, str] = {}
    if params.get("LaunchTemplate"):
        template, number, data = version_data(stand, call, params["LaunchTemplate"])
        own = template_tags(template, number)
        params = merged(data, params)
    for one in params.get("NetworkInterfaces") or []:
        stand.world.need(one.get("NetworkInterfaceId"), "InvalidNetworkInterfaceID.NotFound", "networkInterface ID")
    if call.params.get("DryRun"):
        find_profile(stand, call, params.get("IamInstanceProfile"))
    dry_run(call)

    def make() -> Params:
        reservation = launch(stand, call, params, own_tags=own)
        item = instance_overlay(stand, reservation["Instances"][0])
        assert item is not None
        if call.params.get("ClientToken"):
            item["ClientToken"] = call.params["ClientToken"]
            stand.world.instances_[item["InstanceId"]].attributes["ClientToken"] = call.params["ClientToken"]
        return {**reservation, "Instances": [item]}

    answer = remembered(stand, call, make)
    if stand.world.instances_[answer["Instances"][0]["InstanceId"]].state in ("shutting-down", "terminated"):
        raise AwsError("IdempotentInstanceTerminated", "The client token was used for an instance that has been terminated.")
    return answer


def merged(data: Params, params: Params) -> Params:
    """A template's data under a request's parameters."""
    return {**data, **{k: v for k, v in params.items() if k not in ("LaunchTemplate", "ClientToken", "DryRun")}}


def template_tags(template: dict[str, Any], number: int) -> dict[str, str]:
    """The tags that AWS gives to what was launched from a template."""
    return {
        "aws:ec2launchtemplate:id": template["LaunchTemplateId"],
        "aws:ec2launchtemplate:version": str(number),
    }


def instance_overlay(stand: Stand, item: dict[str, Any]) -> dict[str, Any] | None:
    """An instance in the state that is held; a terminated one has no address any more."""
    state = stand.world.instances_.get(item["InstanceId"])
    if state is None:
        return item
    item = dict(item)
    item["State"] = {"Code": CODES[state.state], "Name": state.state}
    item["Tags"] = (item.get("Tags") or []) + [{"Key": k, "Value": v} for k, v in state.tags.items()]
    item["StateTransitionReason"] = ""
    if state.reason:
        item["StateTransitionReason"] = state.reason
        item["StateReason"] = {"Code": state.reason.split(":")[0], "Message": state.reason}
    if state.attributes.get("ClientToken"):
        item["ClientToken"] = state.attributes["ClientToken"]
    else:
        item.pop("ClientToken", None)
    if state.state == "terminated":
        for gone in ("PrivateIpAddress", "SubnetId", "VpcId"):
            item.pop(gone, None)
        item.update(NetworkInterfaces=[], BlockDeviceMappings=[], PrivateDnsName="", SecurityGroups=[])
        return item
    item["PrivateIpAddress"] = state.spec.private_ip
    item["PrivateDnsName"] = private_name(state.spec.private_ip, state.home.region)
    item["SecurityGroups"] = next((i["Groups"] for i in item.get("NetworkInterfaces") or []), [])
    item["BlockDeviceMappings"] = [
        {
            "DeviceName": v.device,
            "Ebs": {"VolumeId": v.id, "Status": v.attach_state, "AttachTime": v.attach_time, "DeleteOnTermination": v.root},
        }
        for v in stand.world.volumes.values()
        if v.holder == state.id
    ]
    options = state.spec.metadata
    item["MetadataOptions"] = {
        "State": "applied", "HttpTokens": options.http_tokens, "HttpPutResponseHopLimit": options.hop_limit,
        "HttpEndpoint": options.http_endpoint, "InstanceMetadataTags": options.instance_tags,
    }  # fmt: skip
    return item


def _poll(stand: Stand, id: str) -> None:
    state = stand.world.instances_.get(id)
    if state is not None:
        state.hold.poll()


INSTANCES = Listing("Instances", "InstanceId", "InstanceIds", "InvalidInstanceID.NotFound", filters.INSTANCE,
                    instance_overlay, _poll)  # fmt: skip


@rule("ec2", "DescribeInstances")
def describe(stand: Stand, call: Call) -> Params:
    """Instances, each in its reservation."""
    stand.world.tick()
    reservations: dict[str, dict[str, Any]] = {}
    if call.params.get("NextToken"):
        return {"Reservations": []}
    flat = []
    for reservation in stand.ask(call, "DescribeInstances", {})["Reservations"]:
        for item in reservation["Instances"]:
            reservations[item["InstanceId"]] = {k: v for k, v in reservation.items() if k != "Instances"}
            flat.append(item)
    found = show(_Flat(stand, flat), call, INSTANCES)  # type: ignore[arg-type]
    return {"Reservations": [{**reservations[i["InstanceId"]], "Instances": [i]} for i in found]}


class _Flat:
    """The stand, with instances as a flat list, as `show` expects a listing."""

    def __init__(self, stand: Stand, items: list[dict[str, Any]]) -> None:
        self.world = stand.world
        self._items = items

    def ask(self, call: Call, action: str, params: Params) -> Params:
        """The flat list."""
        return {"Instances": self._items}


@rule("ec2", "DescribeInstanceStatus")
def status(stand: Stand, call: Call) -> Params:
    """Checks of running instances; others only when asked."""
    dry_run(call)
    stand.world.tick()
    ids, everything = call.params.get("InstanceIds") or [], call.params.get("IncludeAllInstances")
    missing = [id for id in ids if id not in stand.world.instances_]
    if missing:
        raise AwsError("InvalidInstanceID.NotFound", f"The instance ID '{missing[0]}' does not exist")
    found = []
    for state in stand.world.instances_.values():
        if (ids and state.id not in ids) or state.home.region != call.region:
            continue
        if state.state == "running" or (everything and state.state != "terminated"):
            check: Params = {"Status": "ok" if state.state == "running" else "not-applicable", "Details": []}
            found.append(
                {
                    "InstanceId": state.id,
                    "AvailabilityZone": state.spec.zone,
                    "InstanceState": {"Code": CODES[state.state], "Name": state.state},
                    "InstanceStatus": check,
                    "SystemStatus": check,
                }
            )
    return {"InstanceStatuses": found}


def _need(stand: Stand, ids: list[str]) -> list[InstanceState]:
    found = []
    for id in ids:
        stand.world.need(id, "InvalidInstanceID.NotFound", "instance ID")
        state = stand.world.instances_.get(id)
        if state is None:
            raise AwsError("InvalidInstanceID.NotFound", f"The instance ID '{id}' does not exist")
        found.append(state)
    return found


@rule("ec2", "TerminateInstances")
def terminate(stand: Stand, call: Call) -> Params:
    """`shutting-down` until the machine is gone; interface and volumes are held till then."""
    states = _need(stand, call.params["InstanceIds"])
    for state in states:
        if state.attributes.get("DisableApiTermination"):
            raise AwsError("OperationNotPermitted", f"The instance '{state.id}' may not be terminated.")
    dry_run(call)
    return {"TerminatingInstances": [_change(stand, s, "shutting-down", "Client.UserInitiatedShutdown: User initiated shutdown") for s in states]}


@rule("ec2", "StopInstances")
def stop(stand: Stand, call: Call) -> Params:
    """`stopping`, then `stopped`."""
    states = _need(stand, call.params["InstanceIds"])
    for state in states:
        if state.state in ("shutting-down", "terminated"):
            raise AwsError("IncorrectInstanceState", f"The instance '{state.id}' is not in a state from which it can be stopped.")
    dry_run(call)
    return {"StoppingInstances": [_change(stand, s, "stopping", "Client.UserInitiatedShutdown: User initiated shutdown") for s in states]}


@rule("ec2", "StartInstances")
def start(stand: Stand, call: Call) -> Params:
    """A stopped instance runs again; a terminated one never."""
    states = _need(stand, call.params["InstanceIds"])
    changes = []
    for state in states:
        if state.state != "stopped":
            raise AwsError("IncorrectInstanceState", f"The instance '{state.id}' is not in a state from which it can be started.")
    dry_run(call)
    for state in states:
        stand.ask(call, "StartInstances", {"InstanceIds": [state.id]})
        state.state, state.hold, state.machine_ready, state.reason = "pending", stand.world.hold(), False, ""
        stand.world.launched(state)
        changes.append(_shown(state, "stopped"))
    return {"StartingInstances": changes}


def _change(stand: Stand, state: InstanceState, to: str, reason: str) -> dict[str, Any]:
    before = state.state
    stand.world.end(state, to, reason)
    return _shown(state, before)


def _shown(state: InstanceState, before: str) -> dict[str, Any]:
    return {
        "InstanceId": state.id,
        "CurrentState": {"Code": CODES[state.state], "Name": state.state},
        "PreviousState": {"Code": CODES[before], "Name": before},
    }


@rule("ec2", "DescribeInstanceAttribute")
def attribute(stand: Stand, call: Call) -> Params:
    """User data and the flags of a launch."""
    (state,) = _need(stand, [call.params["InstanceId"]])
    dry_run(call)
    name = call.params["Attribute"]
    result: Params = {"InstanceId": state.id}
    if name == "userData":
        result["UserData"] = {"Value": state.user_data} if state.user_data else {}
    elif name in ("disableApiTermination", "disableApiStop", "instanceInitiatedShutdownBehavior"):
        member = name[0].upper() + name[1:]
        result[member] = {"Value": state.attributes[member]}
    elif name == "instanceType":
        result["InstanceType"] = {"Value": state.spec.instance_type}
    elif name == "groupSet":
        result["Groups"] = [{"GroupId": id} for id in state.spec.security_group_ids]
    else:
        raise AwsError("InvalidParameterValue", f"the stand does not tell the attribute {name}")
    return result


@rule("ec2", "ModifyInstanceAttribute")
def modify(stand: Stand, call: Call) -> Params:
    """The flags only."""
    (state,) = _need(stand, [call.params["InstanceId"]])
    dry_run(call)
    given = {k: v for k, v in call.params.items() if k not in ("InstanceId", "DryRun")}
    for name, value in given.items():
        if name not in ("DisableApiTermination", "InstanceInitiatedShutdownBehavior"):
            raise AwsError("InvalidParameterValue", f"the stand does not change {name}")
        state.attributes[name] = value["Value"]
    return {}



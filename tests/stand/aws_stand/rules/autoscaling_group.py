"""How a group of one behaves: it launches first and fails while the interface is held, with growing gaps."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from .. import catalog
from ..messages import AwsError, Call, HttpRequest, Params, Principal
from ..objects import Home, InstanceState
from .ec2_instances import merged, template_tags
from .ec2_launch import launch
from .ec2_templates import version_data

if TYPE_CHECKING:
    from ..stand import Stand

PROCESSES = (
    "Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck", "InstanceRefresh",
    "ReplaceUnhealthy", "ScheduledActions",
)  # fmt: skip


@dataclass
class Member:
    """An instance of a group."""

    id: str
    zone: str
    template: Params
    type: str
    lifecycle: str = "Pending"
    health: str = "Healthy"
    ended_seen: float | None = None
    """When the group could first have noticed that it is gone."""
    activity: dict[str, Any] | None = None
    protected: bool = False


@dataclass
class Group:
    """One Auto Scaling group."""

    name: str
    arn: str
    home: Home
    params: Params
    """As given, with later updates over it."""
    minimum: int
    maximum: int
    desired: int
    template: Params
    """Id, name and version."""
    tags: list[dict[str, Any]]
    created: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    suspended: dict[str, str] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    activities: list[dict[str, Any]] = field(default_factory=list)
    failures: int = 0
    next_try: float = 0.0
    deleting: bool = False

    def activity(self, description: str, cause: str) -> dict[str, Any]:
        """Begins an activity; the newest is first."""
        now = datetime.now(timezone.utc)
        one = {
            "ActivityId": str(uuid.uuid4()), "AutoScalingGroupName": self.name, "AutoScalingGroupARN": self.arn,
            "Description": description, "Cause": f"At {now:%Y-%m-%dT%H:%M:%SZ} {cause}", "StartTime": now,
            "StatusCode": "InProgress", "Progress": 50, "Details": "{}",
        }  # fmt: skip
        self.activities.insert(0, one)
        del self.activities[200:]
        return one


def finish(activity: dict[str, Any] | None, status: str, message: str = "") -> None:
    """Ends an activity."""
    if activity is not None and activity["StatusCode"] == "InProgress":
        activity.update(StatusCode=status, Progress=100, EndTime=datetime.now(timezone.utc))
        if message:
            activity["StatusMessage"] = message


def internal_call(home: Home, action: str, params: Params) -> Call:
    """A call that Auto Scaling makes itself; policies do not bind it, faults do."""
    arn = f"arn:aws:sts::{home.account}:assumed-role/AWSServiceRoleForAutoScaling/AutoScaling"
    principal = Principal(home.account, arn, "service", "AWSServiceRoleForAutoScaling")
    model = catalog.service("ec2").operation_model(action)
    request = HttpRequest("POST", "/", "", {}, b"")
    return Call(request, "ec2", home.region, home.access_key, model, params, principal)


def tick(stand: Stand, group: Group) -> None:
    """Looks after one group."""
    settings = stand.settings
    now = time.monotonic()
    for member in list(group.members):
        _member(stand, group, member, now)
    live = [m for m in group.members if not m.lifecycle.startswith("Terminat")]
    if len(live) > group.desired and "Terminate" not in group.suspended:
        for member in live[group.desired :]:
            cause = f"a user request update changed the desired capacity; shrinking the capacity from {len(live)} to {group.desired}."
            terminate(stand, group, member, cause)
    elif len(live) < group.desired and "Launch" not in group.suspended and now >= group.next_try and not group.deleting:
        _launch(stand, group, len(live), settings.group_gaps)
    if group.deleting and not group.members:
        stand.world.groups.pop((group.home.account, group.home.region, group.name), None)


def _member(stand: Stand, group: Group, member: Member, now: float) -> None:
    instance = stand.world.instances_.get(member.id)
    state = instance.state if instance is not None else "terminated"
    if member.lifecycle == "Terminating":
        if state == "terminated":
            finish(member.activity, "Successful")
            group.members.remove(member)
        return
    if member.lifecycle == "Pending" and state == "running":
        member.lifecycle = "InService"
        finish(member.activity, "Successful")
    if state not in ("pending", "running") and "HealthCheck" not in group.suspended:
        member.ended_seen = member.ended_seen or now
        if now - member.ended_seen >= stand.settings.health_seconds:
            member.health = "Unhealthy"
    if member.health == "Unhealthy" and not {"ReplaceUnhealthy", "Terminate"} & set(group.suspended):
        cause = "an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped."
        terminate(stand, group, member, cause)


def terminate(stand: Stand, group: Group, member: Member, cause: str) -> dict[str, Any]:
    """Takes an instance out of the group and ends it."""
    if member.lifecycle == "Pending":
        finish(member.activity, "Cancelled", "The instance was terminated before it was in service.")
    member.lifecycle = "Terminating"
    member.activity = group.activity(f"Terminating EC2 instance: {member.id}", cause)
    instance = stand.world.instances_.get(member.id)
    if instance is not None:
        stand.world.end(instance, "shutting-down", "User initiated: instance was terminated by its Auto Scaling group")
    return member.activity


def _launch(stand: Stand, group: Group, have: int, gaps: list[float]) -> None:
    cause = f"an instance was started in response to a difference between desired and actual capacity, increasing the capacity from {have} to {group.desired}."
    try:
        instance, template, data = _start(stand, group)
    except AwsError as error:
        gap = gaps[min(group.failures, len(gaps) - 1)]
        group.failures += 1
        group.next_try = time.monotonic() + gap
        activity = group.activity("Launching a new EC2 instance.  Status Reason: " + error.message, cause)
        finish(activity, "Failed", f"{error.message} Launching EC2 instance failed.")
        return
    group.failures, group.next_try = 0, 0.0
    activity = group.activity(f"Launching a new EC2 instance: {instance.id}", cause)
    group.members.append(
        Member(instance.id, instance.spec.zone, template, str(data["InstanceType"]), activity=activity)
    )


def _start(stand: Stand, group: Group) -> tuple[InstanceState, Params, Params]:
    call = internal_call(group.home, "RunInstances", {"AutoScalingGroupName": group.name})
    fault = stand.faults.hit("ec2", "RunInstances", {**call.params, **group.template}, call.principal.arn)
    error = fault.error() if fault is not None else None
    if error is not None:
        raise error
    template, number, data = version_data(stand, call, {k: v for k, v in group.template.items() if k != "LaunchTemplateName"})
    data = launch_data(group, data)
    own = {**template_tags(template, number), "aws:autoscaling:groupName": group.name}
    passed = [{"Key": t["Key"], "Value": t.get("Value", "")} for t in group.tags if t.get("PropagateAtLaunch")]
    data = with_tags(data, passed)
    reservation = launch(stand, call, data, group.name, own)
    shown = {
        "LaunchTemplateId": template["LaunchTemplateId"],
        "LaunchTemplateName": template["LaunchTemplateName"],
        "Version": str(number),
    }
    return stand.world.instances_[reservation["Instances"][0]["InstanceId"]], shown, data


def launch_data(group: Group, data: Params) -> Params:
    """Template data with what the group says about the place."""
    subnets = [s.strip() for s in group.params.get("VPCZoneIdentifier", "").split(",") if s.strip()]
    if subnets:
        interfaces = data.get("NetworkInterfaces") or []
        if interfaces:
            return {**data, "NetworkInterfaces": [{**i, "SubnetId": subnets[0]} for i in interfaces]}
        return {**data, "SubnetId": subnets[0]}
    zones = group.params.get("AvailabilityZones") or []
    return merged(data, {"Placement": {"AvailabilityZone": zones[0]}}) if zones else data


def with_tags(data: Params, tags: list[dict[str, str]]) -> Params:
    """Adds tags to the instance; the group's win over the template's."""
    specifications = [s for s in data.get("TagSpecifications") or [] if s.get("ResourceType") != "instance"]
    mine = [s for s in data.get("TagSpecifications") or [] if s.get("ResourceType") == "instance"]
    have = {t["Key"]: t for s in mine for t in s.get("Tags", [])}
    have.update({t["Key"]: t for t in tags})
    if have:
        specifications.append({"ResourceType": "instance", "Tags": list(have.values())})
    return {**data, "TagSpecifications": specifications}

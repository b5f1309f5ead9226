"""The Auto Scaling API. Groups live here, not in moto, whose groups ignore templates, suspension and each other."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from ..messages import AwsError, Call, Params
from . import rule
from .autoscaling_group import PROCESSES, Group, Member, internal_call, launch_data, terminate
from .ec2_launch import check_shape, find_image, find_profile
from .ec2_templates import version_data
from .filters import keep

if TYPE_CHECKING:
    from ..stand import Stand

_SHOWN = (
    "AvailabilityZones", "VPCZoneIdentifier", "HealthCheckGracePeriod", "TerminationPolicies", "MaxInstanceLifetime",
    "CapacityRebalance", "InstanceMaintenancePolicy", "ServiceLinkedRoleARN", "Context", "DeletionProtection",
    "AvailabilityZoneDistribution", "DefaultInstanceWarmup", "NewInstancesProtectedFromScaleIn",
)  # fmt: skip
_UNSUPPORTED = (
    "LaunchConfigurationName", "MixedInstancesPolicy", "InstanceId", "LoadBalancerNames", "TargetGroupARNs",
    "LifecycleHookSpecificationList", "TrafficSources", "PlacementGroup",
)  # fmt: skip


def _key(call: Call, name: str) -> tuple[str, str, str]:
    return (call.account, call.region, name)


def _need(stand: Stand, call: Call) -> Group:
    stand.world.tick()
    group = stand.world.groups.get(_key(call, call.params["AutoScalingGroupName"]))
    if group is None:
        raise AwsError("ValidationError", "AutoScalingGroup name not found - null")
    return group


def _check(stand: Stand, call: Call, group: Group) -> None:
    """What AWS checks when a group is made or changed."""
    if not 0 <= group.minimum <= group.maximum:
        raise AwsError("ValidationError", "Min size must be between 0 and max size")
    if not group.minimum <= group.desired <= group.maximum:
        raise AwsError("ValidationError", "Desired capacity must be between the specified min size and max size")
    for name in _UNSUPPORTED:
        if group.params.get(name):
            raise AwsError("ValidationError", f"the stand does not know {name}")
    template = call.params.get("LaunchTemplate")
    if template is None:
        return
    inner = internal_call(group.home, "RunInstances", {})
    try:
        found, _, data = version_data(stand, inner, template)
        if group.params.get("VPCZoneIdentifier") and any(i.get("NetworkInterfaceId") for i in data.get("NetworkInterfaces") or []):
            raise AwsError("InvalidParameterCombination", "A network interface that exists already needs AvailabilityZones instead of subnets")
        check_shape(stand, inner, launch_data(group, data))
        if data.get("ImageId"):
            find_image(stand, inner, data["ImageId"])
        find_profile(stand, inner, data.get("IamInstanceProfile"))
    except AwsError as error:
        raise AwsError(
            "ValidationError", f"You must use a valid fully-formed launch template. {error.message}"
        ) from None
    if any(i.get("NetworkInterfaceId") for i in data.get("NetworkInterfaces") or []) and group.maximum > 1:
        raise AwsError("ValidationError", "A template with an existing network interface serves one instance only")
    group.template = {
        "LaunchTemplateId": found["LaunchTemplateId"],
        "LaunchTemplateName": found["LaunchTemplateName"],
        "Version": template.get("Version") or "$Default",
    }


@rule("autoscaling", "CreateAutoScalingGroup")
def create(stand: Stand, call: Call) -> Params:
    """A second group of the name is refused."""
    params = call.params
    name = params["AutoScalingGroupName"]
    if _key(call, name) in stand.world.groups:
        raise AwsError("AlreadyExists", f"AutoScalingGroup by this name already exists - A group with the name {name} already exists")
    if not params.get("LaunchTemplate"):
        raise AwsError("ValidationError", "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.")
    if not params.get("AvailabilityZones") and not params.get("VPCZoneIdentifier"):
        raise AwsError("ValidationError", "At least one Availability Zone or VPC Subnet is required.")
    home = stand.world.home(call)
    arn = f"arn:aws:autoscaling:{call.region}:{call.account}:autoScalingGroup:{uuid.uuid4()}:autoScalingGroupName/{name}"
    group = Group(
        name, arn, home, dict(params), params["MinSize"], params["MaxSize"],
        params["DesiredCapacity"] if "DesiredCapacity" in params else params["MinSize"], {}, _tags(name, params.get("Tags") or []),
    )  # fmt: skip
    _check(stand, call, group)
    stand.world.groups[_key(call, name)] = group
    stand.world.born(f"group/{call.region}/{name}")
    return {}


@rule("autoscaling", "UpdateAutoScalingGroup")
def update(stand: Stand, call: Call) -> Params:
    """Sizes and templates; a new template counts from the next launch on."""
    group = _need(stand, call)
    if group.deleting:
        raise AwsError("ScalingActivityInProgress", "The group is being deleted")
    before = (group.params, group.minimum, group.maximum, group.desired)
    params = call.params
    group.params = {**group.params, **params}
    group.minimum, group.maximum = params.get("MinSize", group.minimum), params.get("MaxSize", group.maximum)
    group.desired = params.get("DesiredCapacity", max(group.minimum, min(group.desired, group.maximum)))
    try:
        _check(stand, call, group)
    except AwsError:
        group.params, group.minimum, group.maximum, group.desired = before
        raise
    return {}


@rule("autoscaling", "SetDesiredCapacity")
def set_desired(stand: Stand, call: Call) -> Params:
    """Within the limits."""
    group = _need(stand, call)
    if not group.minimum <= call.params["DesiredCapacity"] <= group.maximum:
        raise AwsError("ValidationError", "New SetDesiredCapacity value is outside of the group's limits")
    group.desired = call.params["DesiredCapacity"]
    return {}


@rule("autoscaling", "DeleteAutoScalingGroup")
def delete(stand: Stand, call: Call) -> Params:
    """Refused while it has instances, unless forced; `Delete in progress` until they are gone."""
    group = _need(stand, call)
    protection = group.params.get("DeletionProtection", "none")
    if protection == "prevent-all-deletion" or (protection == "prevent-force-deletion" and call.params.get("ForceDelete")):
        raise AwsError("ResourceInUse", f"The group is protected by {protection}")
    if group.members and not call.params.get("ForceDelete"):
        if any(m.lifecycle == "Terminating" for m in group.members):
            raise AwsError("ScalingActivityInProgress", "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.")
        raise AwsError("ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.")
    group.minimum = group.desired = 0
    group.deleting = True
    for member in group.members:
        if member.lifecycle != "Terminating":
            terminate(stand, group, member, "the group was deleted.")
    stand.world.tick()
    return {}


def _instance(group: Group, member: Member) -> dict[str, Any]:
    return {
        "InstanceId": member.id, "InstanceType": member.type, "AvailabilityZone": member.zone,
        "LifecycleState": member.lifecycle, "HealthStatus": member.health, "LaunchTemplate": member.template,
        "ProtectedFromScaleIn": member.protected,
    }  # fmt: skip


def _shown(group: Group) -> dict[str, Any]:
    shown = {key: group.params[key] for key in _SHOWN if key in group.params}
    shown.setdefault("HealthCheckGracePeriod", 0)
    shown.setdefault("TerminationPolicies", ["Default"])
    shown.setdefault("NewInstancesProtectedFromScaleIn", False)
    shown.update(
        AutoScalingGroupName=group.name, AutoScalingGroupARN=group.arn, MinSize=group.minimum, MaxSize=group.maximum,
        DesiredCapacity=group.desired, DefaultCooldown=group.params.get("DefaultCooldown", 300),
        HealthCheckType=group.params.get("HealthCheckType", "EC2"), CreatedTime=group.created,
        LaunchTemplate=group.template, Instances=[_instance(group, m) for m in group.members], Tags=group.tags,
        SuspendedProcesses=[{"ProcessName": k, "SuspensionReason": v} for k, v in group.suspended.items()],
        LoadBalancerNames=[], TargetGroupARNs=[], EnabledMetrics=[],
    )  # fmt: skip
    if group.deleting:
        shown["Status"] = "Delete in progress"
    return shown


@rule("autoscaling", "DescribeAutoScalingGroups")
def describe(stand: Stand, call: Call) -> Params:
    """Unknown names are left out; lists by tag lag."""
    stand.world.tick()
    names, wanted = call.params.get("AutoScalingGroupNames") or [], call.params.get("Filters") or []
    found: list[dict[str, Any]] = []
    for (account, region, name), group in stand.world.groups.items():
        if (account, region) != (call.account, call.region) or (names and name not in names):
            continue
        unseen = stand.world.unseen.get(f"group/{region}/{name}")
        if unseen is not None and not names and unseen.by_filter.poll():
            continue
        if keep({"Tags": group.tags}, wanted, {"tag-value": "Tags[].Value"}):
            found.append(_shown(group))
    return {"AutoScalingGroups": [] if call.params.get("NextToken") else found}


@rule("autoscaling", "DescribeAutoScalingInstances")
def describe_instances(stand: Stand, call: Call) -> Params:
    """Which group an instance is in."""
    stand.world.tick()
    ids = call.params.get("InstanceIds") or []
    found = [
        {**_instance(group, member), "AutoScalingGroupName": group.name}
        for group in stand.world.groups.values()
        for member in group.members
        if (not ids or member.id in ids) and group.home.region == call.region
    ]
    return {"AutoScalingInstances": found}


@rule("autoscaling", "DescribeScalingActivities")
def activities(stand: Stand, call: Call) -> Params:
    """Newest first; a failed launch tells EC2's own words."""
    stand.world.tick()
    name = call.params.get("AutoScalingGroupName")
    found: list[dict[str, Any]] = []
    for (account, region, group_name), group in stand.world.groups.items():
        if (account, region) == (call.account, call.region) and name in (None, group_name):
            found += group.activities
    found.sort(key=lambda one: one["StartTime"], reverse=True)
    return {"Activities": found}


@rule("autoscaling", "TerminateInstanceInAutoScalingGroup")
def terminate_instance(stand: Stand, call: Call) -> Params:
    """Ends an instance of a group, with or without a replacement."""
    stand.world.tick()
    for group in stand.world.groups.values():
        for member in group.members:
            if member.id == call.params["InstanceId"] and group.home.region == call.region:
                if member.lifecycle == "Terminating":
                    raise AwsError("ScalingActivityInProgress", f"The instance {member.id} is being terminated already")
                if call.params["ShouldDecrementDesiredCapacity"]:
                    if group.desired - 1 < group.minimum:
                        raise AwsError("ValidationError", "Currently, desiredSize equals minSize. Terminating instance without replacement will violate group's min size constraint.")
                    group.desired -= 1
                return {"Activity": terminate(stand, group, member, "instance was taken out of service in response to a user request.")}
    raise AwsError("ValidationError", f"Instance Id not found - No managed instance found for instance ID: {call.params['InstanceId']}")


@rule("autoscaling", "SetInstanceHealth")
def set_health(stand: Stand, call: Call) -> Params:
    """An unhealthy instance is replaced."""
    for group in stand.world.groups.values():
        for member in group.members:
            if member.id == call.params["InstanceId"]:
                member.health = call.params["HealthStatus"]
                return {}
    raise AwsError("ValidationError", f"Instance Id not found - {call.params['InstanceId']}")


@rule("autoscaling", "SuspendProcesses", "ResumeProcesses")
def processes(stand: Stand, call: Call) -> Params:
    """All, or those that are named."""
    group = _need(stand, call)
    names = call.params.get("ScalingProcesses") or list(PROCESSES)
    unknown = set(names) - set(PROCESSES)
    if unknown:
        raise AwsError("ValidationError", f"Invalid process: {', '.join(sorted(unknown))}")
    for name in names:
        if call.action == "ResumeProcesses":
            group.suspended.pop(name, None)
        else:
            group.suspended.setdefault(name, "User suspended at " + call.id)
    return {}


def _tags(name: str, tags: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "ResourceId": tag.get("ResourceId") or name, "ResourceType": "auto-scaling-group", "Key": tag["Key"],
            "Value": tag.get("Value", ""), "PropagateAtLaunch": bool(tag.get("PropagateAtLaunch")),
        }
        for tag in tags
    ]  # fmt: skip


def _tagged(stand: Stand, call: Call, tag: dict[str, Any]) -> Group:
    group = stand.world.groups.get(_key(call, str(tag.get("ResourceId"))))
    if group is None or tag.get("ResourceType", "auto-scaling-group") != "auto-scaling-group":
        raise AwsError("ValidationError", f"AutoScalingGroup name not found - {tag.get('ResourceId')}")
    return group


@rule("autoscaling", "CreateOrUpdateTags", "DeleteTags")
def tag(stand: Stand, call: Call) -> Params:
    """Tags of groups."""
    for one in call.params["Tags"]:
        group = _tagged(stand, call, one)
        group.tags = [t for t in group.tags if t["Key"] != one["Key"]]
        if call.action == "CreateOrUpdateTags":
            group.tags += _tags(group.name, [one])
    return {}


@rule("autoscaling", "DescribeTags")
def describe_tags(stand: Stand, call: Call) -> Params:
    """Tags by filter."""
    found = []
    known = {"auto-scaling-group": "ResourceId", "key": "Key", "value": "Value", "propagate-at-launch": "PropagateAtLaunch"}
    for group in stand.world.groups.values():
        if (group.home.account, group.home.region) == (call.account, call.region):
            found += [t for t in group.tags if keep(t, call.params.get("Filters") or [], known)]
    return {"Tags": found}


@rule("autoscaling", "DescribeLifecycleHooks")
def hooks(stand: Stand, call: Call) -> Params:
    """None: the stand refuses to make one."""
    _need(stand, call)
    return {"LifecycleHooks": []}

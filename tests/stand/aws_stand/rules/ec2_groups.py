"""Security groups: not removed while used, no more rules than the quota."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..messages import AwsError, Call, Params
from . import passing, rule
from .common import check_tags, dry_run

if TYPE_CHECKING:
    from ..stand import Stand

RULES_PER_GROUP = "L-0EA8095F"
"""The quota; 60 unless the account has its own."""
passing("ec2", "DescribeStaleSecurityGroups")


@rule("ec2", "CreateSecurityGroup")
def create(stand: Stand, call: Call) -> Params:
    """The name is unique in its network (moto knows)."""
    check_tags(call, "security-group")
    if "VpcId" not in call.params:
        raise AwsError("VPCIdNotSpecified", "No default VPC for this user")
    stand.world.need(call.params["VpcId"], "InvalidVpcID.NotFound", "vpc ID")
    dry_run(call)
    result = stand.ask(call, "CreateSecurityGroup", call.params)
    stand.world.home(call)
    stand.world.born(result["GroupId"])
    stand.world.network_changed()
    return result


@rule("ec2", "DeleteSecurityGroup")
def delete(stand: Stand, call: Call) -> Params:
    """`DependencyViolation` while an interface has it or another group's rule names it."""
    id = call.params.get("GroupId")
    if not id:
        raise AwsError("MissingParameter", "The request must contain the parameter groupId")
    _seen(stand, id)
    stand.ask(call, "DescribeSecurityGroups", {"GroupIds": [id]})
    for item in stand.ask(call, "DescribeNetworkInterfaces", {})["NetworkInterfaces"]:
        if any(group["GroupId"] == id for group in item.get("Groups", [])):
            raise AwsError("DependencyViolation", f"resource {id} has a dependent object")
    for group in stand.ask(call, "DescribeSecurityGroups", {})["SecurityGroups"]:
        if group["GroupId"] != id and id in _named(group):
            raise AwsError("DependencyViolation", f"resource {id} has a dependent object")
    dry_run(call)
    result = stand.ask(call, "DeleteSecurityGroup", call.params)
    stand.world.network_changed()
    return result


@rule("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def authorize(stand: Stand, call: Call) -> Params:
    """Adds rules, all or none, up to the quota."""
    id = call.params.get("GroupId")
    if not id:
        raise AwsError("MissingParameter", "The request must contain the parameter groupId")
    _seen(stand, id)
    check_tags(call, "security-group-rule")
    egress = call.action.endswith("Egress")
    group = stand.ask(call, "DescribeSecurityGroups", {"GroupIds": [id]})["SecurityGroups"][0]
    wanted = call.params.get("IpPermissions") or []
    for permission in wanted:
        _check_permission(stand, call, permission)
    have = sum(_size(p) for p in group["IpPermissionsEgress" if egress else "IpPermissions"])
    quota = int(stand.settings.quotas.get(RULES_PER_GROUP, 60))
    if have + sum(_size(p) for p in wanted) > quota:
        raise AwsError("RulesPerSecurityGroupLimitExceeded", f"The maximum number of rules per security group has been reached ({quota}).")
    dry_run(call)
    result = stand.ask(call, call.action, call.params)
    for rule_ in result.get("SecurityGroupRules") or []:
        rule_.setdefault("GroupId", id)
    stand.world.network_changed()
    return result


@rule("ec2", "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress", "ModifySecurityGroupRules",
      "UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress")  # fmt: skip
def change(stand: Stand, call: Call) -> Params:
    """Removes or changes rules (moto knows which are there)."""
    _seen(stand, call.params.get("GroupId"))
    dry_run(call)
    result = stand.ask(call, call.action, call.params)
    stand.world.network_changed()
    return result


def _seen(stand: Stand, id: str | None) -> None:
    stand.world.need(id, "InvalidGroup.NotFound", "security group")


def _check_permission(stand: Stand, call: Call, permission: dict[str, Any]) -> None:
    protocol = permission.get("IpProtocol")
    if protocol is None:
        raise AwsError("MissingParameter", "The request must contain the parameter ipProtocol")
    if protocol in ("tcp", "udp", "6", "17"):
        low, high = permission.get("FromPort"), permission.get("ToPort")
        if low is None or high is None or not 0 <= low <= high <= 65535:
            raise AwsError("InvalidParameterValue", f"Invalid port range {low} to {high}")
    if _size(permission) == 0:
        raise AwsError("InvalidParameterValue", "A rule names a source or a destination")
    for pair in permission.get("UserIdGroupPairs", []):
        if pair.get("UserId", call.account) == call.account:
            stand.ask(call, "DescribeSecurityGroups", {"GroupIds": [pair.get("GroupId", "")]})


def _size(permission: dict[str, Any]) -> int:
    return sum(len(permission.get(k) or []) for k in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"))


def _named(group: dict[str, Any]) -> set[str]:
    return {
        pair.get("GroupId", "")
        for member in ("IpPermissions", "IpPermissionsEgress")
        for permission in group.get(member, [])
        for pair in permission.get("UserIdGroupPairs", [])
    }

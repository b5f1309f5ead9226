"""IAM and STS: moto keeps the objects, the stand knows whose keys they are and lets new names lag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..messages import AwsError, Call, Params, Principal, Refused
from ..principals import Key
from . import passing, rule
from .credentials import assume

if TYPE_CHECKING:
    from ..stand import Stand

passing(
    "iam", "GetRole", "DeleteRole", "ListRoles", "UpdateRole", "UpdateAssumeRolePolicy", "TagRole", "UntagRole", "ListRoleTags",
    "PutRolePolicy", "GetRolePolicy", "DeleteRolePolicy", "ListRolePolicies", "AttachRolePolicy", "DetachRolePolicy",
    "ListAttachedRolePolicies", "PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary", "GetInstanceProfile",
    "DeleteInstanceProfile", "ListInstanceProfiles", "ListInstanceProfilesForRole",
    "TagInstanceProfile", "UntagInstanceProfile", "CreatePolicy", "GetPolicy", "GetPolicyVersion", "DeletePolicy", "ListPolicies",
    "ListPolicyVersions", "CreatePolicyVersion", "DeletePolicyVersion", "GetUser", "DeleteUser", "PutUserPolicy",
    "GetUserPolicy", "DeleteUserPolicy", "ListUserPolicies", "AttachUserPolicy", "DetachUserPolicy", "ListAttachedUserPolicies",
    "ListAccessKeys", "ListUsers", "CreateServiceLinkedRole",
    "ListEntitiesForPolicy", "SimulatePrincipalPolicy",
)  # fmt: skip


@rule("iam", "CreateRole", "CreateInstanceProfile")
def create(stand: Stand, call: Call) -> Params:
    """EC2, Auto Scaling and bucket policies do not know a new name at first."""
    result = stand.ask(call, call.action, call.params)
    if call.action == "CreateRole":
        stand.world.fresh(f"role/{call.params['RoleName']}")
    else:
        stand.world.fresh(f"profile/{call.params['InstanceProfileName']}")
    return result


@rule("iam", "AddRoleToInstanceProfile")
def add_role(stand: Stand, call: Call) -> Params:
    """Lags like a new profile does."""
    result = stand.ask(call, call.action, call.params)
    stand.world.fresh(f"profile/{call.params['InstanceProfileName']}")
    return result


@rule("iam", "RemoveRoleFromInstanceProfile")
def remove_role(stand: Stand, call: Call) -> Params:
    """moto breaks off for a role that is not in the profile."""
    name, profile = call.params["RoleName"], call.params["InstanceProfileName"]
    found = stand.ask(call, "GetInstanceProfile", {"InstanceProfileName": profile})["InstanceProfile"]
    if name not in [role["RoleName"] for role in found.get("Roles") or []]:
        raise AwsError("NoSuchEntity", f"Role {name} is not associated with instance profile {profile}.", 404)
    return stand.ask(call, call.action, call.params)


@rule("iam", "CreateUser", "PutUserPermissionsBoundary", "DeleteUserPermissionsBoundary")
def boundary(stand: Stand, call: Call) -> Params:
    """moto forgets the boundaries of users."""
    place, limit = (call.account, call.params["UserName"]), call.params.get("PermissionsBoundary")
    if limit:
        stand.ask(call, "GetPolicy", {"PolicyArn": limit})
    if call.action == "CreateUser":
        result = stand.ask(call, call.action, call.params)
    else:
        stand.ask(call, "GetUser", {"UserName": place[1]})
        result = {}
    if limit:
        stand.policies.user_boundaries[place] = limit
    else:
        stand.policies.user_boundaries.pop(place, None)
    return result


@rule("iam", "CreateAccessKey")
def create_key(stand: Stand, call: Call) -> Params:
    """The stand learns whose key it is."""
    result = stand.ask(call, call.action, call.params)
    made = result["AccessKey"]
    user = stand.ask(call, "GetUser", {"UserName": made["UserName"]})["User"]
    principal = Principal(call.account, user["Arn"], "user", user["UserName"], user["UserId"])
    stand.principals.add(made["AccessKeyId"], Key(made["SecretAccessKey"], principal))
    return result


@rule("iam", "DeleteAccessKey", "UpdateAccessKey")
def change_key(stand: Stand, call: Call) -> Params:
    """A deleted or inactive key is refused from now on."""
    result = stand.ask(call, call.action, call.params)
    if call.action == "DeleteAccessKey":
        stand.principals.remove(call.params["AccessKeyId"])
    else:
        stand.principals.activate(call.params["AccessKeyId"], call.params["Status"] == "Active")
    return result


@rule("sts", "GetCallerIdentity")
def identity(stand: Stand, call: Call) -> Params:
    """Who calls; needs no permission."""
    return {"Account": call.account, "Arn": call.principal.arn, "UserId": call.principal.user_id or call.account}


@rule("sts", "AssumeRole")
def assume_role(stand: Stand, call: Call) -> Params:
    """A session of a role that exists and trusts the caller."""
    if call.params.get("Policy") or call.params.get("PolicyArns"):
        raise Refused("the stand does not evaluate session policies")
    arn = call.params["RoleArn"]
    account, name = arn.split(":")[4], arn.rpartition("/")[2]
    seconds = call.params.get("DurationSeconds", 3600)
    refused = AwsError("AccessDenied", f"User: {call.principal.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}", 403)
    if account == call.account:
        try:
            role = stand.ask(call, "GetRole", {"RoleName": name}, "iam")["Role"]
        except AwsError:
            raise refused from None
        if not stand.policies.trusts(role, call):
            raise refused
        if stand.world.looks_fresh(f"role/{name}"):
            raise refused
        if seconds > role.get("MaxSessionDuration", 3600):
            raise AwsError("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return assume(stand, arn, call.params["RoleSessionName"], seconds, call.region, call.access_key, call.params)

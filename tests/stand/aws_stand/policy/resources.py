"""What a call asks of policies: its actions, the ARNs of all resources, and the condition keys of each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import jmespath

from ..messages import AwsError, Call, Refused
from ..rules.common import tag_map
from .document import Context, Request
from .ec2 import ec2_arn, ec2_existing, launch_questions, launch_resources, merged, pass_role, request_tags, specified

if TYPE_CHECKING:
    from ..stand import Stand

GLOBAL_KEYS = (
    "aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalTag/", "aws:RequestedRegion", "aws:SecureTransport", "aws:username",
    "aws:userid", "aws:SourceIp", "aws:CurrentTime", "aws:ResourceAccount", "aws:PrincipalIsAWSService",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    service: str
    policy_actions: tuple[str, ...]
    resources: tuple[str, ...]
    keys: tuple[str, ...]

    def supports(self, key: str) -> bool:
        """Whether a condition key has a meaning for these actions."""
        for known in (*self.keys, *GLOBAL_KEYS):
            if key.lower() == known.lower() or (known[-1] in "/:" and key.lower().startswith(known.lower())):
                return True
        return False


@lru_cache(maxsize=1)
def table() -> dict[tuple[str, str], Row]:
    """The committed table, by service and API action."""
    rows: dict[tuple[str, str], Row] = {}
    for service, groups in tomllib.loads(Path(__file__).with_name("table.toml").read_text()).items():
        for group in groups.values():
            for action in group["actions"]:
                names = tuple(group.get("as") or [f"{service}:{action}"])
                rows[service, action] = Row(service, names, tuple(group["resources"]), tuple(group["keys"]))
    return rows


def row(service: str, action: str) -> Row:
    """An action's row; an action without one fails the run."""
    found = table().get((service, action))
    if found is None:
        raise Refused(f"policies: no row for {service}:{action} in policy/table.toml")
    return found


def questions(stand: Stand, call: Call) -> list[Request]:
    """Everything that must be allowed for this call."""
    found = row(call.service, call.action)
    asked: list[Request] = []
    for name in _names(call, found):
        for arn, context in _resources(stand, call, found):
            asked.append(Request(name, arn, {**_request_context(call), **context}))
    asked += _tagging(call, asked)
    if call.service == "autoscaling" and call.params.get("LaunchTemplate") and call.action.endswith("AutoScalingGroup"):
        asked += launch_questions(stand, call, {"LaunchTemplate": call.params["LaunchTemplate"]})
    if call.service == "iam" and call.action == "AddRoleToInstanceProfile":
        asked.append(Request("iam:PassRole", _iam(stand, call, "role", call.params["RoleName"])[0], {"iam:PassedToService": ["ec2.amazonaws.com"]}))
    if call.action == "RunInstances":
        asked += pass_role(stand, call, merged(stand, call, call.params))
    return asked


def _names(call: Call, found: Row) -> tuple[str, ...]:
    if call.service == "s3" and call.action == "DeleteObjects":
        with_version = [bool(one.get("VersionId")) for one in call.params["Delete"]["Objects"]]
        return (("s3:DeleteObject",) if not all(with_version) else ()) + (("s3:DeleteObjectVersion",) if any(with_version) else ())
    if call.service == "s3" and call.params.get("VersionId") and call.action in ("GetObject", "HeadObject", "DeleteObject"):
        return tuple(f"{name}Version" for name in found.policy_actions)
    return found.policy_actions


def _request_context(call: Call) -> Context:
    context: Context = {}
    params = call.params
    if call.service == "s3":
        if params.get("Prefix") is not None and call.action.startswith("ListObject"):
            context["s3:prefix"] = [params["Prefix"]]
        if params.get("ServerSideEncryption"):
            context["s3:x-amz-server-side-encryption"] = [params["ServerSideEncryption"]]
        if params.get("SSEKMSKeyId"):
            context["s3:x-amz-server-side-encryption-aws-kms-key-id"] = [params["SSEKMSKeyId"]]
        for header in ("if-match", "if-none-match"):
            if header in call.http.headers:
                context[f"s3:{header}"] = [call.http.headers[header]]
    if call.service == "iam" and params.get("PermissionsBoundary"):
        context["iam:PermissionsBoundary"] = [params["PermissionsBoundary"]]
    if call.service == "iam" and params.get("AWSServiceName"):
        context["iam:AWSServiceName"] = [params["AWSServiceName"]]
    if call.service == "secretsmanager" and params.get("Name"):
        context["secretsmanager:Name"] = [params["Name"]]
    if call.action == "GetWebIdentityToken":
        context["sts:IdentityTokenAudience"] = list(params["Audience"])
        context["sts:SigningAlgorithm"] = [params["SigningAlgorithm"]]
        context["sts:DurationSeconds"] = [str(params.get("DurationSeconds", 300))]
    if call.service == "monitoring":
        context["cloudwatch:namespace"] = [params.get("Namespace", "")]
    if call.service in ("autoscaling", "iam", "secretsmanager", "logs") or call.action in ("CreateTags", "DeleteTags"):
        context.update(request_tags(params.get("Tags") if isinstance(params.get("Tags"), list) else []))
    return context


def _resources(stand: Stand, call: Call, found: Row) -> list[tuple[str, Context]]:
    if found.resources == ("launch",):
        return launch_resources(stand, call, merged(stand, call, call.params))
    result: list[tuple[str, Context]] = []
    named = False
    for spec in found.resources:
        kind, _, path = spec.partition("=")
        if path == "*":
            tags = request_tags(specified(call.params, kind))
            result.append((ec2_arn(call, kind, "*"), tags))
            continue
        ids = jmespath.search(path, call.params)
        for id in ids if isinstance(ids, list) else [ids] if ids is not None else []:
            named = True
            result += _existing(stand, call, kind, str(id))
    return result if result or named else [("*", {})]


def _existing(stand: Stand, call: Call, kind: str, id: str) -> list[tuple[str, Context]]:
    region, account = call.region, call.account
    if call.service == "ec2":
        return ec2_existing(stand, call, kind, id)
    if kind == "arn":
        return [(id, {})]
    if kind in ("group", "member"):
        for group in stand.world.groups.values():
            if group.name == id or any(m.id == id for m in group.members):
                context: Context = {}
                for tag in group.tags:
                    context[f"aws:ResourceTag/{tag['Key']}"] = context[f"autoscaling:ResourceTag/{tag['Key']}"] = [tag["Value"]]
                return [(group.arn, context)]
        return [(f"arn:aws:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/{id}", {})]
    if kind in ("role", "instance-profile"):
        return [_iam(stand, call, kind, id)]
    if kind == "key":
        from ..rules.kms import describe

        found = describe(stand, call, id)
        return [(found["Arn"] if found else f"arn:aws:kms:{region}:{account}:key/{id.rpartition('/')[2]}", {})]
    if kind == "secret":
        return [_secret(stand, call, id)]
    if kind == "parameter":
        owner = "" if id.startswith("/aws/") else account
        return [(f"arn:aws:ssm:{region}:{owner}:parameter/{id.lstrip('/')}", {})]
    if kind == "log-group":
        return [(f"arn:aws:logs:{region}:{account}:log-group:{id}:log-stream:{call.params.get('logStreamName', '')}", {})]
    if kind in ("zone", "change"):
        return [(f"arn:aws:route53:::{'hostedzone' if kind == 'zone' else 'change'}/{id.rpartition('/')[2]}", {})]
    if kind == "bucket":
        return [(f"arn:aws:s3:::{id}", {})]
    if kind == "object":
        return [(f"arn:aws:s3:::{call.params['Bucket']}/{id}", {})]
    raise Refused(f"policies: unknown kind of resource {kind}")


def _iam(stand: Stand, call: Call, kind: str, name: str) -> tuple[str, Context]:
    member, action, key = ("Role", "GetRole", "RoleName") if kind == "role" else ("InstanceProfile", "GetInstanceProfile", "InstanceProfileName")
    try:
        found = stand.ask(call, action, {key: name}, "iam")[member]
    except AwsError:
        path = call.params.get("Path") or "/"
        return f"arn:aws:iam::{call.account}:{kind}{path}{name}", {}
    context: Context = {}
    for tag, value in tag_map(found.get("Tags")).items():
        context[f"aws:ResourceTag/{tag}"] = context[f"iam:ResourceTag/{tag}"] = [value]
    limit = (found.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
    if limit and call.action in ("PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy"):
        context["iam:PermissionsBoundary"] = [limit]
    return found["Arn"], context if call.action not in ("CreateRole", "CreateInstanceProfile") else {}


def _secret(stand: Stand, call: Call, id: str) -> tuple[str, Context]:
    try:
        found = stand.ask(call, "DescribeSecret", {"SecretId": id}, "secretsmanager")
    except AwsError:
        arn = id if id.startswith("arn:") else f"arn:aws:secretsmanager:{call.region}:{call.account}:secret:{id}-??????".replace("??????", "new000")
        return arn, {}
    context: Context = {"secretsmanager:SecretId": [found["ARN"]]}
    for tag, value in tag_map(found.get("Tags")).items():
        context[f"aws:ResourceTag/{tag}"] = context[f"secretsmanager:ResourceTag/{tag}"] = [value]
    return found["ARN"], context


def _tagging(call: Call, asked: list[Request]) -> list[Request]:
    """Tags given at creation need `ec2:CreateTags` with `ec2:CreateAction`."""
    more = []
    if call.service == "ec2" and call.action not in ("CreateTags", "DeleteTags"):
        for request in asked:
            if "aws:TagKeys" in request.context:
                context = {**request.context, "ec2:CreateAction": [call.action]}
                more.append(Request("ec2:CreateTags", request.arn, context))
    if call.params.get("Tags"):
        extra = {("iam", "CreateRole"): "iam:TagRole", ("iam", "CreateInstanceProfile"): "iam:TagInstanceProfile",
                 ("secretsmanager", "CreateSecret"): "secretsmanager:TagResource",
                 ("autoscaling", "CreateAutoScalingGroup"): "autoscaling:CreateOrUpdateTags"}  # fmt: skip
        name = extra.get((call.service, call.action))
        if name:
            more += [Request(name, request.arn, request.context) for request in asked]
    return more

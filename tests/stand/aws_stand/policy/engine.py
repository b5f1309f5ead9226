"""Who may do what: identity policies, permissions boundary, bucket policy, trust, and KMS behind other services."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ..messages import AwsError, Call, Principal, Refused
from . import document, resources
from .document import Context, Request, Statement

if TYPE_CHECKING:
    from ..stand import Stand

_JSON = ("kms", "secretsmanager", "ssm", "logs", "servicequotas")


class Policies:
    """Evaluates policies as moto stores them."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._lock = threading.Lock()
        self.user_boundaries: dict[tuple[str, str], str] = {}
        """Boundaries of users, which moto forgets: account and name to policy."""
        self._known: dict[str, tuple[list[Statement], list[Statement] | None, Context]] = {}

    def changed(self) -> None:
        """IAM was written to: what is remembered is old."""
        with self._lock:
            self._known.clear()

    def authorize(self, call: Call) -> None:
        """Raises what the service answers when something of the call is not allowed."""
        if not self._stand.settings.enforce_policies or call.principal.is_root:
            return
        if (call.service, call.action) == ("sts", "GetCallerIdentity"):
            return
        try:
            with self._stand.lock if call.service in ("ec2", "autoscaling") else nullcontext():
                asked = resources.questions(self._stand, call)
        except AwsError as error:
            if call.service == "autoscaling":
                raise AwsError("ValidationError", error.message) from None
            raise
        for request in asked:
            reason = self.refusal(call, request)
            if reason is not None:
                raise self._error(call, request, reason)
        if call.service in ("s3", "secretsmanager"):
            self._behind(call)

    def refusal(self, call: Call, request: Request) -> str | None:
        """Why a request is not allowed, or `None`."""
        principal = call.principal
        statements, boundary, own = self._of(call)
        context = {**_global(call), **own, **request.context}
        bucket = self._bucket(call, request)
        for one in (*statements, *(boundary or [])):
            self._lint(one, request)
            if one.effect == "Deny" and one.matches(request.action, request.arn, context):
                return "with an explicit deny in an identity-based policy"
        granted = False
        if bucket is not None:
            for one in bucket[1]:
                if not _speaks_of(one, principal) or not one.matches(request.action, request.arn, context):
                    continue
                if one.effect == "Deny":
                    return "with an explicit deny in a resource-based policy"
                granted = granted or _names(one, principal)
        allowed = any(s.effect == "Allow" and s.matches(request.action, request.arn, context) for s in statements)
        if boundary is not None and not any(s.effect == "Allow" and s.matches(request.action, request.arn, context) for s in boundary):
            return f"because no permissions boundary allows the {request.action} action"
        if bucket is not None and bucket[0] != principal.account:
            return None if allowed and granted else f"because no resource-based policy allows the {request.action} action"
        return None if allowed or granted else f"because no identity-based policy allows the {request.action} action"

    def kms_allowed(self, call: Call, key_arn: str, service: str, *actions: str) -> str | None:
        """The first KMS action that a service may not do for the caller, or `None`."""
        if not self._stand.settings.enforce_policies or call.principal.is_root:
            return None
        via = {"kms:ViaService": [f"{service}.{call.region}.amazonaws.com"]}
        for action in actions:
            grant = {"kms:GrantIsForAWSResource": ["true"]} if action == "kms:CreateGrant" else {}
            if self.refusal(call, Request(action, key_arn, {**via, **grant})) is not None:
                return action
        return None

    def may(self, call: Call, action: str, arn: str) -> bool:
        """Whether the caller may do something else, too."""
        if not self._stand.settings.enforce_policies or call.principal.is_root:
            return True
        return self.refusal(call, Request(action, arn)) is None

    def trusts(self, role: dict[str, Any], call: Call) -> bool:
        """Whether a role's trust policy names the caller."""
        context = _global(call)
        if call.params.get("ExternalId"):
            context["sts:ExternalId"] = [call.params["ExternalId"]]
        allowed = False
        for one in document.parse(_text(role["AssumeRolePolicyDocument"]), principal=True):
            if _speaks_of(one, call.principal) and one.matches("sts:AssumeRole", role["Arn"], context):
                if one.effect == "Deny":
                    return False
                allowed = True
        return allowed

    def parse(self, text: str) -> list[str]:
        """Refuses a document that AWS would refuse; gives the principals that it names."""
        return [value for one in document.parse(text, principal=True) for kind, value in one.principals or () if kind == "AWS"]

    def role_exists(self, call: Call, name: str) -> bool:
        """Whether a role is there."""
        try:
            self._stand.ask(call, "GetRole", {"RoleName": name}, "iam")
        except AwsError:
            return False
        return True

    def _lint(self, one: Statement, request: Request) -> None:
        """A key that the action does not have makes a statement that never matches: a mistake, told at once."""
        if not one.conditions or not one.names(request.action):
            return
        rows = [row for row in resources.table().values() if request.action in row.policy_actions]
        for operator, key, _ in one.conditions:
            if rows and not any(row.supports(key) for row in rows):
                raise Refused(f"policies: {request.action} does not support the condition key {key} ({operator})")

    def _bucket(self, call: Call, request: Request) -> tuple[str, list[Statement]] | None:
        if not request.arn.startswith("arn:aws:s3:::"):
            return None
        found = self._stand.world.buckets.get(request.arn.removeprefix("arn:aws:s3:::").partition("/")[0])
        if found is None:
            return None
        return found.account, document.parse(found.policy, principal=True) if found.policy else []

    def _behind(self, call: Call) -> None:
        """KMS of S3 and Secrets Manager, on behalf of the caller."""
        from . import keys

        for key, actions in keys.behind(self._stand, call):
            missing = self.kms_allowed(call, key, call.service, *actions)
            if missing is not None:
                raise self._error(call, Request(missing, key), f"because no identity-based policy allows the {missing} action")

    def _error(self, call: Call, request: Request, reason: str) -> AwsError:
        text = f"User: {call.principal.arn} is not authorized to perform: {request.action} on resource: {request.arn} {reason}"
        if call.service == "ec2":
            return AwsError("UnauthorizedOperation", f"You are not authorized to perform this operation. {text}", 403)
        if call.service in _JSON:
            return AwsError("AccessDeniedException", text, 400)
        return AwsError("AccessDenied", text, 403)

    def _of(self, call: Call) -> tuple[list[Statement], list[Statement] | None, Context]:
        """A principal's statements, its boundary, and its tags."""
        principal = call.principal
        place = f"{principal.account}/{principal.kind}/{principal.name}"
        with self._lock:
            if place in self._known:
                return self._known[place]
        kind = "User" if principal.kind == "user" else "Role"
        named = {f"{kind}Name": principal.name}
        ask = self._stand.ask
        found = ask(call, f"Get{kind}", named, "iam")[kind]
        statements: list[Statement] = []
        for name in ask(call, f"List{kind}Policies", named, "iam")["PolicyNames"]:
            text = ask(call, f"Get{kind}Policy", {**named, "PolicyName": name}, "iam")["PolicyDocument"]
            statements += document.parse(_text(text))
        for attached in ask(call, f"ListAttached{kind}Policies", named, "iam")["AttachedPolicies"]:
            statements += self._managed(call, attached["PolicyArn"])
        limit = (found.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
        if kind == "User":
            limit = self.user_boundaries.get((principal.account, principal.name))
        boundary = self._managed(call, limit) if limit else None
        tags: Context = {f"aws:PrincipalTag/{t['Key']}": [t["Value"]] for t in found.get("Tags") or []}
        tags["aws:PrincipalArn"] = [found["Arn"]]
        result = (statements, boundary, tags)
        with self._lock:
            self._known[place] = result
        return result

    def _managed(self, call: Call, arn: str) -> list[Statement]:
        policy = self._stand.ask(call, "GetPolicy", {"PolicyArn": arn}, "iam")["Policy"]
        asked = {"PolicyArn": arn, "VersionId": policy["DefaultVersionId"]}
        return document.parse(_text(self._stand.ask(call, "GetPolicyVersion", asked, "iam")["PolicyVersion"]["Document"]))


def _text(policy: str) -> str:
    return unquote(policy) if policy.startswith("%7B") else policy


def _global(call: Call) -> Context:
    context: Context = {
        "aws:PrincipalAccount": [call.principal.account],
        "aws:RequestedRegion": [call.region],
        "aws:SecureTransport": ["true"],
        "aws:userid": [call.principal.user_id],
        "aws:ResourceAccount": [call.principal.account],
    }
    if call.principal.kind == "user":
        context["aws:username"] = [call.principal.name]
    return context


def _speaks_of(one: Statement, principal: Principal) -> bool:
    """Whether a statement's principal is the caller, or the account that the caller is in."""
    account = principal.account
    return _names(one, principal) or any(
        kind == "AWS" and value in (account, f"arn:aws:iam::{account}:root") for kind, value in one.principals or ()
    )


def _names(one: Statement, principal: Principal) -> bool:
    role = f"arn:aws:iam::{principal.account}:role/"
    for kind, value in one.principals or ():
        if kind != "AWS":
            continue
        if value in ("*", principal.arn):
            return True
        if principal.kind == "session" and value.startswith(role) and value.rpartition("/")[2] == principal.name:
            return True
    return False

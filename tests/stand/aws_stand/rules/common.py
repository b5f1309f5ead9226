"""Small things that several rules need."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..messages import AwsError, Call, Params

if TYPE_CHECKING:
    from ..stand import Stand

_NOT_COMPARED = {"ClientToken", "DryRun"}


def remembered(stand: Stand, call: Call, make: Callable[[], Params]) -> Params:
    """Remembers a ClientToken for ever: the same request gets the same answer, another one is refused.

    Tokens of things that are long gone stay burnt, as on AWS.
    """
    token = call.params.get("ClientToken")
    if not token:
        return make()
    key = (call.account, call.region, call.action, str(token))
    text = json.dumps({k: v for k, v in call.params.items() if k not in _NOT_COMPARED}, sort_keys=True, default=str)
    if key in stand.world.tokens:
        before, answer = stand.world.tokens[key]
        if before != text:
            raise AwsError(
                "IdempotentParameterMismatch",
                "The client token was already used with different parameters.",
            )
        return answer
    answer = make()
    stand.world.tokens[key] = (text, answer)
    return answer


def dry_run(call: Call) -> None:
    """Permission checks with `DryRun` end here, after policies were evaluated."""
    if call.params.get("DryRun"):
        raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)


def tags_of(call: Call, resource_type: str) -> list[dict[str, str]]:
    """The tags that a create call gives to one resource type."""
    found: list[dict[str, str]] = []
    for specification in call.params.get("TagSpecifications", []):
        if specification.get("ResourceType") == resource_type:
            found.extend(specification.get("Tags", []))
    return found


def check_tags(call: Call, *resource_types: str) -> None:
    """Refuses tag specifications that a create call may not have."""
    seen = set()
    for specification in call.params.get("TagSpecifications", []):
        kind = specification.get("ResourceType")
        if kind not in resource_types:
            raise AwsError("InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation.")
        if kind in seen:
            raise AwsError("InvalidParameterValue", f"Tag specification resource type '{kind}' is given twice.")
        seen.add(kind)
        keys = [tag.get("Key", "") for tag in specification.get("Tags", [])]
        if len(keys) != len(set(keys)):
            raise AwsError("InvalidParameterValue", "Duplicate tag key specified.")
        if any(key.lower().startswith("aws:") for key in keys):
            raise AwsError("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
        if len(keys) > 50:
            raise AwsError("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")


def tag_map(tags: list[dict[str, Any]] | None) -> dict[str, str]:
    """Tags as a dictionary."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags or []}


def private_name(address: str, region: str) -> str:
    """The name that AWS gives to an address."""
    suffix = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    return f"ip-{address.replace('.', '-')}.{suffix}"

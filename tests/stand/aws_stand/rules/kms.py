"""KMS: a key that is disabled or about to be deleted does nothing (moto's still does)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..messages import AwsError, Call, HttpResponse
from . import passing, rule

if TYPE_CHECKING:
    from ..stand import Stand

passing(
    "kms", "ListKeys", "CreateAlias", "ListAliases", "DeleteAlias", "UpdateAlias",
    "GetKeyPolicy", "PutKeyPolicy", "ListGrants",
    "ListKeyPolicies", "TagResource", "UntagResource", "ListResourceTags", "RevokeGrant", "RetireGrant",
    "GetKeyRotationStatus", "EnableKeyRotation", "DisableKeyRotation",
)  # fmt: skip


def describe(stand: Stand, call: Call, key: str) -> dict[str, Any] | None:
    """A key's metadata by id, ARN or alias; `None` if it is not there."""
    region = key.split(":")[3] if key.startswith("arn:") else call.region
    try:
        answer = stand.moto.call("kms", "DescribeKey", {"KeyId": key}, region=region, access_key=call.access_key)
    except AwsError:
        return None
    found: dict[str, Any] = answer["KeyMetadata"]
    return found


def usable(stand: Stand, call: Call, key: str) -> bool:
    """Enabled, symmetric, for encryption, and of the caller's Region."""
    found = describe(stand, call, key)
    return (
        found is not None
        and found["KeyState"] == "Enabled"
        and found.get("KeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
        and (found.get("KeyUsage") or "ENCRYPT_DECRYPT") == "ENCRYPT_DECRYPT"
        and f":{call.region}:" in found["Arn"]
    )


@rule("kms", "CreateKey", "DescribeKey")
def metadata(stand: Stand, call: Call) -> HttpResponse:
    """moto leaves out what was not asked for; AWS always tells it."""
    answer = stand.moto.forward(call.http)
    if answer.status < 300:
        body = json.loads(answer.body)
        shown = body["KeyMetadata"]
        shown["KeyUsage"] = shown.get("KeyUsage") or "ENCRYPT_DECRYPT"
        shown["MultiRegion"] = bool(shown.get("MultiRegion"))
        answer.body = json.dumps(body).encode()
    return answer


@rule("kms", "EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion")
def change(stand: Stand, call: Call) -> HttpResponse:
    """By id or by ARN (moto crashes for an ARN)."""
    body = {**call.params, "KeyId": call.params["KeyId"].rpartition("/")[2]}
    return stand.moto.forward(replace(call.http, body=json.dumps(body).encode()))


@rule("kms", "Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "CreateGrant", "ReEncrypt")
def use(stand: Stand, call: Call) -> HttpResponse:
    """Refused unless the key is enabled."""
    key = call.params.get("KeyId") or call.params.get("DestinationKeyId")
    found = describe(stand, call, key) if key else None
    if found is not None and found["KeyState"] == "Disabled":
        raise AwsError("DisabledException", f"{found['Arn']} is disabled.")
    if found is not None and found["KeyState"] != "Enabled":
        raise AwsError("KMSInvalidStateException", f"{found['Arn']} is pending deletion.")
    return stand.moto.forward(call.http)

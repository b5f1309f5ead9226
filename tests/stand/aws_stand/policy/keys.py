"""Which keys S3 and Secrets Manager use for a call, and what the caller must be allowed to do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..messages import AwsError, Call
from ..rules.kms import describe

if TYPE_CHECKING:
    from ..stand import Stand


def behind(stand: Stand, call: Call) -> list[tuple[str, tuple[str, ...]]]:
    """Key ARNs with actions."""
    params = call.params
    key: str | None = None
    actions: tuple[str, ...] = ()
    if call.service == "s3" and call.action in ("PutObject", "CreateMultipartUpload", "CopyObject"):
        key, actions = params.get("SSEKMSKeyId") or _default(stand, call), ("kms:GenerateDataKey",)
        if call.action == "CreateMultipartUpload":
            actions = ("kms:GenerateDataKey", "kms:Decrypt")
    elif call.service == "s3" and call.action in ("GetObject", "HeadObject"):
        key, actions = _object(stand, call), ("kms:Decrypt",)
    elif call.service == "secretsmanager" and call.action in ("CreateSecret", "PutSecretValue", "GetSecretValue"):
        key = params.get("KmsKeyId")
        if call.action != "CreateSecret":
            try:
                key = stand.ask(call, "DescribeSecret", {"SecretId": params["SecretId"]}).get("KmsKeyId")
            except AwsError:
                return []
        actions = ("kms:Decrypt",) if call.action == "GetSecretValue" else ("kms:GenerateDataKey", "kms:Decrypt")
    if not key or "alias/aws/" in key:
        return []
    found = describe(stand, call, key)
    return [(found["Arn"], actions)] if found is not None and found.get("KeyManager") != "AWS" else []


def _default(stand: Stand, call: Call) -> str | None:
    try:
        answer = stand.ask(call, "GetBucketEncryption", {"Bucket": call.params["Bucket"]})
    except AwsError:
        return None
    for rule in answer["ServerSideEncryptionConfiguration"]["Rules"]:
        by_default = rule.get("ApplyServerSideEncryptionByDefault") or {}
        if by_default.get("SSEAlgorithm", "").startswith("aws:kms"):
            key: str | None = by_default.get("KMSMasterKeyID")
            return key
    return None


def _object(stand: Stand, call: Call) -> str | None:
    asked = {k: call.params[k] for k in ("Bucket", "Key", "VersionId") if call.params.get(k)}
    try:
        key: str | None = stand.ask(call, "HeadObject", asked).get("SSEKMSKeyId")
    except AwsError:
        return None
    return key

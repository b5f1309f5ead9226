"""Secrets Manager, and the small services that moto answers well enough."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import catalog
from ..messages import AwsError, Call, HttpResponse
from . import passing, rule
from .kms import usable

if TYPE_CHECKING:
    from ..stand import Stand

passing("secretsmanager", "ListSecrets", "TagResource", "UntagResource", "RestoreSecret", "ListSecretVersionIds", "GetResourcePolicy",
        "PutResourcePolicy", "DeleteResourcePolicy", "UpdateSecretVersionStage", "DeleteSecret", "DescribeSecret",
        "GetRandomPassword", "ValidateResourcePolicy")  # fmt: skip
passing("ssm", "GetParameter", "GetParameters", "GetParametersByPath")
passing("logs", "CreateLogGroup", "DeleteLogGroup", "DescribeLogGroups", "PutRetentionPolicy", "CreateLogStream", "PutLogEvents",
        "DescribeLogStreams", "TagResource", "UntagResource", "ListTagsForResource", "GetLogEvents")  # fmt: skip
passing("monitoring", "PutMetricData", "ListMetrics", "GetMetricStatistics")

@rule("secretsmanager", "CreateSecret", "PutSecretValue", "GetSecretValue", "UpdateSecret")
def use(stand: Stand, call: Call) -> HttpResponse:
    """A key that does not work makes a secret unreadable; a name in its deletion window cannot be made anew."""
    key = call.params.get("KmsKeyId")
    if call.action == "CreateSecret":
        for secret in stand.ask(call, "ListSecrets", {"IncludePlannedDeletion": True})["SecretList"]:
            if secret["Name"] == call.params["Name"] and secret.get("DeletedDate"):
                raise AwsError("InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion.")
    else:
        try:
            key = stand.ask(call, "DescribeSecret", {"SecretId": call.params["SecretId"]}).get("KmsKeyId") or key
        except AwsError:
            key = None
    if key and not key.endswith("alias/aws/secretsmanager") and not usable(stand, call, key):
        code = "DecryptionFailure" if call.action == "GetSecretValue" else "EncryptionFailure"
        raise AwsError(code, "Secrets Manager can't use the KMS key of this secret.")
    return stand.moto.forward(call.http)


@rule("secretsmanager", "BatchGetSecretValue")
def batch(stand: Stand, call: Call) -> HttpResponse:
    """Secrets that are being deleted are left out (moto fails the whole call for them). Each secret needs GetSecretValue, too."""
    page = call.params.get("MaxResults") or 20
    listed = stand.ask(call, "ListSecrets", {"Filters": call.params.get("Filters") or []})["SecretList"]
    ids = call.params.get("SecretIdList") or sorted(s["ARN"] for s in listed if not s.get("DeletedDate"))
    if stand.settings.page_size and not call.params.get("SecretIdList"):
        page = min(page, stand.settings.page_size)
    start = int(call.params.get("NextToken") or 0)
    values, errors = [], []
    model = catalog.service("secretsmanager").operation_model("GetSecretValue")
    for id in ids[start : start + page]:
        try:
            one = replace(call, model=model, params={"SecretId": id})
            stand.policies.authorize(one)
            value = stand.ask(one, "GetSecretValue", one.params)
            values.append({**value, "CreatedDate": value["CreatedDate"].timestamp()})
        except AwsError as error:
            errors.append({"SecretId": id, "ErrorCode": error.code, "Message": error.message})
    body: dict[str, Any] = {"SecretValues": values, "Errors": errors}
    if len(ids) > start + page and not call.params.get("SecretIdList"):
        body["NextToken"] = str(start + page)
    return HttpResponse(200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body, default=str).encode())

"""What the account may have; moto has none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..messages import AwsError, Call, HttpResponse
from . import rule

if TYPE_CHECKING:
    from ..stand import Stand

NAMES = {"L-1216C47A": ("ec2", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"),
         "L-0EA8095F": ("vpc", "Inbound or outbound rules per security group"),
         "L-7A658B76": ("ebs", "Storage for General Purpose SSD (gp3) volumes, in TiB")}  # fmt: skip
"""Of service and name; the values are settings of the stand."""


@rule("servicequotas", "GetServiceQuota")
def get(stand: Stand, call: Call) -> HttpResponse:
    """The few that a preflight reads. One without a value of the account's own is not found, as at AWS."""
    code = call.params["QuotaCode"]
    service, name = NAMES.get(code, ("", ""))
    if service != call.params["ServiceCode"] or code not in stand.settings.quotas:
        raise AwsError("NoSuchResourceException", "The request failed because the specified quota does not exist.")
    quota = {"ServiceCode": service, "QuotaCode": code, "QuotaName": name, "Value": stand.settings.quotas[code]}
    return stand.json(call, {"Quota": quota})

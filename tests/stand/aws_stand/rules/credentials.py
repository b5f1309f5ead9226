"""Credentials: role sessions for callers and for instances."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from ..objects import InstanceState
from ..principals import Key, epoch, session
from ..seam import Credentials

if TYPE_CHECKING:
    from ..stand import Stand

INSTANCE_SECONDS = 6 * 3600


def assume(
    stand: Stand, arn: str, name: str, seconds: int, region: str, access_key: str, extra: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A session in moto, known to the stand from now on."""
    params = {**(extra or {}), "RoleArn": arn, "RoleSessionName": name}
    result = stand.moto.call("sts", "AssumeRole", params, region=region, access_key=access_key)
    found = result["Credentials"]
    account, role = arn.split(":")[4], arn.rpartition("/")[2]
    expires = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    found["Expiration"] = expires
    role_id = str(result["AssumedRoleUser"]["AssumedRoleId"]).partition(":")[0]
    key = Key(found["SecretAccessKey"], session(account, role, name, role_id), found["SessionToken"], epoch(expires))
    stand.principals.add(found["AccessKeyId"], key)
    return result


def for_instance(stand: Stand, instance: InstanceState) -> Credentials | None:
    """Fresh credentials of an instance's role."""
    if instance.spec.role_name is None:
        return None
    home = instance.home
    role = stand.moto.call("iam", "GetRole", {"RoleName": instance.spec.role_name}, region=home.region, access_key=home.access_key)
    result = assume(stand, role["Role"]["Arn"], instance.id, INSTANCE_SECONDS, home.region, home.access_key)
    found = result["Credentials"]
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], found["Expiration"])

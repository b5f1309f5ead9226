"""Who owns which access key: the root user, users' keys and role sessions, as the API made them."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from .messages import AwsError, Principal

if TYPE_CHECKING:
    from .stand import Stand


@dataclass
class Key:
    """One access key and what it stands for."""

    secret: str
    principal: Principal
    token: str | None = None
    expires: float | None = None
    """Seconds since the epoch; `None`: never."""
    active: bool = True


class Principals:
    """All access keys of the stand."""

    def __init__(self, account: str, root_key: str, root_secret: str) -> None:
        self._lock = threading.Lock()
        root = Principal(account, f"arn:aws:iam::{account}:root", "root", "root", account)
        self._keys: dict[str, Key] = {root_key: Key(root_secret, root)}
        self.root = root

    def add(self, access_key: str, key: Key) -> None:
        """A new key."""
        with self._lock:
            self._keys[access_key] = key

    def remove(self, access_key: str) -> None:
        """A key that was deleted."""
        with self._lock:
            self._keys.pop(access_key, None)

    def activate(self, access_key: str, active: bool) -> None:
        """A key's status changed."""
        with self._lock:
            if access_key in self._keys:
                self._keys[access_key].active = active

    def find(self, access_key: str, token: str | None, service: str, now: float) -> Key:
        """The key of a request, or the error that this service answers."""
        with self._lock:
            key = self._keys.get(access_key)
        if key is None or not key.active or (key.token or None) != (token or None):
            if service == "ec2":
                raise AwsError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
            if service == "s3":
                raise AwsError("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403)
            if service in ("kms", "secretsmanager", "ssm", "logs", "servicequotas"):
                raise AwsError("UnrecognizedClientException", "The security token included in the request is invalid.", 400)
            raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
        if key.expires is not None and now >= key.expires:
            if service == "ec2":
                raise AwsError("RequestExpired", "Request has expired.", 400)
            if service in ("kms", "secretsmanager", "ssm", "logs", "servicequotas"):
                raise AwsError("ExpiredTokenException", "The security token included in the request is expired", 400)
            if service == "s3":
                raise AwsError("ExpiredToken", "The provided token has expired.", 400)
            raise AwsError("ExpiredToken", "The security token included in the request is expired", 403)
        return key


def replace_policies(stand: Stand, user: str, documents: list[dict[str, Any]]) -> None:
    """A user's inline policies are these, and no other."""
    def ask(action: str, **params: Any) -> dict[str, Any]:
        return stand.moto.whole("iam", action, {"UserName": user, **params}, region="us-east-1", access_key=stand.root_key)

    with stand.lock:
        for name in ask("ListUserPolicies")["PolicyNames"]:
            ask("DeleteUserPolicy", PolicyName=name)
        for number, document in enumerate(documents):
            ask("PutUserPolicy", PolicyName=f"policy-{number}", PolicyDocument=json.dumps(document))
        stand.policies.changed()


def session(account: str, role: str, name: str, role_id: str) -> Principal:
    """The principal of a role's session."""
    return Principal(account, f"arn:aws:sts::{account}:assumed-role/{role}/{name}", "session", role, f"{role_id}:{name}")


def epoch(moment: datetime) -> float:
    """Seconds since the epoch of a moment that may lack its zone."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()

"""What travels through the stand: a request, what it means, its answer, an AWS error."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from botocore.model import OperationModel

Params = dict[str, Any]


@dataclass
class HttpRequest:
    """A request as it came in; header names are lower case."""

    method: str
    path: str
    """As sent: percent-encoded, without the query."""
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpResponse:
    """An answer; header names as they are sent."""

    status: int
    headers: dict[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        """A header's value, whatever the case of its name."""
        for key, value in self.headers.items():
            if key.lower() == name.lower():
                return value
        return None


class AwsError(Exception):
    """An error as AWS would answer it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class Refused(Exception):
    """A request that the public API does not know, or that the stand cannot serve: the test run must fail.

    Never raised for something that a correct client may see on AWS.
    """


@dataclass(frozen=True)
class Principal:
    """Who calls."""

    account: str
    arn: str
    kind: str
    """`root`, `user`, `session` (of a role), `service` (Auto Scaling) or `anonymous`."""
    name: str = ""
    """The user's or the role's name."""
    user_id: str = ""

    @property
    def is_root(self) -> bool:
        """Policies do not bind the root user or AWS itself."""
        return self.kind in ("root", "service")


@dataclass
class Call:
    """A request that was understood."""

    http: HttpRequest
    service: str
    """The name used in faults, the log and policies: `ec2`, `autoscaling`, `s3`…"""
    region: str
    access_key: str
    model: OperationModel
    params: Params
    principal: Principal
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def action(self) -> str:
        """The operation's name, such as `CreateVolume`."""
        return str(self.model.name)

    @property
    def account(self) -> str:
        """The caller's account."""
        return self.principal.account

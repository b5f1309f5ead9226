"""Instance metadata of our own: IMDSv2 with tokens, a hop limit that is really a hop limit, and rotating credentials.

One server in the router answers every instance and knows it by its address, so no instance can ask for another.
Every hop between it and the program that asks lowers the time-to-live of the answer, as on EC2.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from ..seam import Credentials, Instance
from .network import METADATA_ADDRESS, ROUTER, listen

_LONGEST = 21_600


class Source(Protocol):
    """Where the answers come from."""

    def instance_at(self, address: str) -> Instance | None:
        """The instance with this address."""

    def credentials(self, instance: Instance) -> Credentials | None:
        """Fresh credentials of its role."""

    def group_ids(self, instance: Instance) -> tuple[str, ...]:
        """Its security groups now."""

    def lifecycle_state(self, instance: Instance) -> str | None:
        """What its Auto Scaling group wants of it; `None` outside of a group."""


@dataclass
class _Known:
    """What the server remembers of one instance."""

    tokens: dict[str, float] = field(default_factory=dict)
    credentials: Credentials | None = None
    updated: datetime | None = None
    fetched: float = 0.0


class Metadata:
    """The server; its answers are computed at each request."""

    def __init__(self, source: Source, credential_seconds: float, fail: Callable[[str], None]) -> None:
        self.source = source
        self.fail = fail
        self._credential_seconds = credential_seconds
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Listens at the well-known address in the router."""
        server = _Server((METADATA_ADDRESS, 80), _Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = listen(ROUTER, METADATA_ADDRESS, 80)
        server.metadata = self
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.2,), name="metadata", daemon=True).start()

    def close(self) -> None:
        """Stops the server."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def forget(self, instance: Instance) -> None:
        """The instance is gone, and its tokens with it."""
        with self._lock:
            self._known.pop(instance.id, None)

    def rotate(self, instance: Instance) -> None:
        """The next question for credentials gets new ones."""
        with self._lock:
            if known := self._known.get(instance.id):
                known.credentials = None

    def new_token(self, instance: Instance, seconds: int) -> str:
        """A token for this instance alone."""
        token = secrets.token_urlsafe(40)
        with self._lock:
            known = self._known.setdefault(instance.id, _Known())
            known.tokens = {old: end for old, end in known.tokens.items() if end > time.monotonic()}
            known.tokens[token] = time.monotonic() + seconds
        return token

    def knows(self, instance: Instance, token: str) -> bool:
        """Whether the token is the instance's own and still good."""
        with self._lock:
            known = self._known.get(instance.id)
            return known is not None and known.tokens.get(token, 0.0) > time.monotonic()

    def role_credentials(self, instance: Instance) -> tuple[Credentials, datetime] | None:
        """The credentials of the role, the same ones for a while, then new ones."""
        with self._lock:
            known = self._known.setdefault(instance.id, _Known())
            if known.credentials and time.monotonic() - known.fetched < self._credential_seconds:
                return known.credentials, known.updated or known.credentials.expiration
        fresh = self.source.credentials(instance)
        if fresh is None:
            return None
        now = datetime.now(timezone.utc)
        with self._lock:
            known.credentials, known.updated, known.fetched = fresh, now, time.monotonic()
        return fresh, now

    def answer(self, instance: Instance, path: str) -> str | bytes | None:
        """The text at a path below a version, `None` when there is none."""
        if path == "user-data":
            return instance.user_data or None
        parts = [part for part in path.split("/") if part]
        node: Any = self._tree(instance)
        for part in parts:
            if not isinstance(node, dict) or part not in node:
                return None
            node = node[part]
            if callable(node):
                node = node()
        if node is None:
            return None
        if isinstance(node, dict):
            return "\n".join(name + ("/" if isinstance(below, dict) else "") for name, below in node.items())
        return str(node)

    def _tree(self, instance: Instance) -> dict[str, Any]:
        here = {
            "device-number": "0",
            "interface-id": instance.interface_id,
            "local-hostname": instance.private_dns_name,
            "local-ipv4s": instance.private_ip,
            "mac": instance.mac,
            "owner-id": instance.account,
            "security-group-ids": "\n".join(self.source.group_ids(instance)),
            "subnet-id": instance.subnet_id,
            "subnet-ipv4-cidr-block": instance.subnet_cidr,
            "vpc-id": instance.vpc_id,
        }
        data: dict[str, Any] = {
            "ami-id": instance.image_id,
            "hostname": instance.private_dns_name,
            "instance-action": "none",
            "instance-id": instance.id,
            "instance-life-cycle": "on-demand",
            "instance-type": instance.instance_type,
            "local-hostname": instance.private_dns_name,
            "local-ipv4": instance.private_ip,
            "mac": instance.mac,
            "network": {"interfaces": {"macs": {instance.mac: here}}},
            "placement": {
                "availability-zone": instance.zone,
                "availability-zone-id": instance.zone_id,
                "region": instance.region,
            },
            "services": {"domain": "amazonaws.com", "partition": "aws"},
        }
        state = self.source.lifecycle_state(instance)
        if state is not None:
            data["autoscaling"] = {"target-lifecycle-state": state}
        if instance.role_name is not None:
            role = {instance.role_name: lambda: self._security_credentials(instance)}
            data["iam"] = {"info": lambda: self._profile(instance), "security-credentials": role}
        if instance.metadata.instance_tags == "enabled":
            data["tags"] = {"instance": dict(instance.tags)}
        identity = {"instance-identity": {"document": lambda: _document(instance)}}
        return {"meta-data": data, "dynamic": identity}

    def _profile(self, instance: Instance) -> str:
        return _json({"Code": "Success", "LastUpdated": _time(None), "InstanceProfileArn": instance.profile_arn})

    def _security_credentials(self, instance: Instance) -> str | None:
        found = self.role_credentials(instance)
        if found is None:
            return None
        credentials, updated = found
        return _json(
            {
                "Code": "Success",
                "LastUpdated": _time(updated),
                "Type": "AWS-HMAC",
                "AccessKeyId": credentials.access_key_id,
                "SecretAccessKey": credentials.secret_access_key,
                "Token": credentials.session_token,
                "Expiration": _time(credentials.expiration),
            }
        )


def _document(instance: Instance) -> str:
    return _json(
        {
            "accountId": instance.account,
            "architecture": instance.architecture,
            "availabilityZone": instance.zone,
            "imageId": instance.image_id,
            "instanceId": instance.id,
            "instanceType": instance.instance_type,
            "privateIp": instance.private_ip,
            "region": instance.region,
            "version": "2017-09-30",
        }
    )


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2)


def _time(value: datetime | None) -> str:
    return (value or datetime.now(timezone.utc)).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    metadata: Metadata


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "EC2ws"
    sys_version = ""
    timeout = 30
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the stand has its own log of requests."""

    def do_PUT(self) -> None:
        """Only tokens are put."""
        instance = self._instance()
        if instance is None:
            return
        # From here on answers of this connection die at the first router too many, as the token's answer must.
        self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, instance.metadata.hop_limit)
        if self.path != "/latest/api/token":
            return self._send(404)
        if self.headers.get("X-Forwarded-For"):
            return self._send(403)
        seconds = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if not seconds.isdecimal() or not 1 <= int(seconds) <= _LONGEST:
            return self._send(400)
        token = self.server.metadata.new_token(instance, int(seconds))
        self._send(200, token, {"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": seconds})

    def do_GET(self) -> None:
        """An answer needs a token, unless the instance allows to ask without."""
        instance = self._instance()
        if instance is None:
            return
        token = self.headers.get("X-aws-ec2-metadata-token")
        if token is None and instance.metadata.http_tokens == "required":
            return self._send(401)
        if token is not None and not self.server.metadata.knows(instance, token):
            return self._send(401)
        version, _, rest = self.path.split("?")[0].lstrip("/").partition("/")
        if version != "latest" and not version[:4].isdecimal():
            return self._send(404)
        try:
            found = self.server.metadata.answer(instance, rest)
        except Exception as error:  # the proxy refused; the agent sees what EC2 would show
            self.server.metadata.fail(f"metadata of {instance.id}, {self.path}: {error!r}")
            return self._send(500)
        if found is None:
            return self._send(404)
        self._send(200, found)

    do_HEAD = do_GET

    def _instance(self) -> Instance | None:
        if int(self.headers.get("Content-Length") or 0) > 0:
            self.close_connection = True
        instance = self.server.metadata.source.instance_at(self.client_address[0])
        if instance is None:
            self._send(404)
            return None
        if instance.metadata.http_endpoint != "enabled":
            self._send(403)
            return None
        return instance

    def _send(self, status: int, body: str | bytes = "", headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

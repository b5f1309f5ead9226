"""A control plane for the tests of the machines: it answers what machines ask, and remembers what they tell."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

from aws_stand.seam import Credentials, Instance, Member, MetadataOptions, Network, Rule


class _Proxy(BaseHTTPRequestHandler):
    """Stands where the proxy is: tells the name by which it was asked."""

    def do_GET(self) -> None:
        body = f"proxy asked as {self.headers.get('Host')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@dataclass
class StubWorld:
    """Implements `seam.World`."""

    directory: Path
    failures: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    issued: int = 0
    endpoint: str = ""

    def __post_init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Proxy)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def role_credentials(self, instance_id: str) -> Credentials | None:
        self.issued += 1
        end = datetime.now(timezone.utc) + timedelta(hours=1)
        return Credentials(f"ASIA{self.issued}", "secret", f"session-{instance_id}", end)

    def stopped_itself(self, instance_id: str) -> None:
        self.stopped.append(instance_id)

    def network(self) -> Network:
        return Network((), ())

    def instances(self) -> Sequence[Instance]:
        return []

    def fail(self, message: str) -> None:
        self.failures.append(message)


EVERYWHERE = "0.0.0.0/0"
RULES = (
    Rule("sg-nodes", True, "-1", -1, -1, cidr=EVERYWHERE),
    Rule("sg-nodes", False, "tcp", 9091, 9093, peer_group_id="sg-nodes"),
    Rule("sg-nodes", False, "tcp", 9096, 9096, peer_group_id="sg-clients"),
    Rule("sg-nodes", False, "tcp", 9094, 9094, cidr="10.88.3.0/24"),
    Rule("sg-clients", True, "-1", -1, -1, cidr=EVERYWHERE),
    Rule("sg-silent", False, "tcp", 9092, 9092, peer_group_id="sg-nodes"),
)


def instance(
    number: int, zone: str = "a", user_data: str = "", groups: tuple[str, ...] = ("sg-nodes",), **more: Any
) -> Instance:
    """An instance in the subnet of its zone."""
    third = "abc".index(zone) + 1
    address = f"10.88.{third}.{10 + number}"
    values: dict[str, Any] = {
        "id": f"i-{number:017x}",
        "account": "123456789012",
        "region": "eu-central-1",
        "zone": f"eu-central-1{zone}",
        "zone_id": f"euc1-az{third}",
        "vpc_id": "vpc-1",
        "subnet_id": f"subnet-{zone}",
        "subnet_cidr": f"10.88.{third}.0/24",
        "interface_id": f"eni-{number}",
        "private_ip": address,
        "mac": f"02:00:00:00:{third:02x}:{number:02x}",
        "private_dns_name": f"ip-{address.replace('.', '-')}.eu-central-1.compute.internal",
        "security_group_ids": groups,
        "instance_type": "m5.large",
        "architecture": "x86_64",
        "image_id": "ami-1",
        "profile_arn": "arn:aws:iam::123456789012:instance-profile/node",
        "role_name": "node",
        "user_data": user_data.encode(),
        "metadata": MetadataOptions(http_tokens="required"),
        "group_name": "group-1",
        "root_gib": 1,
    }
    return Instance(**{**values, **more})


def member(one: Instance) -> Member:
    """The instance as the firewall knows it."""
    return Member(one.interface_id, one.private_ip, one.security_group_ids, one.id)


UNIT = """#cloud-config
write_files:
  - path: /etc/systemd/system/probe.service
    permissions: "0644"
    content: |
      [Unit]
      Description=A small program
      After=network-online.target
      [Service]
      ExecStart=/usr/bin/python3 /opt/probe.py
      Restart=always
      RestartSec=200ms
      TimeoutStopSec=3
      SuccessExitStatus=143
      LimitCORE=0
      [Install]
      WantedBy=multi-user.target
  - path: /opt/probe.py
    permissions: "0755"
    content: |
      import http.server
      class H(http.server.BaseHTTPRequestHandler):
          def do_GET(self):
              self.send_response(200); self.end_headers(); self.wfile.write(b"probe")
          def log_message(self, *a): pass
      import sys, threading
      for port in map(int, sys.argv[1:] or "9092 9093 9094 9096".split()):
          s = http.server.ThreadingHTTPServer(("0.0.0.0", port), H)
          threading.Thread(target=s.serve_forever).start()
      print("listening", flush=True)
runcmd:
  - systemctl daemon-reload
  - [systemctl, enable, --now, probe.service]
"""
"""User data that installs and starts a program which answers on Kafka's ports."""


def until(what: Callable[[], object], seconds: float = 10.0) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "not within its time"
        time.sleep(0.05)


class Runs(Protocol):
    """An instance or a client: something that runs commands."""

    def run(self, *words: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]: ...


def fetch(where: Runs, url: str, *more: str) -> str:
    """What a URL answers there: status and text; `none` without an answer."""
    done = where.run("curl", "-sS", "-m", "1.5", "-w", " %{http_code}", *more, url)
    body, _, status = done.stdout.rpartition(" ")
    return "none" if status == "000" else f"{status} {body}".strip()

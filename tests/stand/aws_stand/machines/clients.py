"""Clients in the VPC: namespaces without an instance, each with an address and security groups.

They see this machine's files, so any client program that is installed here can run in one.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..seam import Member
from . import network
from .volumes import remove_files

_ETC = Path("/etc/netns")


@dataclass(frozen=True)
class Client:
    """One client."""

    name: str
    address: str
    group_ids: tuple[str, ...]
    zone: str | None
    environment: dict[str, str]

    @property
    def namespace(self) -> str:
        """Its network namespace."""
        return network.namespace("c", self.name)

    def member(self) -> Member:
        """As the firewall sees it."""
        return Member(f"client-{self.name}", self.address, self.group_ids, None)

    def prepare(self, hosts: Path) -> None:
        """`ip netns exec` shows these files in the place of those in /etc."""
        directory = _ETC / self.namespace
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "hosts").unlink(missing_ok=True)
        (directory / "hosts").symlink_to(hosts)
        (directory / "resolv.conf").write_text("")

    def command(self, words: Sequence[str]) -> list[str]:
        """What to run in order to run a command in the client's namespace."""
        return ["ip", "netns", "exec", self.namespace, *words]

    def run(self, *words: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Runs a command there and returns how it ended."""
        environ = {**os.environ, **self.environment}
        command = self.command(words)
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, env=environ)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Starts a command there, for a load that runs while things break."""
        return subprocess.Popen(self.command(words), env={**os.environ, **self.environment}, start_new_session=True)


def remove_etc(namespace: str) -> None:
    """Removes the files of a namespace."""
    remove_files(_ETC / namespace)


def etc_left() -> list[str]:
    """Files of namespaces that are still there."""
    if not _ETC.is_dir():
        return []
    return sorted(str(entry) for entry in _ETC.iterdir() if entry.name.startswith(f"{network.PREFIX}-"))

"""Faults of the network: a zone that is cut off, an endpoint that is away. Packets vanish, open connections included."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .commands import run
from .network import METADATA_ADDRESS, ROUTER

_TABLE = "mskst_faults"


@dataclass(frozen=True)
class _Away:
    service: str
    address: str | None
    """Of the instance that misses it; `None`: everybody does."""


class Faults:
    """What is broken now. Rules are written anew as a whole at each change."""

    def __init__(self, zone_members: Callable[[str], Sequence[str]], service_address: Callable[[str], str]) -> None:
        self._zone_members = zone_members
        self._service_address = service_address
        self._zones: set[str] = set()
        self._away: set[_Away] = set()
        self._lock = threading.Lock()

    def cut_zone(self, zone: str) -> None:
        """Nothing goes into the zone or out of it, endpoints included; inside it everything works."""
        with self._lock:
            self._zones.add(zone)
            self._write()

    def heal_zone(self, zone: str) -> None:
        """The zone is back."""
        with self._lock:
            self._zones.discard(zone)
            self._write()

    def cut_service(self, service: str, address: str | None = None) -> None:
        """The endpoint is silent for one address or for all."""
        with self._lock:
            self._away.add(_Away(service, address))
            self._write()

    def heal_service(self, service: str, address: str | None = None) -> None:
        """The endpoint is back."""
        with self._lock:
            self._away.discard(_Away(service, address))
            self._write()

    def members_changed(self) -> None:
        """A machine came or went: one that is born in a zone that is cut off is cut off too."""
        with self._lock:
            if self._zones:
                self._write()

    def _write(self) -> None:
        run("ip", "netns", "exec", ROUTER, "nft", "-f", "-", text=self._render())

    def _render(self) -> str:
        across: list[str] = []
        arriving: list[str] = []
        leaving: list[str] = []
        for zone in sorted(self._zones):
            members = ", ".join(self._zone_members(zone))
            if not members:
                continue
            across += [
                f"ip saddr {{ {members} }} ip daddr != {{ {members} }} drop",
                f"ip daddr {{ {members} }} ip saddr != {{ {members} }} drop",
            ]
            arriving.append(f"ip saddr {{ {members} }} ip daddr != {METADATA_ADDRESS} drop")
            leaving.append(f"ip daddr {{ {members} }} ip saddr != {METADATA_ADDRESS} drop")
        for away in sorted(self._away, key=lambda item: (item.service, item.address or "")):
            service = self._service_address(away.service)
            source = f"ip saddr {away.address} " if away.address else ""
            target = f"ip daddr {away.address} " if away.address else ""
            arriving.append(f"{source}ip daddr {service} drop")
            leaving.append(f"{target}ip saddr {service} drop")
        chains = (("forward", across), ("input", arriving), ("output", leaving))
        lines = [f"add table ip {_TABLE}", f"delete table ip {_TABLE}", f"table ip {_TABLE} {{"]
        for hook, rules in chains:
            lines += [f"chain {hook} {{ type filter hook {hook} priority -10; policy accept;", *rules, "}"]
        return "\n".join([*lines, "}"]) + "\n"

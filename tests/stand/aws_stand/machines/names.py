"""Names in the VPC: one hosts file that every instance and client sees, written in place when something changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

from ..seam import Instance, Network


def private_name(address: str, region: str) -> str:
    """The name that EC2 gives to an address of a VPC."""
    domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    return f"ip-{address.replace('.', '-')}.{domain}"


class Names:
    """All names; the file keeps its inode, because it is bound into every instance."""

    def __init__(self, file: Path, region: str, fixed: Mapping[str, str]) -> None:
        self.file = file
        self._region = region
        self._fixed = dict(fixed)
        self._records: dict[str, str] = {}
        self._addresses: dict[str, set[str]] = {}
        self._lock = threading.Lock()
        self._write()

    def network_changed(self, network: Network) -> None:
        """Every interface has a name, with a machine behind it or without."""
        with self._lock:
            found = {member.private_ip: {private_name(member.private_ip, self._region)} for member in network.members}
            for address, names in found.items():
                names |= self._addresses.get(address, set())
            self._addresses = found
            self._write()

    def launched(self, instance: Instance) -> None:
        """The name that the control plane gave, should it differ."""
        with self._lock:
            self._addresses.setdefault(instance.private_ip, set()).add(instance.private_dns_name)
            self._write()

    def records(self, records: Mapping[str, str]) -> None:
        """Replaces the records of private zones: full name to address."""
        with self._lock:
            self._records = {name.rstrip("."): address for name, address in records.items()}
            self._write()

    def _write(self) -> None:
        lines = ["127.0.0.1 localhost", "::1 localhost"]
        lines += [f"{address} {name}" for name, address in sorted(self._fixed.items())]
        lines += [f"{address} {' '.join(sorted(names))}" for address, names in sorted(self._addresses.items()) if names]
        lines += [f"{address} {name}" for name, address in sorted(self._records.items())]
        data = ("\n".join(lines) + "\n").encode()
        if self.file.exists() and self.file.read_bytes() == data:
            return
        handle = os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(handle, data, 0)
            os.ftruncate(handle, len(data))
        finally:
            os.close(handle)

"""The VPC: one router namespace, and a namespace with one interface for each instance and client.

Every namespace has a link of its own to the router, so all traffic passes there: security groups, zones that are cut
off and endpoints that are away are rules of the router, where nobody inside an instance can change them.
The router has no way out of the machine.
"""

from __future__ import annotations

import ctypes
import hashlib
import ipaddress
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .commands import batch, run

PREFIX = "mskst"
ROUTER = f"{PREFIX}-vpc"
METADATA_ADDRESS = "169.254.169.254"
_RUN = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


def namespace(kind: str, name: str) -> str:
    """The name of a namespace: `i` for instances, `c` for clients."""
    return f"{PREFIX}-{kind}-{name}"


def path(name: str) -> Path:
    """Where the kernel shows the namespace."""
    return _RUN / name


def namespaces() -> list[str]:
    """Every namespace of a stand that exists."""
    if not _RUN.is_dir():
        return []
    return sorted(entry.name for entry in _RUN.iterdir() if entry.name.startswith(f"{PREFIX}-"))


def inside(name: str, work: Callable[[], T]) -> T:
    """Does something in a namespace, on a thread that ends with it.

    Sockets belong to the namespace in which they were made, whoever uses them later.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            handle = os.open(path(name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _libc.setns(handle, _CLONE_NEWNET) != 0:
                    code = ctypes.get_errno()
                    raise OSError(code, f"setns {name}: {os.strerror(code)}")
            finally:
                os.close(handle)
            results.append(work())
        except BaseException as error:  # handed to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=body, name=f"setns {name}")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def listen(name: str, address: str, port: int) -> socket.socket:
    """A listening socket in a namespace."""

    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(256)
        return made

    return inside(name, make)


class Network:
    """The router and its links."""

    def __init__(self, service_addresses: list[str]) -> None:
        self._service_addresses = service_addresses

    def up(self) -> None:
        """Makes the router with the addresses of the metadata service and of every endpoint."""
        run("ip", "netns", "add", ROUTER)
        _write_setting(ROUTER, "net/ipv4/ip_forward", "1")
        addresses = [METADATA_ADDRESS, *self._service_addresses]
        lines = [f"address add {address}/32 dev lo" for address in addresses]
        batch(ROUTER, ["link set lo up", *lines, "route add blackhole default"])

    def join(self, name: str, address: str, subnet: str, mac: str | None = None) -> None:
        """Makes a namespace with its interface `eth0`, reached through the router only.

        Addresses of one subnet see each other through the router too, as in a VPC.
        """
        gateway = ipaddress.ip_network(subnet, strict=False).network_address + 1
        length = ipaddress.ip_network(subnet, strict=False).prefixlen
        link = _link(name)
        run("ip", "netns", "add", name)
        hardware = f" address {mac}" if mac else ""
        batch(
            ROUTER,
            [
                f"link add {link} mtu 9001 type veth peer name eth0{hardware} mtu 9001 netns {name}",
                f"address add {gateway}/32 dev {link}",
                f"link set {link} up",
                f"route add {address}/32 dev {link}",
            ],
        )
        batch(
            name,
            [
                "link set lo up",
                f"address add {address}/{length} dev eth0 noprefixroute",
                "link set eth0 up",
                f"route add {gateway}/32 dev eth0 scope link",
                f"route add default via {gateway} src {address}",
            ],
        )

    def leave(self, name: str) -> None:
        """Removes a namespace and its link; the address falls silent."""
        if path(name).exists():
            # The router's end goes first: the rest of the namespace may live on until its last socket is closed.
            links = run("ip", "-n", ROUTER, "-o", "link", "show", "type", "veth") if path(ROUTER).exists() else ""
            if f"{_link(name)}@" in links:
                run("ip", "-n", ROUTER, "link", "delete", _link(name))
            run("ip", "netns", "delete", name)


def _link(name: str) -> str:
    """The router's name for a link; the kernel allows 15 characters."""
    return "v" + hashlib.sha256(name.encode()).hexdigest()[:12]


def _write_setting(name: str, setting: str, value: str) -> None:
    inside(name, lambda: Path(f"/proc/sys/{setting}").write_text(value))

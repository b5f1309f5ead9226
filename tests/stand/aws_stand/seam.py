"""The seam between the control plane (proxy and moto) and the machines (namespaces, loop devices, metadata).

The proxy calls `Machines` when the world changes; machines call `World` when they need to know or to tell something.
Neither side knows how the other works, so the proxy runs without root (`NoMachines`).

Threads: `launch`, `terminate` and `snapshot` may take long; each runs on a thread of its own, `terminate` of an instance only after
its `launch` has returned.
All other calls are made while the proxy answers a request: they must return within a second and start a thread
themselves for what takes longer.
An exception of any call is recorded as a stand failure with its traceback; it never changes an answer of the API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class MetadataOptions:
    """How the instance metadata service of one instance behaves."""

    http_endpoint: str = "enabled"
    """`enabled` or `disabled`."""
    http_tokens: str = "optional"
    """`required` means: IMDSv2 only."""
    hop_limit: int = 1
    instance_tags: str = "disabled"


@dataclass(frozen=True)
class Instance:
    """One EC2 instance, as its launch really made it (template data honored)."""

    id: str
    account: str
    region: str
    zone: str
    zone_id: str
    vpc_id: str
    subnet_id: str
    subnet_cidr: str
    interface_id: str
    private_ip: str
    mac: str
    private_dns_name: str
    security_group_ids: tuple[str, ...]
    instance_type: str
    architecture: str
    """`x86_64` or `arm64`."""
    image_id: str
    profile_arn: str | None
    """The instance profile; `None`: the metadata service answers 404 for credentials."""
    role_name: str | None
    user_data: bytes
    """Decoded; empty when there is none."""
    metadata: MetadataOptions = field(default_factory=MetadataOptions)
    tags: dict[str, str] = field(default_factory=dict)
    group_name: str | None = None
    """The Auto Scaling group that launched it."""
    root_gib: int = 8


@dataclass(frozen=True)
class Volume:
    """One EBS volume. Its backing file is made at the first `attach` and removed by `delete_volume`."""

    id: str
    zone: str
    gib: int
    encrypted: bool
    key_arn: str | None
    snapshot_id: str | None = None


@dataclass(frozen=True)
class Rule:
    """One security group rule with one source or destination."""

    group_id: str
    egress: bool
    protocol: str
    """`tcp`, `udp`, `icmp` or `-1` (all)."""
    from_port: int
    to_port: int
    """Both are -1 for all ports."""
    cidr: str | None = None
    peer_group_id: str | None = None


@dataclass(frozen=True)
class Member:
    """One network interface: which address belongs to which groups."""

    interface_id: str
    private_ip: str
    group_ids: tuple[str, ...]
    instance_id: str | None


@dataclass(frozen=True)
class Network:
    """All rules and members at one moment, so that a firewall can be written anew as a whole."""

    rules: tuple[Rule, ...]
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Credentials:
    """What the metadata service hands to the instance's role."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime


class Machines(Protocol):
    """What the proxy tells the machines."""

    def launch(self, instance: Instance) -> None:
        """Starts the machine. The instance is `pending` until this returns."""

    def terminate(self, instance_id: str, grace_seconds: float) -> None:
        """Shuts down (SIGTERM, grace, kill) and removes the machine with everything that runs in it.

        The instance is `shutting-down`, holding interface and volumes, until this returns;
        afterwards `detach` is called for each volume that it still has.
        """

    def stop(self, instance_id: str, grace_seconds: float) -> None:
        """Like `terminate`, but the instance stays (`stopped`); `terminate` is called for it later.

        Runs on a thread of its own, like `terminate`.
        """

    def attach(self, volume: Volume, instance_id: str, device: str) -> None:
        """The attachment has become `attached`; the device may appear inside up to 30 s later."""

    def detach(self, volume_id: str, instance_id: str) -> None:
        """The attachment is gone; the device disappears."""

    def resize(self, volume_id: str, gib: int) -> None:
        """The volume has grown (modification state `optimizing`). Called for volumes without a backing file too."""

    def delete_volume(self, volume_id: str) -> None:
        """The volume is deleted; its data is gone."""

    def snapshot(self, volume_id: str, snapshot_id: str) -> None:
        """Keeps what is on the volume now. The snapshot is `pending` until this returns; it may take long."""

    def delete_snapshot(self, snapshot_id: str) -> None:
        """The snapshot is deleted. Called for snapshots that were never taken of a volume too, those of images."""

    def client(self, name: str, address: str, subnet: str, group_ids: Sequence[str], zone: str | None) -> object:
        """Makes a place in the VPC for programs of this machine."""

    def rules_changed(self, network: Network) -> None:
        """Rules or members changed. Called at each change, with the whole."""

    def records(self, records: Mapping[str, str]) -> None:
        """The address records of private zones changed. Called with all of them, full name to address."""

    def fault(self, what: str, name: str, is_over: bool) -> None:
        """Cuts a `zone` or a `service` off, or makes an `instance` stand still; or ends that."""

    def close(self) -> None:
        """The stand ends: nothing may be left on the machine afterwards."""


class World(Protocol):
    """What machines may ask or tell the proxy. Every method is safe on any thread."""

    @property
    def endpoint(self) -> str:
        """The proxy's address as seen from the machine that runs it, such as `http://127.0.0.1:4711`."""

    @property
    def directory(self) -> Path:
        """The stand's directory; machines keep their files in `machines/` below it."""

    def role_credentials(self, instance_id: str) -> Credentials | None:
        """Fresh credentials of the instance's role (a session named by the instance's id); `None` without a role."""

    def stopped_itself(self, instance_id: str) -> None:
        """The instance powered itself off: it becomes `stopped`, and its group replaces it."""

    def network(self) -> Network:
        """All rules and members now."""

    def instances(self) -> Sequence[Instance]:
        """Every instance that is pending or running."""

    def fail(self, message: str) -> None:
        """Records a stand failure: the test run that used the stand is to fail."""


class NoMachines:
    """Does nothing: the control plane alone, for tests without root."""

    def launch(self, instance: Instance) -> None:
        """Nothing runs."""

    def terminate(self, instance_id: str, grace_seconds: float) -> None:
        """Nothing ends."""

    def stop(self, instance_id: str, grace_seconds: float) -> None:
        """Nothing ends."""

    def attach(self, volume: Volume, instance_id: str, device: str) -> None:
        """No device."""

    def detach(self, volume_id: str, instance_id: str) -> None:
        """No device."""

    def resize(self, volume_id: str, gib: int) -> None:
        """No file."""

    def delete_volume(self, volume_id: str) -> None:
        """No file."""

    def snapshot(self, volume_id: str, snapshot_id: str) -> None:
        """No file."""

    def delete_snapshot(self, snapshot_id: str) -> None:
        """No file."""

    def client(self, name: str, address: str, subnet: str, group_ids: Sequence[str], zone: str | None) -> object:
        """No place."""

    def rules_changed(self, network: Network) -> None:
        """No firewall."""

    def records(self, records: Mapping[str, str]) -> None:
        """Nobody asks for names."""

    def fault(self, what: str, name: str, is_over: bool) -> None:
        """Nothing that could break."""
        raise ValueError("this stand has no machines")

    def close(self) -> None:
        """Nothing is left."""


def create(kind: str, world: World) -> Machines:
    """Makes the machines by name: `none`, or `real` from `aws_stand.machines`, which needs root.

    `aws_stand.machines` has a function `create(world: World) -> Machines`.
    """
    if kind == "none":
        return NoMachines()
    if kind == "real":
        from importlib import import_module

        machines: Machines = import_module("aws_stand.machines").create(world)
        return machines
    raise ValueError(f"unknown kind of machines: {kind}")

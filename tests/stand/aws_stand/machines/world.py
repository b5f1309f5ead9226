"""All machines of the stand: what the control plane asks of them, and what tests do to them."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from .. import seam
from . import cleanup, clients, firewall, network
from .faults import Faults
from .forward import Endpoints
from .machine import Machine, Told
from .metadata import Metadata
from .names import Names
from .options import Options
from .volumes import Volumes


class RealMachines:
    """Implements `seam.Machines` with namespaces, loop devices and real programs."""

    def __init__(self, world: seam.World, options: Options | None = None) -> None:
        if os.geteuid() != 0:
            raise PermissionError("real machines need root: namespaces, loop devices and mounts are made")
        self.options = options or Options()
        self.directory = world.directory / "machines"
        self._world = world
        self._lock_file = cleanup.Lock(self.directory)
        self._machines: dict[str, Machine] = {}
        self._clients: dict[str, clients.Client] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._wanted = self._applied = 0
        self._network = seam.Network((), ())
        self._closed = False
        chance = random.Random(self.options.seed)
        for name in ("", "volumes", "instances", "logs"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        self._names = Names(self.directory / "hosts", self.options.region, self.options.host_names())
        self.volumes = Volumes(self.directory / "volumes", self.options.device_delay, chance, world.fail)
        self.faults = Faults(self._zone_members, self.options.address)
        self.metadata = Metadata(self, self.options.credential_seconds, world.fail)
        self._endpoints = Endpoints(lambda: world.endpoint)
        try:
            self._up()
        except BaseException:
            self.close()
            raise

    def _up(self) -> None:
        addresses = [self.options.address(service) for service in self.options.services]
        self._network_maker = network.Network(addresses)
        self._network_maker.up()
        self._write_firewall(self._network)
        for address in addresses:
            self._endpoints.serve(address)
        self.metadata.start()
        threading.Thread(target=self._follow, name="firewall", daemon=True).start()

    # --- seam.Machines -------------------------------------------------------------------------------------------

    def launch(self, instance: seam.Instance) -> None:
        """See `seam.Machines`."""
        told = Told(self._world.stopped_itself, self._world.fail)
        machine = Machine(instance, self.directory, self._names.file, self.options, told)
        with self._lock:
            if instance.id in self._machines:
                raise ValueError(f"{instance.id} is running already")
            if held := [m for m in self._machines.values() if m.instance.interface_id == instance.interface_id]:
                raise ValueError(f"{instance.interface_id} is held by {held[0].instance.id}, not free for {instance.id}")
            self._machines[instance.id] = machine
        try:
            self._network_maker.join(machine.namespace, instance.private_ip, instance.subnet_cidr, instance.mac)
            self._names.launched(instance)
            self.faults.members_changed()
            machine.boot()
        except BaseException:
            self._end(machine, 0.0)
            raise

    def terminate(self, instance_id: str, grace_seconds: float) -> None:
        """See `seam.Machines`."""
        with self._lock:
            machine = self._machines.get(instance_id)
        if machine is not None:
            self._end(machine, grace_seconds)

    def stop(self, instance_id: str, grace_seconds: float) -> None:
        """See `seam.Machines`. A stopped instance has no machine; its root disk is not kept, for nothing starts it."""
        self.terminate(instance_id, grace_seconds)

    def attach(self, volume: seam.Volume, instance_id: str, device: str) -> None:
        """See `seam.Machines`. The device name is a hint that Nitro instances ignore."""
        machine = self.machine(instance_id)
        if volume.zone != machine.instance.zone:
            raise ValueError(f"{volume.id} is in {volume.zone}, {instance_id} in {machine.instance.zone}")
        self.volumes.attach(volume, instance_id, machine.root)

    def detach(self, volume_id: str, instance_id: str) -> None:
        """See `seam.Machines`. What is busy takes longer than the proxy may wait, so a thread goes on with it."""
        if not self.volumes.detach(volume_id, instance_id, 0.5):
            self._background("detach", lambda: self.volumes.finish_detach(volume_id, instance_id))

    def resize(self, volume_id: str, gib: int) -> None:
        """See `seam.Machines`."""
        self.volumes.resize(volume_id, gib)

    def delete_volume(self, volume_id: str) -> None:
        """See `seam.Machines`."""
        self.volumes.delete(volume_id)

    def snapshot(self, volume_id: str, snapshot_id: str) -> None:
        """See `seam.Machines`."""
        self.volumes.snapshot(volume_id, snapshot_id)

    def delete_snapshot(self, snapshot_id: str) -> None:
        """See `seam.Machines`."""
        self.volumes.delete_snapshot(snapshot_id)

    def rules_changed(self, network: seam.Network) -> None:
        """See `seam.Machines`. A thread applies the newest; `settle` waits for it."""
        with self._changed:
            self._network = network
            self._wanted += 1
            self._changed.notify_all()

    def close(self) -> None:
        """See `seam.Machines`."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        for machine in list(self._machines.values()):
            machine.kill()
        self._endpoints.close()
        self.metadata.close()
        cleanup.clean(self.directory)
        self._lock_file.release()

    def left(self) -> list[str]:
        """Everything of the stand that is on this machine now."""
        return cleanup.left(self.directory)

    # --- clients and names ---------------------------------------------------------------------------------------

    def client(
        self, name: str, address: str, subnet: str, group_ids: Sequence[str] = (), zone: str | None = None
    ) -> clients.Client:
        """Makes a client; one without groups is a stranger, who may send anything and is let in nowhere."""
        found = clients.Client(name, address, tuple(group_ids), zone, self.options.environment())
        if name in self._clients:
            raise ValueError(f"there is a client {name} already")
        self._network_maker.join(found.namespace, address, subnet)
        found.prepare(self._names.file)
        self._clients[name] = found
        self.rules_changed(self._network)
        self.settle()
        return found

    def records(self, records: Mapping[str, str]) -> None:
        """The A records of private zones, all of them."""
        self._names.records(records)

    # --- faults --------------------------------------------------------------------------------------------------

    def machine(self, instance_id: str) -> Machine:
        """The machine of an instance, to freeze, to look into, to run commands in."""
        with self._lock:
            if instance_id not in self._machines:
                raise ValueError(f"{instance_id} has no machine")
            return self._machines[instance_id]

    def fault(self, what: str, name: str, is_over: bool) -> None:
        """See `seam.Machines`."""
        if what == "zone":
            (self.faults.heal_zone if is_over else self.faults.cut_zone)(name)
        elif what == "service":
            (self.faults.heal_service if is_over else self.faults.cut_service)(name)
        elif what == "instance":
            machine = self.machine(name)
            (machine.thaw if is_over else machine.freeze)()
        else:
            raise ValueError(f"no such fault: {what}")

    def cut_service(self, service: str, instance_id: str | None = None) -> None:
        """The endpoint is silent, for one instance or for all."""
        address = self.machine(instance_id).instance.private_ip if instance_id else None
        self.faults.cut_service(service, address)

    def heal_service(self, service: str, instance_id: str | None = None) -> None:
        """The endpoint is back."""
        address = self.machine(instance_id).instance.private_ip if instance_id else None
        self.faults.heal_service(service, address)

    def settle(self, seconds: float = 10.0) -> None:
        """Waits until the firewall is as it was last asked for."""
        with self._changed:
            wanted = self._wanted
            if not self._changed.wait_for(lambda: self._applied >= wanted or self._closed, seconds):
                raise TimeoutError("the firewall is not up to date")

    # --- metadata.Source -----------------------------------------------------------------------------------------

    def instance_at(self, address: str) -> seam.Instance | None:
        """See `metadata.Source`."""
        with self._lock:
            return next((m.instance for m in self._machines.values() if m.instance.private_ip == address), None)

    def credentials(self, instance: seam.Instance) -> seam.Credentials | None:
        """See `metadata.Source`."""
        return self._world.role_credentials(instance.id)

    def group_ids(self, instance: seam.Instance) -> tuple[str, ...]:
        """See `metadata.Source`. Groups of an interface can change while it is in use."""
        members = self._network.members
        mine = (m.group_ids for m in members if m.interface_id == instance.interface_id)
        return next(mine, instance.security_group_ids)

    def lifecycle_state(self, instance: seam.Instance) -> str | None:
        """See `metadata.Source`."""
        if instance.group_name is None:
            return None
        with self._lock:
            machine = self._machines.get(instance.id)
        return "Terminated" if machine is None or machine.ending else "InService"

    # --- inner ---------------------------------------------------------------------------------------------------

    def _end(self, machine: Machine, grace_seconds: float) -> None:
        instance = machine.instance
        machine.end(grace_seconds)
        self.volumes.detach_all(instance.id)
        self._network_maker.leave(machine.namespace)
        machine.remove()
        self.metadata.forget(instance)
        with self._lock:
            self._machines.pop(instance.id, None)
        self.faults.members_changed()

    def _zone_members(self, zone: str) -> list[str]:
        with self._lock:
            machines = [m.instance.private_ip for m in self._machines.values() if m.instance.zone == zone]
        return machines + [client.address for client in list(self._clients.values()) if client.zone == zone]

    def _follow(self) -> None:
        """Applies the newest rules, however many changes came meanwhile."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted > self._applied or self._closed)
                if self._closed:
                    return
                number, wanted = self._wanted, self._network
            try:
                self._names.network_changed(wanted)
                self._write_firewall(wanted)
            except Exception as error:
                if not self._closed:
                    self._world.fail(f"firewall: {error}")
            with self._changed:
                self._applied = number
                self._changed.notify_all()

    def _write_firewall(self, wanted: seam.Network) -> None:
        known = {member.private_ip for member in wanted.members}
        extra = [c.member() for c in list(self._clients.values()) if c.address not in known]
        open_group = [
            seam.Rule(f"client-{c.name}", True, "-1", -1, -1, cidr="0.0.0.0/0") for c in list(self._clients.values())
        ]
        extra = [replace(member, group_ids=(*member.group_ids, member.interface_id)) for member in extra]
        complete = seam.Network((*wanted.rules, *open_group), (*wanted.members, *extra))
        firewall.apply(complete, [self.options.address(service) for service in self.options.services])

    def _background(self, what: str, work: Callable[[], None]) -> None:
        def body() -> None:
            try:
                work()
            except Exception as error:
                self._world.fail(f"{what}: {error}")

        threading.Thread(target=body, name=what, daemon=True).start()

"""The state of EC2 that moto does not keep, and its clock: held states end, machines come and go."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import seam
from .messages import AwsError, Call
from .objects import Hold, Home, InstanceState, InterfaceState, SnapshotHold, Unseen, VolumeState
from .rules import autoscaling_group, credentials, s3, web_identity

if TYPE_CHECKING:
    from .stand import Stand


class World:
    """All EC2 objects of the stand. Callers hold `stand.lock`; the methods of `seam.World` take it themselves."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.unseen: dict[str, Unseen] = {}
        self.interfaces: dict[str, InterfaceState] = {}
        self.volumes: dict[str, VolumeState] = {}
        self.instances_: dict[str, InstanceState] = {}
        self.snapshots: dict[str, SnapshotHold] = {}
        self.images: dict[str, Hold] = {}
        self.image_roots: dict[str, str] = {}
        """The root device of copies, which moto gives another one than the original has."""
        self.known_images: dict[str, dict[str, Any]] = {}
        self.known_types: dict[str, list[str]] = {}
        self.known_offers: dict[tuple[str, str], set[str]] = {}
        self.templates: dict[tuple[str, int], dict[str, Any]] = {}
        self.tokens: dict[tuple[str, ...], tuple[str, dict[str, Any]]] = {}
        self.groups: dict[tuple[str, str, str], autoscaling_group.Group] = {}
        self.zone_changes: dict[str, Hold] = {}
        """Changes of hosted zones that have not reached every server."""
        self.fresh_names: dict[str, Hold] = {}
        """New instance profiles and roles that other services do not see yet."""
        self.ebs_defaults: dict[tuple[str, str], dict[str, Any]] = {}
        self.issuers: dict[str, web_identity.Issuer] = {}
        self.buckets: dict[str, s3.Bucket] = {}
        self._homes: dict[tuple[str, str], Home] = {}
        self._network: seam.Network | None = None
        self._end = threading.Event()

    # --- the clock -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Lets time pass."""
        threading.Thread(target=self._run, name="world", daemon=True).start()

    def close(self) -> None:
        """Stops the clock."""
        self._end.set()

    def _run(self) -> None:
        while not self._end.wait(0.1):
            with self.stand.lock:
                self.stand.tell_machines("world", self.tick)

    def tick(self) -> None:
        """Ends what was held long enough."""
        for instance in list(self.instances_.values()):
            self._instance(instance)
        for volume in list(self.volumes.values()):
            self._volume(volume)
        for group in list(self.groups.values()):
            autoscaling_group.tick(self.stand, group)

    def hold(self) -> Hold:
        """A state that is held as the settings say."""
        return Hold(self.stand.settings.hold_polls, self.stand.settings.hold_seconds)

    def moto(self, home: Home, action: str, **params: Any) -> dict[str, Any]:
        """Asks moto for EC2 in an object's home."""
        return self.stand.moto.call("ec2", action, params, region=home.region, access_key=home.access_key)

    def home(self, call: Call) -> Home:
        """The caller's account and Region."""
        home = Home(call.account, call.region, call.access_key)
        self._homes[home.account, home.region] = home
        return home

    # --- what is not seen yet ------------------------------------------------------------------------------------

    def born(self, id: str) -> None:
        """A new id: look-ups miss it for a while."""
        settings = self.stand.settings
        self.unseen[id] = Unseen(
            Hold(settings.id_lag_polls, settings.lag_seconds), Hold(settings.filter_lag_polls, settings.lag_seconds)
        )

    def looks_unborn(self, id: str) -> bool:
        """Whether this look-up by id does not find it."""
        unseen = self.unseen.get(id)
        return unseen is not None and unseen.by_id.poll()

    def need(self, id: str | None, code: str, kind: str) -> None:
        """Raises NotFound for an id that is not seen yet."""
        if id and self.looks_unborn(id):
            raise AwsError(code, f"The {kind} '{id}' does not exist")

    def fresh(self, name: str) -> None:
        """A new profile or role: other services do not see it for a while."""
        settings = self.stand.settings
        self.fresh_names[name] = Hold(settings.iam_lag_attempts, settings.iam_lag_seconds)

    def looks_fresh(self, name: str) -> bool:
        """Whether this use of a profile or role comes too early."""
        hold = self.fresh_names.get(name)
        return hold is not None and hold.poll()

    def default_encryption(self, call: Call) -> bool:
        """Whether new volumes of the account are encrypted unasked."""
        return bool(self.ebs_defaults.get((call.account, call.region), {}).get("on"))

    def default_key(self, call: Call) -> str:
        """The key of volumes that name none."""
        return self.ebs_defaults.get((call.account, call.region), {}).get("key") or "alias/aws/ebs"

    # --- instances -----------------------------------------------------------------------------------------------

    def launched(self, instance: InstanceState) -> None:
        """A new instance: starts its machine."""
        self.instances_[instance.id] = instance
        self.network_changed()

        def work() -> None:
            try:
                self.stand.machines.launch(instance.spec)
            finally:
                instance.machine_ready = True

        self.stand.background(f"launch {instance.id}", work)

    def end(self, instance: InstanceState, state: str, reason: str) -> None:
        """Begins the end (`shutting-down`) or a stop (`stopping`)."""
        if instance.state in (state, "terminated", "shutting-down"):
            return
        was_stopped = instance.state == "stopped"
        instance.state, instance.reason, instance.hold = state, reason, self.hold()
        instance.machine_gone = False
        grace = 0.0 if was_stopped else self.stand.settings.grace_seconds
        call = self.stand.machines.terminate if state == "shutting-down" else self.stand.machines.stop

        def work() -> None:
            try:
                while not instance.machine_ready and not self._end.wait(0.05):
                    pass
                call(instance.id, grace)
            finally:
                instance.machine_gone = True

        self.stand.background(f"{state} {instance.id}", work)

    def _instance(self, instance: InstanceState) -> None:
        if instance.state == "pending" and instance.machine_ready and instance.hold.over:
            instance.state = "running"
        elif instance.state == "stopping" and instance.machine_gone and instance.hold.over:
            self.moto(instance.home, "StopInstances", InstanceIds=[instance.id])
            instance.state = "stopped"
        elif instance.state == "shutting-down" and instance.machine_gone and instance.hold.over:
            self._terminated(instance)

    def _terminated(self, instance: InstanceState) -> None:
        self.moto(instance.home, "TerminateInstances", InstanceIds=[instance.id])
        instance.state = "terminated"
        instance.ended = self.stand.now()
        for volume in list(self.volumes.values()):
            if volume.holder != instance.id:
                continue
            volume.holder, volume.attach_state = None, ""
            self.stand.tell_machines("detach", partial(self.stand.machines.detach, volume.id, instance.id))
            if volume.root:
                self.forget_volume(volume)
        for interface in list(self.interfaces.values()):
            if interface.holder == instance.id:
                interface.holder = None
                if interface.delete_on_termination:
                    self.interfaces.pop(interface.id)
                    try:
                        self.moto(instance.home, "DeleteNetworkInterface", NetworkInterfaceId=interface.id)
                    except AwsError:  # moto removes those that it made itself
                        pass
        self.network_changed()

    # --- volumes -------------------------------------------------------------------------------------------------

    def forget_volume(self, volume: VolumeState) -> None:
        """Removes a volume here, in moto and on the machine."""
        self.volumes.pop(volume.id, None)
        try:
            self.moto(volume.home, "DeleteVolume", VolumeId=volume.id)
        except AwsError as error:
            if error.code != "InvalidVolume.NotFound":
                raise
        self.stand.tell_machines("delete_volume", partial(self.stand.machines.delete_volume, volume.id))

    def _volume(self, volume: VolumeState) -> None:
        if volume.doomed and volume.creating.over:
            self.forget_volume(volume)
            return
        if volume.attach_hold is not None and volume.attach_hold.over:
            if volume.attach_state == "attaching":
                self._attached(volume)
            elif volume.attach_state == "detaching" and volume.holder is not None:
                holder, volume.holder, volume.attach_state = volume.holder, None, ""
                self.stand.tell_machines("detach", partial(self.stand.machines.detach, volume.id, holder))
                self.moto(volume.home, "DetachVolume", VolumeId=volume.id, InstanceId=holder)
        if volume.modifications and volume.modifications[-1].hold.over:
            self._modified(volume)

    def _attached(self, volume: VolumeState) -> None:
        if volume.attach_reverts:
            volume.holder, volume.attach_state, volume.attach_reverts = None, "", False
            return
        holder = self.instances_.get(volume.holder or "")
        if holder is None or not holder.live:
            return
        volume.attach_state = "attached"
        told = seam.Volume(volume.id, volume.zone, volume.gib, volume.encrypted, volume.key_arn, volume.snapshot_id)
        self.stand.tell_machines("attach", partial(self.stand.machines.attach, told, holder.id, volume.device))

    def _modified(self, volume: VolumeState) -> None:
        last = volume.modifications[-1]
        if last.state == "modifying":
            self.moto(volume.home, "ModifyVolume", VolumeId=volume.id, **last.params)
            last.state, last.hold = "optimizing", self.hold()
            if last.target["Size"] != volume.gib:
                volume.gib = last.target["Size"]
                self.stand.tell_machines("resize", partial(self.stand.machines.resize, volume.id, volume.gib))
        elif last.state == "optimizing":
            last.state, last.end_time = "completed", datetime.now(timezone.utc)

    # --- what machines ask (seam.World) --------------------------------------------------------------------------

    @property
    def endpoint(self) -> str:
        """See `seam.World`."""
        return self.stand.endpoint

    @property
    def directory(self) -> Path:
        """See `seam.World`."""
        return self.stand.directory

    def role_credentials(self, instance_id: str) -> seam.Credentials | None:
        """See `seam.World`."""
        with self.stand.lock:
            instance = self.instances_.get(instance_id)
            return credentials.for_instance(self.stand, instance) if instance is not None else None

    def stopped_itself(self, instance_id: str) -> None:
        """See `seam.World`."""
        with self.stand.lock:
            instance = self.instances_.get(instance_id)
            if instance is not None and instance.live:
                behavior = instance.attributes.get("InstanceInitiatedShutdownBehavior", "stop")
                state = "shutting-down" if behavior == "terminate" else "stopping"
                self.end(instance, state, "Client.InstanceInitiatedShutdown: Instance initiated shutdown")

    def instances(self) -> Sequence[seam.Instance]:
        """See `seam.World`."""
        with self.stand.lock:
            return [instance.spec for instance in self.instances_.values() if instance.live]

    def fail(self, message: str) -> None:
        """See `seam.World`."""
        self.stand.log.fail(f"machines: {message}")

    def network(self) -> seam.Network:
        """See `seam.World`."""
        with self.stand.lock:
            rules: list[seam.Rule] = []
            members: list[seam.Member] = []
            for home in self._homes.values():
                for group in self.moto(home, "DescribeSecurityGroups").get("SecurityGroups", []):
                    rules.extend(_rules(group, "IpPermissions", egress=False))
                    rules.extend(_rules(group, "IpPermissionsEgress", egress=True))
                for item in self.moto(home, "DescribeNetworkInterfaces").get("NetworkInterfaces", []):
                    state = self.interfaces.get(item["NetworkInterfaceId"])
                    groups = tuple(g["GroupId"] for g in item.get("Groups", []))
                    members.append(
                        seam.Member(
                            item["NetworkInterfaceId"], item["PrivateIpAddress"], groups, state.holder if state else None
                        )
                    )
            return seam.Network(tuple(rules), tuple(members))

    def network_changed(self) -> None:
        """Tells the machines, unless nothing watches."""
        if type(self.stand.machines) is seam.NoMachines:
            return
        network = self.network()
        self.stand.tell_machines("rules_changed", lambda: self.stand.machines.rules_changed(network))


def _rules(group: dict[str, Any], member: str, egress: bool) -> list[seam.Rule]:
    found = []
    for permission in group.get(member, []):
        low, high = permission.get("FromPort", -1), permission.get("ToPort", -1)
        for source in permission.get("IpRanges", []):
            found.append(
                seam.Rule(group["GroupId"], egress, permission["IpProtocol"], low, high, cidr=source.get("CidrIp"))
            )
        for pair in permission.get("UserIdGroupPairs", []):
            found.append(
                seam.Rule(group["GroupId"], egress, permission["IpProtocol"], low, high, peer_group_id=pair.get("GroupId"))
            )
    return found

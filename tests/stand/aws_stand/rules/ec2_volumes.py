"""Volumes: one holder, the holder's zone, growth only, four changes in 24 hours, keys that work."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..messages import AwsError, Call, Params
from ..objects import Modification, SnapshotHold, VolumeState
from ..seam import NoMachines
from . import filters, rule
from .common import check_tags, dry_run, remembered
from .ec2_describe import Listing, listed
from .kms import describe, usable

if TYPE_CHECKING:
    from ..stand import Stand

MODIFICATIONS_PER_DAY = 4
_GP3 = {"Size": (1, 65_536), "Iops": (3_000, 80_000), "Throughput": (125, 2_000)}


@rule("ec2", "CreateVolume")
def create(stand: Stand, call: Call) -> Params:
    """Makes a volume. With a key that does not work the call succeeds, and the volume goes away later."""
    check_tags(call, "volume")
    params = call.params
    if "Size" not in params and "SnapshotId" not in params:
        raise AwsError("MissingParameter", "The request must contain the parameter size or snapshotId")
    zones = [z["ZoneName"] for z in stand.ask(call, "DescribeAvailabilityZones", {})["AvailabilityZones"]]
    if params.get("AvailabilityZone") not in zones:
        raise AwsError("InvalidZone.NotFound", f"The zone '{params.get('AvailabilityZone')}' does not exist.")
    if params.get("KmsKeyId") and params.get("Encrypted") is not True:
        raise AwsError("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")
    if params.get("VolumeType", "gp2") == "gp3":
        check_gp3(params.get("Size"), params.get("Iops", 3_000), params.get("Throughput", 125))
    if params.get("SnapshotId"):
        stand.world.need(params["SnapshotId"], "InvalidSnapshot.NotFound", "snapshot")
        snapshot = stand.ask(call, "DescribeSnapshots", {"SnapshotIds": [params["SnapshotId"]]})["Snapshots"][0]
        hold = stand.world.snapshots.get(params["SnapshotId"])
        if hold is not None and not hold.over:
            raise AwsError("IncorrectState", f"Snapshot is in invalid state - pending: {params['SnapshotId']}")
        if params.get("Size", snapshot["VolumeSize"]) < snapshot["VolumeSize"]:
            raise AwsError("InvalidParameterValue", "The volume size is smaller than the snapshot's.")
    dry_run(call)

    def make() -> Params:
        plain = {k: v for k, v in params.items() if k != "ClientToken"}
        if stand.world.default_encryption(call) and not plain.get("Encrypted"):
            plain.update(Encrypted=True, KmsKeyId=stand.world.default_key(call))
        result = stand.ask(call, "CreateVolume", plain)
        key = result.get("KmsKeyId")
        state = VolumeState(
            result["VolumeId"], stand.world.home(call), params["AvailabilityZone"], result["Size"],
            bool(result.get("Encrypted")), key, stand.world.hold(), params.get("SnapshotId"),
        )  # fmt: skip
        key = plain.get("KmsKeyId")
        if key and key != "alias/aws/ebs":
            actions = ("kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant")
            state.doomed = not usable(stand, call, key) or not _permitted(stand, call, key, *actions)
        stand.world.volumes[state.id] = state
        stand.world.born(state.id)
        return {**result, "State": "creating"}

    return remembered(stand, call, make)


def check_gp3(size: int | None, iops: int, throughput: int) -> None:
    """The limits of gp3 and how they hang together."""
    for name, value in (("Size", size), ("Iops", iops), ("Throughput", throughput)):
        low, high = _GP3[name]
        if value is not None and not low <= value <= high:
            raise AwsError("InvalidParameterValue", f"Volume {name.lower()} of {value} is not within {low} to {high}.")
    if size is not None and iops > max(3_000, size * 500):
        raise AwsError("InvalidParameterCombination", f"Iops to volume size ratio of {iops / size} is too high; maximum is 500.")
    if throughput * 4 > iops and throughput > 125:
        raise AwsError("InvalidParameterCombination", "Throughput (MiBps) to iops ratio is too high; maximum is 0.25 MiBps per iops.")


def _permitted(stand: Stand, call: Call, key: str, *actions: str) -> bool:
    """EC2 uses the key on behalf of the caller; what the caller lacks shows only in what happens to the volume."""
    found = describe(stand, call, key)
    if found is None or found.get("KeyManager") == "AWS":
        return True
    return stand.policies.kms_allowed(call, found["Arn"], "ec2", *actions) is None


def _need(stand: Stand, call: Call, id: str) -> VolumeState:
    stand.world.need(id, "InvalidVolume.NotFound", "volume")
    state = stand.world.volumes.get(id)
    if state is None or state.home.region != call.region or state.home.account != call.account:
        raise AwsError("InvalidVolume.NotFound", f"The volume '{id}' does not exist.")
    return state


@rule("ec2", "DeleteVolume")
def delete(stand: Stand, call: Call) -> Params:
    """Refused while it is attached."""
    stand.world.tick()
    state = _need(stand, call, call.params["VolumeId"])
    if state.holder is not None:
        raise AwsError("VolumeInUse", f"Volume {state.id} is currently attached to {state.holder}")
    if not state.creating.over:
        raise AwsError("IncorrectState", f"The volume '{state.id}' is 'creating'.")
    dry_run(call)
    stand.world.forget_volume(state)
    return {}


@rule("ec2", "AttachVolume")
def attach(stand: Stand, call: Call) -> Params:
    """One holder; the same zone; a running instance. With a key that does not work the attachment reverts."""
    stand.world.tick()
    state = _need(stand, call, call.params["VolumeId"])
    id, device = call.params["InstanceId"], call.params["Device"]
    stand.world.need(id, "InvalidInstanceID.NotFound", "instance ID")
    instance = stand.world.instances_.get(id)
    if instance is None or instance.state == "terminated":
        raise AwsError("InvalidInstanceID.NotFound", f"The instance ID '{id}' does not exist")
    if state.holder is not None:
        raise AwsError("VolumeInUse", f"{state.id} is already attached to an instance")
    if not state.creating.over:
        raise AwsError("IncorrectState", f"Volume '{state.id}' is not 'available'.")
    if instance.spec.zone != state.zone:
        raise AwsError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{state.id}' is not in the same availability zone as instance '{id}'",
        )
    if instance.state not in ("running", "stopped"):
        raise AwsError("IncorrectState", f"Instance '{id}' is not 'running'.")
    mine = [v for v in stand.world.volumes.values() if v.holder == id]
    if any(v.device == device for v in mine):
        raise AwsError("InvalidParameterValue", f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use")
    if len(mine) + len(instance.interface_ids) >= 28:
        raise AwsError("AttachmentLimitExceeded", f"Instance '{id}' has as many attachments as its type allows.")
    dry_run(call)
    works = state.key_arn is None or (
        usable(stand, call, state.key_arn) and _permitted(stand, call, state.key_arn, "kms:CreateGrant", "kms:Decrypt")
    )
    if works:
        stand.ask(call, "AttachVolume", call.params)
    state.attach_reverts = not works
    state.holder, state.device, state.attach_state = id, device, "attaching"
    state.attach_hold, state.attach_time = stand.world.hold(), datetime.now(timezone.utc)
    return {
        "AttachTime": state.attach_time, "Device": device, "InstanceId": id, "State": "attaching",
        "VolumeId": state.id, "DeleteOnTermination": False,
    }  # fmt: skip


@rule("ec2", "DetachVolume")
def detach(stand: Stand, call: Call) -> Params:
    """Takes a while. By force is refused as a stand failure: the product never does that."""
    stand.world.tick()
    state = _need(stand, call, call.params["VolumeId"])
    if call.params.get("Force"):
        stand.log.fail("DetachVolume with Force: the product must never do that")
    holder = call.params.get("InstanceId") or state.holder
    if state.holder is None:
        raise AwsError("IncorrectState", f"Volume '{state.id}' is in the 'available' state.")
    if holder != state.holder:
        raise AwsError("InvalidAttachment.NotFound", f"The volume '{state.id}' is not attached to instance '{holder}'.")
    if state.attach_state == "detaching":
        raise AwsError("IncorrectState", f"Volume '{state.id}' is 'detaching'.")
    dry_run(call)
    state.attach_state, state.attach_hold = "detaching", stand.world.hold()
    return {
        "AttachTime": state.attach_time, "Device": state.device, "InstanceId": state.holder, "State": "detaching",
        "VolumeId": state.id,
    }  # fmt: skip


@rule("ec2", "ModifyVolume")
def modify(stand: Stand, call: Call) -> Params:
    """Grows only; one change at a time; four in a rolling 24 hours."""
    stand.world.tick()
    state = _need(stand, call, call.params["VolumeId"])
    now = stand.now()
    if not state.creating.over:
        raise AwsError("IncorrectState", f"Volume '{state.id}' is 'creating'.")
    if state.modifications and state.modifications[-1].state in ("modifying", "optimizing"):
        raise AwsError(
            "IncorrectModificationState",
            f"Volume {state.id} is in the modification state {state.modifications[-1].state}; wait until it is completed.",
        )
    recent = [m for m in state.modifications if m.started > now - 86_400]
    if len(recent) >= MODIFICATIONS_PER_DAY:
        again = datetime.fromtimestamp(recent[-MODIFICATIONS_PER_DAY].started + 86_400, timezone.utc).isoformat()
        raise AwsError(
            "VolumeModificationRateExceeded",
            f"You've reached the maximum modification rate per volume limit. The volume {state.id} can be modified again at {again}.",
        )
    item = stand.ask(call, "DescribeVolumes", {"VolumeIds": [state.id]})["Volumes"][0]
    before = {k: item.get(k) for k in ("Size", "VolumeType", "Iops", "Throughput")}
    after = {**before, **{k: call.params[k] for k in before if k in call.params}}
    if after["Size"] < before["Size"]:
        raise AwsError("InvalidParameterValue", "New size cannot be smaller than existing size")
    if after["VolumeType"] == "gp3":
        check_gp3(after["Size"], after["Iops"] or 3_000, after["Throughput"] or 125)
    dry_run(call)
    params = {k: v for k, v in call.params.items() if k in before}
    started = datetime.now(timezone.utc)
    state.modifications.append(Modification(params, before, after, now, "modifying", stand.world.hold(), started))
    return {"VolumeModification": _shown(state.id, state.modifications[-1])}


def _shown(id: str, one: Modification) -> dict[str, Any]:
    shown = {
        "VolumeId": id,
        "ModificationState": one.state,
        "Progress": {"modifying": 0, "optimizing": 50}.get(one.state, 100),
        "StartTime": one.start_time,
        "EndTime": one.end_time,
    }
    shown.update({f"Original{k}": v for k, v in one.original.items()})
    shown.update({f"Target{k}": v for k, v in one.target.items()})
    return shown


@rule("ec2", "DescribeVolumesModifications")
def modifications(stand: Stand, call: Call) -> Params:
    """The latest change of each volume; a volume that was never changed has none."""
    dry_run(call)
    stand.world.tick()
    if call.params.get("NextToken"):
        return {"VolumesModifications": []}
    ids = call.params.get("VolumeIds") or []
    found = []
    for state in stand.world.volumes.values():
        if (ids and state.id not in ids) or not state.modifications or state.home.region != call.region:
            continue
        shown = _shown(state.id, state.modifications[-1])
        if filters.keep(shown, call.params.get("Filters") or [], filters.MODIFICATION):
            found.append(shown)
            state.modifications[-1].hold.poll()
    missing = [id for id in ids if not any(s["VolumeId"] == id for s in found)]
    if missing and not call.params.get("Filters"):
        code = "InvalidVolumeModification.NotFound" if missing[0] in stand.world.volumes else "InvalidVolume.NotFound"
        raise AwsError(code, f"Modification for volume '{missing[0]}' does not exist.")
    return {"VolumesModifications": found}


# --- snapshots -------------------------------------------------------------------------------------------------------


def _snapshot_overlay(stand: Stand, item: dict[str, Any]) -> dict[str, Any] | None:
    hold = stand.world.snapshots.get(item["SnapshotId"])
    if hold is None or hold.over:
        return item
    return {**item, "State": "pending", "Progress": "42%"}


def _poll_snapshot(stand: Stand, id: str) -> None:
    hold = stand.world.snapshots.get(id)
    if hold is not None:
        hold.poll()


SNAPSHOTS = Listing("Snapshots", "SnapshotId", "SnapshotIds", "InvalidSnapshot.NotFound", filters.SNAPSHOT,
                    _snapshot_overlay, _poll_snapshot)  # fmt: skip


@rule("ec2", "CreateSnapshot")
def create_snapshot(stand: Stand, call: Call) -> Params:
    """`pending` first; five at a time per volume."""
    check_tags(call, "snapshot")
    state = _need(stand, call, call.params["VolumeId"])
    dry_run(call)
    result = stand.ask(call, "CreateSnapshot", call.params)
    id = result["SnapshotId"]
    hold = stand.world.snapshots[id] = SnapshotHold(stand.settings.hold_polls, stand.settings.hold_seconds)
    stand.world.born(id)

    def keep() -> None:
        try:
            stand.machines.snapshot(state.id, id)
        finally:
            hold.kept = True

    if isinstance(stand.machines, NoMachines):
        keep()
    else:
        stand.background(f"snapshot {id}", keep)
    return {**result, "State": "pending", "Progress": "", "VolumeSize": state.gib}


@rule("ec2", "DescribeSnapshots")
def describe_snapshots(stand: Stand, call: Call) -> Params:
    """Snapshots; those of `self` when asked."""
    owners = call.params.get("OwnerIds") or []
    result = listed(stand, call, SNAPSHOTS)
    if owners:
        wanted = {call.account if o == "self" else o for o in owners}
        result["Snapshots"] = [s for s in result["Snapshots"] if s["OwnerId"] in wanted]
    return result


@rule("ec2", "DeleteSnapshot")
def delete_snapshot(stand: Stand, call: Call) -> Params:
    """Removes it; one that an image uses stays (moto knows)."""
    stand.world.need(call.params["SnapshotId"], "InvalidSnapshot.NotFound", "snapshot")
    dry_run(call)
    id = call.params["SnapshotId"]
    stand.world.snapshots.pop(id, None)
    result = stand.ask(call, "DeleteSnapshot", call.params)
    stand.tell_machines("delete_snapshot", lambda: stand.machines.delete_snapshot(id))
    return result

"""Images: a copy into the account is `pending` first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..messages import AwsError, Call, Params, Refused
from . import rule
from .common import check_tags, dry_run, remembered, tags_of
from .ec2_launch import find_image, like_source

if TYPE_CHECKING:
    from ..stand import Stand


@rule("ec2", "CopyImage")
def copy(stand: Stand, call: Call) -> Params:
    """A copy of our own; its state is held."""
    check_tags(call, "image", "snapshot")
    if call.params["SourceRegion"] != call.region:
        raise Refused("CopyImage from another Region is not in the stand")
    source = find_image(stand, call, call.params["SourceImageId"])
    dry_run(call)

    def make() -> Params:
        result = stand.ask(call, "CopyImage", {k: v for k, v in call.params.items() if k not in ("ClientToken", "TagSpecifications")})
        id = result["ImageId"]
        stand.world.images[id] = stand.world.hold()
        stand.world.born(id)
        stand.world.image_roots[id] = source["RootDeviceName"]
        # moto forgets the tags of both.
        image = stand.ask(call, "DescribeImages", {"ImageIds": [id]})["Images"][0]
        snapshots = [m["Ebs"]["SnapshotId"] for m in image["BlockDeviceMappings"] if (m.get("Ebs") or {}).get("SnapshotId")]
        for kind, ids in (("image", [id]), ("snapshot", snapshots)):
            if tags_of(call, kind):
                stand.ask(call, "CreateTags", {"Resources": ids, "Tags": tags_of(call, kind)})
        return result

    return remembered(stand, call, make)


@rule("ec2", "DescribeImages")
def describe(stand: Stand, call: Call) -> Params:
    """moto knows Amazon's images and their filters; ours are unseen and `pending` first."""
    ids = call.params.get("ImageIds") or []
    if call.params.get("NextToken"):
        return {"Images": []}
    for id in ids:
        stand.world.need(id, "InvalidAMIID.NotFound", "image id")
    dry_run(call)
    result = stand.ask(call, "DescribeImages", call.params)
    found = []
    for image in result["Images"]:
        unseen = stand.world.unseen.get(image["ImageId"])
        if unseen is not None and not ids and unseen.by_filter.poll():
            continue
        image = like_source(stand, image)
        hold = stand.world.images.get(image["ImageId"])
        found.append({**image, "State": "pending"} if hold is not None and hold.poll() else image)
    return {"Images": found}


@rule("ec2", "DeregisterImage")
def deregister(stand: Stand, call: Call) -> Params:
    """Removes an image of ours; its snapshots stay unless asked."""
    id = call.params["ImageId"]
    stand.world.need(id, "InvalidAMIID.NotFound", "image id")
    if id not in stand.world.images:
        raise AwsError("AuthFailure", f"Not authorized for image:{id}", 403)
    dry_run(call)
    image = stand.ask(call, "DescribeImages", {"ImageIds": [id]})["Images"][0]
    stand.ask(call, "DeregisterImage", {"ImageId": id})
    stand.world.known_images.pop(id, None)
    stand.world.images.pop(id, None)
    if call.params.get("DeleteAssociatedSnapshots"):
        for mapping in image.get("BlockDeviceMappings", []):
            snapshot = (mapping.get("Ebs") or {}).get("SnapshotId")
            if snapshot:
                stand.ask(call, "DeleteSnapshot", {"SnapshotId": snapshot})
    return {"Return": True}

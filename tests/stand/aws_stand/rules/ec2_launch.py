"""A launch: what RunInstances and Auto Scaling have in common.

moto ignores most of a launch template and every conflict, so the stand merges template and request itself, checks the
whole, and hands moto explicit parameters.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..messages import AwsError, Call, Params
from ..objects import InstanceState, InterfaceState, VolumeState
from ..seam import Instance, MetadataOptions
from .common import private_name, tag_map
from .ec2_interfaces import check_free, check_groups, find, find_subnet, free_address, hold

if TYPE_CHECKING:
    from ..stand import Stand

USER_DATA_LIMIT = 16_384
_PASSED = (
    "ImageId", "InstanceType", "UserData", "IamInstanceProfile", "MetadataOptions", "BlockDeviceMappings",
    "EbsOptimized", "Monitoring", "KeyName",
)  # fmt: skip


def check_shape(stand: Stand, call: Call, data: Params) -> None:
    """What is wrong with launch data by itself; used when a template is made, too, which AWS leaves to the launch."""
    interfaces = data.get("NetworkInterfaces") or []
    if interfaces and (data.get("SecurityGroupIds") or data.get("SecurityGroups")):
        raise AwsError(
            "InvalidParameterCombination",
            "Network interfaces and an instance-level security groups may not be specified on the same request",
        )
    if interfaces and data.get("SubnetId"):
        raise AwsError(
            "InvalidParameterCombination",
            "Network interfaces and an instance-level subnet ID may not be specified on the same request",
        )
    for one in interfaces:
        if one.get("NetworkInterfaceId") and (one.get("Groups") or one.get("SubnetId") or one.get("PrivateIpAddress")):
            raise AwsError(
                "InvalidParameterCombination",
                "A network interface that exists already may not have a subnet, groups or an address in the request",
            )
        if one.get("DeviceIndex") is None:
            raise AwsError("InvalidParameterValue", "Each network interface requires a device index.")
    _check_user_data(data.get("UserData"))
    if data.get("ImageId") and data.get("InstanceType"):
        image = find_image(stand, call, data["ImageId"])
        types = _architectures(stand, call, data["InstanceType"])
        if image["Architecture"] not in types:
            raise AwsError(
                "InvalidParameterValue",
                f"The architecture '{','.join(types)}' of the specified instance type does not match the architecture "
                f"'{image['Architecture']}' of the specified AMI. Specify an instance type and an AMI that have matching "
                "architectures, and try again.",
            )
    hops = (data.get("MetadataOptions") or {}).get("HttpPutResponseHopLimit")
    if hops is not None and not 1 <= hops <= 64:
        raise AwsError("InvalidParameterValue", "The hop limit is 1 to 64")
    if (data.get("MetadataOptions") or {}).get("InstanceMetadataTags") == "enabled":
        for specification in data.get("TagSpecifications") or []:
            for key in tag_map(specification.get("Tags")):
                if specification.get("ResourceType") == "instance" and (" " in key or "/" in key):
                    raise AwsError("InvalidParameterValue", f"'{key}' is not a valid tag key with instance metadata tags enabled")


def _check_user_data(text: str | None) -> bytes:
    if not text:
        return b""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise AwsError("InvalidParameterValue", "Invalid BASE64 encoding of user data.") from None
    if len(raw) > USER_DATA_LIMIT:
        raise AwsError("InvalidParameterValue", "User data is limited to 16384 bytes")
    return raw


def find_image(stand: Stand, call: Call, id: str) -> dict[str, Any]:
    """An image, or the error; `resolve:ssm:` names are resolved."""
    if id.startswith("resolve:ssm:"):
        parameter = stand.ask(call, "GetParameter", {"Name": id.removeprefix("resolve:ssm:")}, "ssm")
        id = parameter["Parameter"]["Value"]
    if id in stand.world.images and not stand.world.images[id].over:
        raise AwsError("InvalidAMIID.Unavailable", f"The image ID '{id}' is not available")
    known = stand.world.known_images
    if id not in known:
        known[id] = like_source(stand, stand.ask(call, "DescribeImages", {"ImageIds": [id]}, "ec2")["Images"][0])
    found: dict[str, Any] = known[id]
    return found


def like_source(stand: Stand, image: dict[str, Any]) -> dict[str, Any]:
    """A copy with its root disk where the original has it."""
    root = stand.world.image_roots.get(image["ImageId"])
    if root is None:
        return image
    disks = [{**d, "DeviceName": root} if d.get("DeviceName") == image.get("RootDeviceName") else d for d in image["BlockDeviceMappings"]]
    return {**image, "RootDeviceName": root, "BlockDeviceMappings": disks}


def _architectures(stand: Stand, call: Call, name: str) -> list[str]:
    known = stand.world.known_types
    if name not in known:
        try:
            answer = stand.ask(call, "DescribeInstanceTypes", {"InstanceTypes": [name]}, "ec2")
        except AwsError:
            raise AwsError("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.") from None
        known[name] = answer["InstanceTypes"][0]["ProcessorInfo"]["SupportedArchitectures"]
    return known[name]


def _offered(stand: Stand, call: Call, name: str, zone: str) -> bool:
    key = (name, call.region)
    offered = stand.world.known_offers
    if key not in offered:
        asked = {"LocationType": "availability-zone", "Filters": [{"Name": "instance-type", "Values": [name]}]}
        answer = stand.ask(call, "DescribeInstanceTypeOfferings", asked, "ec2")
        offered[key] = {o["Location"] for o in answer["InstanceTypeOfferings"]}
    return zone in offered[key]


def find_profile(stand: Stand, call: Call, wanted: dict[str, str] | None) -> tuple[str, str] | None:
    """ARN and role of an instance profile. A new one is not seen at first, with the text that AWS gives then."""
    if not wanted:
        return None
    if len([v for v in wanted.values() if v]) != 1:
        raise AwsError("InvalidParameterCombination", "The parameter 'iamInstanceProfile.name' may not be used with 'arn'")
    name = wanted.get("Name") or str(wanted.get("Arn", "")).rpartition("/")[2]
    field = "Name" if wanted.get("Name") else "ARN"
    text = f"Value ({wanted.get('Name') or wanted.get('Arn')}) for parameter iamInstanceProfile.{field.lower()} is invalid. "
    text += f"Invalid IAM Instance Profile {'name' if field == 'Name' else 'ARN'}"
    if stand.world.looks_fresh(f"profile/{name}"):
        raise AwsError("InvalidParameterValue", text)
    try:
        profile = stand.ask(call, "GetInstanceProfile", {"InstanceProfileName": name}, "iam")["InstanceProfile"]
    except AwsError:
        raise AwsError("InvalidParameterValue", text) from None
    if wanted.get("Arn") and profile["Arn"] != wanted["Arn"]:
        raise AwsError("InvalidParameterValue", text)
    roles = profile.get("Roles") or []
    if not roles:
        raise AwsError("InvalidParameterValue", text.replace("Invalid IAM Instance Profile", "IAM Instance Profile has no associated IAM Roles:"))
    return profile["Arn"], roles[0]["RoleName"]


def launch(stand: Stand, call: Call, data: Params, group: str | None = None, own_tags: dict[str, str] | None = None) -> dict[str, Any]:
    """Launches one instance from merged data, or raises what AWS would answer."""
    for need in ("ImageId", "InstanceType"):
        if not data.get(need):
            raise AwsError("MissingParameter", f"The request must contain the parameter {need}")
    check_shape(stand, call, data)
    image = find_image(stand, call, data["ImageId"])
    profile = find_profile(stand, call, data.get("IamInstanceProfile"))
    zone = (data.get("Placement") or {}).get("AvailabilityZone")
    interfaces = data.get("NetworkInterfaces") or []
    home = stand.world.home(call)
    primary = next((one for one in interfaces if one.get("DeviceIndex") == 0), None)
    if interfaces and primary is None:
        raise AwsError("InvalidParameterValue", "A launch with network interfaces needs one at device index 0")
    held = [stand.world.interfaces.get(i["NetworkInterfaceId"]) for i in interfaces if i.get("NetworkInterfaceId")]
    for one, state in zip([i for i in interfaces if i.get("NetworkInterfaceId")], held, strict=True):
        if state is None:
            raise AwsError("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{one['NetworkInterfaceId']}' does not exist")
        check_free(state)
    request: Params = {key: data[key] for key in _PASSED if data.get(key) is not None}
    request["ImageId"] = image["ImageId"]
    item: dict[str, Any] | None
    if primary is not None and primary.get("NetworkInterfaceId"):
        item = find(stand, home, primary["NetworkInterfaceId"])
        subnet = find_subnet_by_id(stand, call, item["SubnetId"])
        delete = bool(primary.get("DeleteOnTermination"))
    else:
        source = primary or data
        if not source.get("SubnetId"):
            raise AwsError("MissingInput", "No subnets found for the default VPC. Please specify a subnet.")
        subnet = find_subnet(stand, call, source["SubnetId"])
        item = None
        delete = primary is None or primary.get("DeleteOnTermination", True)
    if zone is not None and zone != subnet["AvailabilityZone"]:
        raise AwsError("InvalidParameterValue", f"The interface or subnet is in {subnet['AvailabilityZone']}, not in {zone}")
    zone = subnet["AvailabilityZone"]
    if not _offered(stand, call, data["InstanceType"], zone):
        text = f"Your requested instance type ({data['InstanceType']}) is not supported in your requested Availability Zone ({zone})."
        raise AwsError("Unsupported", text)
    if item is None:
        item = _make_interface(stand, call, primary or data, subnet)
    request.update(
        MinCount=1,
        MaxCount=1,
        Placement={"AvailabilityZone": zone},
        NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": item["NetworkInterfaceId"]}],
    )
    specifications = [s for s in data.get("TagSpecifications") or [] if s.get("ResourceType") in ("instance", "volume")]
    if specifications:
        request["TagSpecifications"] = specifications
    reservation = stand.ask(call, "RunInstances", request, "ec2")
    made = reservation["Instances"][0]
    hold(stand.world.interfaces[item["NetworkInterfaceId"]], made["InstanceId"], 0, delete)
    for number, state in enumerate(s for s in held if s is not None and s.id != item["NetworkInterfaceId"]):
        hold(state, made["InstanceId"], number + 1, False)
    _remember(stand, call, data, reservation, item, subnet, image, profile, group, own_tags or {})
    return reservation


def _make_interface(stand: Stand, call: Call, source: Params, subnet: dict[str, Any]) -> dict[str, Any]:
    """The interface of a launch that brings none."""
    groups = source.get("Groups") or source.get("SecurityGroupIds") or []
    check_groups(stand, call, groups, subnet["VpcId"])
    params: Params = {
        "SubnetId": subnet["SubnetId"],
        "PrivateIpAddress": free_address(stand, call, subnet, source.get("PrivateIpAddress")),
    }
    made = stand.ask(call, "CreateNetworkInterface", {**params, **({"Groups": groups} if groups else {})}, "ec2")
    item: dict[str, Any] = made["NetworkInterface"]
    id = item["NetworkInterfaceId"]
    stand.world.interfaces[id] = InterfaceState(id, stand.world.home(call), stand.world.hold())
    return item


def find_subnet_by_id(stand: Stand, call: Call, id: str) -> dict[str, Any]:
    """A subnet that is known to be there."""
    found: dict[str, Any] = stand.ask(call, "DescribeSubnets", {"SubnetIds": [id]}, "ec2")["Subnets"][0]
    return found


def _remember(
    stand: Stand, call: Call, data: Params, reservation: dict[str, Any], item: dict[str, Any], subnet: dict[str, Any],
    image: dict[str, Any], profile: tuple[str, str] | None, group: str | None, own_tags: dict[str, str],
) -> None:  # fmt: skip
    made = reservation["Instances"][0]
    home = stand.world.home(call)
    options = data.get("MetadataOptions") or {}
    tags: dict[str, str] = {}
    for specification in data.get("TagSpecifications") or []:
        if specification.get("ResourceType") == "instance":
            tags.update(tag_map(specification.get("Tags")))
    root = _root(stand, call, made["InstanceId"], home.region)
    spec = Instance(
        id=made["InstanceId"], account=home.account, region=home.region, zone=subnet["AvailabilityZone"],
        zone_id=subnet.get("AvailabilityZoneId", ""), vpc_id=subnet["VpcId"], subnet_id=subnet["SubnetId"],
        subnet_cidr=subnet["CidrBlock"], interface_id=item["NetworkInterfaceId"], private_ip=item["PrivateIpAddress"],
        mac=item["MacAddress"], private_dns_name=private_name(item["PrivateIpAddress"], home.region),
        security_group_ids=tuple(g["GroupId"] for g in item.get("Groups", [])), instance_type=data["InstanceType"],
        architecture=image["Architecture"], image_id=image["ImageId"], profile_arn=profile[0] if profile else None,
        role_name=profile[1] if profile else None, user_data=_check_user_data(data.get("UserData")),
        metadata=MetadataOptions(
            options.get("HttpEndpoint", "enabled"), options.get("HttpTokens", "optional"),
            options.get("HttpPutResponseHopLimit", 1), options.get("InstanceMetadataTags", "disabled"),
        ),
        tags={**tags, **own_tags}, group_name=group, root_gib=root,
    )  # fmt: skip
    state = InstanceState(
        made["InstanceId"], home, spec, "pending", stand.world.hold(), [item["NetworkInterfaceId"]],
        user_data=data.get("UserData") or "", tags=own_tags,
        attributes={
            "InstanceInitiatedShutdownBehavior": data.get("InstanceInitiatedShutdownBehavior", "stop"),
            "DisableApiTermination": bool(data.get("DisableApiTermination")),
            "DisableApiStop": bool(data.get("DisableApiStop")),
        },
    )  # fmt: skip
    stand.world.born(state.id)
    stand.ledger.created("instance", state.id)
    stand.world.launched(state)


def _root(stand: Stand, call: Call, instance: str, region: str) -> int:
    """Registers the volumes that the launch made; they end with the instance. Gives the first one's size."""
    asked = {"Filters": [{"Name": "attachment.instance-id", "Values": [instance]}]}
    size = 8
    for number, volume in enumerate(stand.ask(call, "DescribeVolumes", asked, "ec2")["Volumes"]):
        state = VolumeState(
            volume["VolumeId"], stand.world.home(call), volume["AvailabilityZone"], volume["Size"],
            bool(volume.get("Encrypted")), volume.get("KmsKeyId"), stand.world.hold(),
        )  # fmt: skip
        state.root, state.holder, state.attach_state = True, instance, "attached"
        state.device = volume["Attachments"][0]["Device"]
        state.attach_time = datetime.now(timezone.utc)
        stand.world.volumes[state.id] = state
        stand.ledger.created("volume", state.id)
        size = volume["Size"] if number == 0 else size
    return size

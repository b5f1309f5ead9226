"""Launch templates. The data is kept here: moto forgets parts of it, and does not merge a source version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..messages import AwsError, Call, Params
from . import filters, rule
from .common import check_tags, dry_run, remembered
from .ec2_describe import Listing, listed
from .ec2_launch import check_shape

if TYPE_CHECKING:
    from ..stand import Stand


@rule("ec2", "CreateLaunchTemplate")
def create(stand: Stand, call: Call) -> Params:
    """Version 1 of a new name."""
    check_tags(call, "launch-template")
    check_data(stand, call, call.params["LaunchTemplateData"])
    dry_run(call)

    def make() -> Params:
        result = stand.ask(call, "CreateLaunchTemplate", {k: v for k, v in call.params.items() if k != "ClientToken"})
        id = result["LaunchTemplate"]["LaunchTemplateId"]
        stand.world.templates[id, 1] = call.params["LaunchTemplateData"]
        stand.world.born(id)
        return result

    return remembered(stand, call, make)


@rule("ec2", "CreateLaunchTemplateVersion")
def create_version(stand: Stand, call: Call) -> Params:
    """A further version: what is given over what the source version has."""
    template = find(stand, call, call.params)
    id = template["LaunchTemplateId"]
    data = dict(call.params["LaunchTemplateData"])
    if call.params.get("SourceVersion"):
        data = {**version_data(stand, call, {"LaunchTemplateId": id, "Version": call.params["SourceVersion"]})[2], **data}
    check_data(stand, call, data)
    dry_run(call)

    def make() -> Params:
        plain = {k: v for k, v in data.items() if k != "UserData"}
        params = {"LaunchTemplateId": id, "LaunchTemplateData": plain}
        if call.params.get("VersionDescription"):
            params["VersionDescription"] = call.params["VersionDescription"]
        result = stand.ask(call, "CreateLaunchTemplateVersion", params)
        version = result["LaunchTemplateVersion"]
        stand.world.templates[id, version["VersionNumber"]] = data
        return {**result, "LaunchTemplateVersion": {**version, "LaunchTemplateData": data}}

    return remembered(stand, call, make)


def check_data(stand: Stand, call: Call, data: Params) -> None:
    """Checked against the launch rules at creation; AWS waits until the launch."""
    if not data:
        raise AwsError("InvalidRequest", "The launch template data must not be empty")
    check_shape(stand, call, data)
    for one in data.get("NetworkInterfaces") or []:
        if one.get("NetworkInterfaceId") and one["NetworkInterfaceId"] not in stand.world.interfaces:
            raise AwsError("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{one['NetworkInterfaceId']}' does not exist")


def find(stand: Stand, call: Call, wanted: Params) -> dict[str, Any]:
    """A template by id or by name."""
    id, name = wanted.get("LaunchTemplateId"), wanted.get("LaunchTemplateName")
    if bool(id) == bool(name):
        raise AwsError("InvalidParameterCombination", "A launch template is named by its id or by its name, not both")
    stand.world.need(id, "InvalidLaunchTemplateId.NotFound", "launch template ID")
    for template in stand.ask(call, "DescribeLaunchTemplates", {}, "ec2")["LaunchTemplates"]:
        if id == template["LaunchTemplateId"] or name == template["LaunchTemplateName"]:
            found: dict[str, Any] = template
            return found
    if id:
        raise AwsError("InvalidLaunchTemplateId.NotFound", f"The specified launch template, with template ID {id}, does not exist.")
    raise AwsError("InvalidLaunchTemplateName.NotFoundException", f"The specified launch template, with template name {name}, does not exist.")


def version_data(stand: Stand, call: Call, wanted: Params) -> tuple[dict[str, Any], int, Params]:
    """Template, version number and data of a template specification."""
    named = {k: wanted[k] for k in ("LaunchTemplateId", "LaunchTemplateName") if wanted.get(k)}
    template = find(stand, call, named)
    text = str(wanted.get("Version") or "$Default")
    numbers = {"$Default": template["DefaultVersionNumber"], "$Latest": template["LatestVersionNumber"]}
    number = numbers.get(text, int(text) if text.isdigit() else -1)
    data = stand.world.templates.get((template["LaunchTemplateId"], number))
    if data is None:
        raise AwsError("InvalidLaunchTemplateId.VersionNotFound", f"Could not find launch template version {text}")
    return template, number, data


TEMPLATES = Listing(
    "LaunchTemplates", "LaunchTemplateId", "LaunchTemplateIds", "InvalidLaunchTemplateId.NotFound", filters.TEMPLATE,
    lambda stand, item: item,
)  # fmt: skip


@rule("ec2", "DescribeLaunchTemplates")
def describe(stand: Stand, call: Call) -> Params:
    """By ids, by names or by filters."""
    names = call.params.get("LaunchTemplateNames") or []
    result = listed(stand, call, TEMPLATES)
    if not names or call.params.get("NextToken"):
        return result
    result["LaunchTemplates"] = [t for t in result["LaunchTemplates"] if t["LaunchTemplateName"] in names]
    missing = set(names) - {t["LaunchTemplateName"] for t in result["LaunchTemplates"]}
    if missing:
        raise AwsError("InvalidLaunchTemplateName.NotFoundException", "At least one of the launch templates specified in the request does not exist.")
    return result


@rule("ec2", "DescribeLaunchTemplateVersions")
def describe_versions(stand: Stand, call: Call) -> Params:
    """Versions with the data as it was given."""
    dry_run(call)
    params = call.params
    if params.get("NextToken"):
        return {"LaunchTemplateVersions": []}
    template = find(stand, call, {k: params[k] for k in ("LaunchTemplateId", "LaunchTemplateName") if params.get(k)})
    id = template["LaunchTemplateId"]
    asked = {version_data(stand, call, {"LaunchTemplateId": id, "Version": v})[1] for v in params.get("Versions") or []}
    result = stand.ask(call, "DescribeLaunchTemplateVersions", {"LaunchTemplateId": id})
    found = []
    for version in result["LaunchTemplateVersions"]:
        number = version["VersionNumber"]
        if (not asked or number in asked) and (id, number) in stand.world.templates:
            found.append({**version, "LaunchTemplateData": stand.world.templates[id, number]})
    return {"LaunchTemplateVersions": found}


@rule("ec2", "ModifyLaunchTemplate")
def modify(stand: Stand, call: Call) -> Params:
    """The default version."""
    find(stand, call, {k: call.params[k] for k in ("LaunchTemplateId", "LaunchTemplateName") if call.params.get(k)})
    dry_run(call)
    return stand.ask(call, call.action, {k: v for k, v in call.params.items() if k != "ClientToken"})


@rule("ec2", "DeleteLaunchTemplate")
def delete(stand: Stand, call: Call) -> Params:
    """With all versions. A group that uses it fails its next launch."""
    template = find(stand, call, {k: call.params[k] for k in ("LaunchTemplateId", "LaunchTemplateName") if call.params.get(k)})
    dry_run(call)
    stand.ask(call, "DeleteLaunchTemplate", {"LaunchTemplateId": template["LaunchTemplateId"]})
    for key in [k for k in stand.world.templates if k[0] == template["LaunchTemplateId"]]:
        del stand.world.templates[key]
    return {"LaunchTemplate": template}

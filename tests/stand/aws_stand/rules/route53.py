"""Route 53: a batch is carried out whole or not at all, a change spreads slowly, machines resolve private zones."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..messages import AwsError, Call, HttpResponse
from . import passing, rule

if TYPE_CHECKING:
    from ..stand import Stand

passing("route53", "CreateHostedZone", "GetHostedZone", "DeleteHostedZone", "ListHostedZonesByName", "ListHostedZones",
        "ListTagsForResource")  # fmt: skip


def _records(stand: Stand, call: Call, zone: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stand.ask(call, "ListResourceRecordSets", {"HostedZoneId": zone})["ResourceRecordSets"]
    return found


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Name, type and identifier make a record."""
    return all(
        str(one.get(name) or "").rstrip(".").lower() == str(other.get(name) or "").rstrip(".").lower()
        for name in ("Name", "Type", "SetIdentifier")
    )


def _values(record: dict[str, Any]) -> tuple[Any, list[str]]:
    return record.get("TTL"), sorted(value["Value"] for value in record.get("ResourceRecords") or [])


def _check(call: Call, there: list[dict[str, Any]]) -> None:
    """What moto takes, and Route 53 refuses."""
    now = list(there)
    messages = []
    for change in call.params["ChangeBatch"]["Changes"]:
        record, action = change["ResourceRecordSet"], change["Action"]
        name, kind = record["Name"], record["Type"]
        same = [known for known in now if _same(known, record)]
        if action == "CREATE" and same:
            messages.append(f"Tried to create resource record set [name='{name}', type='{kind}'] but it already exists")
        if action == "DELETE" and not any(_values(known) == _values(record) for known in same):
            messages.append(f"Tried to delete resource record set [name='{name}', type='{kind}'] but it was not found")
        now = [known for known in now if not _same(known, record)]
        if action != "DELETE":
            now.append(record)
    names = [record["Name"].rstrip(".").lower() for record in now if record["Type"] == "CNAME"]
    for record in now:
        if record["Type"] != "CNAME" and record["Name"].rstrip(".").lower() in names:
            messages.append(f"RRSet of type {record['Type']} with DNS name {record['Name']} is not permitted beside a CNAME")
    if messages:
        raise AwsError("InvalidChangeBatch", f"[{', '.join(messages)}]")


@rule("route53", "ChangeResourceRecordSets")
def change_records(stand: Stand, call: Call) -> HttpResponse:
    """Refuses the whole batch for one wrong change; tells the machines."""
    _check(call, _records(stand, call, call.params["HostedZoneId"]))
    answer = stand.moto.forward(call.http)
    found = re.search(rb"<Id>/change/([^<]*)</Id>", answer.body)
    if answer.status == 200 and found:
        stand.world.zone_changes[found.group(1).decode()] = stand.world.hold()
        _tell(stand, call)
    return _pending(answer)


@rule("route53", "ListResourceRecordSets")
def list_records(stand: Stand, call: Call) -> HttpResponse:
    """In the stand's small pages."""
    size, query = stand.settings.page_size, call.http.query
    if not size or "maxitems=" in query:
        return stand.moto.forward(call.http)
    query = f"{query}&maxitems={size}" if query else f"maxitems={size}"
    return stand.moto.forward(replace(call.http, query=query))


@rule("route53", "GetChange")
def get_change(stand: Stand, call: Call) -> HttpResponse:
    """PENDING until it was polled often enough."""
    hold = stand.world.zone_changes.get(call.params["Id"].rpartition("/")[2])
    if hold is None:
        raise AwsError("NoSuchChange", f"Could not find resource with ID: {call.params['Id']}", 404)
    answer = stand.moto.forward(call.http)
    return _pending(answer) if hold.poll() else answer


def _pending(answer: HttpResponse) -> HttpResponse:
    return replace(answer, body=answer.body.replace(b"<Status>INSYNC</Status>", b"<Status>PENDING</Status>"))


def _tell(stand: Stand, call: Call) -> None:
    """All address records of all private zones."""
    found: dict[str, str] = {}
    for zone in stand.ask(call, "ListHostedZones", {})["HostedZones"]:
        if zone["Config"].get("PrivateZone"):
            for record in _records(stand, call, zone["Id"].rpartition("/")[2]):
                if record["Type"] == "A" and record.get("ResourceRecords"):
                    found[record["Name"]] = record["ResourceRecords"][0]["Value"]
    stand.tell_machines("records", lambda: stand.machines.records(found))

"""The control API under `/stand/`, for tests and the command line: on a port of loopback that no instance reaches."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from . import principals
from .messages import HttpRequest, HttpResponse
from .rules import web_identity

if TYPE_CHECKING:
    from .stand import Stand


def issuer(stand: Stand, request: HttpRequest) -> HttpResponse:
    """What an issuer of tokens publishes: all that the address of AWS has below `/stand/`."""
    path = request.path.removeprefix("/stand/")
    found = web_identity.document(stand, path.removeprefix("issuer/")) if path.startswith("issuer/") else None
    return _json({"error": f"no such document: {request.path}; the control API has an address of its own"}, 404) if found is None else _json(found)


def handle(stand: Stand, request: HttpRequest) -> HttpResponse:
    """Answers one control request."""
    asked = parse_qs(request.query)
    try:
        body = json.loads(request.body) if request.body.strip() else {}
        found = _answer(stand, f"{request.method} {request.path[len('/stand/') :]}", body, asked)
    except (ValueError, TypeError, KeyError) as error:
        return _json({"error": str(error)}, 400)
    return _json({"error": f"no such control: {request.method} {request.path}"}, 404) if found is None else _json(found)


def _answer(stand: Stand, what: str, body: Any, asked: dict[str, list[str]]) -> Any:
    if what == "GET failures":
        return stand.log.failures()
    if what == "POST failures/clear":
        return stand.log.failures(clear=True)
    if what == "GET log":
        return stand.log.entries(int(asked.get("after", ["0"])[0]))
    if what == "GET calls":
        return stand.log.calls()
    if what == "POST calls/reset":
        stand.log.reset_calls()
        return {}
    if what == "GET faults":
        return stand.faults.show()
    if what == "POST faults":
        for order in body if isinstance(body, list) else [body]:
            stand.faults.add(order)
        return {}
    if what == "POST faults/clear":
        stand.faults.clear()
        return {}
    if what == "GET settings":
        return asdict(stand.settings)
    if what == "POST settings":
        stand.settings.update(body)
        return asdict(stand.settings)
    if what == "POST policies":
        stand.settings.update({"enforce_policies": body["enforce"]})
        return {}
    if what == "POST operator":
        principals.replace_policies(stand, "operator", body["policies"])
        stand.settings.update({"enforce_policies": True})
        return {}
    if what == "GET left":
        return stand.ledger.report(stand)
    if what == "POST left/baseline":
        stand.ledger.baseline(stand)
        return {}
    if what == "POST stopped":
        stand.world.stopped_itself(body["instance_id"])
        return {}
    if what == "POST clients":
        stand.machines.client(body["name"], body["address"], body["subnet"], body.get("group_ids", []), body.get("zone"))
        return {}
    if what == "POST break":
        stand.machines.fault(body["what"], body["name"], body.get("is_over", False))
        return {}
    if what == "GET instances":
        return [{**asdict(i), "user_data": len(i.user_data)} for i in stand.world.instances()]
    if what == "GET network":
        return asdict(stand.world.network())
    if what == "POST shutdown":
        threading.Thread(target=stand.shutdown, daemon=True).start()
        return {}
    return None


def _json(value: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(status, {"Content-Type": "application/json"}, json.dumps(value, default=str).encode())

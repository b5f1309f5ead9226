"""The control API under `/stand/`, for tests and the command line. It is not protected: loopback only."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from .messages import HttpRequest, HttpResponse
from .rules import web_identity

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer

    from .stand import Stand


def handle(stand: Stand, request: HttpRequest, server: ThreadingHTTPServer) -> HttpResponse:
    """Answers one control request."""
    asked = parse_qs(request.query)
    try:
        body = json.loads(request.body) if request.body.strip() else {}
        found = _answer(stand, f"{request.method} {request.path[len('/stand/') :]}", body, asked, server)
    except (ValueError, TypeError, KeyError) as error:
        return _json({"error": str(error)}, 400)
    return _json({"error": f"no such control: {request.method} {request.path}"}, 404) if found is None else _json(found)


def _answer(stand: Stand, what: str, body: Any, asked: dict[str, list[str]], server: ThreadingHTTPServer) -> Any:
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
    if what == "GET left":
        return stand.ledger.report(stand)
    if what == "POST left/baseline":
        stand.ledger.baseline(stand)
        return {}
    if what == "POST stopped":
        stand.world.stopped_itself(body["instance_id"])
        return {}
    if what == "GET instances":
        return [{**asdict(i), "user_data": len(i.user_data)} for i in stand.world.instances()]
    if what == "GET network":
        return asdict(stand.world.network())
    if what == "POST shutdown":
        threading.Thread(target=server.shutdown, daemon=True).start()
        return {}
    if what.startswith("GET issuer/"):
        return web_identity.document(stand, what.removeprefix("GET issuer/"))
    return None


def _json(value: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(status, {"Content-Type": "application/json"}, json.dumps(value, default=str).encode())

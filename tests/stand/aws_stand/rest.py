"""The `rest-xml` protocol (S3, Route 53): which operation a method and path mean, and its parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from botocore.model import OperationModel

from . import catalog
from .messages import AwsError, HttpRequest, Params
from .query import scalar

_PASSING_QUERY = re.compile(r"x-id|x-amz-(algorithm|credential|date|expires|signedheaders|signature|security-token)", re.I)
_PASSING_HEADER = {
    "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-user-agent", "x-amz-decoded-content-length",
    "x-amz-trailer",
}  # fmt: skip


@dataclass(frozen=True)
class _Route:
    model: OperationModel
    path: re.Pattern[str]
    fixed: tuple[tuple[str, str | None], ...]
    queries: tuple[str, ...]
    headers: tuple[str, ...]


@lru_cache(maxsize=None)
def _routes(service: str) -> tuple[_Route, ...]:
    routes = []
    models = catalog.service(service)
    for name in models.operation_names:
        model = models.operation_model(name)
        if model.deprecated:  # they have the path of those that replaced them
            continue
        path, _, query = model.http["requestUri"].partition("?")
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", path))
        fixed = tuple((k, v if "=" in query else None) for k, v in parse_qsl(query, keep_blank_values=True) if k != "x-id")
        queries, headers = [], []
        shape = model.input_shape
        for member in getattr(shape, "required_members", []):
            wire = shape.members[member].serialization
            if wire.get("location") == "querystring":
                queries.append(wire["name"])
            if wire.get("location") == "header":
                headers.append(wire["name"].lower())
        compiled = re.compile(rf"{pattern.rstrip('/')}/?\Z")
        routes.append(_Route(model, compiled, fixed, tuple(queries), tuple(headers)))
    return tuple(routes)


def match(service: str, request: HttpRequest) -> tuple[OperationModel, dict[str, str]] | None:
    """The operation that fits best (the one with most required parts), and its path's values."""
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    best: tuple[int, OperationModel, dict[str, str]] | None = None
    for route in _routes(service):
        if route.model.http["method"] != request.method:
            continue
        found = route.path.match(request.path)
        if found is None or any(k not in query or (v and query[k] != v) for k, v in route.fixed):
            continue
        if any(k not in query for k in route.queries) or any(k not in request.headers for k in route.headers):
            continue
        if query.get("x-id", route.model.name) != route.model.name:
            continue
        score = len(route.fixed) + len(route.queries) + len(route.headers)
        if best is None or score > best[0]:
            best = (score, route.model, {k: unquote(v) for k, v in found.groupdict().items()})
    return (best[1], best[2]) if best else None


def decode(request: HttpRequest, model: OperationModel, path: dict[str, str]) -> tuple[Params, list[str]]:
    """The parameters from path, query, headers and body, and what is wrong."""
    problems: list[str] = []
    params: Params = {}
    shape: Any = model.input_shape
    query = parse_qsl(request.query, keep_blank_values=True)
    fixed = {k for k, _ in parse_qsl(model.http["requestUri"].partition("?")[2], keep_blank_values=True)}
    known_query, known_headers, prefixes = set(fixed), set(_PASSING_HEADER), []
    for member, inner in shape.members.items() if shape else ():
        wire = inner.serialization
        place, name = wire.get("location"), str(wire.get("name", member))
        if place == "uri":
            params[member] = path[name]
        elif place == "querystring":
            known_query.add(name)
            for value in (v for k, v in query if k == name):
                params[member] = _leaf(value, inner, member, problems)
        elif place == "header":
            known_headers.add(name.lower())
            if name.lower() in request.headers:
                params[member] = _leaf(request.headers[name.lower()], inner, member, problems)
        elif place == "headers":
            prefixes.append(name.lower())
            found = {k[len(name) :]: v for k, v in request.headers.items() if k.startswith(name.lower())}
            if found:
                params[member] = found
    for key, _ in query:
        if key not in known_query and not _PASSING_QUERY.fullmatch(key):
            problems.append(f"?{key}: unknown parameter")
    for key in request.headers:
        if key.startswith("x-amz-") and key not in known_headers and not key.startswith(tuple(prefixes or ["\0"])):
            if not key.startswith(("x-amz-checksum-", "x-amz-sdk-")):
                problems.append(f"{key}: unknown header")
    payload = shape.serialization.get("payload") if shape else None
    if payload and shape.members[payload].type_name == "structure":
        if request.body.strip():
            params[payload] = _xml(request.body, shape.members[payload], payload, problems)
    elif payload is None and request.body.strip() and shape is not None:
        params.update(_xml(request.body, shape, "", problems) or {})
    elif payload and shape.members[payload].type_name != "structure" and payload != "Body":
        params[payload] = request.body.decode("utf-8", "replace")
    return params, problems


def _leaf(text: str, shape: Any, where: str, problems: list[str]) -> Any:
    if shape.type_name == "list":
        return [scalar(part.strip(), shape.member, where, problems) for part in text.split(",")]
    return scalar(text, shape, where, problems)


def _xml(body: bytes, shape: Any, where: str, problems: list[str]) -> Any:
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        problems.append(f"body: {error}")
        return None
    return _node(root, shape, where, problems)


def _node(node: ElementTree.Element, shape: Any, where: str, problems: list[str]) -> Any:
    kind = shape.type_name
    if kind == "list":
        return [_node(child, shape.member, where, problems) for child in node]
    if kind != "structure":
        return scalar(node.text or "", shape, where, problems)
    result: Params = {}
    names: dict[str, tuple[str, Any]] = {}
    for member, inner in shape.members.items():
        if inner.serialization.get("location"):
            continue
        wire = inner.serialization.get("name", member)
        if inner.type_name == "list" and inner.serialization.get("flattened"):
            wire = inner.serialization.get("name") or inner.member.serialization.get("name", member)
        names[wire] = (member, inner)
    for child in node:
        tag = child.tag.rpartition("}")[2]
        if tag not in names:
            problems.append(f"{where}.{tag}: unknown element".lstrip("."))
            continue
        member, inner = names[tag]
        place = f"{where}.{member}".lstrip(".")
        if inner.type_name == "list" and inner.serialization.get("flattened"):
            result.setdefault(member, []).append(_node(child, inner.member, place, problems))
        else:
            result[member] = _node(child, inner, place, problems)
    return result


def encode_error(error: AwsError, request_id: str, service: str, resource: str) -> bytes:
    """The XML of an error: S3 has its own form."""
    inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    if service == "s3":
        body = f"<Error>{inner}<Resource>{escape(resource)}</Resource><RequestId>{request_id}</RequestId></Error>"
    else:
        body = f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + body).encode()

"""The `query` and `ec2` protocols: form fields to parameters, results to XML.

Decoding mirrors what SDKs serialize, and reports every field that the model does not know.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.model import OperationModel, Shape
from botocore.utils import parse_timestamp

from .messages import AwsError, Params

Tree = dict[str, Any]


def decode(body: bytes, model: OperationModel, ec2: bool) -> tuple[Params, list[str]]:
    """The parameters of a form, and what is wrong with it."""
    problems: list[str] = []
    tree: Tree = {}
    for key, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True):
        if key in ("Action", "Version"):
            continue
        node = tree
        *parents, last = key.split(".")
        for part in parents:
            child = node.setdefault(part, {})
            if not isinstance(child, dict):
                problems.append(f"{key}: is under a plain value")
                child = {}
            node = child
        if last in node:
            problems.append(f"{key}: given twice")
        node[last] = value
    if model.input_shape is None:
        return {}, problems + [f"{key}: unknown parameter" for key in tree]
    decoder = _Decoder(ec2, problems)
    return decoder.structure(tree, model.input_shape, ""), problems


class _Decoder:
    def __init__(self, ec2: bool, problems: list[str]) -> None:
        self.ec2 = ec2
        self.problems = problems

    def name(self, shape: Shape, member: str) -> str:
        wire = shape.serialization
        if self.ec2:
            if "queryName" in wire:
                return str(wire["queryName"])
            if "name" in wire:
                return str(wire["name"][0].upper() + wire["name"][1:])
            return member
        return str(wire.get("name", member))

    def value(self, node: Any, shape: Shape, where: str) -> Any:
        kind = shape.type_name
        if kind == "structure":
            return self.structure(node, shape, where)
        if kind == "list":
            return self.list(node, shape, where)
        if kind == "map":
            return self.map(node, shape, where)
        if not isinstance(node, str):
            self.problems.append(f"{where}: is a {kind}, got members {sorted(node)}")
            return None
        return scalar(node, shape, where, self.problems)

    def structure(self, node: Any, shape: Any, where: str) -> Params:
        if not isinstance(node, dict):
            self.problems.append(f"{where}: is a structure, got a plain value")
            return {}
        left = dict(node)
        result: Params = {}
        for member, inner in shape.members.items():
            wire = self.name(inner, member)
            if not self.ec2 and inner.type_name == "list" and _flattened(inner):
                wire = inner.member.serialization.get("name", wire)
            if wire in left:
                result[member] = self.value(left.pop(wire), inner, f"{where}.{member}".lstrip("."))
        self.problems.extend(f"{where}.{key}: unknown parameter".lstrip(".") for key in left)
        return result

    def list(self, node: Any, shape: Any, where: str) -> list[Any]:
        if node == "":
            return []
        if not isinstance(node, dict):
            self.problems.append(f"{where}: is a list, got a plain value")
            return []
        if not self.ec2 and not _flattened(shape):
            wrapper = shape.member.serialization.get("name", "member")
            self.problems.extend(f"{where}.{key}: unknown parameter" for key in node if key != wrapper)
            node = node.get(wrapper, {})
        items: list[Any] = []
        for key in sorted(node, key=lambda k: int(k) if k.isdigit() else 0):
            if not key.isdigit() or int(key) != len(items) + 1:
                self.problems.append(f"{where}.{key}: elements are numbered 1, 2, 3…")
            items.append(self.value(node[key], shape.member, f"{where}.{key}"))
        return items

    def map(self, node: Any, shape: Any, where: str) -> Params:
        if not isinstance(node, dict):
            self.problems.append(f"{where}: is a map, got a plain value")
            return {}
        entries = node if _flattened(shape) else node.get("entry", {})
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        return {
            entry.get(key_name, ""): self.value(entry.get(value_name, ""), shape.value, where)
            for entry in entries.values()
        }


def _flattened(shape: Shape) -> bool:
    return bool(shape.serialization.get("flattened"))


def scalar(text: str, shape: Shape, where: str, problems: list[str]) -> Any:
    """A leaf's text as the type that the model tells."""
    kind = shape.type_name
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
        if kind == "boolean":
            return {"true": True, "false": False}[text]
        if kind == "timestamp":
            return parse_timestamp(text)
        if kind == "blob":
            return base64.b64decode(text, validate=True)
    except (ValueError, KeyError, binascii.Error):
        problems.append(f"{where}: {text!r} is not a {kind}")
        return None
    return text


def encode(model: OperationModel, result: Params, request_id: str, ec2: bool) -> bytes:
    """The XML of a result, as the model lays it out."""
    out: list[str] = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    namespace = model.service_model.metadata.get("xmlNamespace")
    if ec2:
        namespace = f"http://ec2.amazonaws.com/doc/{model.service_model.api_version}/"
    out.append(f'<{model.name}Response xmlns="{namespace}">')
    shape = model.output_shape
    if ec2:
        out.append(f"<requestId>{request_id}</requestId>")
        if shape is not None:
            _members(out, result, shape)
        elif model.name:
            out.append("<return>true</return>")
    else:
        if shape is not None:
            wrapper = shape.serialization.get("resultWrapper", f"{model.name}Result")
            out.append(f"<{wrapper}>")
            _members(out, result, shape)
            out.append(f"</{wrapper}>")
        out.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>")
    out.append(f"</{model.name}Response>")
    return "".join(out).encode()


def _members(out: list[str], value: Params, shape: Any) -> None:
    for member, inner in shape.members.items():
        item = value.get(member)
        if item is not None:
            _element(out, item, inner, inner.serialization.get("name", member))


def _element(out: list[str], value: Any, shape: Any, name: str) -> None:
    kind = shape.type_name
    if kind == "list":
        flat = _flattened(shape)
        if not flat:
            out.append(f"<{name}>")
        for item in value:
            _element(out, item, shape.member, name if flat else shape.member.serialization.get("name", "member"))
        if not flat:
            out.append(f"</{name}>")
        return
    out.append(f"<{name}>")
    if kind == "structure":
        _members(out, value, shape)
    elif kind == "map":
        for key, item in value.items():
            out.append("<entry>")
            _element(out, key, shape.key, shape.key.serialization.get("name", "key"))
            _element(out, item, shape.value, shape.value.serialization.get("name", "value"))
            out.append("</entry>")
    else:
        out.append(escape(text(value, kind)))
    out.append(f"</{name}>")


def text(value: Any, kind: str) -> str:
    """A leaf as it is written in XML."""
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "timestamp" and isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if kind == "blob" and isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def encode_error(error: AwsError, request_id: str, ec2: bool) -> bytes:
    """The XML of an error."""
    inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    if ec2:
        body = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    else:
        kind = "Sender" if error.status < 500 else "Receiver"
        body = (
            f"<ErrorResponse><Error><Type>{kind}</Type>{inner}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return (head + body).encode()

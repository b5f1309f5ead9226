"""Checks parameters against the public API model: required, unknown, type, enumeration, length, range, pattern."""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import Any

import regex
from botocore.model import Shape

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (float, int),
    "double": (float, int),
    "boolean": (bool,),
}


_OPEN = {"InstanceType"}
"""Enumerations that AWS extends every week, and whose values users type: the rules answer as AWS does."""


def check(value: Any, shape: Shape, where: str = "") -> list[str]:
    """Everything in `value` that the model does not allow."""
    problems: list[str] = []
    _check(value, shape, where, problems)
    return problems


def _check(value: Any, shape: Any, where: str, problems: list[str]) -> None:
    if value is None:
        return
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            problems.append(f"{where}: is a structure, got {type(value).__name__}")
            return
        _structure(value, shape, where, problems)
    elif kind == "list":
        if not isinstance(value, list):
            problems.append(f"{where}: is a list, got {type(value).__name__}")
            return
        _range(len(value), shape, where, "elements", problems)
        for index, item in enumerate(value):
            _check(item, shape.member, f"{where}[{index}]", problems)
    elif kind == "map":
        if not isinstance(value, dict):
            problems.append(f"{where}: is a map, got {type(value).__name__}")
            return
        _range(len(value), shape, where, "entries", problems)
        for key, item in value.items():
            _check(key, shape.key, f"{where} key", problems)
            _check(item, shape.value, f"{where}[{key}]", problems)
    else:
        _scalar(value, shape, where, problems)


def _structure(value: dict[str, Any], shape: Any, where: str, problems: list[str]) -> None:
    for name in shape.required_members:
        if value.get(name) is None:
            problems.append(f"{where}.{name}: required parameter is missing".lstrip("."))
    for name, item in value.items():
        if name in shape.members:
            _check(item, shape.members[name], f"{where}.{name}".lstrip("."), problems)
        else:
            problems.append(f"{where}.{name}: unknown parameter".lstrip("."))


def _scalar(value: Any, shape: Any, where: str, problems: list[str]) -> None:
    kind = shape.type_name
    if kind == "blob":
        if isinstance(value, str):
            try:
                value = base64.b64decode(value, validate=True)
            except binascii.Error:
                problems.append(f"{where}: is not base64")
                return
        _range(len(value), shape, where, "bytes", problems)
        return
    if kind == "timestamp":
        return
    allowed = _TYPES.get(kind, (object,))
    right = isinstance(value, allowed) and (kind == "boolean" or not isinstance(value, bool))
    if not right:
        problems.append(f"{where}: is a {kind}, got {type(value).__name__}")
        return
    if kind == "string":
        _range(len(value), shape, where, "characters", problems)
        enum = getattr(shape, "enum", None) or []
        if enum and value not in enum and shape.name not in _OPEN:
            problems.append(f"{where}: {value!r} is not one of {', '.join(enum[:12])}")
        pattern = shape.metadata.get("pattern")
        compiled = _pattern(pattern) if pattern else None
        if compiled is not None and compiled.search(value) is None:
            problems.append(f"{where}: {value!r} does not match {pattern}")
    elif kind in ("integer", "long", "float", "double"):
        _range(value, shape, where, "", problems)


def _range(size: float, shape: Any, where: str, unit: str, problems: list[str]) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        problems.append(f"{where}: {size} {unit} is below {low}")
    if high is not None and size > high:
        problems.append(f"{where}: {size} {unit} is above {high}")


@lru_cache(maxsize=None)
def _pattern(text: str) -> regex.Pattern[str] | None:
    """Patterns are anchored (models leave the anchors out); one that no Python engine reads is not checked."""
    try:
        return regex.compile(rf"\A(?:{text})\Z")
    except regex.error:
        return None

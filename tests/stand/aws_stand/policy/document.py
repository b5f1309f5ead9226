"""Policy documents: statements, what they match, their conditions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..messages import AwsError, Refused

Context = dict[str, list[str]]
_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal", "NotPrincipal"}


@dataclass(frozen=True)
class Statement:
    """One statement."""

    effect: str
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Operator, key, values."""
    principals: tuple[tuple[str, str], ...] | None = None
    """Kind (`AWS`, `Service`) and value; `None` in identity policies."""

    def about(self, action: str) -> bool:
        """Whether the statement speaks of an action."""
        return any(like(p.lower(), action.lower()) for p in self.actions) != self.not_actions

    def names(self, action: str) -> bool:
        """Whether it names the action in full."""
        return not self.not_actions and action.lower() in (p.lower() for p in self.actions)

    def matches(self, action: str, arn: str, context: Context) -> bool:
        """Whether everything fits."""
        if not self.about(action):
            return False
        if any(like(_filled(p, context), arn) for p in self.resources) == self.not_resources and self.resources:
            return False
        return all(holds(operator, key, values, context) for operator, key, values in self.conditions)


@dataclass
class Request:
    """One question to policies."""

    action: str
    arn: str
    context: Context = field(default_factory=dict)


def parse(text: str, principal: bool = False) -> list[Statement]:
    """Reads a document; what AWS would refuse is `MalformedPolicy`."""
    try:
        document = json.loads(text)
        return [_statement(one, principal) for one in _list(document["Statement"])]
    except (ValueError, KeyError, TypeError) as error:
        raise AwsError("MalformedPolicy", f"The policy is not valid: {error}") from None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _statement(one: dict[str, Any], principal: bool) -> Statement:
    unknown = set(one) - _ELEMENTS
    if unknown or one["Effect"] not in ("Allow", "Deny"):
        raise ValueError(f"unknown element or effect: {unknown or one['Effect']}")
    if ("Action" in one) == ("NotAction" in one):
        raise ValueError("a statement has Action or NotAction")
    conditions = [
        (operator, key, tuple(str(v).lower() if isinstance(v, bool) else str(v) for v in _list(values)))
        for operator, keys in one.get("Condition", {}).items()
        for key, values in keys.items()
    ]
    principals: list[tuple[str, str]] | None = None
    if principal:
        found = one.get("Principal", {})
        pairs = {"AWS": "*"} if found == "*" else found
        principals = [(kind, str(v)) for kind, values in pairs.items() for v in _list(values)]
    return Statement(
        one["Effect"],
        tuple(_list(one.get("Action", one.get("NotAction")))),
        "NotAction" in one,
        tuple(_list(one.get("Resource", one.get("NotResource", [])))),
        "NotResource" in one,
        tuple(conditions),
        tuple(principals) if principals is not None else None,
    )


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in text), re.S)


def like(pattern: str, text: str) -> bool:
    """`*` and `?`, over the whole text."""
    return _pattern(pattern).fullmatch(text) is not None


def arn_like(pattern: str, text: str) -> bool:
    """Part by part: `*` does not reach over a colon but in the last part."""
    wanted, have = pattern.split(":", 5), text.split(":", 5)
    return len(wanted) == len(have) and all(like(w, h) for w, h in zip(wanted, have, strict=True))


def lookup(key: str, context: Context) -> list[str] | None:
    """A key's values; names of keys have no case, but tags' own names do."""
    prefix, slash, name = key.partition("/")
    for known, values in context.items():
        known_prefix, _, known_name = known.partition("/")
        if known_prefix.lower() == prefix.lower() and known_name == name and bool(slash) == ("/" in known):
            return values
    return None


def _filled(text: str, context: Context) -> str:
    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name in "*?$":
            return name
        values = lookup(name, context)
        return values[0] if values else "\0"

    return re.sub(r"\$\{([^}]+)\}", value, text)


def holds(operator: str, key: str, values: Iterable[str], context: Context) -> bool:
    """One condition. An absent key is false, but for negated operators, `Null` and `…IfExists`."""
    have = lookup(key, context)
    wanted = [_filled(value, context) for value in values]
    quantifier, _, name = operator.rpartition(":")
    optional = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if name == "Null":
        return any((have is None) == (value == "true") for value in wanted)
    test = _TESTS.get(name)
    if test is None:
        raise Refused(f"the stand does not know the condition operator {operator}")
    negated = "Not" in name
    if have is None:
        return optional or negated or quantifier == "ForAllValues"
    one = [any(test(want, value) for want in wanted) != negated for value in have]
    return all(one) if quantifier == "ForAllValues" or (negated and not quantifier) else any(one)


def _equal(want: str, value: str) -> bool:
    return want == value


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _equal,
    "StringNotEquals": _equal,
    "StringEqualsIgnoreCase": lambda want, value: want.lower() == value.lower(),
    "StringLike": like,
    "StringNotLike": like,
    "ArnLike": arn_like,
    "ArnEquals": arn_like,
    "ArnNotLike": arn_like,
    "ArnNotEquals": arn_like,
    "Bool": lambda want, value: want.lower() == value.lower(),
    "NumericLessThanEquals": lambda want, value: float(value) <= float(want),
    "NumericEquals": lambda want, value: float(value) == float(want),
}

"""The rules of AWS that moto lacks, one function per action.

A rule gets the stand and the call, and gives the result's members (or a whole answer).
What has no rule goes to moto as it is, where that is known to be true enough (`PASSING`); the rest is refused loudly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..messages import Call, HttpResponse, Params

if TYPE_CHECKING:
    from ..stand import Stand

Rule = Callable[["Stand", Call], "Params | HttpResponse"]
RULES: dict[tuple[str, str], Rule] = {}
PASSING: dict[str, set[str]] = {}
"""Per service the actions that moto answers well enough alone."""


def rule(service: str, *actions: str) -> Callable[[Rule], Rule]:
    """Marks a function as the rule for actions."""

    def mark(function: Rule) -> Rule:
        for action in actions:
            assert (service, action) not in RULES, f"two rules for {service}:{action}"
            RULES[service, action] = function
        return function

    return mark


def passing(service: str, *actions: str) -> None:
    """Marks actions that need no rule."""
    PASSING.setdefault(service, set()).update(actions)


def load() -> None:
    """Imports every module of rules."""
    from importlib import import_module
    from pkgutil import iter_modules

    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)

"""Faults on demand: the n-th call of an action fails, is delayed, or loses its connection."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, fields
from typing import Any

from .messages import AwsError


@dataclass
class Fault:
    """One order. Without `code` and `drop` it only delays."""

    service: str = "*"
    action: str = "*"
    nth: int = 1
    """The first matching call that is hit, counted from the order on."""
    count: int = 1
    """How many calls are hit; 0: all from then on."""
    every: int = 1
    """Of the calls from `nth` on, each `every`-th is hit."""
    code: str = ""
    message: str = "injected by the stand"
    status: int = 400
    delay: float = 0.0
    when: str = "before"
    """`before`: nothing happens. `after`: it happens, and the answer is lost or turned into the error."""
    drop: bool = False
    """The connection is closed without an answer."""
    contains: str = ""
    """Only calls whose parameters, as JSON, contain this text."""
    principal: str = ""
    """Only calls of principals whose ARN contains this text."""
    seen: int = 0
    hits: int = 0

    def error(self) -> AwsError | None:
        """What the caller sees."""
        return AwsError(self.code, self.message, self.status) if self.code else None


class Faults:
    """The orders that are in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: list[Fault] = []

    def add(self, order: dict[str, Any]) -> None:
        """Takes an order; an unknown field is an error."""
        known = {f.name for f in fields(Fault)} - {"seen", "hits"}
        unknown = set(order) - known
        if unknown:
            raise ValueError(f"unknown in a fault: {', '.join(sorted(unknown))}")
        if order.get("when", "before") not in ("before", "after"):
            raise ValueError("when is before or after")
        with self._lock:
            self._orders.append(Fault(**order))

    def clear(self) -> None:
        """Ends all orders."""
        with self._lock:
            self._orders.clear()

    def show(self) -> list[dict[str, Any]]:
        """All orders with what they have seen and hit."""
        with self._lock:
            return [asdict(order) for order in self._orders]

    def hit(self, service: str, action: str, params: Any, principal: str) -> Fault | None:
        """Counts a call, and tells the fault that it meets."""
        text: str | None = None
        found: Fault | None = None
        with self._lock:
            for order in self._orders:
                if order.service not in ("*", service) or order.action not in ("*", action):
                    continue
                if order.principal not in principal:
                    continue
                if order.contains:
                    text = text if text is not None else json.dumps(params, default=str)
                    if order.contains not in text:
                        continue
                order.seen += 1
                due = order.seen >= order.nth and (order.seen - order.nth) % order.every == 0
                if due and (order.count == 0 or order.hits < order.count) and found is None:
                    order.hits += 1
                    found = order
        return found

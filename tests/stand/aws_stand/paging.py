"""Pages as short as a caller must expect, in no order at all."""

from __future__ import annotations

import random
import secrets
from typing import Any

import jmespath

from . import catalog
from .messages import AwsError, Call, Params
from .settings import Settings

IN_ORDER = {"DescribeScalingActivities"}
"""The newest activity is first; that much AWS promises."""


class Pages:
    """Cuts results into pages, and remembers what the next ones are."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._next: dict[str, tuple[str, list[Any]]] = {}
        self._random = random.Random(1)

    def cut(self, call: Call, result: Params) -> Params:
        """The first or the next page of a list; other results as they are."""
        page = catalog.paginator(call.service, call.action)
        if page is None or not isinstance(page.get("output_token"), str):
            return result
        member = page["result_key"]
        member = member[0] if isinstance(member, list) else member
        if not isinstance(member, str) or not isinstance(jmespath.search(member, result), list):
            return result
        token = call.params.get(page["input_token"]) or None
        if token:
            owner, items = self._next.pop(token, ("", []))
            if owner != call.action:
                raise AwsError("InvalidNextToken", "The token is not valid")
        else:
            items = list(result[member])
            if self._settings.shuffle and call.action not in IN_ORDER:
                self._random.shuffle(items)
        asked = int(call.params.get(page.get("limit_key", ""), 0) or 0)
        sizes = [size for size in (asked, self._settings.page_size) if size > 0]
        size = min(sizes, default=len(items))
        result = {**result, member: items[:size]}
        result.pop(page["output_token"], None)
        more = page.get("more_results")
        if len(items) > size:
            token = secrets.token_urlsafe(18)
            self._next[token] = (call.action, items[size:])
            result[page["output_token"]] = token
        if more:
            result[more] = len(items) > size
        return result

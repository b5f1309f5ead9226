"""What happened: every request, counters, and the failures that make a test run fail."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import Any

_SECRET = {"SecretString", "SecretBinary", "Plaintext", "UserData", "Body", "CiphertextBlob", "Policy", "SessionToken"}


class Log:
    """Keeps the last 20,000 requests; counters and failures are kept whole."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[dict[str, Any]] = deque(maxlen=20_000)
        self._calls: Counter[str] = Counter()
        self._failures: list[str] = []
        self._number = 0

    def request(self, **entry: Any) -> None:
        """One request that was answered."""
        with self._lock:
            self._number += 1
            entry["params"] = without_secrets(entry.get("params"))
            self._entries.append({"number": self._number, "time": time.time(), **entry})
            self._calls[f"{entry['service']}:{entry['action']}"] += 1

    def fail(self, message: str) -> None:
        """A stand failure."""
        with self._lock:
            self._failures.append(message)

    def entries(self, after: int = 0) -> list[dict[str, Any]]:
        """Requests after a number, oldest first."""
        with self._lock:
            return [entry for entry in self._entries if entry["number"] > after]

    def calls(self) -> dict[str, int]:
        """Requests per `service:Action` since the last reset."""
        with self._lock:
            return dict(sorted(self._calls.items()))

    def reset_calls(self) -> None:
        """Counts from zero."""
        with self._lock:
            self._calls.clear()

    def failures(self, clear: bool = False) -> list[str]:
        """All stand failures, and forgets them if asked."""
        with self._lock:
            found = list(self._failures)
            if clear:
                self._failures.clear()
            return found


def without_secrets(value: Any) -> Any:
    """Parameters as they may be shown."""
    if isinstance(value, dict):
        return {k: "(hidden)" if k in _SECRET else without_secrets(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    return str(value)

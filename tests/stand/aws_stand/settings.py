"""The knobs of the stand: how long states are held, how long new things stay unseen, how lists are paged."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class Settings:
    """Changed at run time through `POST /stand/settings`.

    A state is held until it was polled `hold_polls` times, or `hold_seconds` have passed, whichever is first:
    counting polls makes tests exact, and the time lets the world go on while nobody looks.
    """

    hold_polls: int = 2
    hold_seconds: float = 2.0
    id_lag_polls: int = 1
    """How many look-ups by id of a new object answer NotFound."""
    filter_lag_polls: int = 2
    """How many lists by filter miss a new object; lags longer than the id."""
    lag_seconds: float = 3.0
    iam_lag_attempts: int = 1
    """How many launches with a new instance profile, and bucket policies with a new role, are refused."""
    iam_lag_seconds: float = 3.0
    page_size: int = 2
    """0: pages as large as the caller asks."""
    shuffle: bool = True
    group_gaps: list[float] = field(default_factory=lambda: [0.5, 1.0, 2.0, 4.0, 8.0, 15.0])
    """Seconds between failing launches of an Auto Scaling group; the last one repeats."""
    health_seconds: float = 0.3
    """How long a group needs to see that its instance is gone."""
    grace_seconds: float = 5.0
    """Given to a machine between SIGTERM and kill."""
    rate_per_second: float = 0.0
    """Requests per second and action above which EC2 throttles; 0: never."""
    rate_burst: int = 50
    clock_offset_seconds: float = 0.0
    """Added to the clock of rolling windows (volume modifications, expiry of sessions)."""
    quotas: dict[str, float] = field(default_factory=lambda: {"L-1216C47A": 512.0, "L-0EA8095F": 60.0, "L-7A658B76": 50.0})
    """Of the account, by code. One that is left out has no value of the account's own."""
    enforce_policies: bool = False
    check_signatures: bool = True

    def update(self, values: dict[str, Any]) -> None:
        """Sets what is given; an unknown name or a wrong type is an error."""
        known = {f.name for f in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown setting: {name}")
            old = getattr(self, name)
            if isinstance(old, bool) != isinstance(value, bool) or (
                not isinstance(value, type(old)) and not (isinstance(old, float) and isinstance(value, int))
            ):
                raise ValueError(f"setting {name}: wrong type")
        for name, value in values.items():
            setattr(self, name, value)


NO_LAG: dict[str, Any] = {
    "hold_polls": 0,
    "hold_seconds": 0.0,
    "id_lag_polls": 0,
    "filter_lag_polls": 0,
    "lag_seconds": 0.0,
    "iam_lag_attempts": 0,
    "page_size": 0,
}
"""Everything at once and at first sight: for tests of something else."""

"""What the stand knows about EC2 objects beside moto: states that are held, who holds what, what is unseen yet."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from .seam import Instance


class Hold:
    """Lasts for a number of polls or a time, whichever ends first."""

    def __init__(self, polls: int, seconds: float) -> None:
        self.polls = polls
        self._until = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.polls <= 0 or time.monotonic() >= self._until

    def poll(self) -> bool:
        """Somebody looks: whether it still held at that look."""
        if self.over:
            return False
        self.polls -= 1
        return True


class SnapshotHold(Hold):
    """Lasts until the machines have kept the data, too."""

    def __init__(self, polls: int, seconds: float) -> None:
        super().__init__(polls, seconds)
        self.kept = False

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.kept and super().over


@dataclass(frozen=True)
class Home:
    """Where an object lives, and a key that reaches it in moto."""

    account: str
    region: str
    access_key: str


@dataclass
class Unseen:
    """A new id that look-ups do not find yet; lists by filter miss it for longer."""

    by_id: Hold
    by_filter: Hold


@dataclass
class InterfaceState:
    """A network interface."""

    id: str
    home: Home
    pending: Hold
    holder: str | None = None
    device_index: int = 0
    attachment_id: str = ""
    attach_time: Any = None
    delete_on_termination: bool = False


@dataclass
class Modification:
    """A change of a volume on its way."""

    params: dict[str, Any]
    original: dict[str, Any]
    target: dict[str, Any]
    started: float
    state: str
    hold: Hold
    start_time: Any = None
    end_time: Any = None


@dataclass
class VolumeState:
    """A volume. One holder, or none."""

    id: str
    home: Home
    zone: str
    gib: int
    encrypted: bool
    key_arn: str | None
    creating: Hold
    snapshot_id: str | None = None
    doomed: bool = False
    """Its key is not usable: it goes away once it was `creating`."""
    holder: str | None = None
    device: str = ""
    attach_state: str = ""
    attach_hold: Hold | None = None
    attach_time: Any = None
    attach_reverts: bool = False
    root: bool = False
    modifications: list[Modification] = field(default_factory=list)


@dataclass
class InstanceState:
    """An instance and the thread of its machine."""

    id: str
    home: Home
    spec: Instance
    state: str
    hold: Hold
    interface_ids: list[str]
    machine_ready: bool = False
    """The seam's `launch` has returned."""
    machine_gone: bool = False
    """The seam's `terminate` (or `stop`) has returned."""
    reason: str = ""
    ended: float = 0.0
    user_data: str = ""
    """As it was sent, in base64."""
    attributes: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    """Tags of AWS itself (`aws:…`), which moto refuses."""

    @property
    def live(self) -> bool:
        """Not ended, and not about to."""
        return self.state in ("pending", "running")

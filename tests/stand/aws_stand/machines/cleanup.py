"""Finds and removes all that a stand made on this machine, also after it was killed.

Nothing here trusts the memory of a stand: namespaces are found by their prefix, processes by the namespace they are
in, loop devices and mounts by the directory that the stand wrote down before it made the first of them.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from pathlib import Path

from . import clients, network
from .commands import CommandFailed, run
from .volumes import free_loops_below, loops_below, remove_files

_RUN = Path("/run/mskst")
_RECORD = _RUN / "stand.json"


class Busy(Exception):
    """Another stand runs on this machine."""


class Lock:
    """One stand at a time; the kernel gives the lock back when the stand dies, however it dies."""

    def __init__(self, directory: Path | None) -> None:
        _RUN.mkdir(mode=0o700, exist_ok=True)
        self._handle = os.open(_RUN / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._handle)
            owner = _record()
            raise Busy(f"a stand runs already: process {owner.get('pid')}, directory {owner.get('directory')}") from error
        clean()
        _RECORD.write_text(json.dumps({"pid": os.getpid(), "directory": str(directory)}))

    def release(self) -> None:
        """After everything is removed."""
        _RECORD.unlink(missing_ok=True)
        os.close(self._handle)


def _record() -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(_RECORD.read_text())
    except (OSError, ValueError):
        return {}
    return found


def left(directory: Path | None = None) -> list[str]:
    """Everything of a stand that is on this machine now, one line each."""
    directory = directory or _directory()
    found = [f"namespace {name}" for name in network.namespaces()]
    found += [f"process {pid} {_command_line(pid)}" for pid in _processes()]
    found += [f"file {path}" for path in clients.etc_left()]
    found += [f"link {name}" for name in _links()]
    if directory is not None:
        found += [f"loop device {loop}" for loop in loops_below(directory)]
        found += [f"mount {point}" for point in _mounts(directory)]
        found += [f"file {path}" for path in sorted(directory.glob("*"))]
    return found


def clean(directory: Path | None = None) -> None:
    """Removes everything of a stand; the caller holds the lock, or knows that no stand runs."""
    directory = directory or _directory()
    _kill_all()
    for name in network.namespaces():
        try:
            run("ip", "netns", "delete", name)
        except CommandFailed:
            if name in network.namespaces():
                raise
        clients.remove_etc(name)
    for path in clients.etc_left():
        clients.remove_etc(Path(path).name)
    if directory is not None:
        # Large volumes are files in a file system that is itself a file: from the inside out.
        free_loops_below(directory / "volumes/large")
        for point in reversed(_mounts(directory)):
            run("umount", point)
        free_loops_below(directory)
        remove_files(directory)
    _RECORD.unlink(missing_ok=True)


def _directory() -> Path | None:
    recorded = _record().get("directory")
    # Only a directory that is surely ours is ever removed.
    return Path(recorded) if recorded and Path(recorded).name == "machines" else None


def _processes() -> list[int]:
    """Processes in a namespace of a stand, or in a process namespace that such a process began."""
    ours = set()
    for name in network.namespaces():
        try:
            ours.add(network.path(name).stat().st_ino)
        except OSError:
            continue
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdecimal() or int(entry) == os.getpid():
            continue
        try:
            if os.stat(f"/proc/{entry}/ns/net").st_ino in ours:
                found.append(int(entry))
        except OSError:
            continue
    return found


def first_process(namespace: str) -> int | None:
    """The first process of the instance in a namespace."""
    try:
        wanted = network.path(namespace).stat().st_ino
    except OSError:
        return None
    for pid in _processes():
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            if os.stat(f"/proc/{pid}/ns/net").st_ino == wanted and _number(status) == "1":
                return pid
        except OSError:
            continue
    return None


def _number(status: str) -> str:
    """The number of a process in its innermost process namespace."""
    return next((line.split()[-1] for line in status.splitlines() if line.startswith("NSpid:")), "")


def _kill_all() -> None:
    end = time.monotonic() + 20
    while (alive := _processes()) and time.monotonic() < end:
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def _mounts(directory: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [point for line in lines if (point := line.split()[1]).startswith(f"{directory}/")]


def _links() -> list[str]:
    return sorted(name for name in os.listdir("/sys/class/net") if name.startswith(network.PREFIX))


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()[:80]
    except OSError:
        return ""

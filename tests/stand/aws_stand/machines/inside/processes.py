"""Starting and finding processes of a unit.

Without control groups a unit's processes are known by the invocation id in their environment, which they inherit.
"""

from __future__ import annotations

import os
import pwd
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from .units import Unit

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
_RESOURCES = {
    "LimitNOFILE": resource.RLIMIT_NOFILE,
    "LimitCORE": resource.RLIMIT_CORE,
    "LimitMEMLOCK": resource.RLIMIT_MEMLOCK,
    "LimitNPROC": resource.RLIMIT_NPROC,
}


def environment(unit: Unit, base: dict[str, str], invocation: str) -> dict[str, str]:
    """What a unit's processes see; later files win over `Environment=`, as in systemd."""
    found = {"PATH": PATH, "LANG": "C.UTF-8", **base, **unit.environment}
    for name in unit.environment_files:
        optional = name.startswith("-")
        path = Path(name[1:] if optional else name)
        if not path.exists() and optional:
            continue
        found.update(environment_file(path.read_text()))
    found["INVOCATION_ID"] = invocation
    return found


def environment_file(text: str) -> dict[str, str]:
    """Lines `NAME=VALUE`, with quotes around a value or without."""
    found = {}
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare[0] in "#;" or "=" not in bare:
            continue
        name, _, value = bare.partition("=")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name.strip()] = value
    return found


def spawn(
    unit: Unit, command: list[str], environ: dict[str, str], journal: Callable[[], int], note: Callable[[str], None]
) -> int:
    """Starts a process of a unit and returns its number; `OSError` when it cannot be started."""
    out = _output(unit.stdout, journal)
    err = _output(unit.stderr, journal) if unit.stderr != "inherit" else os.dup(out)
    limits = _limits(unit, note)
    score = unit.oom_score_adjust
    if score is not None and score < 0 and not _may_raise():
        note(f"{unit.name}: OOMScoreAdjust={score} is not for this machine to set")
        score = None
    who = pwd.getpwnam(unit.user) if unit.user != "root" else None

    def prepare() -> None:
        os.umask(unit.umask)
        for what, values in limits:
            resource.setrlimit(what, values)
        if score is not None:
            Path("/proc/self/oom_score_adj").write_text(str(score))
        if who is not None:
            os.initgroups(who.pw_name, who.pw_gid)
            os.setgid(who.pw_gid)
            os.setuid(who.pw_uid)

    try:
        started = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environ,
            cwd=unit.working_directory or "/",
            start_new_session=True,
            preexec_fn=prepare,
        )
    finally:
        os.close(out)
        os.close(err)
    started.returncode = 0  # reaped by the first process itself, not by this object
    return started.pid


def _output(where: str, journal: Callable[[], int]) -> int:
    if where == "null":
        return os.open("/dev/null", os.O_WRONLY)
    if where.startswith("append:"):
        return os.open(where.removeprefix("append:"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    return journal()


def _limits(unit: Unit, note: Callable[[str], None]) -> list[tuple[int, tuple[int, int]]]:
    """The limits of a unit, as far as this machine may give them: without CAP_SYS_RESOURCE none can be raised."""
    found = []
    for name, (soft, hard) in unit.limits.items():
        what = _RESOURCES[name]
        most = resource.getrlimit(what)[1]
        wanted = (soft, hard)
        if most != resource.RLIM_INFINITY and not _may_raise():
            wanted = tuple(most if value < 0 or value > most else value for value in wanted)  # type: ignore[assignment]
            if wanted != (soft, hard):
                note(f"{unit.name}: {name}={soft}:{hard} is more than this machine allows, so it is {wanted[0]}")
        found.append((what, wanted))
    return found


def _may_raise() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> 24 & 1)
    return False


def of_invocation(invocation: str) -> list[int]:
    """Every living process of one start of a unit."""
    mark = f"INVOCATION_ID={invocation}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdecimal() or entry == "1":
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                if mark in file.read().split(b"\0"):
                    found.append(int(entry))
        except OSError:
            continue
    return found


def send(pids: list[int], number: int) -> None:
    """A signal to each; those that have ended meanwhile do not matter."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def clean(status: int, success: set[int]) -> bool:
    """Whether an exit status (a signal is negative) is a success."""
    gentle = {0, -signal.SIGHUP, -signal.SIGINT, -signal.SIGTERM, -signal.SIGPIPE}
    return status in gentle or status in success

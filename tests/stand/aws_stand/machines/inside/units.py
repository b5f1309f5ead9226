"""Unit files: the directives that the stand-in for systemd carries out. Any other is an error, never ignored."""

from __future__ import annotations

import re
import shlex
import signal
from dataclasses import dataclass, field
from pathlib import Path

DIRECTORIES = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system")
_RESULTLESS = ("Description", "Documentation")
_LIMITS = ("LimitNOFILE", "LimitCORE", "LimitMEMLOCK", "LimitNPROC")
_SPANS = {"": 1.0, "s": 1.0, "sec": 1.0, "ms": 0.001, "us": 1e-6, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_TRUE = ("1", "yes", "y", "true", "t", "on")
_FALSE = ("0", "no", "n", "false", "f", "off")


class UnitError(Exception):
    """A unit file that the stand-in cannot carry out to the letter."""


class Unsupported(UnitError):
    """Something that real systemd might do and the stand-in does not: a failure of the whole test run."""


@dataclass
class Unit:
    """One service unit."""

    name: str
    after: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    wants: list[str] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)
    mounts: list[str] = field(default_factory=list)
    path_exists: list[str] = field(default_factory=list)
    start_limit_interval: float = 10.0
    start_limit_burst: int = 5
    type: str = "simple"
    remain_after_exit: bool = False
    exec_start_pre: list[str] = field(default_factory=list)
    exec_start: list[str] = field(default_factory=list)
    restart: str = "no"
    restart_sec: float = 0.1
    timeout_stop_sec: float = 90.0
    timeout_start_sec: float = 90.0
    kill_mode: str = "control-group"
    kill_signal: int = signal.SIGTERM
    success: set[int] = field(default_factory=set)
    """Exit statuses, and signals as negative numbers."""
    restart_prevent: set[int] = field(default_factory=set)
    environment: dict[str, str] = field(default_factory=dict)
    environment_files: list[str] = field(default_factory=list)
    limits: dict[str, tuple[int, int]] = field(default_factory=dict)
    user: str = "root"
    group: str | None = None
    working_directory: str | None = None
    umask: int = 0o022
    oom_score_adjust: int | None = None
    stdout: str = "journal"
    stderr: str = "inherit"
    """`journal`, `inherit`, `null` or `append:` with a path."""
    wanted_by: list[str] = field(default_factory=list)


def find(name: str) -> Path | None:
    """Where a unit's file is; the first directory wins."""
    for directory in DIRECTORIES:
        if (path := Path(directory, name)).exists():
            return path
    return None


def parse(name: str, text: str) -> Unit:
    """Reads a unit file; everything that is wrong with it is told at once."""
    unit = Unit(name)
    findings: list[str] = []
    section = ""
    for number, line in _lines(text):
        if line.startswith("["):
            section = line.strip()
            if section not in ("[Unit]", "[Service]", "[Install]"):
                findings.append(f"line {number}: the stand does not know the section {section}")
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        try:
            if not equals:
                raise UnitError("not a directive")
            _directive(unit, section, key, value)
        except (UnitError, ValueError) as error:
            findings.append(f"line {number}: {error}")
    if unit.type != "oneshot" and len(unit.exec_start) != 1:
        findings.append(f"one ExecStart= is needed, there are {len(unit.exec_start)}")
    if unit.type == "oneshot" and unit.restart == "always":
        findings.append("systemd refuses Restart=always for Type=oneshot")
    if findings:
        raise Unsupported(f"{name}: " + "; ".join(findings))
    return unit


def _lines(text: str) -> list[tuple[int, str]]:
    """Lines without comments; a backslash at the end joins."""
    found: list[tuple[int, str]] = []
    joined = ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare[0] in "#;":
            continue
        if bare.endswith("\\"):
            joined += bare[:-1] + " "
            continue
        found.append((number, joined + bare))
        joined = ""
    return found


def _directive(unit: Unit, section: str, key: str, value: str) -> None:
    if "%" in value.replace("%%", ""):
        raise UnitError(f"{key}: the stand knows no specifiers (%)")
    value = value.replace("%%", "%")
    readers = {"[Unit]": _unit, "[Service]": _service, "[Install]": _install}
    reader = readers.get(section)
    if reader is None or not reader(unit, key, value):
        raise UnitError(f"the stand does not know {key}= in {section or 'no section'}")


def _unit(unit: Unit, key: str, value: str) -> bool:
    lists = {
        "After": unit.after,
        "Before": unit.before,
        "Wants": unit.wants,
        "Requires": unit.requires,
        "RequiresMountsFor": unit.mounts,
        "ConditionPathExists": unit.path_exists,
    }
    if key in lists:
        _add(lists[key], value)
    elif key == "StartLimitIntervalSec":
        unit.start_limit_interval = seconds(value)
    elif key == "StartLimitBurst":
        unit.start_limit_burst = int(value)
    else:
        return key in _RESULTLESS
    return True


def _service(unit: Unit, key: str, value: str) -> bool:
    choices = {
        "Type": ("type", ("simple", "exec", "oneshot")),
        "Restart": ("restart", ("no", "always", "on-failure", "on-abnormal", "on-abort", "on-success")),
        "KillMode": ("kill_mode", ("control-group", "mixed", "process", "none")),
    }
    spans = {"RestartSec": "restart_sec", "TimeoutStopSec": "timeout_stop_sec", "TimeoutStartSec": "timeout_start_sec"}
    texts = {"User": "user", "Group": "group", "WorkingDirectory": "working_directory"}
    if key in choices:
        name, allowed = choices[key]
        if value not in allowed:
            raise UnitError(f"{key}={value} is not one of {', '.join(allowed)}")
        setattr(unit, name, value)
    elif key in spans:
        setattr(unit, spans[key], seconds(value))
    elif key == "TimeoutSec":
        unit.timeout_start_sec = unit.timeout_stop_sec = seconds(value)
    elif key in texts:
        setattr(unit, texts[key], value)
    elif key in ("ExecStart", "ExecStartPre"):
        target = unit.exec_start if key == "ExecStart" else unit.exec_start_pre
        if value:
            words(value, {})
            target.append(value)
        else:
            target.clear()
    elif key == "RemainAfterExit":
        unit.remain_after_exit = boolean(value)
    elif key == "KillSignal":
        unit.kill_signal = signal.Signals[value]
    elif key == "SuccessExitStatus":
        unit.success.update(_statuses(value))
    elif key == "RestartPreventExitStatus":
        unit.restart_prevent.update(_statuses(value))
    elif key == "Environment":
        for word in shlex.split(value):
            name, equals, content = word.partition("=")
            if not equals:
                raise UnitError(f"Environment: {word!r} is not NAME=VALUE")
            unit.environment[name] = content
    elif key == "EnvironmentFile":
        _add(unit.environment_files, value)
    elif key in _LIMITS:
        unit.limits[key] = _limit(value)
    elif key == "UMask":
        unit.umask = int(value, 8)
    elif key == "OOMScoreAdjust":
        unit.oom_score_adjust = int(value)
    elif key in ("StandardOutput", "StandardError"):
        if value not in ("journal", "inherit", "null") and not value.startswith("append:/"):
            raise UnitError(f"the stand does not know {key}={value}")
        setattr(unit, "stdout" if key == "StandardOutput" else "stderr", value)
    else:
        return False
    return True


def _install(unit: Unit, key: str, value: str) -> bool:
    if key != "WantedBy":
        return False
    _add(unit.wanted_by, value)
    return True


def _add(target: list[str], value: str) -> None:
    """An empty value empties a list, as in systemd."""
    if value:
        target.extend(value.split())
    else:
        target.clear()


def seconds(value: str) -> float:
    """A time span such as `5`, `330s` or `1min 30s`."""
    if value == "infinity":
        return float("inf")
    parts = re.findall(r"([0-9.]+)\s*([a-z]*)", value)
    if not parts or re.sub(r"([0-9.]+)\s*([a-z]*)", "", value).strip():
        raise UnitError(f"{value!r} is not a time span")
    if unknown := [unit for _, unit in parts if unit not in _SPANS]:
        raise UnitError(f"{unknown[0]!r} is not a unit of time")
    return sum(float(number) * _SPANS[unit] for number, unit in parts)


def boolean(value: str) -> bool:
    """Yes or no, in systemd's spellings."""
    if value.lower() not in (*_TRUE, *_FALSE):
        raise UnitError(f"{value!r} is neither yes nor no")
    return value.lower() in _TRUE


def _statuses(value: str) -> set[int]:
    found: set[int] = set()
    for word in value.split():
        if word.isdecimal():
            found.add(int(word))
        elif word in signal.Signals.__members__:
            found.add(-signal.Signals[word])
        else:
            raise UnitError(f"{word!r} is neither an exit status nor a signal")
    return found


def _limit(value: str) -> tuple[int, int]:
    """Soft and hard limit; -1 is none."""
    parts = value.split(":")
    if len(parts) > 2:
        raise UnitError(f"{value!r} is not a limit")
    numbers = [-1 if part == "infinity" else int(part) for part in parts]
    return numbers[0], numbers[-1]


def words(line: str, environment: dict[str, str]) -> tuple[list[str], bool]:
    """A command line as words, and whether its failure is to be ignored (a leading dash)."""
    ignore = line.startswith("-")
    line = line[1:] if ignore else line
    if line[:1] in ("@", ":", "+", "!", "|"):
        raise UnitError(f"the stand does not know the prefix {line[0]!r} of a command")
    found: list[str] = []
    for word in shlex.split(line):
        if whole := re.fullmatch(r"\$([A-Za-z_][A-Za-z0-9_]*)", word):
            found += environment.get(whole[1], "").split()
        else:
            found.append(re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", lambda m: environment.get(m[1], ""), word))
    if not line or not shlex.split(line)[0].startswith("/"):
        raise UnitError(f"the command {line!r} does not start with an absolute path")
    return found, ignore

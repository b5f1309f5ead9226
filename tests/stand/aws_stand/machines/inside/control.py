"""What `systemctl` and its relatives can do here. Unknown words are errors, as are units the stand cannot run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from . import units
from .services import Manager, Service
from .units import UnitError, Unsupported

Reply = Callable[[int, str, str], None]
_WANTS = Path("/etc/systemd/system/multi-user.target.wants")
_SHUTDOWNS = (["now"], ["-h", "now"], ["-P", "now"])
_FLAGS = ("--now", "--quiet", "-q", "--no-block", "--value", "--no-pager", "--no-reload", "-f", "--force")


def handle(
    words: list[str], manager: Manager, power_off: Callable[[], None], fail: Callable[[str], None], reply: Reply
) -> None:
    """Carries out one command; the answer may come later. What the stand cannot do is a failure of the stand too."""
    program, *arguments = words
    try:
        if program == "systemctl":
            _systemctl(arguments, manager, power_off, reply)
        elif program in ("poweroff", "halt") or (program == "shutdown" and arguments in _SHUTDOWNS):
            power_off()
            reply(0, "", "")
        else:
            raise Unsupported(f"the stand does not know {' '.join(words)}")
    except (UnitError, OSError) as error:
        if isinstance(error, Unsupported):
            fail(f"{' '.join(words)}: {error}")
        reply(5 if "not found" in str(error) else 1, "", f"{program}: {error}\n")


def _systemctl(arguments: list[str], manager: Manager, power_off: Callable[[], None], reply: Reply) -> None:
    flags, properties, plain = _split(arguments)
    verb, names = (plain[0], [_full(name) for name in plain[1:]]) if plain else ("", [])
    if verb in ("poweroff", "halt"):
        power_off()
        return reply(0, "", "")
    if verb == "daemon-reload":
        manager.reload()
        return reply(0, "", "")
    if not names:
        raise Unsupported(f"the stand does not know systemctl {' '.join(arguments)}")
    if verb in ("start", "stop", "restart", "try-restart"):
        return _change(verb, names, manager, "--no-block" in flags, reply)
    if verb in ("enable", "disable"):
        _enable(verb, names, manager)
        if "--now" in flags:
            return _change("start" if verb == "enable" else "stop", names, manager, "--no-block" in flags, reply)
        return reply(0, "", "")
    out, code = _ask(verb, names, manager, properties, "--value" in flags)
    reply(code, "" if flags & {"-q", "--quiet"} else out, "")


def _split(arguments: list[str]) -> tuple[set[str], list[str], list[str]]:
    flags: set[str] = set()
    properties: list[str] = []
    plain: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word in ("-p", "--property"):
            properties += next(rest, "").split(",")
        elif word.startswith("--property="):
            properties += word.removeprefix("--property=").split(",")
        elif word.startswith("-p") and len(word) > 2:
            properties += word[2:].split(",")
        elif word in _FLAGS:
            flags.add(word)
        elif word.startswith("-"):
            raise Unsupported(f"the stand does not know the option {word}")
        else:
            plain.append(word)
    return flags, properties, plain


def _full(name: str) -> str:
    if "." not in name:
        return f"{name}.service"
    if not name.endswith(".service"):
        raise Unsupported(f"the stand runs services only, not {name}")
    return name


def _change(verb: str, names: list[str], manager: Manager, at_once: bool, reply: Reply) -> None:
    waiting = set(names)

    def done(name: str) -> None:
        waiting.discard(name)
        if waiting or at_once:
            return
        failed = [n for n in names if verb != "stop" and manager.services[n].state == "failed"]
        text = "".join(f"Job for {n} failed: {manager.services[n].result}.\n" for n in failed)
        reply(1 if failed else 0, "", text)

    for name in names:
        service = manager.load(name)
        if verb == "try-restart" and service.state in ("inactive", "failed"):
            done(name)
            continue
        call = {"start": manager.start, "stop": manager.stop}.get(verb, manager.restart)
        call(name, lambda name=name: done(name))  # type: ignore[misc]
    if at_once:
        reply(0, "", "")


def _enable(verb: str, names: list[str], manager: Manager) -> None:
    for name in names:
        service = manager.load(name)
        if verb == "enable" and service.unit.wanted_by not in (["multi-user.target"], ["default.target"]):
            raise Unsupported(f"{name}: the stand enables for WantedBy=multi-user.target only")
        link = _WANTS / name
        link.unlink(missing_ok=True)
        if verb == "enable":
            _WANTS.mkdir(parents=True, exist_ok=True)
            link.symlink_to(units.find(name) or "")


def _ask(verb: str, names: list[str], manager: Manager, properties: list[str], bare: bool) -> tuple[str, int]:
    if verb == "is-active":
        states = [_found(name, manager) for name in names]
        texts = [service.state if service else "inactive" for service in states]
        return "".join(f"{text}\n" for text in texts), 0 if "active" in texts else 3
    if verb == "is-failed":
        texts = [service.state if (service := _found(name, manager)) else "inactive" for name in names]
        return "".join(f"{text}\n" for text in texts), 0 if "failed" in texts else 1
    if verb == "is-enabled":
        enabled = [(_WANTS / name).is_symlink() for name in names]
        return "".join("enabled\n" if yes else "disabled\n" for yes in enabled), 0 if all(enabled) else 1
    if verb == "show":
        return "\n".join(_show(name, manager, properties, bare) for name in names), 0
    if verb == "cat":
        return "".join(manager_text(name) for name in names), 0
    if verb == "reset-failed":
        for name in names:
            service = manager.load(name)
            service.starts.clear()
            if service.state == "failed":
                service.become("inactive", "dead")
        return "", 0
    raise Unsupported(f"the stand does not know systemctl {verb}")


def _found(name: str, manager: Manager) -> Service | None:
    try:
        return manager.load(name)
    except UnitError:
        return None


def manager_text(name: str) -> str:
    """The text of a unit file."""
    path = units.find(name)
    if path is None:
        raise UnitError(f"Unit {name} not found.")
    return f"# {path}\n{path.read_text()}"


def _show(name: str, manager: Manager, properties: list[str], bare: bool) -> str:
    service = _found(name, manager)
    path = units.find(name)
    values = {
        "Id": name,
        "LoadState": "loaded" if service else "bad-setting" if path else "not-found",
        "ActiveState": service.state if service else "inactive",
        "SubState": service.sub if service else "dead",
        "Result": service.result if service else "success",
        "MainPID": str(service.main_pid if service else 0),
        "ExecMainStatus": str(abs(service.status) if service else 0),
        "ExecMainCode": "0" if not service or service.main_pid else "2" if service.status < 0 else "1",
        "ExecMainStartTimestamp": _time(service.main_since if service else 0.0),
        "StateChangeTimestamp": _time(service.since if service else 0.0),
        "NRestarts": str(service.restarts if service else 0),
        "InvocationID": service.invocation if service else "",
        "FragmentPath": str(path or ""),
        "UnitFileState": "enabled" if (_WANTS / name).is_symlink() else "disabled" if path else "",
    }
    if unknown := [wanted for wanted in properties if wanted not in values]:
        raise Unsupported(f"the stand does not know the property {unknown[0]}")
    chosen = properties or list(values)
    return "".join(f"{values[one]}\n" if bare else f"{one}={values[one]}\n" for one in chosen)


def _time(at: float) -> str:
    return time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(at)) if at else ""

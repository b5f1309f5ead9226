"""The services of an instance: started, watched, restarted and stopped as their units say."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import processes, units
from .units import Unit, UnitError, Unsupported

Done = Callable[[], None]


@dataclass
class Service:
    """One service and what it does now."""

    unit: Unit
    state: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    main_pid: int = 0
    """0 when nothing runs."""
    control_pid: int = 0
    queue: list[str] = field(default_factory=list)
    invocation: str = ""
    status: int = 0
    restarts: int = 0
    since: float = field(default_factory=time.time)
    main_since: float = 0.0
    starts: list[float] = field(default_factory=list)
    wants_stop: bool = False
    wants_start: bool = False
    deadline: float | None = None
    """When the state ends by itself (monotonic)."""
    killed: bool = False
    waiting: list[Done] = field(default_factory=list)
    """Called when a start or stop is done."""

    def become(self, state: str, sub: str) -> None:
        """Changes the state and remembers when."""
        if (self.state, self.sub) != (state, sub):
            self.state, self.sub, self.since = state, sub, time.time()


class Manager:
    """All services. One thread: everything happens between two waits of the first process."""

    def __init__(
        self, environment: dict[str, str], journal: Callable[[str], int], note: Callable[[str], None]
    ) -> None:
        self._environment = environment
        self._journal = journal
        self._note = note
        self.services: dict[str, Service] = {}
        self.ending = False

    def load(self, name: str) -> Service:
        """The service of this name; an unknown or wrong unit is an error."""
        if name not in self.services:
            path = units.find(name)
            if path is None:
                raise UnitError(f"Unit {name} not found.")
            if Path(f"{path}.d").is_dir():
                raise Unsupported(f"{name}: the stand knows no drop-in directories")
            self.services[name] = Service(units.parse(name, path.read_text()))
        return self.services[name]

    def reload(self) -> None:
        """Reads every unit file anew; what runs goes on."""
        for name, service in list(self.services.items()):
            path = units.find(name)
            if path is not None:
                service.unit = units.parse(name, path.read_text())
            elif service.state in ("inactive", "failed") and name != "cloud-final.service":
                del self.services[name]

    # --- start ---------------------------------------------------------------------------------------------------

    def start(self, name: str, done: Done | None = None) -> None:
        """Starts a service; `done` is called when it runs, or cannot."""
        if self.ending:
            raise UnitError("the system is going down")
        service = self.load(name)
        for other in (*service.unit.wants, *service.unit.requires):
            if other.endswith(".service"):
                self.start(other)
            elif not other.endswith(".target"):
                raise Unsupported(f"{name}: the stand cannot start {other}")
        if service.state == "active":
            return done() if done else None
        if done:
            service.waiting.append(done)
        if service.state == "deactivating":
            service.wants_start = True
        elif service.state != "activating" or service.sub == "auto-restart":
            service.restarts = 0
            service.become("activating", "waiting")
        self._go_on(service)

    def _go_on(self, service: Service) -> None:
        """Starts what waits, if nothing that comes before it is still starting."""
        if service.state != "activating" or service.sub != "waiting":
            return
        for other in self.services.values():
            before = other.unit.name in _order(service.unit) or service.unit.name in other.unit.before
            if other is not service and before and other.state == "activating" and other.sub != "auto-restart":
                return
        now = time.monotonic()
        unit = service.unit
        service.starts = [at for at in service.starts if now - at < unit.start_limit_interval]
        if unit.start_limit_interval > 0 and len(service.starts) >= unit.start_limit_burst:
            return self._fail(service, "start-limit-hit")
        service.starts.append(now)
        if any(Path(path.lstrip("!")).exists() == path.startswith("!") for path in unit.path_exists):
            self._note(f"{unit.name}: a condition does not hold, so it is not started")
            service.become("inactive", "dead")
            return self._tell(service)
        if missing := [path for path in unit.mounts if not _mounted_as_fstab_says(path)]:
            self._note(f"{unit.name}: {missing[0]} is in /etc/fstab and not mounted")
            return self._fail(service, "dependency")
        service.invocation, service.result, service.status = uuid.uuid4().hex, "success", 0
        service.wants_stop = service.killed = False
        service.queue = [*unit.exec_start_pre, *unit.exec_start]
        self._next_command(service)

    def _next_command(self, service: Service) -> None:
        unit = service.unit
        line = service.queue.pop(0)
        main = len(service.queue) < len(unit.exec_start)
        try:
            environ = processes.environment(unit, self._environment, service.invocation)
            command, _ = units.words(line, environ)
            pid = processes.spawn(unit, command, environ, lambda: self._journal(unit.name), self._note)
        except (OSError, UnitError, KeyError) as error:
            self._note(f"{unit.name}: cannot start {line!r}: {error}")
            service.status = 203
            return self._ended(service, "exit-code")
        if not main:
            service.control_pid = pid
            service.become("activating", "start-pre")
        else:
            service.main_pid, service.main_since = pid, time.time()
            if unit.type == "oneshot":
                service.become("activating", "start")
            else:
                service.become("active", "running")
                service.deadline = None
                return self._tell(service)
        infinite = unit.type == "oneshot" and unit.timeout_start_sec == 90.0
        service.deadline = None if infinite else time.monotonic() + unit.timeout_start_sec

    # --- stop ----------------------------------------------------------------------------------------------------

    def stop(self, name: str, done: Done | None = None, again: bool = False) -> None:
        """Stops a service and those that require it; `again` starts it afterwards."""
        service = self.load(name)
        for other in list(self.services.values()):
            if name in other.unit.requires and other.state not in ("inactive", "failed"):
                self.stop(other.unit.name)
        service.wants_start = again
        if service.state in ("inactive", "failed"):
            return done() if done else None
        if done:
            service.waiting.append(done)
        service.wants_stop = True
        if service.state != "deactivating":
            self._terminate(service)

    def restart(self, name: str, done: Done | None = None) -> None:
        """Stops a service, then starts it."""
        service = self.load(name)
        if service.state in ("inactive", "failed"):
            return self.start(name, done)
        self.stop(name, done, again=True)

    def _terminate(self, service: Service) -> None:
        """Sends the first signal; the rest follows when processes end or time is up."""
        service.become("deactivating", "stop-sigterm")
        service.deadline = time.monotonic() + service.unit.timeout_stop_sec
        mode = service.unit.kill_mode
        if mode == "control-group":
            processes.send(self._members(service), service.unit.kill_signal)
        elif mode in ("mixed", "process") and service.main_pid:
            processes.send([service.main_pid], service.unit.kill_signal)
        self._look_after_end(service)

    def _members(self, service: Service) -> list[int]:
        return processes.of_invocation(service.invocation) if service.invocation else []

    def _look_after_end(self, service: Service) -> None:
        """Ends a stop once nothing is left that it has to wait for."""
        mode = service.unit.kill_mode
        running = bool(service.main_pid or service.control_pid)
        if mode == "mixed" and not running:
            processes.send(self._members(service), signal.SIGKILL)
        left = running if mode in ("process", "none") else bool(running or self._members(service))
        if not left or (mode == "none" and service.wants_stop):
            self._settle(service)

    def _settle(self, service: Service) -> None:
        """Everything has ended: stopped, failed, or to be started again."""
        service.deadline, service.main_pid, service.control_pid, service.queue = None, 0, 0, []
        if service.wants_stop:
            state = "inactive" if service.result == "success" else "failed"
            service.become(state, "dead" if state == "inactive" else "failed")
        elif self._restarts(service):
            service.restarts += 1
            service.become("activating", "auto-restart")
            service.deadline = time.monotonic() + service.unit.restart_sec
            return
        elif service.result == "success":
            service.become("inactive", "dead")
        else:
            service.become("failed", "failed")
        if service.wants_start and not self.ending:
            service.wants_start = False
            service.become("activating", "waiting")
            return self._go_on(service)
        self._tell(service)

    def _restarts(self, service: Service) -> bool:
        if self.ending or service.status in service.unit.restart_prevent:
            return False
        good = service.result == "success"
        by_signal = service.result in ("signal", "timeout", "core-dump")
        return {
            "no": False,
            "always": True,
            "on-success": good,
            "on-failure": not good,
            "on-abnormal": by_signal,
            "on-abort": service.result in ("signal", "core-dump"),
        }[service.unit.restart]

    # --- events --------------------------------------------------------------------------------------------------

    def child_ended(self, pid: int, status: int) -> None:
        """A process ended with an exit status, or a signal as a negative number."""
        for service in self.services.values():
            if pid not in (service.main_pid, service.control_pid):
                continue
            was_main = pid == service.main_pid
            service.main_pid = 0 if was_main else service.main_pid
            service.control_pid = 0 if not was_main else service.control_pid
            if was_main:
                service.status = status
            good = processes.clean(status, service.unit.success) if was_main else status == 0
            result = "success" if good else "exit-code" if status > 0 else "signal"
            if service.killed:
                result = "timeout"
            if service.state == "deactivating":
                if service.result == "success":
                    service.result = result
                return self._look_after_end(service)
            if good and service.queue:
                return self._next_command(service)
            if good and was_main and service.unit.type == "oneshot" and service.unit.remain_after_exit:
                service.become("active", "exited")
                service.deadline = None
                return self._tell(service)
            return self._ended(service, result)

    def _ended(self, service: Service, result: str) -> None:
        service.result = result
        if result != "success":
            self._note(f"{service.unit.name}: ended, {result} {service.status}")
        self._terminate(service)

    def _fail(self, service: Service, result: str) -> None:
        service.result = result
        service.become("failed", "failed")
        self._note(f"{service.unit.name}: failed, {result}")
        self._tell(service)

    def tick(self) -> None:
        """Does what is due."""
        now = time.monotonic()
        for service in list(self.services.values()):
            if service.state == "deactivating":
                if service.deadline is not None and now >= service.deadline:
                    self._time_is_up(service)
                else:
                    self._look_after_end(service)
            elif service.deadline is not None and now >= service.deadline:
                service.deadline = None
                if service.sub == "auto-restart":
                    service.become("activating", "waiting")
                else:
                    self._ended(service, "timeout")
            self._go_on(service)

    def _time_is_up(self, service: Service) -> None:
        self._note(f"{service.unit.name}: did not end within its time, killed")
        service.killed = True
        service.result = "timeout"
        service.deadline = time.monotonic() + 5
        pids = self._members(service) if service.unit.kill_mode != "process" else []
        processes.send([*pids, *(pid for pid in (service.main_pid, service.control_pid) if pid)], signal.SIGKILL)

    def _tell(self, service: Service) -> None:
        waiting, service.waiting = service.waiting, []
        for done in waiting:
            done()

    # --- the end -------------------------------------------------------------------------------------------------

    def end(self) -> bool:
        """Stops everything, what came after first; `True` when all is down. Called again and again."""
        self.ending = True
        alive = {name: s for name, s in self.services.items() if s.state not in ("inactive", "failed")}
        for name, service in alive.items():
            others = [other.unit for other in alive.values() if other is not service]
            later = any(name in _order(other) or other.name in service.unit.before for other in others)
            if not later and not service.wants_stop:
                self.stop(name)
        return not alive


def _order(unit: Unit) -> list[str]:
    """What must have started before; cloud-init's target is reached when its last unit is done."""
    return ["cloud-final.service" if name == "cloud-init.target" else name for name in unit.after]


def _mounted_as_fstab_says(path: str) -> bool:
    """RequiresMountsFor= requires only mounts that are configured; one made by hand is no unit of systemd's.

    Those of /etc/fstab are not mounted by the stand: it has no mount units, so a missing one is a failure.
    """
    fstab = Path("/etc/fstab")
    lines = fstab.read_text().splitlines() if fstab.exists() else []
    points = [words[1] for line in lines if len(words := line.split("#")[0].split()) > 1]
    needed = [point for point in points if path == point or path.startswith(point.rstrip("/") + "/")]
    return all(os.path.ismount(point) for point in needed)

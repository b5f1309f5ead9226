"""The first process of an instance: builds its root, carries out user data, runs its services, reaps, powers off.

When it ends, the kernel ends everything else in the instance. It ends at once when the stand is gone.
"""

from __future__ import annotations

import base64
import grp
import json
import os
import pwd
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from . import control, root, services, systemctl
from .units import Unit

_SCRIPT = Path("/var/lib/cloud/instance/scripts/runcmd")


class Init:
    """The loop of the first process."""

    def __init__(self, specification: dict[str, Any], channel: socket.socket, logs: int) -> None:
        self._specification = specification
        self._channel = channel
        self._logs = logs
        self._selector = selectors.DefaultSelector()
        self._end: float | None = None
        """When the machine goes down whatever still runs (monotonic)."""
        self._own_will = False
        self._received = b""
        base = specification["environment"] if specification["manager_environment"] else {}
        self.manager = services.Manager(base, self._journal, self.note)

    def run(self) -> None:
        """Everything from power-on to power-off."""
        wake, waker = socket.socketpair()
        waker.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(waker.fileno())
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(systemctl.SOCKET)
        listening.listen(64)
        self._selector.register(wake, selectors.EVENT_READ, lambda: wake.recv(4096))
        self._selector.register(self._channel, selectors.EVENT_READ, self._hear)
        self._selector.register(listening, selectors.EVENT_READ, lambda: self._serve(listening))
        self.tell("booted")
        self._cloud_init()
        while True:
            for key, _ in self._selector.select(self._patience()):
                key.data()
            self._reap()
            self.manager.tick()
            if self._end is not None and (self.manager.end() or time.monotonic() >= self._end):
                self._power_off()

    def _patience(self) -> float:
        changing = any(s.state in ("deactivating", "activating") for s in self.manager.services.values())
        return 0.05 if changing or self._end is not None else 1.0

    def tell(self, event: str, text: str = "") -> None:
        """Tells the stand."""
        try:
            self._channel.sendall(json.dumps({"event": event, "text": text}).encode() + b"\n")
        except OSError:
            os._exit(1)

    def note(self, text: str) -> None:
        """A line in the log of the stand-in for systemd."""
        handle = self._journal("systemd")
        os.write(handle, f"{time.strftime('%H:%M:%S')} {text}\n".encode())
        os.close(handle)

    def _journal(self, name: str) -> int:
        """A file for output, outside of the instance's disk."""
        return os.open(f"{name}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600, dir_fd=self._logs)

    def _hear(self) -> None:
        data = self._channel.recv(65536)
        if not data:
            os._exit(1)  # the stand is gone
        self._received += data
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            order = json.loads(line)
            if order["do"] == "shutdown":
                self._end = time.monotonic() + order["grace"]

    def _serve(self, listening: socket.socket) -> None:
        connection, _ = listening.accept()
        connection.settimeout(5)
        try:
            data = b""
            while not data.endswith(b"\n"):
                chunk = connection.recv(65536)
                if not chunk:
                    return connection.close()
                data += chunk
        except OSError:
            return connection.close()

        def reply(code: int, out: str, err: str) -> None:
            try:
                connection.sendall(json.dumps({"code": code, "out": out, "err": err}).encode())
            except OSError:
                pass
            connection.close()

        words = json.loads(data)
        if words[1:2] not in (["is-active"], ["show"], ["is-failed"]):
            self.note("asked: " + " ".join(words))
        control.handle(words, self.manager, self._will, lambda text: self.tell("fail", text), reply)

    def _will(self) -> None:
        """The instance wants to end itself."""
        self._own_will = True
        if self._end is None:
            self._end = time.monotonic() + self._specification["power_off_seconds"]

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.manager.child_ended(pid, os.waitstatus_to_exitcode(status))

    def _power_off(self) -> None:
        self.tell("off", "own" if self._own_will else "")
        os.sync()
        os._exit(0)

    # --- cloud-init ----------------------------------------------------------------------------------------------

    def _cloud_init(self) -> None:
        plan = self._specification["plan"]
        for file in plan["files"]:
            try:
                _write(file)
            except (OSError, KeyError) as error:
                self.tell("fail", f"user data: {file['path']} cannot be written: {error}")
        if not plan["script"]:
            return
        _SCRIPT.parent.mkdir(parents=True, exist_ok=True)
        _SCRIPT.write_text(plan["script"])
        _SCRIPT.chmod(0o700)
        unit = Unit("cloud-final.service", type="oneshot", remain_after_exit=True, kill_mode="process")
        unit.exec_start = [f"/bin/sh {_SCRIPT}"]
        unit.stdout = "append:/var/log/cloud-init-output.log"
        self.manager.services[unit.name] = services.Service(unit)
        self.manager.start(unit.name, lambda: self._user_data_done(unit.name))

    def _user_data_done(self, name: str) -> None:
        service = self.manager.services[name]
        self.tell("user-data", str(service.status))
        output = Path("/var/log/cloud-init-output.log")
        if output.exists():
            handle = self._journal("cloud-init-output")
            os.write(handle, output.read_bytes()[-100_000:])
            os.close(handle)


def _write(file: dict[str, Any]) -> None:
    path = Path(file["path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab" if file["append"] else "wb") as opened:
        opened.write(base64.b64decode(file["content"]))
    path.chmod(file["permissions"])
    owner, _, group = file["owner"].partition(":")
    os.chown(path, pwd.getpwnam(owner).pw_uid, grp.getgrnam(group or owner).gr_gid)


def main() -> None:
    """`init.py SPECIFICATION CHANNEL`: a file, and the number of a connected socket."""
    specification = json.loads(Path(sys.argv[1]).read_text())
    channel = socket.socket(fileno=int(sys.argv[2]))
    channel.set_inheritable(False)
    logs = os.open(specification["logs"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    init = Init(specification, channel, logs)
    try:
        root.build(specification)
        socket.sethostname(specification["host_name"])
        root.install_commands(specification["interpreter"], specification["systemctl"])
        init.run()
    except BaseException as error:
        init.note(f"the first process failed: {error!r}")
        init.tell("fail", f"the first process failed: {error!r}")
        raise


if __name__ == "__main__":
    main()

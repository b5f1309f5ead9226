"""One instance from power-on to its end: namespaces, the root disk, the first process and the line to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..seam import Instance
from . import cloud_init, network
from .commands import CommandFailed, run
from .options import Options
from .volumes import loops_below, remove_files

_INSIDE = Path(__file__).parent / "inside"
_IMAGE_TOOLS = "/usr/lib/mskst"
_BOOT_SECONDS = 60.0


@dataclass(frozen=True)
class Told:
    """Whom a machine tells what happens to it."""

    powered_off: Callable[[str], None]
    fail: Callable[[str], None]


class Machine:
    """A running instance."""

    def __init__(self, instance: Instance, directory: Path, hosts: Path, options: Options, told: Told) -> None:
        self.instance = instance
        self.namespace = network.namespace("i", instance.id)
        self.directory = directory / "instances" / instance.id
        self.logs = (options.log_directory or directory / "logs") / instance.id
        self.user_data_status: int | None = None
        """Exit status of `runcmd`, once it is done."""
        self._hosts = hosts
        self._options = options
        self._told = told
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._init = 0
        self._booted = threading.Event()
        self.ending = False
        """Whether it was told to end."""
        self._failure = ""

    # --- life ----------------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Starts the first process and waits until it has its root; user data goes on without us."""
        plan = cloud_init.Plan()
        try:
            plan = cloud_init.read(self.instance.user_data)
        except cloud_init.UserDataError as error:
            self._told.fail(f"{self.instance.id}: {error}")  # EC2 boots it nevertheless
        root = self.directory / "root"
        root.mkdir(parents=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        disk = self.directory / "root.disk"
        with disk.open("wb") as made:
            made.truncate(self.instance.root_gib << 30)
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard", str(disk))
        specification = self.directory / "specification.json"
        specification.write_text(json.dumps(self._specification(root, disk, plan)))
        ours, theirs = socket.socketpair()
        words = [
            *("nsenter", f"--net={network.path(self.namespace)}"),
            *("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--propagation", "private"),
            *(sys.executable, "-m", "aws_stand.machines.inside.init", str(specification), str(theirs.fileno())),
        ]
        environ = {
            "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
            "PYTHONPATH": str(_INSIDE.parent.parent.parent),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        with (self.logs / "console.log").open("ab") as console:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=environ,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        theirs.close()
        self._channel = ours
        threading.Thread(target=self._listen, name=f"listen {self.instance.id}", daemon=True).start()
        if not self._booted.wait(_BOOT_SECONDS) or self._failure:
            raise CommandFailed(f"{self.instance.id} did not boot: {self._failure or 'no answer'}, see {self.logs}")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self._init = int(children[0]) if children else 0

    def _specification(self, root: Path, disk: Path, plan: cloud_init.Plan) -> dict[str, Any]:
        prefix = Path(sys.base_prefix)
        binds = {_IMAGE_TOOLS: str(_INSIDE), "/etc/hosts": str(self._hosts)}
        if not prefix.is_relative_to("/usr"):
            binds[str(prefix)] = str(prefix)
        binds.update({inside: str(outside) for inside, outside in self._options.extra_files.items()})
        return {
            "root": str(root),
            "root_disk": str(disk),
            "logs": str(self.logs),
            "binds": binds,
            "host_name": self.instance.private_dns_name,
            "machine_id": uuid.uuid4().hex,
            "environment": self._options.environment(),
            "manager_environment": self._options.manager_environment,
            "power_off_seconds": self._options.power_off_seconds,
            "interpreter": str(Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")),
            "systemctl": f"{_IMAGE_TOOLS}/systemctl.py",
            "plan": plan.as_json(),
        }

    def _listen(self) -> None:
        """Hears what the first process says until it is gone."""
        assert self._channel is not None and self._process is not None
        said_good_bye = own_will = False
        with self._channel.makefile("rb") as lines:
            try:
                for line in lines:
                    event = json.loads(line)
                    if event["event"] == "booted":
                        self._booted.set()
                    elif event["event"] == "user-data":
                        self.user_data_status = int(event["text"])
                    elif event["event"] == "off":
                        said_good_bye, own_will = True, event["text"] == "own"
                    elif event["event"] == "fail":
                        if not self._booted.is_set():
                            self._failure = event["text"]
                        self._told.fail(f"{self.instance.id}: {event['text']}")
            except OSError:
                pass
        self._process.wait()
        self._booted.set()
        if own_will and not self.ending:
            self._told.powered_off(self.instance.id)
        elif not said_good_bye and not self.ending:
            self._failure = self._failure or "its first process ended unasked"
            self._told.fail(f"{self.instance.id}: {self._failure}")

    def end(self, grace_seconds: float) -> None:
        """Asks everything to end, waits as long as it may, then ends it."""
        self.ending = True
        process = self._process
        if process is not None and process.poll() is None and self._channel is not None:
            try:
                self._channel.settimeout(1)
                self._channel.sendall(json.dumps({"do": "shutdown", "grace": grace_seconds}).encode() + b"\n")
                process.wait(grace_seconds + 0.5)
            except (OSError, subprocess.TimeoutExpired):
                pass
            self.kill()
        if self._channel is not None:
            self._channel.close()

    def kill(self) -> None:
        """Ends everything in the instance at once, as a loss of power would, and waits until it is gone."""
        self.ending = True
        process = self._process
        if process is None:
            return
        for pid in (self._init, process.pid):
            if pid and process.poll() is None:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    continue
        process.wait(30)

    def remove(self) -> None:
        """Removes the files; the mounts went with the last process."""
        end = time.monotonic() + 15
        while loops_below(self.directory) and time.monotonic() < end:
            time.sleep(0.02)
        remove_files(self.directory)

    # --- what a test does to it ----------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether its first process runs."""
        return self._process is not None and self._process.poll() is None and self._init != 0

    @property
    def root(self) -> Path:
        """The instance's file system, seen from outside while it is alive."""
        return Path(f"/proc/{self._init}/root")

    def processes(self) -> list[int]:
        """Every process inside, by its number outside."""
        try:
            mine = os.readlink(f"/proc/{self._init}/ns/pid_for_children")
        except OSError:
            return []
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdecimal():
                continue
            try:
                if os.readlink(f"/proc/{entry}/ns/pid") == mine:
                    found.append(int(entry))
            except OSError:
                continue
        return found

    def freeze(self) -> None:
        """Stops every process, those too that are born meanwhile."""
        stopped: set[int] = set()
        while fresh := set(self.processes()) - stopped:
            for pid in sorted(fresh):
                _signal(pid, signal.SIGSTOP)
            stopped |= fresh

    def thaw(self) -> None:
        """Lets everything go on."""
        for pid in self.processes():
            _signal(pid, signal.SIGCONT)

    def command(self, words: Sequence[str]) -> list[str]:
        """What to run out here in order to run a command in there."""
        return enter(self._init, self._options.environment(), words)

    def run(self, *words: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Runs a command inside and returns how it ended."""
        return subprocess.run(self.command(words), capture_output=True, text=True, timeout=seconds, check=False)

    def log(self, unit: str) -> str:
        """What a unit has written."""
        path = self.logs / f"{unit}.log"
        return path.read_text(errors="replace") if path.exists() else ""


def enter(init: int, environment: Mapping[str, str], words: Sequence[str]) -> list[str]:
    """The command that runs a command beside the first process of an instance, with an environment of its own."""
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
    variables = [f"{name}={value}" for name, value in environment.items()]
    namespaces = ["nsenter", "--target", str(init), "--mount", "--uts", "--ipc", "--net", "--pid"]
    return [*namespaces, "env", "-i", path, "HOME=/root", "LANG=C.UTF-8", *variables, *words]


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass

"""`python -m aws_stand up|down|status|left|failures|exec|terminate|serve`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .setup import control, exports, make

REGION = "eu-central-1"


def main() -> int:
    """Runs one command; the exit code says how it went."""
    parser = argparse.ArgumentParser(prog="aws-stand", description="An AWS account on this machine.")
    parser.add_argument("--directory", type=Path, default=default_directory(), help="where the stand keeps its files")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("up", "start it, if it does not run, and print what to export"), ("serve", "run it in the foreground")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--port", type=int, default=0, help="of the endpoint; 0: any")
        command.add_argument("--region", default=REGION)
        command.add_argument(
            "--machines", choices=("none", "real"), default="real" if os.geteuid() == 0 else "none",
            help="whether instances run; real needs root, and is what root gets by default",
        )  # fmt: skip
        if name == "up":
            command.add_argument(
                "--operator-policy", type=Path, action="append", default=[], metavar="FILE",
                help="a policy of the operator; with one, no other allows it anything, and policies count",
            )  # fmt: skip
    commands.add_parser("down", help="end it; nothing is left")
    commands.add_parser("status", help="what runs")
    commands.add_parser("left", help="what exists beyond what up made; fails if there is anything")
    commands.add_parser("failures", help="what a client did that AWS does not know; fails if there is anything")
    for name, text in (("exec", "run a command in client, stranger, or a node (b-1)"), ("terminate", "end a node's instance through EC2")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--cluster", default="", help="the cluster's uid, if there are several")
        command.add_argument("name", help="b-1, c-10001, or an instance's id")
        if name == "exec":
            command.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    arguments = parser.parse_args()
    if arguments.command == "serve":
        from .serve import serve

        serve(arguments.directory, arguments.port, arguments.region, arguments.machines)
        return 0
    if arguments.command == "up":
        return up(arguments)
    facts = running(arguments.directory)
    if facts is None:
        print(f"no stand runs in {arguments.directory}", file=sys.stderr)
        return 0 if arguments.command == "down" else 1
    if arguments.command == "down":
        return down(arguments.directory, facts)
    if arguments.command in ("exec", "terminate"):
        from .nodes import end, run

        try:
            if arguments.command == "terminate":
                return end(facts, arguments.name, arguments.cluster)
            return run(facts, arguments.name, arguments.cluster, arguments.words)
        except LookupError as error:
            print(error.args[0], file=sys.stderr)
            return 1
    if arguments.command == "status":
        shown = {
            "endpoint": facts["endpoint"],
            "control": facts["control"],
            "region": facts["region"],
            "pid": facts["pid"],
            "instances": [f"{i['id']} {i['private_ip']} {i['group_name']}" for i in control(facts["control"], "instances")],
            "failures": len(control(facts["control"], "failures")),
        }
        print(json.dumps(shown, indent=2))
        return 0
    found = control(facts["control"], "left")["left"] if arguments.command == "left" else control(facts["control"], "failures")
    print(json.dumps(found, indent=2))
    return 1 if found else 0


def default_directory() -> Path:
    """Under the user's state directory."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "terraform-provider-msk" / "aws-stand"


def running(directory: Path) -> dict[str, Any] | None:
    """The facts of the stand that runs in a directory."""
    try:
        facts: dict[str, Any] = json.loads((directory / "stand.json").read_text())
        control(facts["control"], "settings")
        return facts
    except (OSError, ValueError, KeyError):
        return None


def up(arguments: argparse.Namespace) -> int:
    """Starts a stand in the background unless one runs."""
    directory: Path = arguments.directory
    exported = directory / "exports"
    if arguments.machines == "none":
        print("# instances do not run: a cluster is made and its nodes are waited for in vain (--machines real needs root)", file=sys.stderr)
    if running(directory) is None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        (directory / "stand.json").unlink(missing_ok=True)
        command = [sys.executable, "-m", "aws_stand", "--directory", str(directory.absolute()), "serve"]
        command += ["--port", str(arguments.port), "--region", arguments.region, "--machines", arguments.machines]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        with (directory / "stand.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, env=environment
            )
        end = time.monotonic() + 90
        while (facts := running(directory)) is None:
            if process.poll() is not None or time.monotonic() > end:
                if process.poll() is None:
                    process.terminate()
                print(f"the stand did not start; see {directory / 'stand.log'}", file=sys.stderr)
                return 1
            time.sleep(0.1)
        exported.touch(mode=0o600)
        exported.write_text(exports(make(facts)) + "\n")
        if arguments.operator_policy:
            control(facts["control"], "operator", {"policies": [json.loads(file.read_text()) for file in arguments.operator_policy]})
    print(exported.read_text(), end="")
    return 0


def down(directory: Path, facts: dict[str, Any]) -> int:
    """Ends the stand and waits until its process is gone."""
    control(facts["control"], "shutdown", {})
    end = time.monotonic() + 60
    while _alive(facts["pid"]):
        if time.monotonic() > end:
            os.kill(facts["pid"], signal.SIGKILL)
        time.sleep(0.1)
    for name in ("stand.json", "exports"):
        (directory / name).unlink(missing_ok=True)
    return 0


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

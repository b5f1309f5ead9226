"""Commands of the machine, with errors that tell what was run and what it said."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


class CommandFailed(Exception):
    """A command ended with an error."""


def run(*words: str, text: str | None = None, seconds: float = 60.0) -> str:
    """Runs a command and returns what it printed."""
    try:
        done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=seconds, check=False)
    except FileNotFoundError as error:
        raise CommandFailed(f"{words[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{' '.join(words)}: not done after {seconds:.0f} s") from error
    if done.returncode != 0:
        raise CommandFailed(f"{' '.join(words)}: {(done.stderr or done.stdout).strip()} (exit {done.returncode})")
    return done.stdout


def batch(namespace: str, lines: Sequence[str]) -> None:
    """Runs many `ip` commands in a namespace as one process: much faster than one by one."""
    run("ip", "-n", namespace, "-batch", "-", text="\n".join(lines) + "\n")

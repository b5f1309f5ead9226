"""`python -m aws_stand.machines exec NAME -- COMMAND | left | down`: what works without asking the stand.

`exec` runs a command in a client's namespace, or in an instance when the name is an instance's id.
`down` removes what a stand has left that was killed; it refuses while one runs.
"""

from __future__ import annotations

import os
import sys

from . import cleanup, clients, network
from .machine import enter
from .options import from_environment


def main(words: list[str]) -> int:
    """Runs one command; the exit code says how it went."""
    match words:
        case ["exec", name, "--", *command] if command:
            return _exec(name, command)
        case ["left"]:
            found = cleanup.left()
            print("\n".join(found))
            return 1 if found else 0
        case ["down"]:
            try:
                cleanup.Lock(None).release()
            except cleanup.Busy as busy:
                print(busy, file=sys.stderr)
                return 1
            return 0
    print(__doc__, file=sys.stderr)
    return 2


def _exec(name: str, command: list[str]) -> int:
    environ = from_environment().environment()
    if name.startswith("i-"):
        init = cleanup.first_process(network.namespace("i", name))
        if init is None:
            print(f"{name} does not run", file=sys.stderr)
            return 1
        words = enter(init, environ, command)
    elif network.path(network.namespace("c", name)).exists():
        client = clients.Client(name, "", (), None, environ)
        os.environ.update(environ)
        words = client.command(command)
    else:
        known = [one for one in network.namespaces() if one != network.ROUTER]
        print(f"there is no {name}; there are {', '.join(known) or 'no machines'}", file=sys.stderr)
        return 1
    os.execvp(words[0], words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

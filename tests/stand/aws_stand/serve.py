"""Runs a stand in this process until it is told to end."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

from .server import Server
from .settings import Settings
from .stand import Stand


def serve(directory: Path, port: int, region: str, machines: str, settings: Settings | None = None) -> None:
    """Serves, and writes `stand.json` (0600: it holds the root key) once requests are answered."""
    stand = Stand(directory, region, machines, settings)
    server, controls = Server(stand, ("127.0.0.1", port)), Server(stand, ("127.0.0.1", 0), controls=True)
    stand.shutdown = server.shutdown
    threading.Thread(target=controls.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    try:
        stand.start(server.url)
        facts = {
            "pid": os.getpid(), "endpoint": server.url, "control": controls.url, "region": region, "machines": machines,
            "root_key": stand.root_key, "root_secret": stand.root_secret,
        }  # fmt: skip
        path = directory / "stand.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(facts))
        server.serve_forever(poll_interval=0.1)
    finally:
        controls.shutdown()
        controls.server_close()
        server.server_close()
        stand.close()

"""Endpoints of AWS services: each listens at its own address in the VPC and passes on to the proxy outside."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from .network import ROUTER, listen

_CHUNK = 256 * 1024


class Endpoints:
    """Passes connections on, byte for byte: names, signatures and errors are the proxy's business."""

    def __init__(self, target: Callable[[], str]) -> None:
        self._target = target
        """Asked at each connection: the proxy may start after its machines."""
        self._listening: list[socket.socket] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def serve(self, address: str) -> None:
        """Starts one endpoint."""
        listening = listen(ROUTER, address, 80)
        self._listening.append(listening)
        threading.Thread(target=self._accept, args=(listening,), name=f"endpoint {address}", daemon=True).start()

    def close(self) -> None:
        """Ends every endpoint and connection."""
        with self._lock:
            ending = [*self._listening, *self._open]
        for one in ending:
            _end(one)

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return listening.close()
            threading.Thread(target=self._join, args=(near,), name="endpoint", daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(_address(self._target()), timeout=10)
        except OSError:
            near.close()
            return
        for one in (near, far):
            one.settimeout(None)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.update((near, far))
        back = threading.Thread(target=_copy, args=(far, near), name="endpoint back", daemon=True)
        back.start()
        _copy(near, far)
        back.join()
        with self._lock:
            self._open.difference_update((near, far))
        near.close()
        far.close()


def _address(target: str) -> tuple[str, int]:
    parts = urlsplit(target)
    if parts.scheme != "http" or parts.hostname is None or parts.port is None:
        raise ValueError(f"the proxy's address must be http://ADDRESS:PORT, not {target!r}")
    return parts.hostname, parts.port


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(_CHUNK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        _end(source)
        _end(target)


def _end(one: socket.socket) -> None:
    """Wakes whoever waits for the socket, then closes it where nobody does."""
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass

"""HTTP in front of the stand: AWS requests, and at an address of its own the control API.

Instances reach the first alone, through their endpoints, so nothing that runs in one can steer the stand.
"""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import control
from .messages import HttpRequest, HttpResponse
from .stand import Dropped, Stand

LARGEST_BODY = 512 * 1024 * 1024


class Server(ThreadingHTTPServer):
    """One thread per connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, stand: Stand, address: tuple[str, int], controls: bool = False) -> None:
        super().__init__(address, Handler)
        self.stand = stand
        self.controls = controls

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Reads one request after the other."""

    protocol_version = "HTTP/1.1"
    server: Server
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """The request log is `/stand/log`."""

    def handle_expect_100(self) -> bool:
        """Answers at once: clients wait a second for it before they send a body."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def _answer(self) -> None:
        try:
            request = self._request()
        except ValueError:
            self.send_error(400)
            return
        try:
            if self.server.controls:
                answer = control.handle(self.server.stand, request)
            elif request.path.startswith("/stand/"):
                answer = control.issuer(self.server.stand, request)
            else:
                answer = self.server.stand.handle(request)
        except Dropped:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer

    def _request(self) -> HttpRequest:
        headers: dict[str, str] = {}
        for key, value in self.headers.items():
            name = key.lower()
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        if "chunked" in headers.get("transfer-encoding", ""):
            body = self._chunks()
        else:
            length = int(headers.get("content-length") or 0)
            if not 0 <= length <= LARGEST_BODY:
                raise ValueError
            body = self.rfile.read(length)
        path, _, query = self.path.partition("?")
        return HttpRequest(self.command, path, query, headers, body)

    def _chunks(self) -> bytes:
        parts = bytearray()
        while True:
            size = int(self.rfile.readline(64).split(b";")[0], 16)
            if size < 0 or len(parts) + size > LARGEST_BODY:
                raise ValueError
            parts += self.rfile.read(size)
            self.rfile.readline(1024)
            if size == 0:
                return bytes(parts)

    def _send(self, answer: HttpResponse) -> None:
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        head = self.command == "HEAD"
        if answer.status not in (204, 304):
            length = answer.header("content-length") if head else None
            if length is None:
                self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if not head:
            self.wfile.write(answer.body)
        self.wfile.flush()



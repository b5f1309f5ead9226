"""Real moto as a child process, and calls to it: raw ones, and by operation with parameters."""

from __future__ import annotations

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from . import catalog
from .messages import AwsError, HttpRequest, HttpResponse, Params, Refused

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "te", "trailer", "upgrade"}


_LARGEST: dict[str, Params] = {"DescribeLaunchTemplates": {"MaxResults": 100_000}}
"""moto ends such lists after 15 without a word."""


class Moto:
    """One moto server of our own, which ends with us."""

    def __init__(self, log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=log.parent,
                preexec_fn=_die_with_parent,
                env={**os.environ, "MOTO_EC2_LOAD_DEFAULT_AMIS": "true"},
            )
        self._connections = threading.local()

    def wait(self, seconds: float = 60.0) -> None:
        """Waits until it answers."""
        end = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("moto did not start; see moto.log") from None
                time.sleep(0.1)

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def forward(self, request: HttpRequest) -> HttpResponse:
        """Sends a request as it is; an answer that is moto's own crash page becomes `Refused`."""
        path = request.path + (f"?{request.query}" if request.query else "")
        headers = {k: v for k, v in request.headers.items() if k not in _HOP_BY_HOP and k != "content-length"}
        headers["content-length"] = str(len(request.body))
        for last in (False, True):
            connection = self._connection()
            try:
                connection.request(request.method, path, body=request.body, headers=headers)
                answer = connection.getresponse()
                body = answer.read()
                break
            except (http.client.HTTPException, OSError):
                self._connections.value = None
                if last:
                    raise
        # The length of what a HEAD does not bring is part of its answer.
        dropped = _HOP_BY_HOP | {"server", "date"} | (set() if request.method == "HEAD" else {"content-length"})
        kept = {k: v for k, v in answer.getheaders() if k.lower() not in dropped}
        if answer.status >= 500 and b"<html" in body[:200].lower():
            raise Refused("moto has no such action, or crashed in it: " + _first_words(body))
        return HttpResponse(answer.status, kept, body)

    def call(
        self, service: str, action: str, params: Params, *, region: str, access_key: str = "stand"
    ) -> dict[str, Any]:
        """Calls an operation with parameters and gives its result, or raises what moto answers."""
        model = catalog.service(service).operation_model(action)
        request = create_serializer(catalog.protocol(service), include_validation=False).serialize_to_request(params, model)
        body = request["body"]
        if isinstance(body, dict):
            body = urlencode(body)
        body = body.encode() if isinstance(body, str) else body
        query = request["query_string"]
        headers = {k.lower(): str(v) for k, v in request["headers"].items()}
        headers["host"] = f"127.0.0.1:{self.port}"
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={access_key}/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
        answer = self.forward(
            HttpRequest(
                request["method"], request["url_path"], query if isinstance(query, str) else urlencode(query), headers, body
            )
        )
        parsed = create_parser(catalog.protocol(service)).parse(
            {
                "status_code": answer.status,
                "headers": {k.lower(): v for k, v in answer.headers.items()},
                "body": answer.body,
                "context": {"operation_name": action},
            },
            model.output_shape,
        )
        error = parsed.get("Error")
        if answer.status >= 300 and error:
            raise AwsError(error.get("Code", "Unknown"), error.get("Message", ""), answer.status)
        parsed.pop("ResponseMetadata", None)
        return cast(dict[str, Any], parsed)

    def whole(self, service: str, action: str, params: Params, *, region: str, access_key: str = "stand") -> dict[str, Any]:
        """Like `call`, with all pages in one, whatever page the parameters ask for."""
        page = catalog.paginator(service, action) or {}
        inputs, token, member = page.get("input_token", []), page.get("output_token"), page.get("result_key")
        left_out = {page.get("limit_key"), *(inputs if isinstance(inputs, list) else [inputs])}
        plain = {k: v for k, v in params.items() if k not in left_out} | _LARGEST.get(action, {})
        result = self.call(service, action, plain, region=region, access_key=access_key)
        if isinstance(token, str) and isinstance(member, str) and isinstance(inputs, str):
            while following := result.pop(token, None):
                step = self.call(service, action, {**plain, inputs: following}, region=region, access_key=access_key)
                result = {**step, member: result.get(member, []) + step.get(member, [])}
        return result

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._connections, "value", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            self._connections.value = connection
        return connection


def _first_words(page: bytes) -> str:
    text = page.decode("utf-8", "replace")
    for mark in ("<title>", "<h1>"):
        if mark in text:
            return text.split(mark, 1)[1].split("<", 1)[0].strip()
    return text[:120]


def _die_with_parent() -> None:
    """A killed stand must not leave moto behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)

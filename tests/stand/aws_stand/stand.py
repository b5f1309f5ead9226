"""The way of a request: who, what, allowed, faulty, ruled, answered, noted."""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from . import catalog, check, query, rest, rules, seam, sigv4
from .faults import Fault, Faults
from .left import Ledger
from .log import Log
from .messages import AwsError, Call, HttpRequest, HttpResponse, Params, Refused
from .moto import Moto
from .paging import Pages
from .policy.engine import Policies
from .principals import Principals
from .settings import Settings
from .world import World

ACCOUNT = "123456789012"
JSON_SERVICES = ("kms", "secretsmanager", "ssm", "logs", "servicequotas")


class Dropped(Exception):
    """The connection is to be closed without an answer."""


class Stand:
    """Everything that one stand consists of."""

    def __init__(self, directory: Path, region: str, machines: str = "none", settings: Settings | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        rules.load()
        self.directory = directory
        self.region = region
        self.endpoint = ""
        self.shutdown: Callable[[], None] = lambda: None
        """Ends whoever serves it."""
        self.settings = settings or Settings()
        self.log = Log()
        self.faults = Faults()
        self.ledger = Ledger()
        self.pages = Pages(self.settings)
        self.root_key = "AKIA" + secrets.token_hex(8).upper()
        self.root_secret = secrets.token_urlsafe(30)
        self.principals = Principals(ACCOUNT, self.root_key, self.root_secret)
        self.lock = threading.RLock()
        self.moto = Moto(directory / "moto.log")
        self.policies = Policies(self)
        self.world = World(self)
        self.machines: seam.Machines = seam.NoMachines()
        self._machines = machines
        self._throttle: dict[tuple[str, str], tuple[float, float]] = {}

    def start(self, endpoint: str) -> None:
        """Waits for moto and lets the world go on."""
        self.endpoint = endpoint
        self.machines = seam.create(self._machines, self.world)
        self.moto.wait()
        self.ledger.baseline(self)
        self.world.start()

    def close(self) -> None:
        """Ends machines and moto."""
        self.world.close()
        self.machines.close()
        self.moto.close()

    def now(self) -> float:
        """The stand's clock."""
        return time.time() + self.settings.clock_offset_seconds

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Answers one request."""
        service = ""
        call: Call | None = None
        action = "?"
        try:
            scope = sigv4.scope(request)
            if scope is None:
                raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
            service = scope.service
            call = self._understand(request, scope)
            action = call.action
            answer = self._serve(call)
        except AwsError as error:
            answer = self._error(error, service, request, call.id if call else secrets.token_hex(8))
        except Refused as refusal:
            message = f"{service}:{action}: {refusal}"
            self.log.fail(message)
            answer = self._error(AwsError("StandFailure", message), service, request, "stand")
        except Dropped:
            raise
        except Exception:
            message = f"{service}:{action}: the stand itself failed: {traceback.format_exc()}"
            self.log.fail(message)
            answer = self._error(AwsError("StandFailure", message), service, request, "stand")
        self._note(service, action, call, answer.status, answer)
        return answer

    def _understand(self, request: HttpRequest, scope: sigv4.Scope) -> Call:
        service = scope.service
        if service not in catalog.SIGNING_NAMES:
            raise Refused(f"the stand does not know the service {service!r}")
        model, params, problems = self._decode(service, request)
        problems += check.check(params, model.input_shape) if model.input_shape is not None else []
        key = self.principals.find(
            scope.access_key, request.headers.get("x-amz-security-token") or scope.token, service, self.now()
        )
        if self.settings.check_signatures:
            sigv4.verify(request, scope, key.secret, service, time.time())
        call = Call(request, service, scope.region, scope.access_key, model, params, key.principal)
        if problems:
            self.log.fail(f"{service}:{call.action}: not in the public API: " + "; ".join(problems))
            raise AwsError("StandFailure", f"{call.action}: " + "; ".join(problems))
        return call

    def _decode(self, service: str, request: HttpRequest) -> tuple[Any, Params, list[str]]:
        models = catalog.service(service)
        protocol = catalog.protocol(service)
        if protocol in ("ec2", "query"):
            fields = parse_qs(request.body.decode("utf-8", "replace"))
            name = fields.get("Action", [""])[0]
            if name not in models.operation_names:
                raise Refused(f"no such action: {name!r}")
            version = fields.get("Version", [""])[0]
            model = models.operation_model(name)
            params, problems = query.decode(request.body, model, protocol == "ec2")
            if version != models.api_version:
                problems.append(f"Version: {version!r} is not {models.api_version}")
            return model, params, problems
        if protocol == "json":
            prefix, _, name = request.headers.get("x-amz-target", "").rpartition(".")
            if prefix != models.metadata["targetPrefix"] or name not in models.operation_names:
                raise Refused(f"no such action: {name!r}")
            try:
                params = json.loads(request.body or b"{}")
            except ValueError as error:
                return models.operation_model(name), {}, [f"body: {error}"]
            return models.operation_model(name), params, []
        found = rest.match(service, request)
        if found is None:
            raise Refused(f"no such action: {request.method} {request.path}?{request.query}")
        params, problems = rest.decode(request, *found)
        return found[0], params, problems

    def _serve(self, call: Call) -> HttpResponse:
        fault = self.faults.hit(call.service, call.action, call.params, call.principal.arn)
        if fault is not None:
            self._fault(call, fault, "before")
        self._rate(call)
        self.policies.authorize(call)
        handler = rules.RULES.get((call.service, call.action))
        if handler is None and call.action not in rules.PASSING.get(call.service, set()):
            raise Refused("the stand has no rule for this action")
        result: Params | HttpResponse
        with self.lock if call.service in ("ec2", "autoscaling", "iam") else nullcontext():
            result = handler(self, call) if handler is not None else self._pass(call)
        if not isinstance(result, HttpResponse):
            if call.service in ("ec2", "autoscaling", "iam"):
                result = self.pages.cut(call, result)
            if call.service == "iam":
                self.policies.changed()
            self.ledger.note(call, result)
            result = self._encode(call, result)
        else:
            self.ledger.note(call, result)
        if fault is not None:
            self._fault(call, fault, "after")
        return result

    def _fault(self, call: Call, fault: Fault, moment: str) -> None:
        if fault.when != moment:
            return
        if fault.delay:
            time.sleep(fault.delay)
        if fault.drop:
            self._note(call.service, call.action, call, 0, None)
            raise Dropped
        error = fault.error()
        if error is not None:
            raise error

    def _rate(self, call: Call) -> None:
        rate = self.settings.rate_per_second
        if rate <= 0 or call.service not in ("ec2", "autoscaling"):
            return
        with self.lock:
            now = time.monotonic()
            tokens, last = self._throttle.get((call.service, call.action), (float(self.settings.rate_burst), now))
            tokens = min(float(self.settings.rate_burst), tokens + (now - last) * rate)
            self._throttle[call.service, call.action] = (max(0.0, tokens - 1), now)
        if tokens < 1:
            if call.service == "ec2":
                raise AwsError("RequestLimitExceeded", "Request limit exceeded.", 503)
            raise AwsError("Throttling", "Rate exceeded", 400)

    def _pass(self, call: Call) -> Params | HttpResponse:
        if catalog.protocol(call.service) in ("ec2", "query"):
            return self.ask(call, call.action, call.params)
        return self.moto.forward(call.http)

    def ask(self, call: Call, action: str, params: Params, service: str | None = None) -> dict[str, Any]:
        """Asks moto, in the caller's account and Region, without pages."""
        service = service or call.service
        return self.moto.whole(service, action, params, region=call.region, access_key=call.access_key)

    def json(self, call: Call, body: Params) -> HttpResponse:
        """A JSON answer."""
        return HttpResponse(200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body).encode())

    def _encode(self, call: Call, result: Params) -> HttpResponse:
        protocol = catalog.protocol(call.service)
        if protocol == "json":
            return self.json(call, result)
        body = query.encode(call.model, result, call.id, protocol == "ec2")
        return HttpResponse(200, {"Content-Type": "text/xml;charset=UTF-8", "x-amzn-RequestId": call.id}, body)

    def _error(self, error: AwsError, service: str, request: HttpRequest, request_id: str) -> HttpResponse:
        headers = {"x-amzn-RequestId": request_id}
        if service in JSON_SERVICES:
            body = json.dumps({"__type": error.code, "message": error.message}).encode()
            return HttpResponse(error.status, {**headers, "Content-Type": "application/x-amz-json-1.1"}, body)
        if service in ("s3", "route53"):
            body = rest.encode_error(error, request_id, service, unquote(request.path))
            if request.method == "HEAD":
                body = b""
            region = getattr(error, "bucket_region", None)
            if region:
                headers["x-amz-bucket-region"] = region
            return HttpResponse(error.status, {**headers, "Content-Type": "application/xml"}, body)
        body = query.encode_error(error, request_id, service == "ec2")
        return HttpResponse(error.status, {**headers, "Content-Type": "text/xml;charset=UTF-8"}, body)

    def _note(self, service: str, action: str, call: Call | None, status: int, answer: HttpResponse | None) -> None:
        code = ""
        if answer is not None and status >= 400:
            found = re.search(rb'<Code>([^<]*)|"__type": "([^"]*)"', answer.body)
            code = (found.group(1) or found.group(2) or b"").decode() if found else ""
        self.log.request(
            service=service,
            action=action,
            status=status,
            code=code,
            principal=call.principal.arn if call else "",
            region=call.region if call else "",
            params=call.params if call else None,
        )

    def background(self, name: str, work: Callable[[], None]) -> None:
        """Runs work of the seam on its own thread; an exception is a stand failure."""

        def run() -> None:
            try:
                work()
            except Exception:
                self.log.fail(f"{name}: {traceback.format_exc()}")

        threading.Thread(target=run, name=name, daemon=True).start()

    def tell_machines(self, name: str, work: Callable[[], None]) -> None:
        """Calls the seam at once; an exception is a stand failure and changes nothing else."""
        try:
            work()
        except Exception:
            self.log.fail(f"{name}: {traceback.format_exc()}")

"""Signatures: whose key, which Region and service, and whether it is right and fresh."""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote

from .messages import AwsError, HttpRequest


@dataclass(frozen=True)
class Scope:
    """What a signature says about itself."""

    access_key: str
    date: str
    region: str
    service: str
    signed: tuple[str, ...]
    signature: str
    moment: str
    """`20260101T000000Z`."""
    presigned: bool = False
    token: str | None = None
    expires: int = 300


def scope(request: HttpRequest) -> Scope | None:
    """Reads the Authorization header or a presigned query."""
    header = request.headers.get("authorization", "")
    found = re.match(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)",
        header,
    )
    if found:
        key, date, region, service, signed, signature = found.groups()
        moment = request.headers.get("x-amz-date", "")
        return Scope(key, date, region, service, tuple(signed.split(";")), signature, moment)
    values = dict(parse_qsl(request.query))
    credential = values.get("X-Amz-Credential", "").split("/")
    if len(credential) != 5:
        return None
    return Scope(
        credential[0], credential[1], credential[2], credential[3],
        tuple(values.get("X-Amz-SignedHeaders", "").split(";")), values.get("X-Amz-Signature", ""),
        values.get("X-Amz-Date", ""), True, values.get("X-Amz-Security-Token"), int(values.get("X-Amz-Expires", "300")),
    )  # fmt: skip


def verify(request: HttpRequest, scope: Scope, secret: str, service: str, now: float) -> None:
    """Raises what AWS answers to a wrong clock or a wrong signature."""
    try:
        moment = calendar.timegm(time.strptime(scope.moment, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise AwsError("IncompleteSignature", "Date must be in ISO-8601 'basic format'.", 400) from None
    late = now - moment
    limit = scope.expires if scope.presigned else 900 if service == "s3" else 300
    if late > limit or late < -900:
        if service == "s3":
            raise AwsError("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", 403)
        code = {"ec2": "RequestExpired", "kms": "InvalidSignatureException"}.get(service, "SignatureDoesNotMatch")
        raise AwsError(code, f"Signature expired: {scope.moment} is now earlier than the allowed time", 400 if code == "RequestExpired" else 403)
    if not hmac.compare_digest(_signature(request, scope, secret), scope.signature):
        code = "InvalidSignatureException" if service in ("kms", "secretsmanager", "ssm", "logs") else "SignatureDoesNotMatch"
        code = "AuthFailure" if service == "ec2" else code
        raise AwsError(code, "The request signature we calculated does not match the signature you provided.", 403)


def _signature(request: HttpRequest, scope: Scope, secret: str) -> str:
    pairs = [
        (quote(unquote(k), safe="-_.~"), quote(unquote(v), safe="-_.~"))
        for k, _, v in (part.partition("=") for part in request.query.split("&") if part)
        if k != "X-Amz-Signature"
    ]
    canonical_query = "&".join(f"{k}={v}" for k, v in sorted(pairs))
    path = request.path if scope.service == "s3" else quote(request.path, safe="/-_.~")
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in scope.signed)
    payload = request.headers.get("x-amz-content-sha256")
    if payload is None:
        payload = "UNSIGNED-PAYLOAD" if scope.presigned else hashlib.sha256(request.body).hexdigest()
    elif len(payload) == 64 and hashlib.sha256(request.body).hexdigest() != payload:
        return ""
    canonical = "\n".join([request.method, path or "/", canonical_query, headers, ";".join(scope.signed), payload])
    area = f"{scope.date}/{scope.region}/{scope.service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", scope.moment, area, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in (scope.date, scope.region, scope.service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

"""Signed tokens of IAM principals (STS GetWebIdentityToken), with an issuer whose keys are served by the stand.

moto has none of it. The issuer on AWS is `https://<uuid>.tokens.sts.global.api.aws`; here it is below the control API.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from ..messages import AwsError, Call, Params
from . import rule

if TYPE_CHECKING:
    from ..stand import Stand

_CLAIM = "https://sts.amazonaws.com/"


@dataclass
class Issuer:
    """The keys of one account; made when federation is switched on."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    rsa_key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    ec_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP384R1()))

    def url(self, stand: Stand) -> str:
        """What stands in `iss`."""
        return f"{stand.endpoint}/stand/issuer/{self.id}"


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int, size: int) -> str:
    return _coded(value.to_bytes(size, "big"))


def document(stand: Stand, path: str) -> dict[str, Any] | None:
    """`<uuid>/.well-known/openid-configuration` and `jwks.json`."""
    id, _, name = path.partition("/.well-known/")
    issuer = next((one for one in stand.world.issuers.values() if one.id == id), None)
    if issuer is None:
        return None
    if name == "openid-configuration":
        url = issuer.url(stand)
        return {"issuer": url, "jwks_uri": f"{url}/.well-known/jwks.json", "id_token_signing_alg_values_supported": ["RS256", "ES384"]}
    if name != "jwks.json":
        return None
    one, other = issuer.rsa_key.public_key().public_numbers(), issuer.ec_key.public_key().public_numbers()
    return {
        "keys": [
            {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "RSA_1", "n": _number(one.n, 256), "e": _number(one.e, 3)},
            {"kty": "EC", "use": "sig", "alg": "ES384", "kid": "EC_1", "crv": "P-384", "x": _number(other.x, 48), "y": _number(other.y, 48)},
        ]
    }


@rule("iam", "EnableOutboundWebIdentityFederation")
def enable(stand: Stand, call: Call) -> Params:
    """Once per account."""
    if call.account in stand.world.issuers:
        raise AwsError("FeatureEnabled", "Outbound web identity federation is already enabled.", 409)
    stand.world.issuers[call.account] = Issuer()
    return {"IssuerIdentifier": stand.world.issuers[call.account].url(stand)}


@rule("iam", "GetOutboundWebIdentityFederationInfo")
def info(stand: Stand, call: Call) -> Params:
    """The issuer, or that there is none."""
    issuer = stand.world.issuers.get(call.account)
    if issuer is None:
        raise AwsError("FeatureDisabled", "Outbound web identity federation is disabled.", 404)
    return {"IssuerIdentifier": issuer.url(stand), "JwtVendingEnabled": True}


@rule("iam", "DisableOutboundWebIdentityFederation")
def disable(stand: Stand, call: Call) -> Params:
    """Off again."""
    if stand.world.issuers.pop(call.account, None) is None:
        raise AwsError("FeatureDisabled", "Outbound web identity federation is disabled.", 404)
    return {}


@rule("sts", "GetWebIdentityToken")
def token(stand: Stand, call: Call) -> Params:
    """A token about the caller; for sessions, about the role."""
    issuer = stand.world.issuers.get(call.account)
    if issuer is None:
        raise AwsError("OutboundWebIdentityFederationDisabledException", "Outbound web identity federation is disabled.", 403)
    algorithm = call.params["SigningAlgorithm"]
    if algorithm not in ("RS256", "ES384"):
        raise AwsError("ValidationError", f"The signing algorithm {algorithm} is not RS256 or ES384.")
    now = int(time.time())
    expires = now + call.params.get("DurationSeconds", 300)
    key = stand.principals.find(call.access_key, call.http.headers.get("x-amz-security-token"), "sts", stand.now())
    if key.expires is not None and expires > key.expires:
        raise AwsError("SessionDurationEscalationException", "The token would outlive the session.", 403)
    principal = call.principal
    subject = principal.arn
    if principal.kind == "session":
        subject = stand.ask(call, "GetRole", {"RoleName": principal.name}, "iam")["Role"]["Arn"]
    own: dict[str, Any] = {"aws_account": call.account, "source_region": call.region, "principal_id": principal.arn}
    if call.params.get("Tags"):
        own["request_tags"] = {tag["Key"]: tag["Value"] for tag in call.params["Tags"]}
    audience = call.params["Audience"]
    claims = {
        "iss": issuer.url(stand), "sub": subject, "aud": audience if len(audience) > 1 else audience[0], "iat": now, "exp": expires,
        "jti": str(uuid.uuid4()), _CLAIM: own,
    }  # fmt: skip
    expiration = datetime.fromtimestamp(expires, timezone.utc)
    return {"WebIdentityToken": _signed(issuer, algorithm, claims), "Expiration": expiration}


def _signed(issuer: Issuer, algorithm: str, claims: dict[str, Any]) -> str:
    head = {"alg": algorithm, "kid": "RSA_1" if algorithm == "RS256" else "EC_1", "typ": "JWT"}
    text = ".".join(_coded(json.dumps(part).encode()) for part in (head, claims))
    if algorithm == "RS256":
        signature = issuer.rsa_key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        r, s = utils.decode_dss_signature(issuer.ec_key.sign(text.encode(), ec.ECDSA(hashes.SHA384())))
        signature = r.to_bytes(48, "big") + s.to_bytes(48, "big")
    return f"{text}.{_coded(signature)}"

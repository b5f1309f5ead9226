"""The public API models that botocore ships, by the name that a signature's scope carries."""

from __future__ import annotations

import threading
from typing import Any

import botocore.loaders
from botocore.model import ServiceModel

SIGNING_NAMES = {
    "ec2": "ec2",
    "autoscaling": "autoscaling",
    "iam": "iam",
    "sts": "sts",
    "kms": "kms",
    "s3": "s3",
    "secretsmanager": "secretsmanager",
    "ssm": "ssm",
    "servicequotas": "service-quotas",
    "route53": "route53",
    "logs": "logs",
    "monitoring": "cloudwatch",
}
"""Scope of the signature to botocore's name. A service that is not here is refused loudly."""

_lock = threading.Lock()
_loader = botocore.loaders.Loader()
_models: dict[str, ServiceModel] = {}
_paginators: dict[str, dict[str, Any]] = {}


def service(name: str) -> ServiceModel:
    """The model of a service, by its scope name."""
    with _lock:
        if name not in _models:
            model = _loader.load_service_model(SIGNING_NAMES[name], "service-2")
            _models[name] = ServiceModel(model, SIGNING_NAMES[name])
        return _models[name]


def protocol(name: str) -> str:
    """`ec2`, `query`, `json` or `rest-xml`."""
    return str(service(name).metadata["protocol"])


def paginator(name: str, action: str) -> dict[str, Any] | None:
    """How a list call is paged: names of its token, limit and result members."""
    with _lock:
        if name not in _paginators:
            try:
                loaded = _loader.load_service_model(SIGNING_NAMES[name], "paginators-1")
                _paginators[name] = loaded["pagination"]
            except Exception:  # a service without paginators
                _paginators[name] = {}
        found: dict[str, Any] | None = _paginators[name].get(action)
        return found

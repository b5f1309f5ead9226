"""What a person or a test may choose about the machines."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

SERVICES: dict[str, str] = {
    "ec2": "EC2",
    "autoscaling": "AUTO_SCALING",
    "s3": "S3",
    "kms": "KMS",
    "secretsmanager": "SECRETS_MANAGER",
    "sts": "STS",
    "logs": "CLOUDWATCH_LOGS",
    "monitoring": "CLOUDWATCH",
    "iam": "IAM",
}
"""Host name prefix of each service, and its name in `AWS_ENDPOINT_URL_<NAME>`."""


@dataclass(frozen=True)
class Options:
    """Every value has the one that fits a laptop; tests shorten the delays."""

    region: str = "eu-central-1"
    services: tuple[str, ...] = tuple(SERVICES)
    """Services that have an endpoint in the VPC. One that is left out has an address where nothing answers."""
    service_network: str = "10.88.255"
    """The first three numbers of the addresses of the endpoints."""
    device_delay: tuple[float, float] = (1.0, 30.0)
    """Seconds between an attachment and its device link; drawn for each attachment."""
    seed: int | None = None
    """Makes delays and the order of device names repeatable."""
    credential_seconds: float = 600.0
    """How long the metadata service hands out the same credentials of a role before it asks for new ones."""
    manager_environment: bool = True
    """The image sets the endpoints as `DefaultEnvironment=` of systemd, so that units need not name them.

    Without it only units with `EnvironmentFile=/etc/environment` see them.
    """
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    """More lines for `/etc/environment` of every instance."""
    extra_files: Mapping[str, Path] = field(default_factory=dict)
    """Files and directories of this machine that the image has too: path in the instance to path here, read-only."""
    log_directory: Path | None = None
    """Where output of units and user data is kept; `machines/logs` of the stand's directory when not given."""
    power_off_seconds: float = 330.0
    """How long the units of an instance that powers itself off may take to end."""

    def address(self, service: str) -> str:
        """The endpoint's address in the VPC."""
        return f"{self.service_network}.{10 + list(SERVICES).index(service)}"

    def environment(self) -> dict[str, str]:
        """What programs in the VPC need to find the endpoints: there is neither DNS nor TLS for amazonaws.com."""
        found = {f"AWS_ENDPOINT_URL_{name}": f"http://{self.address(service)}" for service, name in SERVICES.items()}
        found["AWS_REGION"] = self.region
        found.update(self.extra_environment)
        return found

    def host_names(self) -> dict[str, str]:
        """The public name of each service and its address."""
        return {f"{service}.{self.region}.amazonaws.com": self.address(service) for service in SERVICES}


def from_environment() -> Options:
    """Options for a stand that a person or CI starts: `AWS_STAND_MACHINES='{"device_delay": [0.1, 0.5]}'`."""
    options = Options()
    for name, value in json.loads(os.environ.get("AWS_STAND_MACHINES", "{}")).items():
        if not hasattr(options, name):
            raise ValueError(f"AWS_STAND_MACHINES: unknown option {name}")
        if name == "log_directory":
            value = Path(value)
        elif name == "extra_files":
            value = {inside: Path(outside) for inside, outside in value.items()}
        elif isinstance(value, list):
            value = tuple(value)
        options = replace(options, **{name: value})
    return options

"""Fixtures for the tests of the machines: they need root and real tools, and say so instead of being skipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_stand.machines import cleanup
from aws_stand.machines.options import Options
from aws_stand.machines.world import RealMachines

from .world_stub import StubWorld

TOOLS = {"nft": "nftables", "mkfs.xfs": "xfsprogs", "ip": "iproute2", "losetup": "mount", "curl": "curl"}


@pytest.fixture(scope="session", autouse=True)
def _needs() -> None:
    if os.geteuid() != 0:
        pytest.fail("the tests of the machines need root: they make namespaces, loop devices and mounts")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if missing := [f"{tool} (package {package})" for tool, package in TOOLS.items() if shutil.which(tool) is None]:
        pytest.fail(f"the tests of the machines need {', '.join(missing)}")


@pytest.fixture
def world(tmp_path: Path) -> StubWorld:
    """The control plane; what machines complain about is found in its `failures`."""
    return StubWorld(tmp_path)


@pytest.fixture
def machines(world: StubWorld) -> Iterator[RealMachines]:
    """Machines with short delays; at the end nothing may be left, and nothing may have been complained about."""
    made = RealMachines(world, Options(device_delay=(0.2, 0.4), seed=4, credential_seconds=600, power_off_seconds=10))
    try:
        yield made
    finally:
        made.close()
        world.server.shutdown()
        world.server.server_close()
    assert cleanup.left(made.directory) == []
    assert world.failures == []

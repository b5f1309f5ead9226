"""Nothing is left, however a stand ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aws_stand.machines import cleanup
from aws_stand.machines.options import Options
from aws_stand.machines.world import RealMachines

from .world_stub import UNIT, StubWorld, instance, until

STAND = """
import sys, time
from pathlib import Path
from aws_stand.machines.options import Options
from aws_stand.machines.world import RealMachines
from aws_stand.seam import Volume
from tests.machines.world_stub import UNIT, StubWorld, instance
machines = RealMachines(StubWorld(Path(sys.argv[1])), Options(device_delay=(0.0, 0.1)))
for number in (1, 2):
    machines.launch(instance(number, user_data=UNIT))
machines.client("friend", "10.88.1.200", "10.88.1.0/24").start("sleep", "1000")
machines.attach(Volume("vol-1", "eu-central-1a", 1, True, None), instance(1).id, "/dev/sdf")
machine = machines.machine(instance(1).id)
while machine.run("test", "-b", "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol1").returncode:
    time.sleep(0.1)
assert not machine.run("sh", "-ec", "mkfs.xfs -q /dev/disk/by-id/*vol1; mount /dev/disk/by-id/*vol1 /mnt").returncode
machines.machine(instance(2).id).freeze()
print("ready", flush=True)
time.sleep(1000)
"""
HERE = Path(__file__).parents[2]


def tool(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aws_stand.machines", *words]
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)


def test_a_stand_that_is_killed_leaves_nothing_after_down(tmp_path: Path) -> None:
    stand = subprocess.Popen([sys.executable, "-c", STAND, str(tmp_path)], cwd=HERE, stdout=subprocess.PIPE, text=True)
    try:
        assert stand.stdout is not None and stand.stdout.readline() == "ready\n"
        assert "a stand runs already" in tool("down").stderr
        with pytest.raises(cleanup.Busy):
            RealMachines(StubWorld(tmp_path / "other"), Options())
        assert tool("exec", instance(1).id, "--", "hostname").stdout.strip() == instance(1).private_dns_name
        assert tool("exec", "friend", "--", "ip", "route").stdout.startswith("default via 10.88.1.1")
        assert tool("exec", "nobody", "--", "true").returncode == 1
    finally:
        os.kill(stand.pid, signal.SIGKILL)
        stand.wait()
    left = tool("left")
    assert left.returncode == 1
    for kind in ("namespace mskst-vpc", "process", "loop device", "file"):
        assert kind in left.stdout
    assert tool("down").returncode == 0
    assert tool("left").stdout.strip() == ""
    assert cleanup.left(tmp_path / "machines") == []


def test_the_next_stand_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    stand = subprocess.Popen([sys.executable, "-c", STAND, str(tmp_path / "first")], cwd=HERE, stdout=subprocess.PIPE, text=True)
    assert stand.stdout is not None and stand.stdout.readline() == "ready\n"
    os.kill(stand.pid, signal.SIGKILL)
    stand.wait()
    world = StubWorld(tmp_path / "second")
    machines = RealMachines(world, Options())
    try:
        assert [line for line in machines.left() if not line.startswith("file")] == ["namespace mskst-vpc"]
        machines.launch(instance(1, user_data=UNIT))
        until(lambda: machines.machine(instance(1).id).user_data_status == 0)
    finally:
        machines.close()
    assert cleanup.left(tmp_path / "first" / "machines") == cleanup.left(tmp_path / "second" / "machines") == []
    assert world.failures == []

"""EBS volumes: where they appear, whose they are, how they grow."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aws_stand.machines.volumes import VolumeError
from aws_stand.machines.world import RealMachines
from aws_stand.seam import Volume
from .world_stub import StubWorld, instance, until

VOLUME = Volume("vol-0123456789abcdef0", "eu-central-1a", 1, True, None)
LINK = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0"


def test_a_volume_is_formatted_grown_and_taken_to_another_instance(machines: RealMachines) -> None:
    one, two = instance(1), instance(2)
    machines.launch(one)
    machines.launch(two)
    first, second = machines.machine(one.id), machines.machine(two.id)
    machines.attach(VOLUME, one.id, "/dev/sdf")
    assert first.run("test", "-e", LINK).returncode == 1
    until(lambda: first.run("test", "-b", LINK).returncode == 0)
    assert first.run("readlink", "-f", LINK).stdout.startswith("/dev/nvme")
    assert first.run("blkid", "-p", LINK).returncode == 2
    done = first.run("sh", "-ec", f"mkfs.xfs -q -L data {LINK}; mkdir /data; mount {LINK} /data; echo hello > /data/file")
    assert done.returncode == 0, done.stderr
    identity = first.run("blkid", "-s", "UUID", "-o", "value", LINK).stdout.strip()
    until(lambda: first.run("test", "-b", f"/dev/disk/by-uuid/{identity}").returncode == 0)

    machines.resize(VOLUME.id, 3)
    assert first.run("blockdev", "--getsize64", LINK).stdout.strip() == str(3 << 30)
    grown = first.run("sh", "-ec", "xfs_growfs /data >/dev/null; stat -f -c '%b %S' /data").stdout.split()
    assert int(grown[0]) * int(grown[1]) > 2.9e9

    with pytest.raises(VolumeError, match=one.id):
        machines.attach(VOLUME, two.id, "/dev/sdf")
    with pytest.raises(VolumeError):
        machines.delete_volume(VOLUME.id)
    assert first.run("umount", "/data").returncode == 0
    machines.detach(VOLUME.id, one.id)
    until(lambda: machines.volumes.holder(VOLUME.id) is None)
    assert first.run("test", "-e", LINK).returncode == 1

    machines.attach(VOLUME, two.id, "/dev/sdf")
    until(lambda: second.run("test", "-b", f"/dev/disk/by-uuid/{identity}").returncode == 0)
    assert second.run("sh", "-ec", f"mkdir /data; mount UUID={identity} /data; cat /data/file").stdout == "hello\n"
    machines.terminate(two.id, 0)
    assert machines.volumes.holder(VOLUME.id) is None
    machines.delete_volume(VOLUME.id)


def test_a_volume_that_is_mounted_keeps_its_holder(machines: RealMachines, world: StubWorld) -> None:
    one, two = instance(1), instance(2)
    machines.launch(one)
    machines.launch(two)
    first = machines.machine(one.id)
    machines.attach(VOLUME, one.id, "/dev/sdf")
    until(lambda: first.run("test", "-b", LINK).returncode == 0)
    assert first.run("sh", "-ec", f"mkfs.xfs -q {LINK}; mkdir /data; mount {LINK} /data").returncode == 0
    machines.volumes.patience = 0.5
    machines.detach(VOLUME.id, one.id)
    until(lambda: world.failures)
    assert "in use" in world.failures[0]
    world.failures.clear()
    with pytest.raises(VolumeError, match=one.id):
        machines.attach(VOLUME, two.id, "/dev/sdf")
    machines.terminate(one.id, 0)
    machines.attach(VOLUME, two.id, "/dev/sdf")


def test_a_volume_of_16_tib_is_formatted_and_grown_sparsely(machines: RealMachines) -> None:
    one = instance(1)
    machines.launch(one)
    machine = machines.machine(one.id)
    machines.attach(replace(VOLUME, gib=8 * 1024), one.id, "/dev/sdf")
    until(lambda: machine.run("test", "-b", LINK).returncode == 0)
    done = machine.run("sh", "-ec", f"mkfs.xfs -q {LINK}; mkdir /data; mount {LINK} /data")
    assert done.returncode == 0, done.stderr
    machines.resize(VOLUME.id, 16 * 1024)
    grown = machine.run("sh", "-ec", "xfs_growfs /data >/dev/null; stat -f -c '%b %S' /data").stdout.split()
    assert int(grown[0]) * int(grown[1]) > 15.9 * (1 << 40)
    used = sum(file.stat().st_blocks * 512 for file in (machines.directory / "volumes").glob("*.xfs"))
    assert used < 1 << 30


def test_a_volume_of_another_zone_is_refused(machines: RealMachines) -> None:
    one = instance(1, zone="b")
    machines.launch(one)
    with pytest.raises(ValueError, match="eu-central-1a"):
        machines.attach(VOLUME, one.id, "/dev/sdf")

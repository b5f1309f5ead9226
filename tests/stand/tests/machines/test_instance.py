"""An instance boots, runs what user data installs, and ends."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from aws_stand.machines.world import RealMachines
from .world_stub import RULES, UNIT, Network, StubWorld, fetch, instance, member, until


def test_user_data_installs_a_unit_that_runs_and_is_restarted_when_killed(machines: RealMachines) -> None:
    one = instance(1, user_data=UNIT)
    machines.launch(one)
    machine = machines.machine(one.id)
    until(lambda: "listening" in machine.log("probe.service"))
    assert machine.user_data_status == 0
    first = machine.run("systemctl", "show", "-p", "MainPID", "--value", "probe").stdout.strip()
    assert machine.run("kill", "-9", first).returncode == 0
    until(lambda: machine.log("probe.service").count("listening") == 2)
    shown = machine.run("systemctl", "show", "-p", "NRestarts,ActiveState", "probe").stdout.split()
    assert shown == ["NRestarts=1", "ActiveState=active"]
    assert machine.run("systemctl", "stop", "probe").returncode == 0
    assert machine.run("systemctl", "is-active", "probe").stdout.strip() == "inactive"


def test_an_instance_has_its_own_files_and_its_own_processes(machines: RealMachines) -> None:
    one, two = instance(1), instance(2)
    machines.launch(one)
    machines.launch(two)
    first, second = machines.machine(one.id), machines.machine(two.id)
    for directory in ("/etc", "/var/lib", "/run", "/opt", "/usr/local/bin", "/tmp", "/"):
        assert first.run("touch", f"{directory}/own").returncode == 0
        assert second.run("test", "-e", f"{directory}/own").returncode == 1
        assert not Path(directory, "own").exists()
    assert second.run("hostname").stdout.strip() == two.private_dns_name
    assert len(second.run("ps", "-e", "-o", "pid=").stdout.split()) == 2
    assert str(machines.directory.parent) not in second.run("ls", "/tmp", "/mnt").stdout


def test_a_root_disk_can_be_full(machines: RealMachines) -> None:
    one = instance(1)
    machines.launch(one)
    done = machines.machine(one.id).run("fallocate", "-l", "2G", "/var/lib/large")
    assert done.returncode != 0 and "No space left" in done.stderr


def test_terminate_asks_first_and_then_kills_everything(machines: RealMachines, world: StubWorld) -> None:
    deaf = "import signal; signal.signal(15, lambda *a: print('asked', flush=True)); print(\"listening\""
    stubborn = UNIT.replace("print(\"listening\"", deaf)
    one = instance(1, user_data=stubborn)
    machines.launch(one)
    machine = machines.machine(one.id)
    until(lambda: "listening" in machine.log("probe.service"))
    inside = machine.processes()
    start = time.monotonic()
    machines.terminate(one.id, 1.0)
    assert 0.9 < time.monotonic() - start < 4
    assert "asked" in machine.log("probe.service")
    assert not [pid for pid in inside if Path(f"/proc/{pid}").exists()]
    assert not machine.directory.exists()
    machines.terminate(one.id, 1.0)
    assert world.stopped == []


def test_an_instance_that_powers_itself_off_is_told_as_stopped(machines: RealMachines, world: StubWorld) -> None:
    one = instance(1, user_data=UNIT)
    machines.launch(one)
    machine = machines.machine(one.id)
    until(lambda: "listening" in machine.log("probe.service"))
    machine.run("systemctl", "poweroff")
    until(lambda: world.stopped == [one.id])
    assert machine.processes() == []
    machines.stop(one.id, 0)


def test_a_frozen_instance_is_silent_until_it_is_thawed(machines: RealMachines) -> None:
    one, two = instance(1, user_data=UNIT), instance(2)
    machines.rules_changed(Network(RULES, (member(one), member(two))))
    machines.launch(one)
    machines.launch(two)
    other, url = machines.machine(two.id), f"http://{one.private_ip}:9093/"
    until(lambda: fetch(other, url) == "200 probe")
    machines.machine(one.id).freeze()
    assert fetch(other, url) == "none"
    machines.machine(one.id).thaw()
    assert fetch(other, url) == "200 probe"
    machines.machine(one.id).freeze()
    machines.terminate(one.id, 0.5)
    assert fetch(other, url) == "none"


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (("runcmd:", "packages: [x]\nruncmd:"), "'packages'"),
        (("permissions: \"0644\"", "permissions: 0644"), "permissions must be str"),
        (("#cloud-config", "#cloud-confg"), "#cloud-config"),
        (("runcmd:", "write_files: []\nruncmd:"), "twice"),
    ],
)
def test_user_data_that_cloud_init_would_skip_in_silence_is_a_failure(
    machines: RealMachines, world: StubWorld, change: tuple[str, str], finding: str
) -> None:
    machines.launch(instance(1, user_data=UNIT.replace(*change)))
    assert len(world.failures) == 1 and finding in world.failures[0]
    world.failures.clear()

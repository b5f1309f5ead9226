"""The stand-in for systemd: what it carries out, and that it refuses everything else."""

from __future__ import annotations

import time

import pytest
from aws_stand.machines.inside import units
from aws_stand.machines.machine import Machine
from aws_stand.machines.world import RealMachines
from aws_stand.seam import Instance

from .world_stub import StubWorld, instance, until

GOOD = """
[Unit]
Description=Kafka
After=network-online.target
RequiresMountsFor=/var/lib/msk
StartLimitIntervalSec=0
[Service]
Environment="A=one two" B=3
EnvironmentFile=-/etc/nothing
ExecStart=/usr/bin/java -cp /opt/libs/* \\
    kafka.Kafka ${B}
Restart=always
RestartSec=5
TimeoutStopSec=5min 30s
KillMode=mixed
SuccessExitStatus=143 SIGKILL
LimitNOFILE=100000
LimitCORE=0
[Install]
WantedBy=multi-user.target
"""


def test_a_unit_is_read_to_the_letter() -> None:
    unit = units.parse("kafka.service", GOOD)
    assert (unit.timeout_stop_sec, unit.restart_sec, unit.success) == (330.0, 5.0, {143, -9})
    assert unit.environment == {"A": "one two", "B": "3"}
    assert units.words(unit.exec_start[0], unit.environment)[0] == ["/usr/bin/java", "-cp", "/opt/libs/*", "kafka.Kafka", "3"]
    assert unit.limits == {"LimitNOFILE": (100000, 100000), "LimitCORE": (0, 0)}


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("Restart=always", "Restrat=always", "Restrat="),
        ("Restart=always", "Restart=ever", "Restart=ever"),
        ("LimitCORE=0", "ProtectSystem=full", "ProtectSystem="),
        ("[Install]", "[Instal]", "[Instal]"),
        ("TimeoutStopSec=5min 30s", "TimeoutStopSec=5 parsecs", "parsecs"),
        ("Description=Kafka", "Description=%n", "specifiers"),
        ("/usr/bin/java", "java", "absolute"),
        ("RestartSec=5", "Restart", "not a directive"),
        ("StartLimitIntervalSec=0", "LimitCORE=0", "in [Unit]"),
    ],
)
def test_what_the_stand_in_cannot_carry_out_is_an_error(old: str, new: str, finding: str) -> None:
    with pytest.raises(units.UnitError) as caught:
        units.parse("kafka.service", GOOD.replace(old, new, 1))
    assert finding in str(caught.value)


def boot(machines: RealMachines, one: Instance) -> Machine:
    machines.launch(one)
    return machines.machine(one.id)


def install(machine: Machine, name: str, *service: str, unit: str = "") -> None:
    text = f"[Unit]\n{unit}\n[Service]\n" + "\n".join(service) + "\n[Install]\nWantedBy=multi-user.target\n"
    (machine.root / "etc/systemd/system" / name).write_text(text)
    done = machine.run("systemctl", "daemon-reload")
    assert done.returncode == 0, done.stderr


def show(machine: Machine, name: str, prop: str) -> str:
    return machine.run("systemctl", "show", "-p", prop, "--value", name).stdout.strip()


def test_units_live_apart(machines: RealMachines) -> None:
    """What one unit starts through systemctl survives the end of that unit."""
    machine = boot(machines, instance(1))
    install(machine, "kafka.service", "ExecStart=/bin/sleep 1000")
    install(machine, "agent.service", "ExecStart=/bin/sh -c 'systemctl start kafka; exec sleep 1000'", "Restart=always")
    assert machine.run("systemctl", "enable", "--now", "agent").returncode == 0
    until(lambda: show(machine, "kafka", "ActiveState") == "active")
    kafka, agent = show(machine, "kafka", "MainPID"), show(machine, "agent", "MainPID")
    machine.run("kill", "-9", agent)
    until(lambda: show(machine, "agent", "MainPID") not in ("0", agent))
    assert show(machine, "kafka", "MainPID") == kafka
    assert machine.run("systemctl", "restart", "agent").returncode == 0
    assert show(machine, "kafka", "MainPID") == kafka


def test_kill_modes_and_the_time_to_stop_are_kept(machines: RealMachines) -> None:
    machine = boot(machines, instance(1))
    deaf = "ExecStart=/bin/sh -c 'trap \"\" TERM; sleep 1000 & while :; do sleep 1; done'"
    install(machine, "deaf.service", deaf, "TimeoutStopSec=700ms")
    assert machine.run("systemctl", "start", "deaf").returncode == 0
    before = time.monotonic()
    machine.run("systemctl", "stop", "deaf")
    assert 0.6 < time.monotonic() - before < 5
    assert show(machine, "deaf", "Result") == "timeout"
    assert machine.run("pgrep", "sleep").returncode == 1

    install(machine, "one.service", "ExecStart=/bin/sh -c 'sleep 1001 & exec sleep 1002'", "KillMode=process")
    install(machine, "all.service", "ExecStart=/bin/sh -c 'setsid sleep 1003 & exec sleep 1004'")
    for name in ("one", "all"):
        machine.run("systemctl", "start", name)
    until(lambda: machine.run("pgrep", "-c", "sleep").stdout.strip() == "4")
    for name in ("one", "all"):
        machine.run("systemctl", "stop", name)
    assert machine.run("pgrep", "-fa", "sleep").stdout.split()[-1] == "1001"


def test_restarts_follow_the_unit(machines: RealMachines) -> None:
    machine = boot(machines, instance(1))
    install(machine, "fails.service", "ExecStart=/bin/false", "Restart=on-failure", "RestartSec=50ms", unit="StartLimitBurst=3")
    machine.run("systemctl", "start", "fails")
    until(lambda: show(machine, "fails", "Result") == "start-limit-hit")
    assert show(machine, "fails", "NRestarts") == "3"
    install(machine, "good.service", "ExecStart=/bin/sh -c 'exit 143'", "Restart=on-failure", "SuccessExitStatus=143")
    machine.run("systemctl", "start", "good")
    until(lambda: show(machine, "good", "ActiveState") == "inactive")
    install(machine, "absent.service", "ExecStart=/opt/absent")
    machine.run("systemctl", "start", "absent")
    until(lambda: show(machine, "absent", "ActiveState") == "failed")
    assert show(machine, "absent", "ExecMainStatus") == "203"


def test_what_systemctl_does_not_know_is_refused_and_fails_the_run(machines: RealMachines, world: StubWorld) -> None:
    machine = boot(machines, instance(1))
    unknown = (["mask", "x"], ["start", "x.timer"], ["--user", "start", "x"])
    for words in unknown:
        done = machine.run("systemctl", *words)
        assert done.returncode != 0 and done.stderr, words
    (machine.root / "etc/systemd/system/odd.service").write_text("[Service]\nExecStart=/bin/true\nProtectHome=yes\n")
    assert "ProtectHome" in machine.run("systemctl", "start", "odd").stderr
    until(lambda: len(world.failures) == len(unknown) + 1)
    world.failures.clear()
    assert machine.run("systemctl", "start", "absent").returncode == 5
    assert machine.run("systemctl", "is-active", "absent").returncode == 3

"""What the proxy tells the machines, and when."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from aws_stand.seam import Instance, Network, NoMachines, Volume
from conftest import Lab


class Recorder(NoMachines):
    """Notes what it is told; `launch` and `terminate` last until they are let go."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.networks: list[Network] = []
        self.launching, self.terminating = threading.Event(), threading.Event()
        self.launching.set()
        self.terminating.set()

    def launch(self, instance: Instance) -> None:
        self.told.append(("launch", instance.id))
        assert self.launching.wait(10)

    def terminate(self, instance_id: str, grace_seconds: float) -> None:
        self.told.append(("terminate", instance_id, grace_seconds))
        assert self.terminating.wait(10)

    def stop(self, instance_id: str, grace_seconds: float) -> None:
        self.told.append(("stop", instance_id))

    def attach(self, volume: Volume, instance_id: str, device: str) -> None:
        self.told.append(("attach", volume.id, volume.gib, instance_id, device))

    def detach(self, volume_id: str, instance_id: str) -> None:
        self.told.append(("detach", volume_id, instance_id))

    def resize(self, volume_id: str, gib: int) -> None:
        self.told.append(("resize", volume_id, gib))

    def delete_volume(self, volume_id: str) -> None:
        self.told.append(("delete_volume", volume_id))

    def fault(self, what: str, name: str, is_over: bool) -> None:
        self.told.append(("fault", what, name, is_over))

    def rules_changed(self, network: Network) -> None:
        self.networks.append(network)


class Broken(NoMachines):
    """Fails at every launch."""

    def launch(self, instance: Instance) -> None:
        raise OSError("no namespace today")


@pytest.fixture()
def machines(lab: Lab) -> Iterator[Recorder]:
    before, recorder = lab.stand.machines, Recorder()
    lab.stand.machines = recorder
    yield recorder
    recorder.launching.set()
    recorder.terminating.set()
    lab.stand.machines = before


def run(lab: Lab) -> str:
    asked = {"ImageId": lab.image, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1, "SubnetId": lab.subnets[0]}
    return str(lab.ec2.run_instances(**asked)["Instances"][0]["InstanceId"])


def test_an_instance_is_pending_until_its_machine_runs_and_shuts_down_until_it_is_gone(lab: Lab, machines: Recorder) -> None:
    machines.launching.clear()
    id = run(lab)
    lab.until(lambda: ("launch", id) in machines.told)
    assert lab.state(id) == "pending"
    machines.launching.set()
    lab.until(lambda: lab.state(id) == "running")
    volume = lab.volume()
    lab.ec2.attach_volume(VolumeId=volume, InstanceId=id, Device="/dev/sdf")
    lab.until(lambda: ("attach", volume, 1, id, "/dev/sdf") in machines.told)
    machines.terminating.clear()
    lab.ec2.terminate_instances(InstanceIds=[id])
    lab.until(lambda: ("terminate", id, lab.stand.settings.grace_seconds) in machines.told)
    assert lab.state(id) == "shutting-down" and lab.attachment(volume)["State"] == "attached"
    assert ("detach", volume, id) not in machines.told
    machines.terminating.set()
    lab.until(lambda: lab.state(id) == "terminated")
    assert ("detach", volume, id) in machines.told
    lab.ec2.delete_volume(VolumeId=volume)
    assert machines.told[-1] == ("delete_volume", volume)


def test_an_instance_that_is_terminated_while_it_starts_ends_after_it_has_started(lab: Lab, machines: Recorder) -> None:
    machines.launching.clear()
    id = run(lab)
    lab.until(lambda: ("launch", id) in machines.told)
    lab.ec2.terminate_instances(InstanceIds=[id])
    assert not any(t[0] == "terminate" for t in machines.told)
    machines.launching.set()
    lab.until(lambda: lab.state(id) == "terminated")
    assert [t[0] for t in machines.told if t[1] == id] == ["launch", "terminate"]


def test_the_machine_of_a_volume_learns_of_attachments_and_sizes(lab: Lab, machines: Recorder) -> None:
    id = run(lab)
    lab.until(lambda: lab.state(id) == "running")
    volume = lab.volume()
    lab.set(hold_polls=1, hold_seconds=60.0)
    lab.ec2.attach_volume(VolumeId=volume, InstanceId=id, Device="/dev/sdf")
    assert not any(t[0] == "attach" and t[1] == volume for t in machines.told), "only once it is attached"
    lab.until(lambda: lab.attachment(volume).get("State") == "attached")
    lab.ec2.modify_volume(VolumeId=volume, Size=3)
    lab.until(lambda: lab.ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"][0]["ModificationState"] == "optimizing")
    lab.ec2.detach_volume(VolumeId=volume, InstanceId=id)
    lab.until(lambda: lab.attachment(volume) == {})
    mine = [t for t in machines.told if t[1] == volume]
    assert mine == [("attach", volume, 1, id, "/dev/sdf"), ("resize", volume, 3), ("detach", volume, id)]


def test_machines_learn_of_rules_and_members(lab: Lab, machines: Recorder) -> None:
    client, group = lab.group(), lab.group()
    interface = lab.interface(Groups=[group], PrivateIpAddress="10.88.0.230")
    rule = {"IpProtocol": "tcp", "FromPort": 9096, "ToPort": 9096}
    lab.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**rule, "UserIdGroupPairs": [{"GroupId": client}]}])
    lab.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**rule, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])
    network = machines.networks[-1]
    mine = [r for r in network.rules if r.group_id == group and not r.egress]
    assert {(r.peer_group_id, r.cidr, r.from_port) for r in mine} == {(client, None, 9096), (None, "10.0.0.0/8", 9096)}
    assert any(m.interface_id == interface and m.private_ip == "10.88.0.230" and m.group_ids == (group,) for m in network.members)
    assert any(r.egress and r.group_id == group and r.protocol == "-1" for r in network.rules)


def test_an_error_of_a_machine_is_a_failure_of_the_run(lab: Lab) -> None:
    before = lab.stand.machines
    lab.stand.machines = Broken()
    try:
        run(lab)
        lab.until(lambda: lab.stand.log.failures())
    finally:
        lab.stand.machines = before
    lab.failed("no namespace today")

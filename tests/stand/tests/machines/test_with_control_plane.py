"""Both halves of the stand together: moto behind its rules, and machines that are real."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_stand.machines import cleanup
from aws_stand.machines.world import RealMachines
from aws_stand.server import Server
from aws_stand.stand import Stand
from conftest import REGION, ZONES, Lab

from .world_stub import UNIT, fetch

TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
ATTACH = """
set -e
base=http://169.254.169.254/latest
token=$(curl -sSf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $base/api/token)
get() { curl -sSf -H "X-aws-ec2-metadata-token: $token" $base/meta-data/$1; }
role=$(get iam/security-credentials/)
found=$(get iam/security-credentials/$role)
field() { printf '%s' "$found" | sed -n "s/.*\\"$1\\": \\"\\([^\\"]*\\)\\".*/\\1/p"; }
curl -sS --aws-sigv4 aws:amz:$AWS_REGION:ec2 --user "$(field AccessKeyId):$(field SecretAccessKey)" \
    -H "X-Amz-Security-Token: $(field Token)" $AWS_ENDPOINT_URL_EC2/ -H 'Content-Type: application/x-www-form-urlencoded' \
    --data "Action=AttachVolume&Device=%2Fdev%2Fsdf&InstanceId=$(get instance-id)&Version=2016-11-15&VolumeId=$1"
"""
"""What the agent does first, by hand: credentials of the role, then an attach through the endpoint."""


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("AWS_STAND_MACHINES", '{"device_delay": [0.2, 0.4]}')
    stand = Stand(tmp_path, REGION, "real")
    server = Server(stand, ("127.0.0.1", 0))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        stand.start(endpoint)
        yield Lab(stand, endpoint)
    finally:
        server.shutdown()
        server.server_close()
        stand.close()
    assert cleanup.left(tmp_path / "machines") == []
    assert stand.log.failures() == []


def test_a_terminated_instance_is_replaced_with_its_address_and_its_data(real: Lab) -> None:
    machines = real.stand.machines
    assert isinstance(machines, RealMachines)
    nodes, friends = real.group(), real.group()
    pair = {"IpProtocol": "tcp", "FromPort": 9096, "ToPort": 9096, "UserIdGroupPairs": [{"GroupId": friends}]}
    real.ec2.authorize_security_group_ingress(GroupId=nodes, IpPermissions=[pair])
    role = real.name("node")
    real.iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    real.iam.put_role_policy(
        RoleName=role,
        PolicyName="attach",
        PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}',
    )
    real.iam.create_instance_profile(InstanceProfileName=role)
    real.iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
    interface = real.interface(Groups=[nodes], PrivateIpAddress="10.88.0.77")
    volume = real.volume()
    template = real.template(
        interface,
        UserData=base64.b64encode(UNIT.encode()).decode(),
        IamInstanceProfile={"Name": role},
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
    )
    friend = machines.client("friend", "10.88.0.200", "10.88.0.0/24", [friends], ZONES[0])
    stranger = machines.client("stranger", "10.88.0.201", "10.88.0.0/24")
    url = "http://ip-10-88-0-77.eu-central-1.compute.internal:9096/"
    link = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"

    group = real.scaling(template)
    first = real.in_service(group)
    real.until(lambda: fetch(friend, url) == "200 probe")
    assert fetch(stranger, url) == "none"
    machine = machines.machine(first)
    answer = machine.run("sh", "-c", ATTACH, "attach", volume)
    assert "<status>attaching</status>" in answer.stdout, answer
    real.until(lambda: machine.run("test", "-b", link).returncode == 0)
    assert machine.run("sh", "-ec", f"mkfs.xfs -q {link}; mount {link} /mnt; echo kept > /mnt/file").returncode == 0

    real.ec2.terminate_instances(InstanceIds=[first])
    second = real.until(lambda: next((i for i in [real.in_service(group)] if i != first), None), 20)
    real.until(lambda: fetch(friend, url) == "200 probe")
    machine = machines.machine(second)
    assert "<status>attaching</status>" in machine.run("sh", "-c", ATTACH, "attach", volume).stdout
    real.until(lambda: machine.run("test", "-b", link).returncode == 0)
    assert machine.run("sh", "-ec", f"mount {link} /mnt; cat /mnt/file").stdout == "kept\n"

    machine.run("systemctl", "poweroff")
    real.until(lambda: real.state(second) in ("stopped", "shutting-down", "terminated"), 20)
    third = real.until(lambda: next((i for i in [real.in_service(group)] if i not in (first, second)), None), 20)
    assert machines.machine(third).instance.private_ip == "10.88.0.77"
    real.end(group)
    real.until(lambda: real.state(third) == "terminated", 20)


def test_a_snapshot_keeps_what_was_on_a_volume_and_a_new_volume_has_it(real: Lab) -> None:
    machines = real.stand.machines
    assert isinstance(machines, RealMachines)
    group = real.scaling(real.template(real.interface()))
    instance = real.in_service(group)
    machine = machines.machine(instance)
    link = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{}".format

    def attach(volume: str, device: str) -> str:
        real.until(lambda: real.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available")
        real.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)
        name = link(volume.replace("-", ""))
        real.until(lambda: machine.run("test", "-b", name).returncode == 0)
        return name

    def snapshot(volume: str) -> str:
        made = str(real.ec2.create_snapshot(VolumeId=volume)["SnapshotId"])
        real.until(lambda: real.ec2.describe_snapshots(SnapshotIds=[made])["Snapshots"][0]["State"] == "completed")
        return made

    used, blank = real.volume(), real.volume()
    first = attach(used, "/dev/sdf")
    script = f"mkfs.xfs -q {first}; mount {first} /mnt; echo kept > /mnt/file; umount /mnt"
    assert machine.run("sh", "-ec", script).returncode == 0
    kept, empty = snapshot(used), snapshot(blank)
    assert machine.run("sh", "-ec", f"mount {first} /mnt; echo later > /mnt/file; umount /mnt").returncode == 0

    again = attach(real.volume(SnapshotId=kept, size=2), "/dev/sdg")
    assert machine.run("sh", "-ec", f"mount -o nouuid {again} /mnt; cat /mnt/file; umount /mnt").stdout == "kept\n"
    third = attach(real.volume(SnapshotId=empty), "/dev/sdh")
    assert machine.run("sh", "-c", f"head -c 1000000 {third} | tr -d '\\0' | wc -c").stdout.strip() == "0"
    for one in (kept, empty):
        real.ec2.delete_snapshot(SnapshotId=one)
    assert not list((machines.directory / "volumes").glob("snap-*"))
    real.end(group)
    real.until(lambda: real.state(instance) == "terminated", 20)

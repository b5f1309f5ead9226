"""One stand for the whole run; every test gets default settings, no faults, and fails if the stand found a failure."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from aws_stand.server import Server
from aws_stand.settings import NO_LAG, Settings
from aws_stand.stand import Stand

REGION = "eu-central-1"
ZONES = [f"{REGION}{zone}" for zone in "abc"]
_numbers = itertools.count(1)


class Lab:
    """The stand with clients of its root user, and short ways to make things."""

    def __init__(self, stand: Stand, endpoint: str, control: str = "") -> None:
        self.stand, self.endpoint, self.control = stand, endpoint, control
        self._clients: dict[tuple[str, ...], Any] = {}
        self.calm()
        self.ec2, self.asg, self.s3 = self.client("ec2"), self.client("autoscaling"), self.client("s3")
        self.iam, self.kms, self.sts = self.client("iam"), self.client("kms"), self.client("sts")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.88.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.88.{i}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
            for i, zone in enumerate(ZONES)
        ]
        ssm = self.client("ssm")
        path = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-"
        self.image = ssm.get_parameter(Name=path + "x86_64")["Parameter"]["Value"]
        self.arm_image = ssm.get_parameter(Name=path + "arm64")["Parameter"]["Value"]

    def client(self, service: str, key: str = "", secret: str = "", token: str | None = None, region: str = REGION) -> Any:
        """A client that never retries."""
        key, secret = key or self.stand.root_key, secret or self.stand.root_secret
        if (service, key, region) not in self._clients:
            self._clients[service, key, region] = boto3.client(
                service, endpoint_url=self.endpoint, region_name=region, aws_access_key_id=key, aws_secret_access_key=secret,
                aws_session_token=token,
                config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, parameter_validation=False),
            )  # fmt: skip
        return self._clients[service, key, region]

    def calm(self) -> None:
        """No lag, no holds, whole pages."""
        self.stand.settings.update(NO_LAG)

    def set(self, **values: Any) -> None:
        """Changes settings for this test."""
        self.stand.settings.update(values)

    def name(self, kind: str = "x") -> str:
        """A name that no other test has."""
        return f"{kind}-{next(_numbers)}"

    def group(self, **more: Any) -> str:
        """A security group."""
        made = self.ec2.create_security_group(GroupName=self.name("group"), Description="test", VpcId=self.vpc, **more)
        return str(made["GroupId"])

    def interface(self, zone: int = 0, **more: Any) -> str:
        """A network interface."""
        made = self.ec2.create_network_interface(SubnetId=self.subnets[zone], **more)
        return str(made["NetworkInterface"]["NetworkInterfaceId"])

    def volume(self, zone: int = 0, size: int = 1, **more: Any) -> str:
        """A gp3 volume."""
        made = self.ec2.create_volume(AvailabilityZone=ZONES[zone], Size=size, VolumeType="gp3", **more)
        return str(made["VolumeId"])

    def template(self, interface: str | None = None, **more: Any) -> str:
        """A launch template as the provider makes them."""
        data: dict[str, Any] = {"ImageId": self.image, "InstanceType": "m5.large", **more}
        if interface is not None:
            data["NetworkInterfaces"] = [
                {"DeviceIndex": 0, "NetworkInterfaceId": interface, "DeleteOnTermination": False}
            ]
        made = self.ec2.create_launch_template(LaunchTemplateName=self.name("template"), LaunchTemplateData=data)
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def scaling(self, template: str, size: int = 1, zone: int = 0, **more: Any) -> str:
        """An Auto Scaling group of one."""
        name = self.name("asg")
        self.asg.create_auto_scaling_group(
            AutoScalingGroupName=name, MinSize=size, MaxSize=1, DesiredCapacity=size, AvailabilityZones=[ZONES[zone]],
            LaunchTemplate={"LaunchTemplateId": template, "Version": "1"}, **more,
        )  # fmt: skip
        return name

    def members(self, name: str) -> list[dict[str, Any]]:
        """A group's instances."""
        groups = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return list(groups[0]["Instances"]) if groups else []

    def activities(self, name: str) -> list[dict[str, Any]]:
        """A group's activities, newest first."""
        pages = self.asg.get_paginator("describe_scaling_activities").paginate(AutoScalingGroupName=name)
        return [one for page in pages for one in page["Activities"]]

    def in_service(self, name: str) -> str:
        """Waits for the group's instance."""
        def ready() -> str | None:
            found = [m for m in self.members(name) if m["LifecycleState"] == "InService"]
            return str(found[0]["InstanceId"]) if found else None
        return str(self.until(ready))

    def node(self, zone: int = 0, **more: Any) -> tuple[str, str, str]:
        """A group with a fixed interface and its instance in service: name, instance, interface."""
        interface = self.interface(zone)
        name = self.scaling(self.template(interface, **more), zone=zone)
        return name, self.in_service(name), interface

    def state(self, instance: str) -> str:
        """An instance's state."""
        found = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        return str(found["State"]["Name"])

    def attachment(self, volume: str) -> dict[str, Any]:
        """A volume's attachment, or nothing."""
        found = self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"]
        return dict(found[0]) if found else {}

    def until(self, probe: Callable[[], Any], seconds: float = 10.0) -> Any:
        """Asks until the answer is true."""
        end = time.monotonic() + seconds
        while True:
            found = probe()
            if found:
                return found
            assert time.monotonic() < end, "it never became true"
            time.sleep(0.05)

    def refused(self, code: str, call: Callable[[], Any], text: str = "") -> str:
        """The call fails with exactly this code; gives the message."""
        with pytest.raises(ClientError) as caught:
            call()
        error = caught.value.response["Error"]
        assert error["Code"] == code, error
        assert text in error.get("Message", ""), error
        return str(error.get("Message", ""))

    def failed(self, text: str) -> None:
        """The stand recorded exactly one failure, with this text; it is forgotten."""
        failures = self.stand.log.failures(clear=True)
        assert len(failures) == 1 and text in failures[0], failures

    def end(self, name: str) -> None:
        """Removes a group by force."""
        self.asg.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


@pytest.fixture(scope="session")
def _lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory: Path = tmp_path_factory.mktemp("stand")
    stand = Stand(directory, REGION)
    server, controls = Server(stand, ("127.0.0.1", 0)), Server(stand, ("127.0.0.1", 0), controls=True)
    for one in (server, controls):
        threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    try:
        stand.start(server.url)
        yield Lab(stand, server.url, controls.url)
    finally:
        controls.shutdown()
        server.shutdown()
        stand.close()


@pytest.fixture()
def lab(_lab: Lab) -> Iterator[Lab]:
    """The stand, calm and without faults; groups of the test are removed afterwards."""
    _lab.stand.settings.__dict__.update(Settings().__dict__)
    _lab.calm()
    _lab.stand.faults.clear()
    _lab.stand.log.failures(clear=True)
    yield _lab
    failures = _lab.stand.log.failures(clear=True)
    _lab.stand.settings.__dict__.update(Settings().__dict__)
    _lab.calm()
    with _lab.stand.lock:
        names = [group.name for group in _lab.stand.world.groups.values()]
    for name in names:
        _lab.end(name)
    assert failures == []

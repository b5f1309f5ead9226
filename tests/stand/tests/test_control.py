"""Faults, the log, counters, what is left, secrets, the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError

import pytest
from botocore.exceptions import ConnectionClosedError

from aws_stand import nodes
from aws_stand.setup import control
from conftest import Lab


def test_a_fault_hits_the_nth_call_and_no_other(lab: Lab) -> None:
    control(lab.control, "faults", {"service": "ec2", "action": "DescribeVpcs", "nth": 2, "code": "Unavailable", "status": 503})
    lab.ec2.describe_vpcs()
    lab.refused("Unavailable", lab.ec2.describe_vpcs)
    lab.ec2.describe_vpcs()


def test_a_fault_after_the_effect_leaves_the_effect(lab: Lab) -> None:
    lab.stand.faults.add({"action": "CreateVolume", "when": "after", "code": "InternalError", "status": 500})
    before = len(lab.stand.world.volumes)
    lab.refused("InternalError", lambda: lab.volume())
    assert len(lab.stand.world.volumes) == before + 1


def test_a_dropped_connection_gives_no_answer(lab: Lab) -> None:
    lab.stand.faults.add({"action": "DescribeVpcs", "drop": True})
    with pytest.raises(ConnectionClosedError):
        lab.ec2.describe_vpcs()


def test_a_delay_and_a_wrong_order(lab: Lab) -> None:
    lab.stand.faults.add({"action": "DescribeVpcs", "delay": 0.3})
    start = time.monotonic()
    lab.ec2.describe_vpcs()
    assert time.monotonic() - start >= 0.3
    with pytest.raises(ValueError):
        lab.stand.faults.add({"acton": "x"})


def test_throttling_answers_as_each_service_does(lab: Lab) -> None:
    lab.set(rate_per_second=0.01, rate_burst=2)
    for _ in range(2):
        lab.ec2.describe_vpcs()
    lab.refused("RequestLimitExceeded", lab.ec2.describe_vpcs)
    for _ in range(2):
        lab.asg.describe_auto_scaling_groups()
    lab.refused("Throttling", lab.asg.describe_auto_scaling_groups)


def test_the_log_tells_every_request_without_secrets(lab: Lab) -> None:
    after = lab.stand.log.entries()[-1]["number"]
    control(lab.control, "calls/reset", {})
    secret = lab.name("secret")
    lab.client("secretsmanager").create_secret(Name=secret, SecretString="hush", ClientRequestToken="t" * 32)
    lab.refused("InvalidVolume.NotFound", lambda: lab.ec2.describe_volumes(VolumeIds=["vol-0123456789abcdef0"]))
    entries = control(lab.control, f"log?after={after}")
    assert [(e["service"], e["action"], e["status"], e["code"]) for e in entries] == [
        ("secretsmanager", "CreateSecret", 200, ""), ("ec2", "DescribeVolumes", 400, "InvalidVolume.NotFound"),
    ]  # fmt: skip
    assert "hush" not in str(entries) and entries[0]["params"]["Name"] == secret
    assert entries[0]["principal"] == "arn:aws:iam::123456789012:root"
    assert control(lab.control, "calls") == {"ec2:DescribeVolumes": 1, "secretsmanager:CreateSecret": 1}


def test_left_names_what_is_left(lab: Lab) -> None:
    control(lab.control, "left/baseline", {})
    volume, gone = lab.volume(), lab.volume()
    lab.ec2.delete_volume(VolumeId=gone)
    found = control(lab.control, "left")
    assert found["left"] == {"volume": [volume]}
    assert {volume, gone} <= set(found["created"]["volume"])
    lab.ec2.delete_volume(VolumeId=volume)
    assert control(lab.control, "left")["left"] == {}


def test_a_secret_in_its_deletion_window_cannot_be_made_anew_and_spoils_no_batch(lab: Lab) -> None:
    secrets = lab.client("secretsmanager")
    prefix = lab.name("AmazonMSK_")
    for number in range(3):
        secrets.create_secret(Name=f"{prefix}/{number}", SecretString="x", ClientRequestToken="u" * 32)
    secrets.delete_secret(SecretId=f"{prefix}/0", RecoveryWindowInDays=7)
    lab.refused("InvalidRequestException", lambda: secrets.create_secret(Name=f"{prefix}/0", SecretString="x", ClientRequestToken="v" * 32))
    found = secrets.batch_get_secret_value(Filters=[{"Key": "name", "Values": [prefix]}])
    assert {v["Name"] for v in found["SecretValues"]} == {f"{prefix}/1", f"{prefix}/2"}


def test_a_secret_whose_key_is_disabled_cannot_be_read(lab: Lab) -> None:
    secrets = lab.client("secretsmanager")
    key = lab.kms.create_key()["KeyMetadata"]["Arn"]
    name = lab.name("secret")
    secrets.create_secret(Name=name, SecretString="x", KmsKeyId=key, ClientRequestToken="w" * 32)
    lab.kms.disable_key(KeyId=key)
    lab.refused("DecryptionFailure", lambda: secrets.get_secret_value(SecretId=name))


def test_a_quota_is_told(lab: Lab) -> None:
    found = lab.client("service-quotas").get_service_quota(ServiceCode="vpc", QuotaCode="L-0EA8095F")
    assert found["Quota"]["Value"] == 60.0


def test_up_prints_what_a_person_needs_and_down_leaves_nothing(tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        arguments = [sys.executable, "-m", "aws_stand", "--directory", str(tmp_path / "stand"), *words]
        return subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=120)

    up = run("up", "--machines", "none")
    assert up.returncode == 0, up.stderr
    names = [line.split("=")[0].removeprefix("export ") for line in up.stdout.splitlines()]
    assert {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "TF_VAR_subnet_ids", "TF_VAR_kms_key_id",
            "TF_VAR_client_security_group_id", "TF_VAR_control_bucket"} <= set(names)  # fmt: skip
    try:
        assert run("up", "--machines", "none").stdout == up.stdout, "a second up finds the first"
        assert run("left").returncode == 0
        assert run("failures").returncode == 0
        assert '"region": "eu-central-1"' in run("status").stdout
    finally:
        down = run("down")
    assert down.returncode == 0
    assert run("status").returncode == 1
    assert str(tmp_path) not in "".join(p.read_text(errors="replace") for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists())


def test_a_key_tells_its_use(lab: Lab) -> None:
    key = lab.kms.create_key()["KeyMetadata"]
    assert key["KeyUsage"] == "ENCRYPT_DECRYPT"
    assert lab.kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyUsage"] == "ENCRYPT_DECRYPT"


def test_the_control_api_is_not_where_aws_is(lab: Lab) -> None:
    for path in ("settings", "log", "failures", "issuer/x"):
        with pytest.raises(HTTPError) as caught:
            control(lab.endpoint, path)
        assert caught.value.code == 404
    with pytest.raises(HTTPError):
        control(lab.endpoint, "shutdown", {})


def test_the_accounts_own_key_for_ebs_is_not_left_over(lab: Lab) -> None:
    control(lab.control, "left/baseline", {})
    volume = lab.volume(Encrypted=True)
    key = lab.kms.create_key()["KeyMetadata"]["KeyId"]
    assert control(lab.control, "left")["left"] == {"key": [key], "volume": [volume]}
    lab.ec2.delete_volume(VolumeId=volume)


def test_a_node_is_ended_by_its_name(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    facts = {"endpoint": lab.endpoint, "region": "eu-central-1", "root_key": lab.stand.root_key, "root_secret": lab.stand.root_secret}
    tags = [{"Key": "tfmsk-node", "Value": "7"}, {"Key": "tfmsk-cluster", "Value": "abc"}]
    made = lab.ec2.run_instances(
        ImageId=lab.image, InstanceType="m5.large", MinCount=1, MaxCount=1, Placement={"AvailabilityZone": "eu-central-1a"},
        SubnetId=lab.subnets[0], TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )  # fmt: skip
    id = made["Instances"][0]["InstanceId"]
    for cluster in ("", "abc"):
        assert nodes.instance(facts, "b-7", cluster) == id
    with pytest.raises(LookupError, match="no instance runs that is b-7"):
        nodes.instance(facts, "b-7", "other")
    assert nodes.end(facts, "b-7", "") == 0 and capsys.readouterr().out == f"{id}\n"
    with pytest.raises(LookupError, match="no machines"):
        nodes.run({**facts, "machines": "none"}, "client", "", ["--", "true"])


def test_the_operator_gets_exactly_these_policies(lab: Lab) -> None:
    lab.iam.create_user(UserName="operator")
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*"}]}
    lab.iam.put_user_policy(UserName="operator", PolicyName="old", PolicyDocument=json.dumps(document))
    control(lab.control, "operator", {"policies": [document, document]})
    assert lab.iam.list_user_policies(UserName="operator")["PolicyNames"] == ["policy-0", "policy-1"]
    assert lab.stand.settings.enforce_policies

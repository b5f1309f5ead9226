"""scripts/aws-acceptance: what it does on a real account, tried on the stand."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REGION, Lab

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "aws-acceptance"


def surroundings(**environment: str) -> dict[str, str]:
    """The environment, without any credentials but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, **environment
    }  # fmt: skip


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script, until it ends."""
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, env=surroundings(**environment), capture_output=True, text=True, timeout=120, check=False)


def commands(text: str) -> list[str]:
    """`service operation` of each printed command."""
    return re.findall(r"^\$ aws (\S+ \S+)", text, re.MULTILINE)


def account(lab: Lab) -> dict[str, str]:
    return {
        "AWS_REGION": REGION, "AWS_ENDPOINT_URL": lab.endpoint, "AWS_ACCESS_KEY_ID": lab.stand.root_key,
        "AWS_SECRET_ACCESS_KEY": lab.stand.root_secret,
    }  # fmt: skip


def on_the_stand(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("--subnet", lab.subnets[0], "--poll", "0.1", *arguments, **account(lab))


def left(lab: Lab) -> list[str]:
    """What of any run is still there."""
    tag = [{"Name": "tag-key", "Values": ["tfmsk-acceptance"]}]
    found = [one["NetworkInterfaceId"] for one in lab.ec2.describe_network_interfaces(Filters=tag)["NetworkInterfaces"]]
    found += [one["VolumeId"] for one in lab.ec2.describe_volumes(Filters=tag)["Volumes"]]
    found += [one["LaunchTemplateName"] for one in lab.ec2.describe_launch_templates()["LaunchTemplates"] if "acceptance" in one["LaunchTemplateName"]]
    found += [one["AutoScalingGroupName"] for one in lab.asg.describe_auto_scaling_groups()["AutoScalingGroups"] if "acceptance" in one["AutoScalingGroupName"]]
    found += [one["RoleName"] for one in lab.iam.list_roles()["Roles"] if "acceptance" in one["RoleName"]]
    found += [one["Name"] for one in lab.s3.list_buckets()["Buckets"] if "acceptance" in one["Name"]]
    return found


@pytest.mark.parametrize("arguments", [(), ("--probe",)])
def test_a_dry_run_prints_every_command_and_contacts_nobody(arguments: tuple[str, ...]) -> None:
    # Nothing listens there, and there are no credentials.
    done = run("--dry-run", "--subnet", "subnet-1", "--region", REGION, *arguments, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    printed = commands(done.stdout)
    assert "autoscaling create-auto-scaling-group" in printed
    assert "nothing was contacted" in done.stdout and "use self_healing" not in done.stdout
    # Whatever is made has a command that removes it.
    kinds = {command.split("create-")[1] for command in printed if "create-" in command}
    assert kinds <= {command.split("delete-")[1] for command in printed if "delete-" in command}


def test_without_yes_nothing_is_made(lab: Lab) -> None:
    done = on_the_stand(lab)
    assert done.returncode == 2 and commands(done.stdout) == [] and "--yes" in done.stderr


def test_the_probe_names_the_placement_and_leaves_nothing(lab: Lab) -> None:
    done = on_the_stand(lab, "--probe", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'use self_healing = "always"' in done.stdout
    assert left(lab) == []


def test_an_account_whose_groups_do_not_heal_is_told_to_heal_at_apply(lab: Lab) -> None:
    done = on_the_stand(lab, "--probe", "--yes", "--patience", "0")
    assert done.returncode == 1, done.stdout + done.stderr
    assert 'use self_healing = "apply"' in done.stdout
    assert left(lab) == []


def test_everything_is_settled_and_removed(lab: Lab) -> None:
    done = on_the_stand(lab, "--yes")
    assert left(lab) == []
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("at", ["create-network-interface", "create-auto-scaling-group", "terminate-instances"])
def test_an_interrupted_run_leaves_nothing(lab: Lab, at: str) -> None:
    command = [sys.executable, str(SCRIPT), "--subnet", lab.subnets[0], "--poll", "0.1", "--probe", "--yes"]
    with subprocess.Popen(command, env=surroundings(**account(lab)), stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        for line in script.stdout:
            if at in line:
                script.send_signal(signal.SIGINT)
                break
        rest = script.stdout.read()
        assert script.wait(60) == 1, rest
    assert left(lab) == []

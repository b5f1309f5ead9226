"""Every id that was ever created, and what of it is left."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import jmespath

from .messages import AwsError, Call, HttpResponse, Params

if TYPE_CHECKING:
    from .stand import Stand

_MADE: dict[tuple[str, str], tuple[str, str]] = {
    ("ec2", "CreateVolume"): ("volume", "result.VolumeId"),
    ("ec2", "CreateSnapshot"): ("snapshot", "result.SnapshotId"),
    ("ec2", "CreateNetworkInterface"): ("network-interface", "result.NetworkInterface.NetworkInterfaceId"),
    ("ec2", "CreateSecurityGroup"): ("security-group", "result.GroupId"),
    ("ec2", "CreateLaunchTemplate"): ("launch-template", "result.LaunchTemplate.LaunchTemplateId"),
    ("ec2", "CreateVpc"): ("vpc", "result.Vpc.VpcId"),
    ("ec2", "CreateSubnet"): ("subnet", "result.Subnet.SubnetId"),
    ("ec2", "CopyImage"): ("image", "result.ImageId"),
    ("autoscaling", "CreateAutoScalingGroup"): ("auto-scaling-group", "params.AutoScalingGroupName"),
    ("iam", "CreateRole"): ("role", "params.RoleName"),
    ("iam", "CreateInstanceProfile"): ("instance-profile", "params.InstanceProfileName"),
    ("iam", "CreatePolicy"): ("policy", "result.Policy.Arn"),
    ("iam", "CreateUser"): ("user", "params.UserName"),
    ("s3", "CreateBucket"): ("bucket", "params.Bucket"),
    ("kms", "CreateKey"): ("key", "result.KeyMetadata.KeyId"),
    ("kms", "CreateAlias"): ("alias", "params.AliasName"),
    ("secretsmanager", "CreateSecret"): ("secret", "params.Name"),
    ("logs", "CreateLogGroup"): ("log-group", "params.logGroupName"),
}
_LISTS: dict[str, tuple[str, str, str]] = {
    "volume": ("ec2", "DescribeVolumes", "Volumes[].VolumeId"),
    "snapshot": ("ec2", "DescribeSnapshots", "Snapshots[].SnapshotId"),
    "network-interface": ("ec2", "DescribeNetworkInterfaces", "NetworkInterfaces[].NetworkInterfaceId"),
    "security-group": ("ec2", "DescribeSecurityGroups", "SecurityGroups[].GroupId"),
    "launch-template": ("ec2", "DescribeLaunchTemplates", "LaunchTemplates[].LaunchTemplateId"),
    "vpc": ("ec2", "DescribeVpcs", "Vpcs[].VpcId"),
    "subnet": ("ec2", "DescribeSubnets", "Subnets[].SubnetId"),
    "role": ("iam", "ListRoles", "Roles[].RoleName"),
    "instance-profile": ("iam", "ListInstanceProfiles", "InstanceProfiles[].InstanceProfileName"),
    "policy": ("iam", "ListPolicies", "Policies[].Arn"),
    "user": ("iam", "ListUsers", "Users[].UserName"),
    "key": ("kms", "ListKeys", "Keys[].KeyId"),
    "alias": ("kms", "ListAliases", "Aliases[].AliasName"),
    "secret": ("secretsmanager", "ListSecrets", "SecretList[].Name"),
    "log-group": ("logs", "DescribeLogGroups", "logGroups[].logGroupName"),
}
_ASKED: dict[str, Params] = {
    "policy": {"Scope": "Local"},
    "secret": {"IncludePlannedDeletion": True},
    "snapshot": {"OwnerIds": ["self"]},
}


def _of_amazon(stand: Stand, keys: set[str]) -> set[str]:
    """The account's own keys for a service, which come to be with the first use of it."""
    ask = partial(stand.moto.whole, "kms", region=stand.region)
    aliases = ask("ListAliases", {})["Aliases"]
    found = {one.get("TargetKeyId", "") for one in aliases if one["AliasName"].startswith("alias/aws/")}
    for key in keys - found:
        if ask("DescribeKey", {"KeyId": key})["KeyMetadata"].get("KeyManager") == "AWS":
            found.add(key)
    return found


class Ledger:
    """Notes what calls create; compares with what moto still has."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._created: dict[str, set[str]] = {}
        self._baseline: dict[str, set[str]] = {}

    def created(self, kind: str, id: str) -> None:
        """One more."""
        with self._lock:
            self._created.setdefault(kind, set()).add(id)

    def note(self, call: Call, result: Params | HttpResponse) -> None:
        """Looks whether a call made something."""
        made = _MADE.get((call.service, call.action))
        if made is None or (isinstance(result, HttpResponse) and result.status >= 300):
            return
        if isinstance(result, HttpResponse):
            result = json.loads(result.body) if result.body.startswith(b"{") else {}
        id = jmespath.search(made[1], {"params": call.params, "result": result})
        if id:
            self.created(made[0], str(id))

    def existing(self, stand: Stand) -> dict[str, set[str]]:
        """Everything that is there now, by kind."""
        found: dict[str, set[str]] = {}
        for kind, (service, action, path) in _LISTS.items():
            try:
                answer = stand.moto.whole(service, action, _ASKED.get(kind, {}), region=stand.region)
            except AwsError:
                continue
            found[kind] = set(jmespath.search(path, answer) or [])
        found["key"] -= _of_amazon(stand, found["key"])
        found["alias"] = {name for name in found["alias"] if not name.startswith("alias/aws/")}
        with stand.lock:
            found["instance"] = {i.id for i in stand.world.instances_.values() if i.state != "terminated"}
            found["auto-scaling-group"] = {group.name for group in stand.world.groups.values()}
            found["bucket"] = set(stand.world.buckets)
            found["image"] = set(stand.world.images)
        return found

    def baseline(self, stand: Stand) -> None:
        """What is there now belongs to the stand itself."""
        self._baseline = self.existing(stand)

    def report(self, stand: Stand) -> dict[str, Any]:
        """Kinds with how many were created ever, and the ids that are left beyond the baseline."""
        existing = self.existing(stand)
        with self._lock:
            created = {kind: sorted(ids) for kind, ids in self._created.items()}
        left = {kind: sorted(ids - self._baseline.get(kind, set())) for kind, ids in existing.items()}
        return {
            "created": {kind: [i for i in ids if i not in self._baseline.get(kind, set())] for kind, ids in created.items()},
            "left": {kind: ids for kind, ids in left.items() if ids},
        }

"""What `up` makes in the empty account: a network over three zones, a key, a client group, a bucket, an operator."""

from __future__ import annotations

import json
import shlex
import urllib.request
from typing import Any

import boto3
from botocore.config import Config

from .settings import NO_LAG

VPC_CIDR = "10.88.0.0/16"
PRIVATE_DOMAIN = "stand.internal"
CONTROL_BUCKET = "msk-stand-control"
OPERATOR_POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def control(address: str, what: str, body: Any = None, method: str | None = None) -> Any:
    """One request to the control API."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/stand/{what}", data, method=method or ("POST" if data else "GET"))
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def client(facts: dict[str, Any], service: str) -> Any:
    """A boto3 client of the root user."""
    return boto3.client(
        service,
        endpoint_url=facts["endpoint"],
        region_name=facts["region"],
        aws_access_key_id=facts["root_key"],
        aws_secret_access_key=facts["root_secret"],
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2, "mode": "standard"}),
    )


def make(facts: dict[str, Any]) -> dict[str, str]:
    """Makes everything and gives the variables to export."""
    before = control(facts["control"], "settings")
    control(facts["control"], "settings", NO_LAG)
    ec2, region = client(facts, "ec2"), facts["region"]
    vpc = ec2.create_vpc(CidrBlock=VPC_CIDR)["Vpc"]["VpcId"]
    for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc, **{attribute: {"Value": True}})
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.88.{number}.0/24", AvailabilityZone=f"{region}{zone}")["Subnet"]["SubnetId"]
        for number, zone in enumerate("abc")
    ]
    group = ec2.create_security_group(GroupName="stand-clients", Description="Clients of the cluster", VpcId=vpc)["GroupId"]
    kms = client(facts, "kms")
    key = kms.create_key(Description="the stand's key")["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/stand", TargetKeyId=key)
    s3 = client(facts, "s3")
    s3.create_bucket(Bucket=CONTROL_BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
    s3.put_bucket_versioning(Bucket=CONTROL_BUCKET, VersioningConfiguration={"Status": "Enabled"})
    zone = client(facts, "route53").create_hosted_zone(
        Name=PRIVATE_DOMAIN, CallerReference="stand", VPC={"VPCRegion": region, "VPCId": vpc}, HostedZoneConfig={"PrivateZone": True}
    )["HostedZone"]["Id"]
    if facts["machines"] == "real":
        _clients(facts, ec2, vpc, subnets[0], group)
    iam = client(facts, "iam")
    iam.create_user(UserName="operator")
    iam.put_user_policy(UserName="operator", PolicyName="operator", PolicyDocument=json.dumps(OPERATOR_POLICY))
    made = iam.create_access_key(UserName="operator")["AccessKey"]
    control(facts["control"], "settings", before)
    control(facts["control"], "left/baseline", {})
    control(facts["control"], "calls/reset", {})
    return {
        "AWS_ENDPOINT_URL": facts["endpoint"],
        "AWS_STAND_CONTROL": facts["control"],
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "TF_VAR_subnet_ids": json.dumps(subnets),
        "TF_VAR_kms_key_id": key,
        "TF_VAR_client_security_group_id": group,
        "TF_VAR_private_zone_id": zone.rpartition("/")[2],
        "TF_VAR_control_bucket": CONTROL_BUCKET,
    }


def _clients(facts: dict[str, Any], ec2: Any, vpc: str, subnet: str, group: str) -> None:
    """A client in the authorized group, and a stranger in the VPC's own, which nobody lets in.

    Their interfaces keep the addresses, and tell their groups. Neither is in a zone that can be cut off.
    """
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    default = ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    cidr = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["CidrBlock"]
    for name, of, address in (("client", group, "10.88.0.250"), ("stranger", default, "10.88.0.251")):
        ec2.create_network_interface(SubnetId=subnet, Groups=[of], PrivateIpAddress=address, Description=f"the stand's {name}")
        control(facts["control"], "clients", {"name": name, "address": address, "subnet": cidr, "group_ids": [of]})


def exports(variables: dict[str, str]) -> str:
    """Lines for `eval`."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())

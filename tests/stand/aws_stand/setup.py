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
CONTROL_BUCKET = "msk-stand-control"
OPERATOR_POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def control(endpoint: str, what: str, body: Any = None, method: str | None = None) -> Any:
    """One request to the control API."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{endpoint}/stand/{what}", data, method=method or ("POST" if data else "GET"))
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
    before = control(facts["endpoint"], "settings")
    control(facts["endpoint"], "settings", NO_LAG)
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
    iam = client(facts, "iam")
    iam.create_user(UserName="operator")
    iam.put_user_policy(UserName="operator", PolicyName="operator", PolicyDocument=json.dumps(OPERATOR_POLICY))
    made = iam.create_access_key(UserName="operator")["AccessKey"]
    control(facts["endpoint"], "settings", before)
    control(facts["endpoint"], "left/baseline", {})
    control(facts["endpoint"], "calls/reset", {})
    return {
        "AWS_ENDPOINT_URL": facts["endpoint"],
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "TF_VAR_subnet_ids": json.dumps(subnets),
        "TF_VAR_kms_key_id": key,
        "TF_VAR_client_security_group_id": group,
        "TF_VAR_control_bucket": CONTROL_BUCKET,
    }


def exports(variables: dict[str, str]) -> str:
    """Lines for `eval`."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())

"""S3 is stricter than moto."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from conftest import REGION, Lab


def bucket(lab: Lab, versioned: bool = True) -> str:
    name = lab.name("bucket")
    lab.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    if versioned:
        lab.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def test_etags_are_opaque_and_differ_for_equal_bytes(lab: Lab) -> None:
    name = bucket(lab)
    tags = [lab.s3.put_object(Bucket=name, Key="k", Body=b"x")["ETag"] for _ in range(2)]
    assert tags[0] != tags[1] and hashlib.md5(b"x").hexdigest() not in tags[0] + tags[1]
    assert lab.s3.head_object(Bucket=name, Key="k")["ETag"] == tags[1]
    assert lab.s3.get_object(Bucket=name, Key="k")["ETag"] == tags[1]
    assert lab.s3.list_objects_v2(Bucket=name)["Contents"][0]["ETag"] == tags[1]
    assert {v["ETag"] for v in lab.s3.list_object_versions(Bucket=name)["Versions"]} == set(tags)


def test_conditional_writes_hold_with_opaque_etags(lab: Lab) -> None:
    for versioned in (True, False):
        name = bucket(lab, versioned)
        put: Any = lambda body, **more: lab.s3.put_object(Bucket=name, Key="k", Body=body, **more)  # noqa: E731
        first = put(b"1", IfNoneMatch="*")["ETag"]
        lab.refused("PreconditionFailed", lambda: put(b"2", IfNoneMatch="*"))
        second = put(b"1", IfMatch=first)["ETag"]
        lab.refused("PreconditionFailed", lambda: put(b"3", IfMatch=first))
        lab.refused("304", lambda: lab.s3.get_object(Bucket=name, Key="k", IfNoneMatch=second))
        assert lab.s3.get_object(Bucket=name, Key="k", IfNoneMatch=first)["Body"].read() == b"1"
        lab.refused("PreconditionFailed", lambda: lab.s3.delete_object(Bucket=name, Key="k", IfMatch=first))
        lab.s3.delete_object(Bucket=name, Key="k", IfMatch=second)


def test_a_conditional_write_conflicts_on_demand(lab: Lab) -> None:
    name = bucket(lab)
    lab.stand.faults.add({"service": "s3", "action": "PutObject", "code": "ConditionalRequestConflict", "status": 409})
    lab.refused("ConditionalRequestConflict", lambda: lab.s3.put_object(Bucket=name, Key="k", Body=b"1", IfNoneMatch="*"))
    lab.s3.put_object(Bucket=name, Key="k", Body=b"1", IfNoneMatch="*")
    lab.stand.faults.add({"service": "s3", "code": "SlowDown", "status": 503})
    lab.refused("SlowDown", lambda: lab.s3.put_object(Bucket=name, Key="k", Body=b"1"))


def test_the_expected_owner_is_checked(lab: Lab) -> None:
    name = bucket(lab)
    lab.refused("AccessDenied", lambda: lab.s3.put_object(Bucket=name, Key="k", Body=b"", ExpectedBucketOwner="111111111111"))
    lab.s3.put_object(Bucket=name, Key="k", Body=b"", ExpectedBucketOwner="123456789012")


def test_a_bucket_of_another_region_redirects(lab: Lab) -> None:
    name = bucket(lab)
    other = lab.client("s3", region="eu-west-1")
    after = lab.stand.log.entries()[-1]["number"]
    assert other.list_objects_v2(Bucket=name)["KeyCount"] == 0, "boto3 follows"
    seen = [(e["region"], e["status"], e["code"]) for e in lab.stand.log.entries(after)]
    assert seen[0][:2] == ("eu-west-1", 301) and seen[-1][:2] == (REGION, 200)


def test_bucket_names_are_taken_once(lab: Lab) -> None:
    name = bucket(lab)
    place = {"LocationConstraint": REGION}
    lab.refused("BucketAlreadyOwnedByYou", lambda: lab.s3.create_bucket(Bucket=name, CreateBucketConfiguration=place))
    lab.refused("IllegalLocationConstraintException", lambda: lab.s3.create_bucket(Bucket=lab.name("bucket")))


def test_a_bucket_with_old_versions_is_not_empty(lab: Lab) -> None:
    name = bucket(lab)
    lab.s3.put_object(Bucket=name, Key="k", Body=b"1")
    lab.s3.delete_object(Bucket=name, Key="k")
    lab.refused("BucketNotEmpty", lambda: lab.s3.delete_bucket(Bucket=name))
    found = lab.s3.list_object_versions(Bucket=name)
    for one in found["Versions"] + found["DeleteMarkers"]:
        lab.s3.delete_object(Bucket=name, Key="k", VersionId=one["VersionId"])
    lab.s3.delete_bucket(Bucket=name)


def test_lists_are_short(lab: Lab) -> None:
    name = bucket(lab)
    for number in range(5):
        lab.s3.put_object(Bucket=name, Key=f"k{number}", Body=b"")
    lab.set(page_size=2)
    pages = list(lab.s3.get_paginator("list_objects_v2").paginate(Bucket=name))
    assert [len(p["Contents"]) for p in pages] == [2, 2, 1]
    versions = list(lab.s3.get_paginator("list_object_versions").paginate(Bucket=name))
    assert sum(len(p.get("Versions", [])) for p in versions) == 5 and len(versions) >= 3


def test_a_disabled_key_refuses_writes(lab: Lab) -> None:
    name = bucket(lab)
    key = lab.kms.create_key()["KeyMetadata"]["Arn"]
    put: Any = lambda: lab.s3.put_object(Bucket=name, Key="k", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)  # noqa: E731
    put()
    lab.kms.disable_key(KeyId=key)
    lab.refused("KMS.DisabledException", put)


def test_a_bucket_policy_with_a_role_that_is_too_new_is_refused(lab: Lab) -> None:
    lab.set(iam_lag_attempts=1, iam_lag_seconds=60.0)
    name, role = bucket(lab), lab.name("role")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    arn = lab.iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    lab.refused("MalformedPolicy", lambda: lab.s3.put_bucket_policy(Bucket=name, Policy=policy))
    lab.s3.put_bucket_policy(Bucket=name, Policy=policy)
    assert json.loads(lab.s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"] == [statement]


def test_a_condition_follows_an_older_version_that_is_newest_again(lab: Lab) -> None:
    name = bucket(lab)
    first = lab.s3.put_object(Bucket=name, Key="k", Body=b"1")["ETag"]
    second = lab.s3.put_object(Bucket=name, Key="k", Body=b"2")
    lab.s3.delete_object(Bucket=name, Key="k", VersionId=second["VersionId"])
    assert lab.s3.head_object(Bucket=name, Key="k")["ETag"] == first
    lab.s3.put_object(Bucket=name, Key="k", Body=b"3", IfMatch=first)


def test_lifecycle_rules_are_kept_as_they_were_put_and_contradictions_refused(lab: Lab) -> None:
    name = bucket(lab)
    put: Any = lambda *rules: lab.s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": list(rules)})  # noqa: E731
    ends: Any = lambda id, prefix, **end: {"ID": id, "Status": "Enabled", "Filter": {"Prefix": prefix}, "NoncurrentVersionExpiration": end}  # noqa: E731
    lab.refused("NoSuchLifecycleConfiguration", lambda: lab.s3.get_bucket_lifecycle_configuration(Bucket=name))
    rules = [ends("a", "", NoncurrentDays=90), ends("b", "msk/", NoncurrentDays=7, NewerNoncurrentVersions=100)]
    put(*rules)
    assert lab.s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"] == rules
    lab.refused("InvalidRequest", lambda: put(ends("a", "", NoncurrentDays=90), ends("b", "", NoncurrentDays=7)))
    lab.refused("InvalidArgument", lambda: put(ends("a", "", NoncurrentDays=7, NewerNoncurrentVersions=101)))
    lab.s3.delete_bucket_lifecycle(Bucket=name)
    lab.refused("NoSuchLifecycleConfiguration", lambda: lab.s3.get_bucket_lifecycle_configuration(Bucket=name))


def test_a_head_tells_the_length(lab: Lab) -> None:
    name = bucket(lab)
    lab.s3.put_object(Bucket=name, Key="k", Body=b"12345")
    assert lab.s3.head_object(Bucket=name, Key="k")["ContentLength"] == 5

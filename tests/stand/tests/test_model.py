"""Requests that the public API does not know make the run fail."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conftest import REGION, Lab


def raw(lab: Lab, service: str, fields: dict[str, str], shift: Any = None) -> tuple[int, str]:
    """A signed form, however wrong."""
    request = AWSRequest("POST", lab.endpoint + "/", data=urlencode(fields), headers={"Content-Type": "application/x-www-form-urlencoded"})
    SigV4Auth(Credentials(lab.stand.root_key, lab.stand.root_secret), service, REGION).add_auth(request)
    prepared = request.prepare()
    connection = http.client.HTTPConnection(lab.endpoint.removeprefix("http://"))
    connection.request("POST", "/", prepared.body, dict(prepared.headers))
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def ec2(**fields: str) -> dict[str, str]:
    return {"Version": "2016-11-15", **fields}


def test_an_unknown_parameter_is_refused_and_recorded(lab: Lab) -> None:
    status, body = raw(lab, "ec2", ec2(Action="CreateVolume", AvailabilityZone="eu-central-1a", Size="1", Sise="1"))
    assert status == 400 and "Sise: unknown parameter" in body
    lab.failed("CreateVolume: not in the public API: Sise: unknown parameter")


def test_an_unknown_parameter_inside_a_list_is_refused(lab: Lab) -> None:
    fields = {"TagSpecification.1.ResourceType": "volume", "TagSpecification.1.Tag.1.Kee": "a"}
    assert raw(lab, "ec2", ec2(Action="CreateVolume", AvailabilityZone="eu-central-1a", Size="1", **fields))[0] == 400
    lab.failed("TagSpecifications.1.Tags.1.Kee: unknown parameter")


def test_a_wrong_type_is_refused(lab: Lab) -> None:
    assert raw(lab, "ec2", ec2(Action="CreateVolume", AvailabilityZone="eu-central-1a", Size="big"))[0] == 400
    lab.failed("Size: 'big' is not a integer")


def test_a_missing_required_parameter_is_refused(lab: Lab) -> None:
    lab.refused("StandFailure", lambda: lab.ec2.attach_volume(VolumeId="vol-1", Device="/dev/sdf"))
    lab.failed("InstanceId: required parameter is missing")


def test_a_value_outside_an_enumeration_is_refused(lab: Lab) -> None:
    lab.refused("StandFailure", lambda: lab.ec2.create_volume(AvailabilityZone="eu-central-1a", Size=1, VolumeType="gp9"))
    lab.failed("'gp9' is not one of")


def test_a_value_against_the_pattern_is_refused(lab: Lab) -> None:
    trust = '{"Version":"2012-10-17","Statement":[]}'
    lab.refused("StandFailure", lambda: lab.iam.create_role(RoleName="with blank", AssumeRolePolicyDocument=trust))
    lab.failed("does not match")


def test_a_value_outside_the_range_is_refused(lab: Lab) -> None:
    lab.refused("StandFailure", lambda: lab.kms.schedule_key_deletion(KeyId="k" * 3000))
    lab.failed("is above 2048")


def test_a_wrong_member_of_a_json_service_is_refused(lab: Lab) -> None:
    lab.refused("StandFailure", lambda: lab.client("secretsmanager").create_secret(Name=7))
    lab.failed("Name: is a string, got int")


def test_an_unknown_query_parameter_of_s3_is_refused(lab: Lab) -> None:
    connection = http.client.HTTPConnection(lab.endpoint.removeprefix("http://"))
    request = AWSRequest("GET", f"{lab.endpoint}/some-bucket?list-type=2&pages=3")
    SigV4Auth(Credentials(lab.stand.root_key, lab.stand.root_secret), "s3", REGION).add_auth(request)
    connection.request("GET", "/some-bucket?list-type=2&pages=3", headers=dict(request.headers))
    assert connection.getresponse().status == 400
    lab.failed("ListObjectsV2: not in the public API: ?pages: unknown parameter")


def test_an_action_that_does_not_exist_is_loud(lab: Lab) -> None:
    assert raw(lab, "ec2", ec2(Action="MakeVolume"))[0] == 400
    lab.failed("no such action: 'MakeVolume'")


def test_an_action_without_a_rule_is_loud_and_never_html(lab: Lab) -> None:
    lab.refused("StandFailure", lambda: lab.asg.start_instance_refresh(AutoScalingGroupName="x"))
    lab.failed("autoscaling:StartInstanceRefresh: the stand has no rule for this action")


def test_what_moto_lacks_is_loud_and_never_html(lab: Lab) -> None:
    lab.refused("StandFailure", lambda: lab.ec2.describe_stale_security_groups(VpcId=lab.vpc))
    lab.failed("ec2:DescribeStaleSecurityGroups: moto has no such action")


def test_another_api_version_is_refused(lab: Lab) -> None:
    assert raw(lab, "ec2", {"Action": "DescribeVpcs", "Version": "2014-01-01"})[0] == 400
    lab.failed("Version: '2014-01-01' is not 2016-11-15")

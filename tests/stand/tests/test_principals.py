"""Keys, signatures, sessions."""

from __future__ import annotations

import json
import urllib.request

from joserfc import jwt
from joserfc.jwk import KeySet

from conftest import Lab

TRUST_ALL = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}]}
)


def test_an_unknown_key_is_refused_with_each_services_own_code(lab: Lab) -> None:
    bad = {"key": "AKIAUNKNOWN000000000", "secret": "x"}
    lab.refused("AuthFailure", lambda: lab.client("ec2", **bad).describe_vpcs())
    lab.refused("InvalidClientTokenId", lambda: lab.client("sts", **bad).get_caller_identity())
    lab.refused("UnrecognizedClientException", lambda: lab.client("kms", **bad).list_keys())
    lab.refused("InvalidAccessKeyId", lambda: lab.client("s3", **bad).list_buckets())


def test_a_wrong_secret_is_refused(lab: Lab) -> None:
    user = lab.name("user")
    lab.iam.create_user(UserName=user)
    key = lab.iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    lab.refused("SignatureDoesNotMatch", lambda: lab.client("sts", key, "wrong").get_caller_identity())


def test_a_deleted_key_is_refused(lab: Lab) -> None:
    user = lab.name("user")
    lab.iam.create_user(UserName=user)
    made = lab.iam.create_access_key(UserName=user)["AccessKey"]
    sts = lab.client("sts", made["AccessKeyId"], made["SecretAccessKey"])
    assert sts.get_caller_identity()["Arn"].endswith(f":user/{user}")
    lab.iam.delete_access_key(UserName=user, AccessKeyId=made["AccessKeyId"])
    lab.refused("InvalidClientTokenId", sts.get_caller_identity)


def test_a_session_acts_as_its_role_and_expires(lab: Lab) -> None:
    role = lab.name("role")
    arn = lab.iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST_ALL)["Role"]["Arn"]
    made = lab.sts.assume_role(RoleArn=arn, RoleSessionName="session", DurationSeconds=900)["Credentials"]
    sts = lab.client("sts", made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    assert sts.get_caller_identity()["Arn"].endswith(f":assumed-role/{role}/session")
    lab.set(clock_offset_seconds=901.0)
    lab.refused("ExpiredToken", sts.get_caller_identity)
    ec2 = lab.client("ec2", made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    lab.refused("RequestExpired", ec2.describe_vpcs)


def test_a_session_without_its_token_is_refused(lab: Lab) -> None:
    arn = lab.iam.create_role(RoleName=lab.name("role"), AssumeRolePolicyDocument=TRUST_ALL)["Role"]["Arn"]
    made = lab.sts.assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    lab.refused("InvalidClientTokenId", lambda: lab.client("sts", made["AccessKeyId"], made["SecretAccessKey"]).get_caller_identity())


def test_a_role_that_does_not_exist_cannot_be_assumed(lab: Lab) -> None:
    lab.refused("AccessDenied", lambda: lab.sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/none", RoleSessionName="session"))


def test_a_signed_token_of_a_role_is_verified_with_the_issuers_keys(lab: Lab) -> None:
    name = lab.name("role")
    arn = lab.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST_ALL)["Role"]["Arn"]
    made = lab.sts.assume_role(RoleArn=arn, RoleSessionName="session", DurationSeconds=900)["Credentials"]
    sts = lab.client("sts", made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    asked = {"Audience": ["kafka"], "SigningAlgorithm": "ES384"}
    lab.refused("OutboundWebIdentityFederationDisabledException", lambda: sts.get_web_identity_token(**asked))
    issuer = lab.iam.enable_outbound_web_identity_federation()["IssuerIdentifier"]
    lab.refused("FeatureEnabled", lab.iam.enable_outbound_web_identity_federation)
    try:
        with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration") as answer:
            keys_at = json.load(answer)["jwks_uri"]
        with urllib.request.urlopen(keys_at) as answer:
            keys = KeySet.import_key_set(json.load(answer))
        for algorithm in ("RS256", "ES384"):
            token = sts.get_web_identity_token(**{**asked, "SigningAlgorithm": algorithm})["WebIdentityToken"]
            claims = jwt.decode(token, keys, algorithms=[algorithm]).claims
            assert (claims["iss"], claims["sub"], claims["aud"]) == (issuer, arn, "kafka")
        lab.refused("SessionDurationEscalationException", lambda: sts.get_web_identity_token(**asked, DurationSeconds=3600))
    finally:
        lab.iam.disable_outbound_web_identity_federation()

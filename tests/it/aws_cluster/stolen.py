# Arguments: the stolen credentials, the cluster's attributes, the control bucket. `argument` and the modules come from
# `Stand::by_hand`.
from botocore.exceptions import ClientError

stolen, cluster, bucket = json.loads(argument[0]), json.loads(argument[1]), argument[2]
thief = boto3.Session(stolen["AccessKeyId"], stolen["SecretAccessKey"], stolen["Token"])
owner = boto3.Session()
REFUSED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
counts = {"allowed": 0, "refused": 0}


def refused(what, call):
    """The call is refused for want of a permission, and for nothing else."""
    try:
        call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        assert code in REFUSED, f"{what}: {error}"
        counts["refused"] += 1
        return
    raise AssertionError(f"{what}: a broker's role may do this")


# Every object of the control store: the broker reads its own and the public ones.
theirs = thief.client("s3")
pages = owner.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
uid = next(key.split("/")[1] for key in keys if key.endswith("/identity.json"))
own = ("desired/", "public/", "status/", "private/nodes/1/")
for key in keys:
    below = key.removeprefix(f"msk/{uid}/")
    is_needed = key.startswith(("msk/artifacts/", "msk/store.json")) or (below != key and below.startswith(own))
    read = lambda: theirs.get_object(Bucket=bucket, Key=key)["Body"].read()  # noqa: E731
    if is_needed:
        read()
        counts["allowed"] += 1
    else:
        refused(f"read {key}", read)
private = [key for key in keys if "/private/" in key and "/private/nodes/1/" not in key]
assert private, "no private object to steal"

# It writes its own status and asks for locks; never what others obey, run or are known by.
theirs.put_object(Bucket=bucket, Key=f"msk/{uid}/status/1/stolen.json", Body=b"{}")
for below in (
    f"{uid}/status/2/node.json", f"{uid}/desired/cluster.json", f"{uid}/private/x", f"{uid}/public/boot.json",
    f"{uid}/public/certificates/1.json", f"{uid}/identity.json", f"{uid}/places.json", "artifacts/x", "store.json",
    "clusters/events.json", "elsewhere",
):  # fmt: skip
    refused(f"write {below}", lambda: theirs.put_object(Bucket=bucket, Key=f"msk/{below}", Body=b"{}"))
refused("delete a document", lambda: theirs.delete_object(Bucket=bucket, Key=f"msk/{uid}/desired/cluster.json"))
refused("delete its status", lambda: theirs.delete_object(Bucket=bucket, Key=f"msk/{uid}/status/1/stolen.json"))
refused("list everything", lambda: theirs.list_objects_v2(Bucket=bucket))
refused("list other clusters", lambda: theirs.list_objects_v2(Bucket=bucket, Prefix="msk/clusters/"))
refused("change the bucket", lambda: theirs.put_bucket_policy(Bucket=bucket, Policy="{}"))
refused("list versions", lambda: theirs.list_object_versions(Bucket=bucket))
owner.client("s3").delete_object(Bucket=bucket, Key=f"msk/{uid}/status/1/stolen.json")

# Volumes: it looks at all, attaches its own to its own instance.
ec2 = thief.client("ec2")
first, second = cluster["brokers"][0], cluster["brokers"][1]
ec2.describe_volumes(VolumeIds=[first["volume_id"], second["volume_id"]])


def attach(volume, instance):
    return lambda: ec2.attach_volume(VolumeId=volume["volume_id"], InstanceId=instance["instance_id"], Device="/dev/sdf")


refused("attach another's volume", attach(second, first))
refused("attach to another's instance", attach(first, second))
refused("detach", lambda: ec2.detach_volume(VolumeId=second["volume_id"], Force=True))
refused("snapshot", lambda: ec2.create_snapshot(VolumeId=second["volume_id"]))
refused("delete a volume", lambda: ec2.delete_volume(VolumeId=second["volume_id"]))
refused("end an instance", lambda: ec2.terminate_instances(InstanceIds=[second["instance_id"]]))
refused("look at instances", lambda: ec2.describe_instances())
refused("tag", lambda: ec2.create_tags(Resources=[second["volume_id"]], Tags=[{"Key": "tfmsk-node", "Value": "1"}]))

# Secrets of the cluster's users are read by brokers, and by nobody changed; others' are not read.
secrets, ours = thief.client("secretsmanager"), owner.client("secretsmanager")
names = [secret["Name"] for page in ours.get_paginator("list_secrets").paginate() for secret in page["SecretList"]]
user = next(name for name in names if name.startswith("AmazonMSK_"))
secrets.get_secret_value(SecretId=user)
counts["allowed"] += 1
refused("change a password", lambda: secrets.put_secret_value(SecretId=user, SecretString="x"))
refused("delete a secret", lambda: secrets.delete_secret(SecretId=user))
refused("list secrets", lambda: secrets.list_secrets())
ours.create_secret(Name="AmazonMSK_of_others", SecretString="x")
refused("read another's secret", lambda: secrets.get_secret_value(SecretId="AmazonMSK_of_others"))
ours.delete_secret(SecretId="AmazonMSK_of_others", ForceDeleteWithoutRecovery=True)

# It makes itself no stronger.
iam, role = thief.client("iam"), "x"
refused("policy", lambda: iam.put_role_policy(RoleName="x", PolicyName="x", PolicyDocument="{}"))
refused("role", lambda: iam.create_role(RoleName="x", AssumeRolePolicyDocument="{}"))
refused("groups", lambda: thief.client("autoscaling").describe_auto_scaling_groups())
print(f"a stolen role: {counts['allowed']} reads that it needs, {counts['refused']} refusals")

"""Rules of volumes that moto lacks."""

from __future__ import annotations

from conftest import ZONES, Lab


def test_a_client_token_gives_the_same_volume_and_refuses_another_request(lab: Lab) -> None:
    token = lab.name("token")
    first = lab.volume(ClientToken=token)
    assert lab.volume(ClientToken=token) == first
    lab.refused("IdempotentParameterMismatch", lambda: lab.volume(size=2, ClientToken=token))
    lab.ec2.delete_volume(VolumeId=first)
    assert lab.volume(ClientToken=token) == first, "the token stays burnt"
    lab.refused("InvalidVolume.NotFound", lambda: lab.ec2.describe_volumes(VolumeIds=[first]))


def test_a_volume_is_creating_for_as_many_polls_as_set(lab: Lab) -> None:
    lab.set(hold_polls=2, hold_seconds=60.0)
    volume = lab.volume()
    states = [lab.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] for _ in range(3)]
    assert states == ["creating", "creating", "available"]


def test_a_state_ends_by_time_while_nobody_polls(lab: Lab) -> None:
    lab.set(hold_polls=1000, hold_seconds=0.3)
    volume = lab.volume()
    lab.until(lambda: lab.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available", 3)


def test_a_volume_has_one_holder(lab: Lab) -> None:
    _, first, _ = lab.node()
    _, second, _ = lab.node()
    volume = lab.volume()
    lab.ec2.attach_volume(VolumeId=volume, InstanceId=first, Device="/dev/sdf")
    lab.refused("VolumeInUse", lambda: lab.ec2.attach_volume(VolumeId=volume, InstanceId=second, Device="/dev/sdf"))
    lab.refused("VolumeInUse", lambda: lab.ec2.delete_volume(VolumeId=volume))
    assert lab.attachment(volume)["InstanceId"] == first


def test_a_volume_attaches_in_its_own_zone_only(lab: Lab) -> None:
    _, instance, _ = lab.node(zone=0)
    volume = lab.volume(zone=1)
    lab.refused("InvalidVolume.ZoneMismatch", lambda: lab.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf"))


def test_a_device_name_is_used_once(lab: Lab) -> None:
    _, instance, _ = lab.node()
    lab.ec2.attach_volume(VolumeId=lab.volume(), InstanceId=instance, Device="/dev/sdf")
    lab.refused("InvalidParameterValue", lambda: lab.ec2.attach_volume(VolumeId=lab.volume(), InstanceId=instance, Device="/dev/sdf"))


def test_attaching_and_detaching_take_polls(lab: Lab) -> None:
    _, instance, _ = lab.node()
    volume = lab.volume()
    lab.set(hold_polls=2, hold_seconds=60.0)
    assert lab.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")["State"] == "attaching"
    assert [lab.attachment(volume)["State"] for _ in range(3)] == ["attaching", "attaching", "attached"]
    lab.ec2.detach_volume(VolumeId=volume, InstanceId=instance)
    assert [lab.attachment(volume).get("State") for _ in range(3)] == ["detaching", "detaching", None]
    lab.refused("IncorrectState", lambda: lab.ec2.detach_volume(VolumeId=volume, InstanceId=instance))


def test_an_instance_that_shuts_down_keeps_its_volume_until_it_is_gone(lab: Lab) -> None:
    name, instance, _ = lab.node()
    volume = lab.volume()
    lab.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    lab.asg.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["Launch"])
    lab.set(hold_polls=1000, hold_seconds=0.6)
    lab.ec2.terminate_instances(InstanceIds=[instance])
    assert lab.state(instance) == "shutting-down"
    assert lab.attachment(volume)["InstanceId"] == instance
    lab.until(lambda: lab.state(instance) == "terminated")
    assert lab.attachment(volume) == {}
    lab.refused("InvalidInstanceID.NotFound", lambda: lab.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf"))


def test_detaching_by_force_is_a_failure_of_the_run(lab: Lab) -> None:
    _, instance, _ = lab.node()
    volume = lab.volume()
    lab.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    lab.ec2.detach_volume(VolumeId=volume, InstanceId=instance, Force=True)
    lab.failed("DetachVolume with Force")


def test_a_volume_never_shrinks(lab: Lab) -> None:
    volume = lab.volume(size=5)
    lab.refused("InvalidParameterValue", lambda: lab.ec2.modify_volume(VolumeId=volume, Size=4), "smaller")


def test_a_modification_goes_through_its_states_and_blocks_the_next(lab: Lab) -> None:
    lab.set(hold_polls=2, hold_seconds=60.0)
    volume = lab.volume(size=5)
    lab.until(lambda: lab.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available")
    lab.ec2.modify_volume(VolumeId=volume, Size=6)
    lab.refused("IncorrectModificationState", lambda: lab.ec2.modify_volume(VolumeId=volume, Size=7))
    seen, sizes = [], []
    for _ in range(5):
        sizes.append(lab.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Size"])
        seen.append(lab.ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"][0]["ModificationState"])
    assert seen == ["modifying", "modifying", "optimizing", "optimizing", "completed"]
    assert sizes == [5, 5, 6, 6, 6]


def test_the_fifth_modification_in_24_hours_is_refused(lab: Lab) -> None:
    volume = lab.volume()
    for size in (2, 3, 4, 5):
        lab.ec2.modify_volume(VolumeId=volume, Size=size)
        lab.until(lambda: lab.ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"][0]["ModificationState"] == "completed")
    lab.refused("VolumeModificationRateExceeded", lambda: lab.ec2.modify_volume(VolumeId=volume, Size=6))
    lab.set(clock_offset_seconds=86_401.0)
    lab.ec2.modify_volume(VolumeId=volume, Size=6)


def test_limits_of_gp3_are_checked(lab: Lab) -> None:
    lab.refused("InvalidParameterCombination", lambda: lab.volume(size=1, Iops=4000), "ratio")
    lab.refused("InvalidParameterCombination", lambda: lab.volume(size=100, Throughput=1000), "ratio")
    lab.refused("InvalidParameterValue", lambda: lab.volume(size=70_000))


def test_a_volume_with_a_disabled_key_is_made_and_goes_away(lab: Lab) -> None:
    key = lab.kms.create_key()["KeyMetadata"]["Arn"]
    lab.kms.disable_key(KeyId=key)
    lab.set(hold_polls=1, hold_seconds=60.0)
    volume = lab.volume(Encrypted=True, KmsKeyId=key)
    assert lab.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "creating"
    lab.refused("InvalidVolume.NotFound", lambda: lab.ec2.describe_volumes(VolumeIds=[volume]))


def test_a_volume_whose_key_was_disabled_does_not_stay_attached(lab: Lab) -> None:
    key = lab.kms.create_key()["KeyMetadata"]["Arn"]
    _, instance, _ = lab.node()
    volume = lab.volume(Encrypted=True, KmsKeyId=key)
    lab.kms.disable_key(KeyId=key)
    assert lab.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")["State"] == "attaching"
    lab.until(lambda: lab.attachment(volume) == {})
    lab.kms.enable_key(KeyId=key)
    lab.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    lab.until(lambda: lab.attachment(volume).get("State") == "attached")


def test_a_disabled_key_does_not_encrypt(lab: Lab) -> None:
    key = lab.kms.create_key()["KeyMetadata"]["KeyId"]
    lab.kms.disable_key(KeyId=key)
    lab.refused("DisabledException", lambda: lab.kms.generate_data_key(KeyId=key, KeySpec="AES_256"))
    lab.kms.schedule_key_deletion(KeyId=key)
    lab.refused("KMSInvalidStateException", lambda: lab.kms.generate_data_key(KeyId=key, KeySpec="AES_256"))


def test_default_encryption_is_told_and_counts(lab: Lab) -> None:
    assert lab.ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    assert lab.ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    key = lab.kms.create_key()["KeyMetadata"]["Arn"]
    lab.ec2.enable_ebs_encryption_by_default()
    lab.ec2.modify_ebs_default_kms_key_id(KmsKeyId=key)
    try:
        volume = lab.ec2.create_volume(AvailabilityZone=ZONES[0], Size=1)
        assert volume["Encrypted"] is True and volume["KmsKeyId"] == key
    finally:
        lab.ec2.disable_ebs_encryption_by_default()
        lab.ec2.reset_ebs_default_kms_key_id()


def test_a_snapshot_is_pending_first(lab: Lab) -> None:
    volume = lab.volume()
    lab.set(hold_polls=1, hold_seconds=60.0)
    snapshot = lab.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    states = [lab.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"] for _ in range(2)]
    assert states == ["pending", "completed"]

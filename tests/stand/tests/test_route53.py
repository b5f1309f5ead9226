"""Records of hosted zones: whole batches, slow spreading, machines that resolve them."""

from __future__ import annotations

from typing import Any

from conftest import REGION, Lab


def zone(lab: Lab) -> tuple[Any, str]:
    route53, ec2 = lab.client("route53"), lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    name = lab.name("zone") + ".internal"
    made = route53.create_hosted_zone(
        Name=name, CallerReference=name, VPC={"VPCRegion": REGION, "VPCId": vpc}, HostedZoneConfig={"PrivateZone": True}
    )
    return route53, made["HostedZone"]["Id"].rpartition("/")[2]


def change(route53: Any, id: str, *changes: tuple[str, str, str], kind: str = "A") -> Any:
    domain = route53.get_hosted_zone(Id=id)["HostedZone"]["Name"]
    batch = [
        {
            "Action": action,
            "ResourceRecordSet": {"Name": f"{name}.{domain}", "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]},
        }
        for action, name, value in changes
    ]
    return route53.change_resource_record_sets(HostedZoneId=id, ChangeBatch={"Changes": batch})["ChangeInfo"]


def records(route53: Any, id: str) -> dict[str, str]:
    pages = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=id)
    found = [record for page in pages for record in page["ResourceRecordSets"] if record["Type"] == "A"]
    return {record["Name"].partition(".")[0]: record["ResourceRecords"][0]["Value"] for record in found}


def test_a_batch_is_carried_out_whole_or_not_at_all(lab: Lab) -> None:
    route53, id = zone(lab)
    change(route53, id, ("CREATE", "b-1", "10.0.0.1"), ("CREATE", "b-2", "10.0.0.2"))
    lab.refused("InvalidChangeBatch", lambda: change(route53, id, ("CREATE", "b-3", "10.0.0.3"), ("CREATE", "b-1", "10.0.0.9")))
    lab.refused("InvalidChangeBatch", lambda: change(route53, id, ("CREATE", "b-3", "10.0.0.3"), ("DELETE", "b-2", "10.0.0.9")))
    lab.refused("InvalidChangeBatch", lambda: change(route53, id, ("CREATE", "b-1", "elsewhere.internal"), kind="CNAME"))
    assert records(route53, id) == {"b-1": "10.0.0.1", "b-2": "10.0.0.2"}
    change(route53, id, ("DELETE", "b-1", "10.0.0.1"), ("CREATE", "b-1", "10.0.0.4"), ("UPSERT", "b-2", "10.0.0.5"))
    assert records(route53, id) == {"b-1": "10.0.0.4", "b-2": "10.0.0.5"}


def test_records_come_in_pages_of_the_stand(lab: Lab) -> None:
    route53, id = zone(lab)
    change(route53, id, *[("CREATE", f"b-{n}", f"10.0.0.{n}") for n in range(1, 8)])
    lab.stand.settings.page_size = 2
    page = route53.list_resource_record_sets(HostedZoneId=id)
    assert len(page["ResourceRecordSets"]) == 2 and page["IsTruncated"]
    assert len(records(route53, id)) == 7


def test_a_change_spreads_slowly(lab: Lab) -> None:
    route53, id = zone(lab)
    lab.stand.settings.hold_polls, lab.stand.settings.hold_seconds = 2, 60.0
    info = change(route53, id, ("CREATE", "b-1", "10.0.0.1"))
    states = [info["Status"]] + [route53.get_change(Id=info["Id"])["ChangeInfo"]["Status"] for _ in range(3)]
    assert states == ["PENDING", "PENDING", "PENDING", "INSYNC"]
    lab.refused("NoSuchChange", lambda: route53.get_change(Id="C0000"))

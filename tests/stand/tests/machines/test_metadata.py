"""The metadata service: tokens, hops, credentials, the tree."""

from __future__ import annotations

import json
from dataclasses import replace

from aws_stand.machines.machine import Machine
from aws_stand.machines.world import RealMachines
from aws_stand.seam import MetadataOptions
from .world_stub import RULES, Network, StubWorld, fetch, instance, member

BASE = "http://169.254.169.254/latest"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"


def token(machine: Machine, seconds: int = 60) -> str:
    return fetch(machine, f"{BASE}/api/token", "-X", "PUT", "-H", f"{TTL}: {seconds}").removeprefix("200 ")


def get(machine: Machine, path: str, proof: str) -> str:
    return fetch(machine, f"{BASE}/{path}", "-H", f"X-aws-ec2-metadata-token: {proof}")


def test_only_an_own_and_living_token_opens_it(machines: RealMachines) -> None:
    one, two = instance(1), instance(2, metadata=MetadataOptions(http_tokens="optional"))
    machines.launch(one)
    machines.launch(two)
    first, second = machines.machine(one.id), machines.machine(two.id)
    assert fetch(first, f"{BASE}/meta-data/instance-id") == "401"
    assert fetch(second, f"{BASE}/meta-data/instance-id") == f"200 {two.id}"
    mine = token(first)
    assert get(first, "meta-data/instance-id", mine) == f"200 {one.id}"
    assert get(second, "meta-data/instance-id", mine) == "401"
    assert token(first, 0) == "400" and token(first, 21601) == "400"
    assert fetch(first, f"{BASE}/api/token", "-X", "PUT") == "400"
    forwarded = ["-X", "PUT", "-H", f"{TTL}: 60", "-H", "X-Forwarded-For: 1.2.3.4"]
    assert fetch(first, f"{BASE}/api/token", *forwarded) == "403"


def test_a_container_behind_one_more_hop_gets_no_token_unless_the_limit_is_two(machines: RealMachines) -> None:
    for number, limit in ((1, 1), (2, 2)):
        one = instance(number, metadata=MetadataOptions(http_tokens="required", hop_limit=limit))
        machines.launch(one)
        machine = machines.machine(one.id)
        container = """
            set -e
            ip netns add box; ip link add out type veth peer name eth0 netns box
            ip addr add 172.18.0.1/24 dev out; ip link set out up
            ip -n box addr add 172.18.0.2/24 dev eth0; ip -n box link set eth0 up; ip -n box route add default via 172.18.0.1
            echo 1 > /proc/sys/net/ipv4/ip_forward
            nft add table ip nat
            nft add chain ip nat post '{ type nat hook postrouting priority 100; }'
            nft add rule ip nat post ip saddr 172.18.0.0/24 oifname eth0 masquerade
        """
        done = machine.run("sh", "-c", container)
        assert done.returncode == 0, done.stderr
        ask = ["ip", "netns", "exec", "box", "curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}"]
        assert machine.run(*ask, f"{BASE}/meta-data/").stdout == "401"  # without a token it is reached
        got = machine.run(*ask, "-X", "PUT", "-H", f"{TTL}: 60", f"{BASE}/api/token").stdout
        assert got == ("000" if limit == 1 else "200")
        assert len(token(machine)) > 30


def test_the_tree_tells_what_the_control_plane_knows(machines: RealMachines) -> None:
    one = instance(1, user_data="#cloud-config\nruncmd: [\"true\"]\n")
    machines.rules_changed(Network(RULES, (replace(member(one), group_ids=("sg-nodes", "sg-more")),)))
    machines.settle()
    machines.launch(one)
    machine = machines.machine(one.id)
    proof = token(machine)
    mac = f"meta-data/network/interfaces/macs/{one.mac}"
    expected = {
        "meta-data/mac": one.mac,
        "meta-data/network/interfaces/macs/": f"{one.mac}/",
        f"{mac}/interface-id": one.interface_id,
        f"{mac}/subnet-id": one.subnet_id,
        f"{mac}/local-ipv4s": one.private_ip,
        f"{mac}/security-group-ids": "sg-nodes\nsg-more",
        "meta-data/placement/availability-zone": "eu-central-1a",
        "meta-data/placement/availability-zone-id": "euc1-az1",
        "meta-data/placement/region": "eu-central-1",
        "meta-data/autoscaling/target-lifecycle-state": "InService",
        "meta-data/iam/security-credentials/": "node",
        "user-data": one.user_data.decode().strip(),
    }
    assert {path: get(machine, path, proof) for path in expected} == {path: f"200 {text}" for path, text in expected.items()}
    document = json.loads(get(machine, "dynamic/instance-identity/document", proof).removeprefix("200 "))
    assert (document["instanceId"], document["architecture"], document["accountId"]) == (one.id, "x86_64", one.account)
    for missing in ("meta-data/nothing", "meta-data/tags/instance", f"{mac}/interface-id/x"):
        assert get(machine, missing, proof) == "404"


def test_credentials_are_the_same_for_a_while_and_then_new(machines: RealMachines, world: StubWorld) -> None:
    one, without = instance(1), instance(2, role_name=None, profile_arn=None)
    machines.launch(one)
    machines.launch(without)
    machine = machines.machine(one.id)
    proof = token(machine)
    path = "meta-data/iam/security-credentials/node"
    first = json.loads(get(machine, path, proof).removeprefix("200 "))
    assert first["AccessKeyId"] == "ASIA1" and first["Token"] == f"session-{one.id}"
    assert json.loads(get(machine, path, proof).removeprefix("200 ")) == first
    machines.metadata.rotate(one)
    assert json.loads(get(machine, path, proof).removeprefix("200 "))["AccessKeyId"] == "ASIA2"
    assert get(machine, "meta-data/iam/security-credentials/other", proof) == "404"
    bare = machines.machine(without.id)
    assert get(bare, "meta-data/iam/security-credentials/", token(bare)) == "404"


def test_a_disabled_service_answers_nobody(machines: RealMachines) -> None:
    one = instance(1, metadata=MetadataOptions(http_endpoint="disabled"))
    machines.launch(one)
    assert token(machines.machine(one.id)) == "403"

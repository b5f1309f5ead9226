"""Who reaches whom: security groups, endpoints, zones."""

from __future__ import annotations

import threading

from aws_stand.machines import firewall
from aws_stand.machines.world import RealMachines
from .world_stub import EVERYWHERE, RULES, UNIT, Network, Rule, fetch, instance, member, until


def test_groups_decide_who_connects(machines: RealMachines) -> None:
    one, two = instance(1, user_data=UNIT), instance(2, zone="b")
    silent = instance(3, groups=("sg-silent",), user_data=UNIT)
    machines.rules_changed(Network(RULES, (member(one), member(two), member(silent))))
    friend = machines.client("friend", "10.88.1.200", "10.88.1.0/24", ["sg-clients"])
    stranger = machines.client("stranger", "10.88.1.201", "10.88.1.0/24")
    by_address = machines.client("by-address", "10.88.3.200", "10.88.3.0/24")
    for each in (one, two, silent):
        machines.launch(each)
    node, url = machines.machine(two.id), f"http://{one.private_ip}"
    until(lambda: fetch(friend, f"{url}:9096/") == "200 probe")
    assert fetch(node, f"{url}:9093/") == "200 probe"
    assert fetch(friend, f"http://{one.private_dns_name}:9096/") == "200 probe"
    assert fetch(by_address, f"{url}:9094/") == "200 probe"
    shut = ((friend, 9093), (stranger, 9096), (node, 9096), (by_address, 9096))
    assert [fetch(who, f"{url}:{port}/") for who, port in shut] == ["none"] * 4
    # A group without outbound rules sends nothing, but it answers.
    until(lambda: fetch(node, f"http://{silent.private_ip}:9092/") == "200 probe")
    assert fetch(machines.machine(silent.id), f"{url}:9093/") == "none"
    # Whoever loses a group loses new connections.
    machines.rules_changed(Network(RULES[:3], (member(one), member(two), member(silent))))
    machines.settle()
    assert fetch(friend, f"{url}:9096/") == "200 probe"
    assert fetch(by_address, f"{url}:9094/") == "none"


def test_endpoints_are_reached_at_their_addresses_and_nothing_else_is(machines: RealMachines) -> None:
    one, two = instance(1), instance(2)
    machines.rules_changed(Network(RULES, (member(one), member(two))))
    machines.settle()
    machines.launch(one)
    machines.launch(two)
    first, second = machines.machine(one.id), machines.machine(two.id)
    s3, ec2 = (f"http://{machines.options.address(service)}/" for service in ("s3", "ec2"))
    assert fetch(first, "http://s3.eu-central-1.amazonaws.com/") == "200 proxy asked as s3.eu-central-1.amazonaws.com"
    assert first.run("sh", "-c", "curl -sS $AWS_ENDPOINT_URL_EC2").stdout.startswith("proxy asked as 10.88.255.")
    assert fetch(first, "http://10.99.0.1/") == fetch(first, machines._world.endpoint) == "none"
    machines.cut_service("s3", one.id)
    assert [fetch(first, s3), fetch(first, ec2), fetch(second, s3)[:3]] == ["none", fetch(second, ec2), "200"]
    machines.heal_service("s3", one.id)
    machines.cut_service("s3")
    assert fetch(first, s3) == fetch(second, s3) == "none"
    machines.heal_service("s3")
    assert fetch(first, s3)[:3] == "200"


def test_a_group_that_may_send_nothing_reaches_no_endpoint(machines: RealMachines) -> None:
    closed, https = instance(1, groups=("sg-closed",)), instance(2, groups=("sg-https",))
    rules = (Rule("sg-https", True, "tcp", 443, 443, cidr=EVERYWHERE),)
    machines.rules_changed(Network(rules, (member(closed), member(https))))
    machines.settle()
    machines.launch(closed)
    machines.launch(https)
    url = "http://s3.eu-central-1.amazonaws.com/"
    assert fetch(machines.machine(closed.id), url) == "none"
    assert fetch(machines.machine(https.id), url)[:3] == "200"


def test_a_zone_that_is_cut_off_works_inside_and_comes_back(machines: RealMachines) -> None:
    one, two, far = instance(1, user_data=UNIT), instance(2, user_data=UNIT), instance(3, zone="b", user_data=UNIT)
    machines.rules_changed(Network(RULES, (member(one), member(two), member(far))))
    for each in (one, two, far):
        machines.launch(each)
    first, other = machines.machine(one.id), machines.machine(far.id)
    near_url, far_url = f"http://{two.private_ip}:9093/", f"http://{far.private_ip}:9093/"
    s3 = "http://s3.eu-central-1.amazonaws.com/"
    until(lambda: (fetch(first, near_url), fetch(first, far_url)) == ("200 probe", "200 probe"))
    machines.faults.cut_zone("eu-central-1a")
    assert fetch(first, near_url) == "200 probe"
    assert fetch(first, far_url) == fetch(other, near_url) == fetch(first, s3) == "none"
    assert fetch(first, "http://169.254.169.254/") == "401"
    assert fetch(other, s3)[:3] == "200"
    machines.faults.heal_zone("eu-central-1a")
    assert fetch(first, far_url) == "200 probe"


def test_names_of_a_private_zone_are_resolved_everywhere(machines: RealMachines) -> None:
    one = instance(1)
    machines.launch(one)
    client = machines.client("friend", "10.88.1.200", "10.88.1.0/24")
    machines.records({"b-1.demo.example.internal.": one.private_ip})
    for where in (client, machines.machine(one.id)):
        assert where.run("getent", "hosts", "b-1.demo.example.internal").stdout.split()[0] == one.private_ip


def test_rules_for_hundreds_of_interfaces_are_written_at_once(machines: RealMachines) -> None:
    members = tuple(member(instance(n, zone="abc"[n % 3])) for n in range(1, 190))
    sources = tuple(Rule("sg-nodes", False, "tcp", 9096, 9096, cidr=f"10.{n}.0.0/16") for n in range(60))
    machines.rules_changed(Network((*RULES, *sources), members))
    machines.settle(5)
    assert firewall.render(Network((), ()), []).count("drop") >= 3
    assert threading.active_count() < 100

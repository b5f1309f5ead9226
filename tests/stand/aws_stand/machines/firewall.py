"""Security groups as one rule set in the router: stateful, default deny inbound, outbound by the groups' own rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..seam import Member, Network, Rule
from .commands import run
from .network import ROUTER

_TABLE = "mskst_groups"
_ALLOWED = "0x1"


def apply(network: Network, services: Sequence[str]) -> None:
    """Replaces the whole rule set at once; connections that are open stay open, as with AWS."""
    run("ip", "netns", "exec", ROUTER, "nft", "-f", "-", text=render(network, services))


def render(network: Network, services: Sequence[str]) -> str:
    """The rule set as text.

    A packet is judged twice: by the outbound rules of its source, then by the inbound rules of its destination.
    """
    members = {member.private_ip: member for member in network.members}
    groups: dict[str, list[str]] = {}
    for member in members.values():
        for group in member.group_ids:
            groups.setdefault(group, []).append(member.private_ip)
    for rule in network.rules:
        groups.setdefault(rule.group_id, [])
        if rule.peer_group_id:
            groups.setdefault(rule.peer_group_id, [])
    lines = [f"add table ip {_TABLE}", f"delete table ip {_TABLE}", f"table ip {_TABLE} {{"]
    for group, addresses in sorted(groups.items()):
        elements = f" elements = {{ {', '.join(sorted(addresses))} }};" if addresses else ""
        lines.append(f"set {_name('members', group)} {{ type ipv4_addr;{elements} }}")
    for group in sorted(groups):
        own = [rule for rule in network.rules if rule.group_id == group]
        outbound = (f"{match} meta mark set {_ALLOWED} return" for r in own if r.egress for match in _match(r, "daddr"))
        to_services = (
            f"{match} meta mark set {_ALLOWED} return" for r in own if r.egress for match in _service_match(r, services)
        )
        inbound = (f"{match} accept" for r in own if not r.egress for match in _match(r, "saddr"))
        lines += _chain(_name("out", group), [*outbound, *to_services])
        lines += _chain(_name("in", group), inbound)
    for member in members.values():
        own_out = [f"jump {_name('out', group)}" for group in member.group_ids]
        lines += _chain(_member("out", member), [*own_out, f"meta mark != {_ALLOWED} drop"])
        lines += _chain(_member("in", member), [*(f"jump {_name('in', group)}" for group in member.group_ids), "drop"])
    sources = _verdicts("saddr", "jump", "out", members.values())
    destinations = _verdicts("daddr", "goto", "in", members.values())
    known = f"ip saddr != {{ {', '.join(members)} }} drop" if members else "drop"
    start = ["ct state established,related accept", "ct state invalid drop", known, *sources]
    lines.append("chain forward { type filter hook forward priority 0; policy drop;")
    lines += [*start, *destinations, "}"]
    # What ends at the router: endpoints obey the outbound rules; the metadata service is beside all groups.
    lines.append("chain input { type filter hook input priority 0; policy drop;")
    lines += ['iifname "lo" accept', "ip daddr 169.254.169.254 tcp dport 80 accept", *start]
    lines += [f"ip daddr {{ {', '.join(services)} }} tcp dport 80 accept" if services else "drop", "}", "}"]
    return "\n".join(lines) + "\n"


def _chain(name: str, rules: Iterable[str]) -> list[str]:
    return [f"chain {name} {{", *rules, "}"]


def _verdicts(side: str, verb: str, kind: str, members: Iterable[Member]) -> list[str]:
    pairs = [f"{member.private_ip} : {verb} {_member(kind, member)}" for member in members]
    return [f"ip {side} vmap {{ {', '.join(pairs)} }}"] if pairs else []


def _match(rule: Rule, side: str) -> list[str]:
    """The packets that a rule names, as conditions of nftables."""
    if rule.peer_group_id:
        where = f"ip {side} @{_name('members', rule.peer_group_id)}"
    elif rule.cidr and ":" not in rule.cidr:
        where = "" if rule.cidr == "0.0.0.0/0" else f"ip {side} {rule.cidr}"
    else:
        return []
    return [f"{where} {_protocol(rule)}".strip()]


def _protocol(rule: Rule) -> str:
    if rule.protocol == "-1":
        return ""
    if rule.protocol in ("icmp", "1"):
        return "meta l4proto icmp"
    protocol = {"6": "tcp", "17": "udp"}.get(rule.protocol, rule.protocol)
    if rule.from_port < 0:
        return f"meta l4proto {protocol}"
    return f"{protocol} dport {rule.from_port}-{rule.to_port}"


def _service_match(rule: Rule, services: Sequence[str]) -> list[str]:
    """Endpoints speak plain HTTP on port 80 here and HTTPS on 443 on AWS: a rule for 443 opens them."""
    if not services or not rule.cidr or rule.protocol not in ("tcp", "6") or not rule.from_port <= 443 <= rule.to_port:
        return []
    where = "" if rule.cidr == "0.0.0.0/0" else f"ip daddr {rule.cidr} "
    return [f"{where}ip daddr {{ {', '.join(services)} }} tcp dport 80"]


def _name(kind: str, group: str) -> str:
    return f"{kind}_{re.sub('[^A-Za-z0-9]', '_', group)}"


def _member(kind: str, member: Member) -> str:
    return f"{kind}_{member.private_ip.replace('.', '_')}"

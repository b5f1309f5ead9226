"""A cluster's nodes by the names that people use: `b-1` is the instance with the tag `tfmsk-node` 1."""

from __future__ import annotations

import sys
from typing import Any

from .setup import client

NODE_TAG, CLUSTER_TAG = "tfmsk-node", "tfmsk-cluster"
_LIVE = ["pending", "running"]


def instance(facts: dict[str, Any], name: str, cluster: str) -> str:
    """The id of the instance that is a node now."""
    if name.startswith("i-"):
        return name
    node = name.removeprefix("b-").removeprefix("c-")
    filters = [{"Name": f"tag:{NODE_TAG}", "Values": [node]}, {"Name": "instance-state-name", "Values": _LIVE}]
    if cluster:
        filters.append({"Name": f"tag:{CLUSTER_TAG}", "Values": [cluster]})
    pages = client(facts, "ec2").get_paginator("describe_instances").paginate(Filters=filters)
    found = {
        one["InstanceId"]: {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}.get(CLUSTER_TAG, "?")
        for page in pages for reservation in page["Reservations"] for one in reservation["Instances"]
    }  # fmt: skip
    if not found:
        raise LookupError(f"no instance runs that is {name} (tag {NODE_TAG}={node})")
    if len(found) > 1:
        several = ", ".join(f"{id} of cluster {uid}" for id, uid in sorted(found.items()))
        raise LookupError(f"{name} is in several clusters ({several}): name one with --cluster, or the instance")
    return next(iter(found))


def end(facts: dict[str, Any], name: str, cluster: str) -> int:
    """Ends a node's instance as somebody at the console would."""
    id = instance(facts, name, cluster)
    client(facts, "ec2").terminate_instances(InstanceIds=[id])
    print(id)
    return 0


def run(facts: dict[str, Any], name: str, cluster: str, words: list[str]) -> int:
    """Becomes a command in a client's namespace or in a node; what it reads, writes and answers is its own."""
    command = words[1:] if words[:1] == ["--"] else words
    if not command:
        raise LookupError("name a command: exec client -- COMMAND")
    if facts["machines"] != "real":
        raise LookupError("this stand has no machines: aws-stand down, then aws-stand up --machines real (as root)")
    if name not in ("client", "stranger"):
        name = instance(facts, name, cluster)
    # Here and not above: the machines are of Linux alone.
    from .machines.__main__ import main

    sys.stdout.flush()
    return main(["exec", name, "--", *command])

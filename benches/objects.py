#!/usr/bin/env python3
"""1,000 topics and 1,000 ACLs as single resources: create, plan again (empty), destroy.

Peers in the same run: as many `terraform_data`, and an echo provider on our own plugin SDK with the same
schemas (benches/echo-objects). Prints the medians of the ratios, and the plugin's peak resident memory
during our empty plan. The cluster itself (one broker) is made before and is not counted.

    benches/objects.py --provider DIRECTORY --echo PROGRAM [--runs 3] [--kafka DIRECTORY] [--count 1000]
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

HEAD = """
terraform {
  required_providers {
    msk  = { source = "terraform-provider-msk/msk" }
    echo = { source = "terraform-provider-msk/echo" }
  }
}
"""
MSK = HEAD + """
provider "msk" { 
  local = { data_directory = "%(data)s", kafka_directory = "%(kafka)s" } 
}
resource "msk_cluster" "bench" {
  name                = "objects"
  kafka_version       = "4.3.1"
  subnet_ids          = ["a"]
  deletion_protection = false
}
"""
OBJECTS = """
resource "%(kind)s_topic" "bench" {
  count              = var.count_of
  cluster_id         = %(cluster)s
  name               = "topic-${count.index}"
  partitions         = 1
  replication_factor = 1
}
resource "%(kind)s_acl" "bench" {
  count         = var.count_of
  cluster_id    = %(cluster)s
  principal     = "User:app-${count.index}"
  resource_type = "TOPIC"
  resource_name = "topic-${count.index}"
  operations    = ["READ", "WRITE"]
}
variable "count_of" { 
  type = number 
}
"""
# The objects of ours refer to their cluster, which costs Terraform time of its own: those of the echo refer as well.
ECHO_CLUSTER = """
resource "terraform_data" "cluster" {
  input = "objects"
}
"""
DATA = """
resource "terraform_data" "bench" {
  count = 2 * var.count_of
  input = { name = "topic-${count.index}", partitions = 1, replication_factor = 1, cluster_id = "x" }
}
variable "count_of" { 
  type = number 
}
"""


class PeakMemory(threading.Thread):
    """The largest VmHWM of any plugin process that lives meanwhile, in MB."""

    def __init__(self, name):
        super().__init__(daemon=True)
        self.name_of_process, self.peak, self.ended = name[:15], 0.0, False

    def run(self):
        while not self.ended:
            for status in Path("/proc").glob("[0-9]*/status"):
                try:
                    text = status.read_text()
                except OSError:
                    continue
                lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
                if lines.get("Name", "").strip() == self.name_of_process and "VmHWM" in lines:
                    self.peak = max(self.peak, int(lines["VmHWM"].split()[0]) / 1024)
            time.sleep(0.02)


class Side:
    def __init__(self, name, folder, text, environment, count):
        self.name, self.folder, self.environment, self.count = name, folder, environment, count
        self.seconds = {"create": [], "plan": [], "destroy": []}
        folder.mkdir()
        (folder / "main.tf").write_text(text)
        self.terraform("init")

    def terraform(self, *words):
        done = subprocess.run(["terraform", *words, "-no-color"], cwd=self.folder, env=self.environment,
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{self.name}: terraform {words[0]} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout

    def apply(self, count):
        self.terraform("apply", "-auto-approve", "-var", f"count_of={count}")

    def timed(self, what, action):
        started = time.monotonic()
        action()
        taken = time.monotonic() - started
        self.seconds[what].append(taken)
        print(f"{self.name:15} {what:8} {taken:7.2f} s", flush=True)

    def create(self):
        self.timed("create", lambda: self.apply(self.count))

    def plan(self):
        self.timed("plan", lambda: self.terraform("plan", "-detailed-exitcode", "-var", f"count_of={self.count}"))

    def clear(self):
        self.timed("destroy", lambda: self.apply(0))


def mirror_of(arguments, scratch):
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    mirror = scratch / "mirror"
    for kind, files in (("msk", {"terraform-provider-msk": "terraform-provider-msk_v0.1.0", "msk-node": "msk-node"}),
                        ("echo", {arguments.echo.name: "terraform-provider-echo_v0.1.0"})):
        target = mirror / f"registry.terraform.io/terraform-provider-msk/{kind}/0.1.0/linux_{machine}"
        target.mkdir(parents=True)
        for source, name in files.items():
            folder = arguments.provider if kind == "msk" else arguments.echo.parent
            shutil.copy(folder / source, target / name)
    (scratch / "terraform.rc").write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n')
    return os.environ | {"TF_CLI_CONFIG_FILE": str(scratch / "terraform.rc"), "CHECKPOINT_DISABLE": "1"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", type=Path, required=True)
    parser.add_argument("--echo", type=Path, required=True)
    parser.add_argument("--kafka", type=Path, default=Path("target/kafka"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--plans", type=int, default=5, help="plans per run and side")
    parser.add_argument("--count", type=int, default=1000)
    arguments = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="msk-bench-"))
    environment = mirror_of(arguments, scratch)
    places = {"data": scratch / "data", "kafka": arguments.kafka.resolve()}
    ours = Side("msk", scratch / "ours", MSK % places + OBJECTS % {"kind": "msk", "cluster": "msk_cluster.bench.id"},
                environment, arguments.count)
    echo_text = HEAD + ECHO_CLUSTER + OBJECTS % {"kind": "echo", "cluster": "terraform_data.cluster.output"}
    echo = Side("echo", scratch / "echo", echo_text, environment, arguments.count)
    data = Side("terraform_data", scratch / "core", DATA, environment, arguments.count)
    try:
        for side in (ours, echo, data):
            side.apply(0)
        for number in range(arguments.runs):
            for side in (ours, echo, data):
                side.create()
            # In turns, so that a slow moment of the machine strikes all.
            for _ in range(arguments.plans):
                for side in (ours, echo, data):
                    side.plan()
            if number == 0:
                memory = PeakMemory("terraform-provider-msk_v0.1.0")
                memory.start()
                ours.terraform("plan", "-var", f"count_of={arguments.count}")
                memory.ended = True
            for side in (ours, echo, data):
                side.clear()
    finally:
        subprocess.run(["terraform", "destroy", "-auto-approve", "-var", "count_of=0"], cwd=ours.folder, env=environment,
                       capture_output=True, check=False)
    for what in ("create", "plan", "destroy"):
        middle = {side.name: statistics.median(side.seconds[what]) for side in (ours, echo, data)}
        print(f"{what:8} msk {middle['msk']:.2f} s, echo {middle['echo']:.2f} s, terraform_data "
              f"{middle['terraform_data']:.2f} s; msk/echo {middle['msk'] / middle['echo']:.2f}, "
              f"msk/terraform_data {middle['msk'] / middle['terraform_data']:.2f}")
    print(f"peak resident memory of the plugin in the empty plan: {memory.peak:.1f} MB")
    shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()

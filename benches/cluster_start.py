#!/usr/bin/env python3
"""From nothing to three nodes with TLS, each of which has taken one record with acks=all.

Ours: `terraform apply` of three brokers over three zones. The peer: a careful script with the stock
tools (kafka-storage formats, three JVMs start at once, kafka-broker-api-versions waits), with the same
jars, the same heap and the same kind of certificates. Kafka's distribution is fetched before, on both
sides. The two run in turns; medians and the median of the ratios are printed.

    benches/cluster_start.py --provider DIRECTORY [--runs 5] [--kafka DIRECTORY] [--tools DIRECTORY]

DIRECTORY of --provider holds the two built programs; --kafka holds kafka_2.13-<version>/libs; --tools
holds the jars of kafka-tools of the same version (the broker's distribution does not have the command
that waits). Needs terraform, java, openssl and the confluent_kafka package.
"""

import argparse
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

VERSION = "4.3.1"
HEAP = "512m"
TOPIC = "bench"

CONFIGURATION = """
terraform {
  required_providers {
    msk = { source = "terraform-provider-msk/msk" }
  }
}
provider "msk" {
  local = { data_directory = "%(data)s", kafka_directory = "%(kafka)s", broker_heap = "%(heap)s" }
}
resource "msk_cluster" "bench" {
  name                = "bench"
  kafka_version       = "%(version)s"
  subnet_ids          = ["a", "b", "c"]
  authentication      = { tls = { ca_certificates_pem = [file("%(ca)s")] } }
  deletion_protection = false
}
resource "msk_topic" "bench" {
  cluster_id         = msk_cluster.bench.id
  name               = "%(topic)s"
  partitions         = 3
  replication_factor = 3
}
resource "msk_acl" "bench" {
  cluster_id    = msk_cluster.bench.id
  principal     = "User:CN=bench"
  resource_type = "TOPIC"
  resource_name = "%(topic)s"
  operations    = ["WRITE", "DESCRIBE"]
}
output "brokers" { value = msk_cluster.bench.bootstrap_brokers_tls }
output "ca" { value = msk_cluster.bench.ca_certificate_pem }
"""


def run(command, **arguments):
    return subprocess.run(command, check=True, capture_output=True, text=True, **arguments)


def make_certificates(folder):
    """An authority and one certificate for localhost, as a client and as a server."""
    folder.mkdir(parents=True)
    key = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"]
    run([*key, folder / "ca.key"])
    run(["openssl", "req", "-x509", "-new", "-key", folder / "ca.key", "-days", "30", "-subj", "/CN=bench ca",
         "-out", folder / "ca.pem"])
    run([*key, folder / "sec1.key"])
    run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", folder / "sec1.key", "-out", folder / "leaf.key"])
    run(["openssl", "req", "-new", "-key", folder / "leaf.key", "-subj", "/CN=bench", "-out", folder / "leaf.csr"])
    (folder / "san.cnf").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    run(["openssl", "x509", "-req", "-in", folder / "leaf.csr", "-CA", folder / "ca.pem", "-CAkey",
         folder / "ca.key", "-CAcreateserial", "-days", "30", "-extfile", folder / "san.cnf", "-out",
         folder / "leaf.pem"])
    store = (folder / "leaf.key").read_text() + (folder / "leaf.pem").read_text()
    (folder / "keystore.pem").write_text(store)


def client_settings(brokers, ca, folder):
    return {
        "bootstrap.servers": brokers,
        "security.protocol": "SSL",
        "ssl.ca.location": str(ca),
        "ssl.certificate.location": str(folder / "leaf.pem"),
        "ssl.key.location": str(folder / "leaf.key"),
    }


def produce_to_each_broker(settings):
    """One record with acks=all to a partition led by each of the three brokers."""
    failures = []
    producer = Producer(settings | {"acks": "all", "linger.ms": 0})
    leaders = {}
    deadline = time.monotonic() + 60
    while len(leaders) < 3:
        metadata = producer.list_topics(TOPIC, timeout=30).topics[TOPIC]
        leaders = {part.leader: number for number, part in metadata.partitions.items() if part.leader > 0}
        if time.monotonic() > deadline:
            raise SystemExit(f"leaders are not spread over three brokers: {leaders}")
    for partition in leaders.values():
        producer.produce(TOPIC, b"x", partition=partition,
                         on_delivery=lambda error, _: failures.append(error) if error else None)
    if producer.flush(60) or failures:
        raise SystemExit(f"not every record was taken: {failures}")


class Ours:
    """terraform apply with the provider under test."""

    def __init__(self, arguments, scratch, certificates):
        self.certificates = certificates
        self.folder = scratch / "ours"
        self.folder.mkdir()
        mirror = scratch / "mirror"
        machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
        target = mirror / "registry.terraform.io/terraform-provider-msk/msk/0.1.0" / f"linux_{machine}"
        target.mkdir(parents=True)
        shutil.copy(arguments.provider / "terraform-provider-msk", target / "terraform-provider-msk_v0.1.0")
        shutil.copy(arguments.provider / "msk-node", target / "msk-node")
        (scratch / "terraform.rc").write_text(
            f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n')
        self.environment = os.environ | {
            "TF_CLI_CONFIG_FILE": str(scratch / "terraform.rc"), "CHECKPOINT_DISABLE": "1"}
        (self.folder / "main.tf").write_text(CONFIGURATION % {
            "data": scratch / "data", "kafka": arguments.kafka, "heap": HEAP, "version": VERSION,
            "ca": certificates / "ca.pem", "topic": TOPIC})
        self.terraform("init")

    def terraform(self, *words):
        return run(["terraform", *words, "-no-color"], cwd=self.folder, env=self.environment).stdout

    def up(self):
        self.terraform("apply", "-auto-approve")
        ca = self.folder / "server-ca.pem"
        ca.write_text(self.terraform("output", "-raw", "ca"))
        brokers = self.terraform("output", "-raw", "brokers")
        produce_to_each_broker(client_settings(brokers, ca, self.certificates))

    def down(self):
        started = time.monotonic()
        self.terraform("destroy", "-auto-approve")
        return time.monotonic() - started


class Stock:
    """What a careful person writes with the tools that come with Kafka."""

    def __init__(self, arguments, scratch, certificates):
        self.certificates = certificates
        self.folder = scratch / "stock"
        broker = arguments.kafka / f"kafka_2.13-{VERSION}" / "libs"
        self.classpath = f"{broker}/*"
        self.tools = f"{broker}/*:{arguments.tools}/*"
        self.processes = []

    def java(self, *words, classpath=None, heap="256M"):
        return ["java", f"-Xmx{heap}", "-cp", classpath or self.classpath, *words]

    def properties(self, node):
        store = self.certificates / "keystore.pem"
        voters = ",".join(f"{n}@127.0.0.1:{31000 + 10 * n + 3}" for n in (1, 2, 3))
        port = 31000 + 10 * node
        return f"""
process.roles=broker,controller
node.id={node}
broker.rack=zone-{node}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
inter.broker.listener.name=REPLICATION
listeners=REPLICATION://127.0.0.1:{port + 1},CONTROLLER://127.0.0.1:{port + 3},CLIENT://127.0.0.1:{port + 4}
listener.security.protocol.map=REPLICATION:SSL,CONTROLLER:SSL,CLIENT:SSL
ssl.keystore.type=PEM
ssl.keystore.location={store}
ssl.truststore.type=PEM
ssl.truststore.location={self.certificates / "ca.pem"}
ssl.client.auth=required
log.dirs={self.folder / str(node)}
default.replication.factor=3
offsets.topic.replication.factor=3
min.insync.replicas=2
"""

    def up(self):
        self.folder.mkdir()
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if cluster.startswith("-"):
            cluster = "A" + cluster[1:]
        for node in (1, 2, 3):
            (self.folder / f"{node}.properties").write_text(self.properties(node))
        # Formatted at the same time, as the brokers start: a careful script waits for nothing in turn.
        formats = [subprocess.Popen(self.java("kafka.tools.StorageTool", "format", "-t", cluster, "-c",
                                              str(self.folder / f"{node}.properties")),
                                    stdout=subprocess.DEVNULL) for node in (1, 2, 3)]
        if any(process.wait() for process in formats):
            raise SystemExit("kafka-storage failed")
        for node in (1, 2, 3):
            log = open(self.folder / f"{node}.log", "wb")
            self.processes.append(subprocess.Popen(
                self.java(f"-Xms{HEAP}", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
                          "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent",
                          "-XX:MaxInlineLevel=15", "-Djava.awt.headless=true", "kafka.Kafka",
                          str(self.folder / f"{node}.properties"), heap=HEAP), stdout=log, stderr=log))
        client = self.folder / "client.properties"
        client.write_text(f"""security.protocol=SSL
ssl.keystore.type=PEM
ssl.keystore.location={self.certificates / "keystore.pem"}
ssl.truststore.type=PEM
ssl.truststore.location={self.certificates / "ca.pem"}
""")
        brokers = ",".join(f"127.0.0.1:{31000 + 10 * node + 4}" for node in (1, 2, 3))
        while True:
            answer = subprocess.run(
                self.java("org.apache.kafka.tools.BrokerApiVersionsCommand", "--bootstrap-server", brokers,
                          "--command-config", str(client), classpath=self.tools),
                capture_output=True, text=True, check=False)
            if answer.returncode == 0 and answer.stdout.count("(id: ") == 3:
                break
        settings = client_settings(brokers, self.certificates / "ca.pem", self.certificates)
        admin = AdminClient(settings)
        for future in admin.create_topics([NewTopic(TOPIC, 3, 3)]).values():
            future.result(60)
        produce_to_each_broker(settings)

    def down(self):
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.processes.clear()
        shutil.rmtree(self.folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", type=Path, required=True)
    parser.add_argument("--kafka", type=Path, default=Path("target/kafka"))
    parser.add_argument("--tools", type=Path, default=Path("target/kafka-tools"))
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    arguments.kafka = arguments.kafka.resolve()
    arguments.tools = arguments.tools.resolve()
    scratch = Path(tempfile.mkdtemp(prefix="msk-bench-"))
    certificates = scratch / "certificates"
    make_certificates(certificates)
    ours, stock = Ours(arguments, scratch, certificates), Stock(arguments, scratch, certificates)
    seconds = {"ours": [], "stock": []}
    destroys = []
    for number in range(arguments.runs + 1):
        for name, side in (("ours", ours), ("stock", stock)):
            started = time.monotonic()
            try:
                side.up()
                taken = time.monotonic() - started
            except subprocess.CalledProcessError as failure:
                sys.exit(f"{name} failed: {failure.stdout}\n{failure.stderr}")
            finally:
                destroy = side.down()
            # The first pair warms the page cache and our class-data archive and is not counted.
            if number:
                seconds[name].append(taken)
                if destroy:
                    destroys.append(destroy)
            print(f"run {number} {name:6} {taken:6.2f} s", flush=True)
    shutil.rmtree(scratch, ignore_errors=True)
    ratios = [a / b for a, b in zip(seconds["ours"], seconds["stock"])]
    for name, values in seconds.items():
        print(f"{name:6} median {statistics.median(values):6.2f} s  (min {min(values):.2f}, max {max(values):.2f})")
    print(f"ratio  median {statistics.median(ratios):6.2f}    (min {min(ratios):.2f}, max {max(ratios):.2f})")
    print(f"destroy median {statistics.median(destroys):5.2f} s  (max {max(destroys):.2f})")


if __name__ == "__main__":
    main()

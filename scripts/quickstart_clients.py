"""Real clients against the quickstart cluster: confluent-kafka and kcat.

Produces with acks=all and consumes through SCRAM over TLS and through mutual TLS, and shows that a user
without an ACL is refused. Reads where things are from the environment; see scripts/quickstart.
"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import uuid

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

TOPIC = "orders"
CLIENT = os.environ["MSK_CLIENT"]
KCAT = os.environ.get("KCAT") or "kcat"
# Up to 2.6.0 librdkafka sent a wrong nonce in SCRAM (docs/operations.md, "SCRAM and older clients").
SOUND_SCRAM = (2, 6, 1)
SERVER_CA = os.path.join(CLIENT, "server-ca.pem")


def scram(secret_file):
    """The settings of a SCRAM user; the password comes from the secret's file."""
    with open(secret_file, encoding="utf-8") as file:
        secret = json.load(file)
    return {
        "bootstrap.servers": os.environ["MSK_BROKERS_SCRAM"],
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": secret["username"],
        "sasl.password": secret["password"],
        "ssl.ca.location": SERVER_CA,
    }


def mutual_tls():
    """The settings of a client with a certificate."""
    return {
        "bootstrap.servers": os.environ["MSK_BROKERS_TLS"],
        "security.protocol": "SSL",
        "ssl.ca.location": SERVER_CA,
        "ssl.certificate.location": os.path.join(CLIENT, "client.pem"),
        "ssl.key.location": os.path.join(CLIENT, "client.key"),
    }


def produce(settings, values):
    """Produces and waits for every acknowledgment; raises what the broker answered."""
    failures = []

    def delivered(error, _message):
        if error is not None:
            failures.append(error)

    producer = Producer(settings | {"acks": "all", "enable.idempotence": True, "message.timeout.ms": 30000})
    for value in values:
        producer.produce(TOPIC, value=value, on_delivery=delivered)
    left = producer.flush(40)
    if failures:
        raise KafkaException(failures[0])
    if left:
        raise SystemExit(f"{left} messages were not acknowledged within 40 s")


def consume(settings, group, wanted):
    """Reads until every wanted value was seen."""
    consumer = Consumer(settings | {"group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    missing = set(wanted)
    try:
        for _ in range(600):
            message = consumer.poll(0.1)
            if message is None:
                continue
            if message.error():
                raise KafkaException(message.error())
            missing.discard(message.value())
            if not missing:
                return
    finally:
        consumer.close()
    raise SystemExit(f"{len(missing)} messages did not come back within 60 s")


def round_trip(name, settings, group):
    run = uuid.uuid4().hex[:8]
    values = [f"{name} {run} {index}".encode() for index in range(100)]
    produce(settings, values)
    consume(settings, f"{group}-{run}", values)
    print(f"  confluent-kafka, {name}: 100 messages with acks=all, 100 read back")


def kcat(name, settings):
    """The same with kcat. The settings go through a file, so that no password is an argument."""
    value = f"kcat {name} {uuid.uuid4().hex}"
    environment, librdkafka = os.environ, kcat_library(os.environ)
    with tempfile.TemporaryDirectory(dir=CLIENT) as directory:
        if "sasl.username" in settings and librdkafka < SOUND_SCRAM:
            environment = with_newer_library(directory)
            librdkafka = kcat_library(environment)
        configuration = os.path.join(directory, "kcat.conf")
        with open(os.open(configuration, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.writelines(f"{key}={text}\n" for key, text in settings.items())
        command = [KCAT, "-F", configuration, "-q"]
        subprocess.run(
            [*command, "-P", "-t", TOPIC, "-X", "acks=all"],
            input=value.encode(), check=True, timeout=60, env=environment,
        )
        read = subprocess.run(
            [*command, "-C", "-t", TOPIC, "-e", "-o", "beginning"],
            check=True, timeout=60, capture_output=True, env=environment,
        )
    if value.encode() not in read.stdout:
        raise SystemExit(f"kcat did not read back what it wrote ({name})")
    version = ".".join(map(str, librdkafka))
    print(f"  kcat with librdkafka {version}, {name}: one message written and read back")


def kcat_library(environment):
    """The version of the librdkafka that kcat loads."""
    said = subprocess.run([KCAT, "-V"], check=True, timeout=60, capture_output=True, env=environment)
    version = re.search(rb"librdkafka (\d+)\.(\d+)\.(\d+)", said.stdout + said.stderr)
    if version is None:
        raise SystemExit("`kcat -V` does not tell its version of librdkafka")
    return tuple(map(int, version.groups()))


def with_newer_library(directory):
    """Lets kcat load the librdkafka that confluent-kafka brings along."""
    beside = os.path.dirname(os.path.dirname(confluent_kafka.__file__))
    found = glob.glob(os.path.join(beside, "confluent_kafka.libs", "librdkafka-*.so.1"))
    if not found:
        raise SystemExit("kcat needs librdkafka 2.6.1 or newer for SCRAM, and confluent-kafka has none to lend")
    os.symlink(found[0], os.path.join(directory, "librdkafka.so.1"))
    return os.environ | {"LD_LIBRARY_PATH": directory}


def refused(settings):
    try:
        produce(settings, [b"should never arrive"])
    except KafkaException as answer:
        code = answer.args[0].code()
        if code in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED):
            print(f"  a user without an ACL is refused: {answer.args[0].name()}")
            return
        raise
    raise SystemExit("a user without an ACL was allowed to write")


def main():
    app = scram(os.environ["MSK_APP_SECRET"])
    round_trip("SCRAM over TLS", app, "app")
    round_trip("mutual TLS", mutual_tls(), "reports")
    kcat("SCRAM over TLS", app)
    kcat("mutual TLS", mutual_tls())
    refused(scram(os.environ["MSK_STRANGER_SECRET"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A foreign client (librdkafka) for the security tests: steps as JSON on stdin, results as JSON on stdout."""

import json
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

PATIENCE = 15


def with_events(config, extra=None):
    events = []
    settings = {
        "socket.timeout.ms": 10000,
        "error_cb": lambda error: events.append(f"{error.name()}: {error.str()}"),
        "log_level": 0,
    }
    settings.update(config)
    settings.update(extra or {})
    return settings, events


def metadata(config, step):
    settings, events = with_events(config)
    admin = AdminClient(settings)

    def read():
        try:
            return sorted(admin.list_topics(timeout=step.get("patience", PATIENCE)).topics)
        finally:
            # Errors of connections are told here.
            admin.poll(0.5)

    return run(events, read)


def create_topic(config, step):
    settings, events = with_events(config)
    admin = AdminClient(settings)
    topic = NewTopic(step["topic"], 1)
    return run(events, lambda: admin.create_topics([topic], request_timeout=PATIENCE)[step["topic"]].result())


def allow_everything(config, step):
    settings, events = with_events(config)
    wish = AclBinding(
        ResourceType.TOPIC,
        "*",
        ResourcePatternType.LITERAL,
        "User:*",
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )
    admin = AdminClient(settings)
    return run(events, lambda: admin.create_acls([wish], request_timeout=PATIENCE)[wish].result())


def set_user(config, step):
    settings, events = with_events(config)
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    wish = UserScramCredentialUpsertion(step["user"], info, step["password"].encode())
    admin = AdminClient(settings)
    alter = admin.alter_user_scram_credentials
    return run(events, lambda: alter([wish], request_timeout=PATIENCE)[step["user"]].result())


def produce(config, step):
    settings, events = with_events(config, {"message.timeout.ms": 1000 * step.get("patience", PATIENCE), "acks": "all"})
    failures = []
    producer = Producer(settings)

    def send():
        seen = []
        producer.produce(
            step["topic"],
            b"hello",
            partition=step.get("partition", 0),
            on_delivery=lambda error, _: seen.append(error),
        )
        producer.flush(PATIENCE + 5)
        failures.extend(error for error in seen if error is not None)
        if failures:
            raise KafkaException(failures[0])
        return len(seen)

    return run(events, send)


def consume(config, step):
    settings, events = with_events(config, {"group.id": step["group"], "auto.offset.reset": "earliest"})

    def read():
        consumer = Consumer(settings)
        consumer.subscribe([step["topic"]])
        until = time.monotonic() + PATIENCE
        try:
            while time.monotonic() < until:
                message = consumer.poll(1)
                if message is None:
                    continue
                if message.error():
                    raise KafkaException(message.error())
                return message.value().decode()
        finally:
            consumer.close()
        return None

    return run(events, read)


def run(events, action):
    try:
        return {"ok": action(), "error": None, "events": events}
    except KafkaException as failure:
        return {"ok": None, "error": failure.args[0].name(), "events": events}


def load(steps):
    """Idempotent producers with acks=all until stdin closes: what was sent, failed, and the longest pause."""
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    workers = [Worker(step, over) for step in steps]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(json.dumps([worker.result() for worker in workers]))


class Worker(threading.Thread):
    def __init__(self, step, over):
        super().__init__()
        self.topic = step["topic"]
        self.over = over
        self.delivered, self.failures, self.longest, self.last = 0, [], 0.0, None
        self.reconnects = 0
        settings, self.events = with_events(step["config"], {"enable.idempotence": True, "acks": "all", "linger.ms": 5})
        self.settings = settings

    def done(self, error, _):
        now = time.monotonic()
        if self.last is not None:
            self.longest = max(self.longest, now - self.last)
        self.last = now
        if error is None:
            self.delivered += 1
        else:
            self.failures.append(f"{error.name()}: {error.str()}")

    def run(self):
        producer = Producer(self.settings)
        number = 0
        begun = time.monotonic()
        while not self.over.is_set():
            producer.produce(self.topic, str(number).encode(), on_delivery=self.done)
            number += 1
            producer.poll(0.02)
            # New connections meet the certificates of the moment.
            if time.monotonic() - begun > 20:
                producer.flush(60)
                producer = Producer(self.settings)
                self.reconnects += 1
                begun = time.monotonic()
        producer.flush(60)
        self.sent = number

    def result(self):
        return {
            "sent": self.sent,
            "delivered": self.delivered,
            "failures": self.failures[:5],
            "longest_pause": self.longest,
            "reconnects": self.reconnects,
            "events": self.events[:20],
        }


def main():
    if sys.argv[1:] == ["load"]:
        load(json.loads(sys.stdin.readline()))
        return
    kinds = {
        "metadata": metadata,
        "create_topic": create_topic,
        "allow_everything": allow_everything,
        "set_user": set_user,
        "produce": produce,
        "consume": consume,
    }
    print(json.dumps([kinds[step["do"]](step["config"], step) for step in json.load(sys.stdin)]))


main()

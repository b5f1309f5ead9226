"""Stands in for Kafka's process: opens the ports of `server.properties` and answers what an agent asks.

Speaks just the requests of a cluster without topics, in one version each, over the AGENT listener's
mutual TLS. Keeps dynamic properties in memory. Everything around it (agent, store, provider) is real.
"""

import signal
import socket
import ssl
import struct
import sys
import threading
import time

if "-version" in sys.argv:
    sys.stderr.write('openjdk version "17.0.15" 2025-04-15\n')
    sys.stderr.write("OpenJDK Runtime Environment (build 17.0.15+6-stand-in)\n")
    sys.exit(0)
if not sys.argv[-1].endswith("server.properties"):
    sys.exit("the stand-in makes no archives")

properties = {}
with open(sys.argv[-1], encoding="utf-8") as file:
    for line in file:
        name, _, value = line.rstrip("\n").partition("=")
        # What Java's `Properties` reads: only the escapes that paths need.
        properties[name] = value.encode().decode("unicode_escape") if "\\" in value else value
own_id = int(properties["node.id"])
dynamic = {}


def uvarint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def text(value):
    if value is None:
        return b"\0"
    raw = value.encode()
    return uvarint(len(raw) + 1) + raw


def array(items):
    return uvarint(len(items) + 1) + b"".join(items)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(form)))[0]

    def uvarint(self):
        shift = value = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def text(self):
        length = self.uvarint()
        return None if length == 0 else self.take(length - 1).decode()

    def tags(self):
        for _ in range(self.uvarint()):
            self.uvarint()
            self.take(self.uvarint())

    def array(self, item):
        count = self.uvarint()
        return None if count == 0 else [item() for _ in range(count - 1)]


OFFERS = {18: 3, 3: 12, 60: 0, 32: 4, 44: 1, 29: 2, 50: 0, 55: 1}


def api_versions(_):
    offers = [struct.pack(">hhh", key, version, version) + b"\0" for key, version in OFFERS.items()]
    # One tagged field: finalized_features_epoch, up to where this broker has published the metadata log.
    epoch = uvarint(1) + uvarint(1) + uvarint(8) + struct.pack(">q", 1)
    return struct.pack(">h", 0) + array(offers) + struct.pack(">i", 0) + epoch


def metadata(_):
    broker = struct.pack(">i", own_id) + text(agent_host) + struct.pack(">i", agent_port) + text(None) + b"\0"
    head = struct.pack(">i", 0) + array([broker]) + text("stand-in") + struct.pack(">i", own_id)
    return head + array([]) + b"\0"


def describe_cluster(_):
    broker = struct.pack(">i", own_id) + text(agent_host) + struct.pack(">i", agent_port) + text(None) + b"\0"
    head = struct.pack(">ih", 0, 0) + text(None) + text("stand-in") + struct.pack(">i", own_id)
    return head + array([broker]) + struct.pack(">i", 0) + b"\0"


def describe_configs(request):
    def resource():
        kind, name = request.number("b"), request.text()
        request.array(request.text)
        request.tags()
        return kind, name

    results = []
    for kind, name in request.array(resource):
        entries = [
            text(key) + text(value) + struct.pack(">bbb", 0, 3, 0) + array([]) + struct.pack(">b", 2) + text(None) + b"\0"
            for key, value in sorted(dynamic.items())
            if kind == 4 and name == ""
        ]
        results.append(struct.pack(">h", 0) + text(None) + struct.pack(">b", kind) + text(name) + array(entries) + b"\0")
    return struct.pack(">i", 0) + array(results) + b"\0"


def alter_configs(request):
    def config():
        name, operation, value = request.text(), request.number("b"), request.text()
        request.tags()
        return name, operation, value

    def resource():
        kind, name = request.number("b"), request.text()
        configs = request.array(config)
        request.tags()
        return kind, name, configs

    results = []
    for kind, name, configs in request.array(resource):
        if kind == 4 and name == "":
            for key, operation, value in configs:
                if operation == 0:
                    dynamic[key] = value
                else:
                    dynamic.pop(key, None)
        results.append(struct.pack(">h", 0) + text(None) + struct.pack(">b", kind) + text(name) + b"\0")
    return struct.pack(">i", 0) + array(results) + b"\0"


def describe_acls(_):
    return struct.pack(">ih", 0, 0) + text(None) + array([]) + b"\0"


def describe_users(_):
    return struct.pack(">ih", 0, 0) + text(None) + array([]) + b"\0"


def describe_quorum(_):
    now = int(time.time() * 1000)
    voter = struct.pack(">iqqq", own_id, 1, now, now) + b"\0"
    partition = struct.pack(">ihiiq", 0, 0, own_id, 1, 1) + array([voter]) + array([]) + b"\0"
    topic = text("__cluster_metadata") + array([partition]) + b"\0"
    return struct.pack(">h", 0) + array([topic]) + b"\0"


ANSWERS = {
    18: api_versions,
    3: metadata,
    60: describe_cluster,
    32: describe_configs,
    44: alter_configs,
    29: describe_acls,
    50: describe_users,
    55: describe_quorum,
}


def receive(stream, count):
    data = b""
    while len(data) < count:
        part = stream.recv(count - len(data))
        if not part:
            raise ConnectionError
        data += part
    return data


def serve(raw, context):
    try:
        stream = context.wrap_socket(raw, server_side=True) if context else raw
        while True:
            request = Reader(receive(stream, struct.unpack(">i", receive(stream, 4))[0]))
            key, _, correlation = request.number("h"), request.number("h"), request.number("i")
            length = request.number("h")
            request.take(max(length, 0))
            request.tags()
            # The answer to a greeting has a header without tags.
            answer = struct.pack(">i", correlation) + (b"" if key == 18 else b"\0") + ANSWERS[key](request)
            stream.sendall(struct.pack(">i", len(answer)) + answer)
    except (OSError, ConnectionError):
        pass
    finally:
        raw.close()


def listen(address, port, context):
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(64)

    def accept():
        while True:
            raw, _ = listener.accept()
            threading.Thread(target=serve, args=(raw, context), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


# As Kafka does: a stop on request is clean, and says so beside the data.
def stop(*_):
    with open(properties["log.dirs"] + "/.kafka_cleanshutdown", "w", encoding="utf-8") as file:
        file.write("{}")
    sys.exit(0)


signal.signal(signal.SIGTERM, stop)
listeners = {}
for listener in properties["listeners"].split(","):
    name, _, place = listener.partition("://")
    host, _, port = place.rpartition(":")
    listeners[name] = (host.strip("[]"), int(port))
agent_host, agent_port = listeners["AGENT"]
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(properties["listener.name.agent.ssl.keystore.location"])
tls.load_verify_locations(properties["listener.name.agent.ssl.truststore.location"])
tls.verify_mode = ssl.CERT_REQUIRED
for name, (host, port) in listeners.items():
    if name != "AGENT":
        listen(host, port, None)
# Last, as Kafka opens it.
listen(*listeners["AGENT"], tls)
while True:
    signal.pause()

"""What the measurement of a recovery asks of a client. Settings come as JSON on stdin.

recover.py fill BYTES   writes so much into the topic
recover.py first        answers when a record was acknowledged, in seconds since 1970
"""

import json
import os
import sys
import time

from confluent_kafka import Producer

TOPIC, RECORD = "orders", 100_000
settings = json.load(sys.stdin)
if sys.argv[1] == "fill":
    producer = Producer({**settings, "linger.ms": 20, "queue.buffering.max.kbytes": 200_000})
    content = os.urandom(RECORD)
    for _ in range(int(sys.argv[2]) // RECORD):
        while True:
            try:
                producer.produce(TOPIC, content)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(300) == 0
    print("filled")
else:
    times = []
    producer = Producer({**settings, "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 50, "delivery.timeout.ms": 300_000})
    producer.produce(TOPIC, b"x", on_delivery=lambda error, _: times.append((time.time(), error)))
    producer.flush(300)
    assert times and times[0][1] is None, times
    print(times[0][0])

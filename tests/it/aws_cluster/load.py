"""Load on a topic, and its oracle. Settings come as JSON on stdin.

load.py write NAME ACKED STOP   writes numbered records until the file STOP is there; ACKED gets what was acknowledged
load.py read NAME ACKED         reads all back: each acknowledged record of this name is there once, in order
load.py reach                   only connects: `reached`, or `refused`
"""

import json
import os
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition

TOPIC, PARTITIONS = "orders", 6
# As long as three whole zones may need to come back.
PATIENCE_SECONDS = 300

settings = json.load(sys.stdin)
what = sys.argv[1]
if what == "reach":
    try:
        Producer(settings).list_topics(timeout=8)
        print("reached")
    except KafkaException as error:
        print("refused", error.args[0].name())
elif what == "write":
    acked = {str(partition): [] for partition in range(PARTITIONS)}
    lost, times = [], [time.monotonic()]

    def tell(error, record):
        if error is None:
            acked[str(record.partition())].append(int(record.value()))
            times.append(time.monotonic())
        else:
            lost.append(str(error))

    producer = Producer(
        {**settings, "acks": "all", "enable.idempotence": True, "delivery.timeout.ms": PATIENCE_SECONDS * 1000}
    )
    number = 0
    while not os.path.exists(sys.argv[4]):
        producer.produce(TOPIC, str(number), sys.argv[2], partition=number % PARTITIONS, on_delivery=tell)
        producer.poll(0.004)
        number += 1
    producer.flush(PATIENCE_SECONDS)
    with open(sys.argv[3], "w") as file:
        json.dump(acked, file)
    gap = max(after - before for before, after in zip(times, times[1:]))
    print(f"{sum(map(len, acked.values()))} of {number} records acknowledged, {gap:.1f} s at most without one")
    assert not lost, lost[:3]
else:
    with open(sys.argv[3]) as file:
        acked = {int(partition): numbers for partition, numbers in json.load(file).items()}
    consumer = Consumer({**settings, "group.id": "app", "enable.auto.commit": False, "enable.partition.eof": False})
    consumer.assign([TopicPartition(TOPIC, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)])
    ends = {
        partition: consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), timeout=30)[1]
        for partition in range(PARTITIONS)
    }
    read = {partition: [] for partition in range(PARTITIONS)}
    is_read = {partition: end == 0 for partition, end in ends.items()}
    until = time.monotonic() + 120
    while not all(is_read.values()):
        assert time.monotonic() < until, f"read {[len(numbers) for numbers in read.values()]} of {ends}"
        record = consumer.poll(1)
        if record is None or record.error() is not None:
            continue
        if record.key() == sys.argv[2].encode():
            read[record.partition()].append(int(record.value()))
        is_read[record.partition()] = record.offset() + 1 >= ends[record.partition()]
    for partition, numbers in read.items():
        assert numbers == sorted(set(numbers)), f"partition {partition} has records twice or out of order"
        missing = set(acked[partition]) - set(numbers)
        assert not missing, f"partition {partition} lost {sorted(missing)[:5]} and {len(missing)} in all"
    print(f"{sum(map(len, acked.values()))} acknowledged records read back in order")

"""A plain confluent-kafka loop: the same job with nothing to recover from. Its counts and seen ids die with it.

It writes no headers, keeps no books and rejects nothing: whoever measures against it is at a disadvantage.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from confluent_kafka import Consumer, KafkaException, Producer

from streams.records import Mention, Origin, ScoredMention, encode
from tests.bench.job import Judge, Watch

if TYPE_CHECKING:
    from confluent_kafka import Message

    from tests.bench.job import Job

BATCH = 500


def plain(job: Job) -> None:
    """Run until every record is handled, acknowledged and committed."""
    judge, watch = Judge(job), Watch(job)
    decode = msgspec.json.Decoder(Mention).decode
    consumer = Consumer(
        {
            "bootstrap.servers": job.bootstrap,
            "group.id": job.prefix + job.app_id,
            "auto.offset.reset": "earliest",
        }
    )
    producer = Producer({"bootstrap.servers": job.bootstrap, "acks": "all", "linger.ms": 20})
    consumer.subscribe([f"{job.prefix}mentions.raw"])
    topic = f"{job.prefix}{job.app_id}.scored"
    seen: set[str] = set()
    counts: Counter[str] = Counter()
    handled = 0
    while handled < job.records:
        messages: list[Message] = consumer.consume(BATCH, timeout=0.5)
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            watch.first()
            handled += 1
            mention = decode(message.value())
            if mention.id in seen:
                continue
            seen.add(mention.id)
            brands, sentiment = judge(mention)
            for match in brands:
                counts[match.brand] += 1
                record = ScoredMention(
                    brand=match.brand,
                    origin=Origin(0, message.partition(), message.offset()),
                    id=mention.id,
                    source=mention.source,
                    observed_at=mention.observed_at,
                    channel=mention.channel,
                    author_role=match.role,
                    issues=match.issues,
                    sentiment=sentiment,
                    text=mention.text or "",
                    lang=mention.lang,
                    author_id=mention.author_id,
                    author_name=mention.author_name,
                    posted_at=mention.posted_at,
                    ingested_at=mention.ingested_at,
                    url=mention.url,
                    rules_version=judge.version,
                    hits=match.hits,
                )
                producer.produce(topic, encode(record), key=match.brand)
            producer.poll(0)
    producer.flush()
    consumer.commit(offsets=consumer.position(consumer.assignment()), asynchronous=False)
    watch.last(handled)

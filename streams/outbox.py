"""What goes out: batches, each acknowledged by all in-sync replicas before anything that depends on it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from mode import Service

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiokafka.producer.message_accumulator import BatchBuilder

    from streams.settings import Settings

Headers = tuple[tuple[str, bytes], ...]

BATCH_BYTES = 900_000
"""Below the broker's usual message.max.bytes of 1 MiB."""

BIG_RECORD_BYTES = 5 * 1024 * 1024
"""Largest request: a dead letter keeps its original bytes, however many they were."""


class Out(NamedTuple):
    """One record to deliver. `partition` is always explicit: agents know whose row they speak for."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class NotDeliveredError(KafkaError):
    """A topic did not take what was sent, or did not say so; the message names it."""


class Outbox(Service):
    """An idempotent producer that sends whole batches.

    At most one unacknowledged batch per partition is under way, so that no later batch can overtake a failed one.
    """

    abstract = False

    def __init__(self, settings: Settings, *, topics: Iterable[str] = (), **kwargs: object) -> None:
        """`topics` are those that will be written to."""
        super().__init__(**kwargs)
        self._settings, self._topics = settings, tuple(topics)
        self._producer: AIOKafkaProducer | None = None

    async def on_start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka_bootstrap,
            client_id=self._settings.app_id,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            request_timeout_ms=int(self._settings.request_timeout_s * 1000),
            max_batch_size=BATCH_BYTES,
            max_request_size=BIG_RECORD_BYTES,
        )
        await self._producer.start()
        # Known from the start: a topic first asked about while the broker is silent would count as missing.
        await asyncio.gather(*(self._producer.partitions_for(topic) for topic in self._topics))

    async def on_stop(self) -> None:
        """Disconnect; nothing is unacknowledged by now."""
        if self._producer is not None:
            await self._producer.stop()

    async def deliver(self, outs: Iterable[Out]) -> dict[tuple[str, int], int]:
        """Send everything, in order within each partition, and return once all of it is acknowledged.

        Returns:
            The offset of the last record for each (topic, partition); -1 where the broker does not
            tell (it recognised a retry of what it already had).

        Raises:
            NotDeliveredError: something was not acknowledged; what was, is unknown.
        """
        by_partition: defaultdict[tuple[str, int], list[Out]] = defaultdict(list)
        for out in outs:
            by_partition[out.topic, out.partition].append(out)
        ends = await asyncio.gather(*(self._deliver_to(*target, todo) for target, todo in by_partition.items()))
        return dict(zip(by_partition, ends, strict=True))

    async def _deliver_to(self, topic: str, partition: int, outs: Sequence[Out]) -> int:
        try:
            return await self._send_all(topic, partition, outs)
        except KafkaError as error:
            raise NotDeliveredError(f"{topic}-{partition} did not take what was sent to it ({error})") from error

    async def _send_all(self, topic: str, partition: int, outs: Sequence[Out]) -> int:
        producer = self._producer
        if producer is None:
            raise RuntimeError("the outbox has not been started")
        end = -1
        batch = producer.create_batch()
        for out in outs:
            fields = {"key": out.key, "value": out.value, "timestamp": None, "headers": list(out.headers)}
            if batch.append(**fields) is not None:
                continue
            if batch.record_count():
                end = await _send(producer, batch, topic, partition)
            batch = producer.create_batch()
            if batch.append(**fields) is None:  # larger than a batch: alone, up to the topic's own limit
                fields["timestamp_ms"] = fields.pop("timestamp")
                end = (await (await producer.send(topic, partition=partition, **fields))).offset
                batch = producer.create_batch()
        if batch.record_count():
            end = await _send(producer, batch, topic, partition)
        return end


async def _send(producer: AIOKafkaProducer, batch: BatchBuilder, topic: str, partition: int) -> int:
    records = batch.record_count()
    sent = await (await producer.send_batch(batch, topic, partition=partition))
    return sent.offset + records - 1 if sent.offset >= 0 else -1

"""Single records of `mentions.raw`, by their offsets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from agents.http.problems import not_now
from streams.broker import unbroken
from streams.topics import RAW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiokafka.structs import ConsumerRecord

    from streams.settings import Settings

ANSWERS_WITHIN_S = 5.0
CLOSED_WITHIN_S = 1.0
FETCH_BYTES = 64 * 1024
"""One record is wanted. A larger one comes whole all the same."""


class RawLog:
    """Asks one thing at a time, in no consumer group, over a connection of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        name = RAW.full_name(settings)
        self._partitions = [TopicPartition(name, number) for number in range(settings.raw_partitions)]
        self._consumer: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()

    async def end(self, partition: int) -> int:
        """Where a partition ends now.

        Raises:
            Refused: no broker answers in time.
        """
        tp = self._partitions[partition]
        async with self._asking() as consumer:
            return int((await consumer.end_offsets([tp]))[tp])

    async def read(self, partition: int, offset: int) -> ConsumerRecord | None:
        """Return the record at an offset; None: it is not there any more.

        Raises:
            Refused: no broker answers in time.
        """
        tp = self._partitions[partition]
        async with self._asking() as consumer:
            consumer.seek(tp, offset)
            consumer.resume(tp)
            try:
                record = await consumer.getone(tp)
            except OffsetOutOfRangeError:
                return None
            finally:
                consumer.pause(tp)
            return record if record.offset == offset else None

    async def close(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSED_WITHIN_S):
                    await consumer.stop()

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[AIOKafkaConsumer]:
        async with self._lock:
            try:
                async with asyncio.timeout(ANSWERS_WITHIN_S):
                    with unbroken():
                        yield await self._connected()
            except (KafkaError, OSError) as error:  # a timeout is one of the latter
                await self.close()
                raise not_now("silent", "No broker answers this worker.", 2) from error

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                bootstrap_servers=self._settings.kafka_bootstrap,
                client_id=f"{self._settings.app_id}-http",
                auto_offset_reset="none",
                max_partition_fetch_bytes=FETCH_BYTES,
            )
            await self._consumer.start()
            self._consumer.assign(self._partitions)
            self._consumer.pause(*self._partitions)  # nothing is fetched but what is asked for
            for tp in self._partitions:
                self._consumer.seek(tp, 0)
        return self._consumer

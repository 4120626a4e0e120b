"""Reading a whole topic, in no consumer group and committing nothing; and how commands connect at all."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from agents.cli.errors import CommandError
from streams.records import SourceState
from streams.topics import SOURCES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

    from aiokafka import AIOKafkaProducer
    from aiokafka.structs import ConsumerRecord

    from streams.settings import Settings
    from streams.tables import Table
    from streams.topics import Topic

PATIENCE_S = 30

Ends = dict[TopicPartition, int]


@asynccontextmanager
async def connected(
    client: AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaAdminClient, settings: Settings
) -> AsyncIterator[None]:
    """Start a client, and stop it whatever happens.

    Raises:
        CommandError: no broker answers.
    """
    try:
        try:
            await client.start()
        except (KafkaError, OSError) as error:
            raise CommandError(
                f"no Kafka broker answers at {settings.kafka_bootstrap}: {error}. Start one (`groundswell up`), "
                "or name yours with --kafka or KAFKA_BOOTSTRAP."
            ) from error
        yield
    finally:
        await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())


@asynccontextmanager
async def administering(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Ask the broker about itself and its groups, or have it delete.

    Raises:
        CommandError: no broker answers.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap, client_id=f"{settings.app_id}-cli")
    async with connected(admin, settings):
        yield admin


@asynccontextmanager
async def reading(settings: Settings, topic: Topic | Table, ends: Ends | None = None) -> AsyncIterator[Reader]:
    """Open a topic, or a table's changelog, for reading; `ends` (another reader's) instead of where it ends now.

    Raises:
        CommandError: no broker answers, or it has no such topic.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        client_id=f"{settings.app_id}-cli",
        auto_offset_reset="earliest",
    )
    async with connected(consumer, settings):
        yield Reader(consumer, ends or await ends_of(consumer, topic.full_name(settings)))


class Reader:
    """One topic, up to the end that it had when it was opened, and then onwards."""

    def __init__(self, consumer: AIOKafkaConsumer, ends: Ends) -> None:
        self.ends = ends
        self._consumer = consumer
        consumer.assign(list(ends))  # once: aiokafka may hang when it is stopped just after a second assignment

    async def starts(self) -> Ends:
        """Where each partition begins: what stood before has expired."""
        return await self._consumer.beginning_offsets(list(self.ends))

    async def first_at(self, at: datetime) -> Ends:
        """The first record of each partition that was appended at `at` or later; its end, if there is none."""
        asked = dict.fromkeys(self.ends, max(0, int(at.timestamp() * 1000)))
        found = await self._consumer.offsets_for_times(asked)
        return {tp: end if found[tp] is None else min(end, found[tp].offset) for tp, end in self.ends.items()}

    async def to_end(self, since: Ends | None = None) -> AsyncIterator[ConsumerRecord]:
        """Yield every record up to `ends`, each partition's in order, from `since` or else from the log's start.

        Raises:
            CommandError: the broker has fallen silent.
        """
        if since is None:
            await self._consumer.seek_to_beginning(*self.ends)
        for tp, offset in (since or {}).items():
            self._consumer.seek(tp, offset)
        silent_s = 0
        while left := [tp for tp, end in self.ends.items() if await self._consumer.position(tp) < end]:
            found: Mapping[TopicPartition, list[ConsumerRecord]] = await self._consumer.getmany(*left, timeout_ms=1000)
            silent_s = 0 if found else silent_s + 1
            if silent_s >= PATIENCE_S:
                raise CommandError(f"{left[0].topic}: the broker has sent nothing for {PATIENCE_S} s; is it well?")
            for tp, records in found.items():
                for record in records:
                    if record.offset < self.ends[tp]:
                        yield record
        for tp, end in self.ends.items():
            self._consumer.seek(tp, end)  # the last fetch may have gone beyond it

    async def latest(self) -> list[ConsumerRecord]:
        """Return the latest record of each partition's keys up to `ends`, without keys that are gone."""
        latest: dict[tuple[int, bytes | None], ConsumerRecord] = {}
        async for record in self.to_end():
            latest[record.partition, record.key] = record
        return [record for record in latest.values() if record.value is not None]

    async def tail(self, count: int) -> AsyncIterator[ConsumerRecord]:
        """Yield the last `count` records of each partition, or fewer where some were compacted away."""
        starts = await self.starts()
        async for record in self.to_end({tp: max(starts[tp], end - count) for tp, end in self.ends.items()}):
            yield record

    async def onwards(self) -> AsyncIterator[ConsumerRecord]:
        """Yield, after `to_end`, whatever comes, without end."""
        async for record in self._consumer:
            yield record


async def read_source_states(settings: Settings) -> dict[str, SourceState]:
    """Return the latest state of every source, by what is listened to.

    Raises:
        CommandError: no broker answers, or it has no such topic.
    """
    async with reading(settings, SOURCES) as reader:
        states = [msgspec.json.decode(record.value, type=SourceState) for record in await reader.latest()]
    return {state.key: state for state in states}


async def ends_of(consumer: AIOKafkaConsumer, name: str) -> Ends:
    """Where each partition ends. Asks for the list of topics first, because asking for one topic may create it.

    Raises:
        CommandError: there is no such topic.
    """
    if name not in await consumer.topics():
        raise CommandError(
            f"topic {name} does not exist: run `groundswell topics create`, or check GROUNDSWELL_TOPIC_PREFIX"
        )
    await consumer.end_offsets([TopicPartition(name, 0)])  # from here on the consumer knows the topic's partitions
    partitions = consumer.partitions_for_topic(name) or {0}
    ends: Ends = await consumer.end_offsets([TopicPartition(name, number) for number in sorted(partitions)])
    return ends

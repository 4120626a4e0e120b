"""What Kafka knows of a running system: its brokers, topics and workers, and how far each partition is handled.

To ask changes nothing: no topic is created, no group is joined, nothing is committed.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError

from agents.cli.condition import Broker
from agents.cli.read import administering, connected
from streams.broker import wanted_topics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.structs import ConsumerRecord

    from streams.settings import Settings

PEEK_BYTES = 64 * 1024
PATIENCE_S = 10.0
COORDINATOR_S = 5.0


class Worker(NamedTuple):
    """One member of the group, and the partitions that it was given."""

    id: str
    client: str
    host: str
    owns: frozenset[TopicPartition]


class Group(NamedTuple):
    """The workers' consumer group, and what it has committed."""

    name: str
    state: str
    workers: list[Worker]
    committed: dict[TopicPartition, int]


class Extent(NamedTuple):
    """A partition's log: its first offset, and where the next record will stand."""

    begin: int
    end: int


class Cluster(NamedTuple):
    """What was found; of topics only those that are there."""

    brokers: list[Broker]
    partitions: dict[str, int]
    extents: dict[TopicPartition, Extent]
    group: Group


async def look(settings: Settings) -> Cluster:
    """Ask Kafka.

    Raises:
        CommandError: no broker answers.
        KafkaError: it does not know, because a partition has no leader.
    """
    wanted = wanted_topics(settings)
    async with administering(settings) as admin:
        described = await admin.describe_cluster()
        brokers = [
            Broker(one["node_id"], one["host"], one["port"], one["node_id"] == described["controller_id"])
            for one in described["brokers"]
        ]
        there = sorted(wanted.keys() & set(await admin.list_topics()))  # asking for one that is missing may create it
        topics = await admin.describe_topics(there) if there else []
        partitions = {one["topic"]: len(one["partitions"]) for one in topics}
        group = await ask_group(admin, settings.group)
    return Cluster(brokers, partitions, await _extents(settings, partitions), group)


async def peek(settings: Settings, wanted: Mapping[TopicPartition, int]) -> dict[TopicPartition, ConsumerRecord]:
    """Read, of each partition, the first record at an offset or after it; none where there is none within `PATIENCE_S`."""
    if not wanted:
        return {}
    async with _consumer(settings) as consumer:
        consumer.assign(list(wanted))
        return await first_records(consumer, wanted, PATIENCE_S)


async def first_records(
    consumer: AIOKafkaConsumer, wanted: Mapping[TopicPartition, int], within_s: float
) -> dict[TopicPartition, ConsumerRecord]:
    """Read, of each of these partitions, which are assigned, the first record at an offset or after it, if it comes in time."""
    found: dict[TopicPartition, ConsumerRecord] = {}
    for tp, offset in wanted.items():
        consumer.seek(tp, offset)
    with suppress(TimeoutError):  # the rest of a compacted topic may hold nothing any more
        async with asyncio.timeout(within_s):
            while left := [tp for tp in wanted if tp not in found]:
                for tp, records in (await consumer.getmany(*left, timeout_ms=500)).items():
                    found.setdefault(tp, records[0])
    return found


async def _extents(settings: Settings, partitions: Mapping[str, int]) -> dict[TopicPartition, Extent]:
    places = [TopicPartition(topic, number) for topic, count in partitions.items() for number in range(count)]
    if not places:
        return {}
    async with _consumer(settings) as consumer:
        begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    return {tp: Extent(begins[tp], ends[tp]) for tp in places}


async def ask_group(admin: AIOKafkaAdminClient, name: str) -> Group:
    """Ask who is in a group, and what it has committed; nobody and nothing where no broker looks after it."""
    give_up_at = monotonic() + COORDINATOR_S
    while True:
        try:
            (answer,) = await admin.describe_consumer_groups([name])
            committed = await admin.list_consumer_group_offsets(name)
            break
        except (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError):
            if monotonic() > give_up_at:
                return Group(name, "Dead", [], {})  # nobody looks after it
            await asyncio.sleep(0.2)  # the broker is just making its topic of groups, or moving it
    (group,) = answer.to_object()["groups"]
    workers = [
        Worker(one["member_id"], one["client_id"], one["client_host"].lstrip("/"), _owned(one["member_assignment"]))
        for one in group["members"]
    ]
    offsets = {TopicPartition(*tp): one.offset for tp, one in committed.items() if one.offset >= 0}
    return Group(name, group["state"], sorted(workers), offsets)


def _owned(assignment: bytes) -> frozenset[TopicPartition]:
    """While the group shares its partitions out, nobody owns any."""
    if not assignment:
        return frozenset()
    return frozenset(ConsumerProtocolMemberAssignment.decode(assignment).partitions())


@asynccontextmanager
async def _consumer(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        client_id=f"{settings.app_id}-cli",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=PEEK_BYTES,
    )
    async with connected(consumer, settings):
        yield consumer

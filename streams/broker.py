"""Topics on the broker: created explicitly, and refused where they are not as the topology says."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    for_code,
)

from streams.tables import STATE
from streams.topics import COMPACTION, RAW, TOPOLOGY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.settings import Settings

CHANGELOG_CONFIG = {
    "cleanup.policy": "compact",
    "segment.bytes": str(64 * 1024 * 1024),
    "min.cleanable.dirty.ratio": "0.2",
    **COMPACTION,
}
VISIBLE_S = 30.0


class BrokerError(Exception):
    """The broker cannot be used as it is; the message says what was found, what was expected, and what to do."""


def is_told_to_stop() -> bool:
    """Whether a CancelledError is an order; otherwise something broke off by itself."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


@contextmanager
def unbroken() -> Iterator[None]:
    """When a broker dies, aiokafka may cancel what waits for its answer; that is no order to stop.

    Raises:
        KafkaConnectionError: it did.
    """
    try:
        yield
    except asyncio.CancelledError:
        if is_told_to_stop():
            raise
        raise KafkaConnectionError("the connection broke off") from None


def wanted_topics(settings: Settings) -> dict[str, tuple[int, dict[str, str]]]:
    """Return every topic's full name with its partition count and configuration, changelogs included."""
    topics = {topic.full_name(settings): (topic.partitions(settings), topic.config(settings)) for topic in TOPOLOGY}
    return topics | {table.full_name(settings): (table.partitions(settings), CHANGELOG_CONFIG) for table in STATE}


async def create_topics(settings: Settings) -> list[str]:
    """Create what is missing, check the rest, and return the names created.

    Raises:
        BrokerError: no broker answers, it refuses, or a topic has other partitions than configured.
    """
    client = await _connect(settings)
    try:
        existing = set(await client.list_topics())
        missing = [
            NewTopic(name, partitions, settings.replication, topic_configs=config)
            for name, (partitions, config) in wanted_topics(settings).items()
            if name not in existing
        ]
        if missing:
            answer = await client.create_topics(missing)
            for name, code, *rest in answer.topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:
                    raise BrokerError(f"cannot create topic {name}: {rest[0] if rest and rest[0] else error.__name__}")
        async with asyncio.timeout(VISIBLE_S):  # a topic made just now takes a moment to show
            while not wanted_topics(settings).keys() <= set(await client.list_topics()):  # noqa: ASYNC110  Kafka tells nobody
                await asyncio.sleep(0.1)
        await _check(client, settings)
        return sorted(topic.name for topic in missing)
    finally:
        await client.close()


async def check_topics(settings: Settings) -> None:
    """Refuse a broker whose topics are missing or have other partition counts than configured.

    Raises:
        BrokerError: says which, and what to do.
    """
    client = await _connect(settings)
    try:
        await _check(client, settings)
    finally:
        await client.close()


async def delete_idle(settings: Settings, prefix: str) -> list[str]:
    """Delete the topics of every topic prefix that starts with `prefix` and that no worker uses; return those prefixes."""
    client = await _connect(settings)
    try:
        names = [name for name in await client.list_topics() if name.startswith(prefix)]
        found = {name[: -len(RAW.name)] for name in names if name.endswith(f".{RAW.name}")}
        idle = [one for one in sorted(found) if not (await _group(client, one + settings.app_id))[1]]
        if old := [name for name in names if name.startswith(tuple(idle))]:
            await client.delete_topics(old)
        return idle
    finally:
        await client.close()


async def group_is_ready(settings: Settings) -> bool:
    """Whether workers of this app have joined and every partition is given to one of them."""
    client = await _connect(settings)
    try:
        state, members = await _group(client, settings.group)
        return state == "Stable" and members > 0
    finally:
        await client.close()


async def group_members(settings: Settings) -> int:
    """How many workers of this app run, or have died so lately that the broker still waits for them."""
    client = await _connect(settings)
    try:
        _, members = await _group(client, settings.group)
        return members
    finally:
        await client.close()


async def _group(client: AIOKafkaAdminClient, group: str) -> tuple[str, int]:
    """Return a consumer group's state and how many members it has."""
    try:
        (answer,) = await client.describe_consumer_groups([group])
    except GroupCoordinatorNotAvailableError:
        return "Dead", 0  # the broker is just making its topic of groups
    _, _, state, _, _, members, *_ = answer.groups[0]
    return state, len(members)


async def _connect(settings: Settings) -> AIOKafkaAdminClient:
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap, request_timeout_ms=20_000)
    try:
        await client.start()
    except (KafkaError, OSError) as error:
        await client.close()
        raise BrokerError(
            f"no Kafka broker answers at {settings.kafka_bootstrap} (KAFKA_BOOTSTRAP): {error}"
        ) from error
    return client


async def _check(client: AIOKafkaAdminClient, settings: Settings) -> None:
    wanted = wanted_topics(settings)
    described = {topic["topic"]: topic for topic in await client.describe_topics(list(wanted))}
    wrong = []
    for name, (partitions, _) in wanted.items():
        topic = described.get(name)
        if topic is None or topic["error_code"]:
            wrong.append(f"topic {name} does not exist: run `groundswell topics create`")
        elif len(topic["partitions"]) != partitions:
            wrong.append(
                f"topic {name} has {len(topic['partitions'])} partitions, the settings say {partitions}. Partition counts "
                f"are fixed: a key would move but its state would not. Set GROUNDSWELL_RAW_PARTITIONS and "
                f"GROUNDSWELL_KEYED_PARTITIONS to what the topics have, or use another GROUNDSWELL_TOPIC_PREFIX."
            )
    if wrong:
        raise BrokerError("\n".join(wrong))

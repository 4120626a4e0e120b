"""Going on with a raw log that replaced another: what `groundswell topics new-epoch` does.

The epoch in every origin outranks the offset, so the new log's records are above every watermark, and the
counts that rows hold stay. The order of writes makes it safe to end anywhere and to be run again: until the
last step the partition's log row still says that the log was replaced, so no worker starts in between.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.broker import BrokerError, check_topics, group_members
from streams.core.books import BOOKS_KEY
from streams.core.epochs import begin_epoch
from streams.logs import Extent, LogReplacedError, check_same, start_of
from streams.outbox import Out, Outbox
from streams.pages import LOG_KEY, read_handled
from streams.tables import SEEN
from streams.topics import RAW

if TYPE_CHECKING:
    from streams.settings import Settings

FETCH_S = 20.0

Rows = dict[bytes, bytes]


class Begun(NamedTuple):
    """A raw partition's new epoch, and the offset at which it begins."""

    partition: int
    epoch: int
    begin: int


async def begin_new_epochs(settings: Settings) -> list[Begun]:
    """Let every raw partition whose log was replaced go on with the log that is there; return those.

    Raises:
        BrokerError: workers run; topics are missing or have other partition counts than configured.
        NotDeliveredError: stopped half-way; run it again.
    """
    await check_topics(settings)
    group = settings.topic_prefix + settings.app_id
    if members := await group_members(settings):
        raise BrokerError(
            f"workers of the group {group} still run ({members}): stop them all first. One that was killed is forgotten after "
            f"GROUNDSWELL_SESSION_TIMEOUT_S ({settings.session_timeout_s:g} s)."
        )
    outbox = Outbox(settings)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    await outbox.on_start()
    try:
        rows = await _rows(consumer, settings)
        return [
            await _begin(consumer, outbox, settings, tp, log, rows[tp.partition])
            for tp, log in (await _extents(consumer, RAW.full_name(settings), settings.raw_partitions)).items()
            if await _is_replaced(consumer, tp, log, rows[tp.partition])
        ]
    finally:
        await outbox.on_stop()
        await consumer.stop()


async def _begin(
    consumer: AIOKafkaConsumer, outbox: Outbox, settings: Settings, tp: TopicPartition, log: Extent, rows: Rows
) -> Begun:
    books = begin_epoch(rows)
    changelog = SEEN.full_name(settings)
    await outbox.deliver([Out(changelog, tp.partition, BOOKS_KEY, msgspec.msgpack.encode(books))])
    consumer.assign([tp])
    await consumer.commit({tp: log.begin})
    await outbox.deliver([Out(changelog, tp.partition, LOG_KEY, None)])
    return Begun(tp.partition, books.epoch, log.begin)


async def _is_replaced(consumer: AIOKafkaConsumer, tp: TopicPartition, log: Extent, rows: Rows) -> bool:
    handled = read_handled(rows.get(LOG_KEY))
    consumer.assign([tp])
    committed = await consumer.committed(tp)
    try:
        start_of(tp, log, committed, handled, compacted=False)
        if log.begin <= handled.offset:
            consumer.seek(tp, handled.offset)
            check_same(tp, handled, [await asyncio.wait_for(consumer.getone(), FETCH_S)])
    except LogReplacedError:
        return True
    return False


async def _extents(consumer: AIOKafkaConsumer, topic: str, partitions: int) -> dict[TopicPartition, Extent]:
    tps = [TopicPartition(topic, partition) for partition in range(partitions)]
    begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    return {tp: Extent(begins[tp], ends[tp]) for tp in tps}


async def _rows(consumer: AIOKafkaConsumer, settings: Settings) -> list[Rows]:
    """Intake's rows, by partition, as their changelog holds them."""
    logs = await _extents(consumer, SEEN.full_name(settings), settings.raw_partitions)
    rows: list[Rows] = [{} for _ in logs]
    consumer.assign(list(logs))
    await consumer.seek_to_beginning()
    for tp, log in logs.items():
        while await consumer.position(tp) < log.end:
            for some in (await consumer.getmany(timeout_ms=500)).values():
                for record in some:
                    if record.value is None:
                        rows[record.partition].pop(record.key, None)
                    else:
                        rows[record.partition][record.key] = record.value
    return rows

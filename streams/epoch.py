"""Going on with a raw log that replaced another: what `groundswell topics new-epoch` does.

The epoch in every origin outranks the offset, so the new log's records are above every watermark, and the
counts that rows hold stay. The order of writes makes it safe to end anywhere and to be run again: until the
last step the partition's log row still says that the log was replaced, so no worker starts in between.

The new epoch begins after whatever the broker had appended by the time of the last record that was handled. In a
log made anew that is its start. In one that was cut off and went on, what stands before was handled already.
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

PATIENCE_S = 30.0
"""How long the broker may be silent, or one partition's step take."""

Rows = dict[bytes, bytes]


class Begun(NamedTuple):
    """A raw partition's new epoch, and the offset at which it begins."""

    partition: int
    epoch: int
    begin: int


async def begin_new_epochs(settings: Settings) -> list[Begun]:
    """Let every raw partition whose log was replaced go on with the log that is there; return those.

    Raises:
        BrokerError: workers run; topics are missing or have other partition counts than configured; the broker
            has fallen silent.
        NotDeliveredError: stopped half-way; run it again.
    """
    await check_topics(settings)
    group = settings.group
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
    try:
        await consumer.start()
        await outbox.on_start()
        return await _begin_where_replaced(consumer, outbox, settings)
    except TimeoutError as error:
        raise BrokerError(
            f"the broker at {settings.kafka_bootstrap} has not answered for {PATIENCE_S:g} s; is it well? Run this again: "
            "it goes on where it was."
        ) from error
    finally:
        await outbox.on_stop()
        await consumer.stop()


async def _begin_where_replaced(consumer: AIOKafkaConsumer, outbox: Outbox, settings: Settings) -> list[Begun]:
    raw = await _extents(consumer, RAW.full_name(settings), settings.raw_partitions)
    seen = await _extents(consumer, SEEN.full_name(settings), settings.raw_partitions)
    consumer.assign([*raw, *seen])  # once: aiokafka may hang when it is stopped just after a second assignment
    rows = await _rows(consumer, seen)
    begun = []
    for tp, log in raw.items():
        async with asyncio.timeout(PATIENCE_S):
            if await _is_replaced(consumer, tp, log, rows[tp.partition]):
                begun.append(await _begin(consumer, outbox, settings, tp, log, rows[tp.partition]))
    return begun


async def _begin(
    consumer: AIOKafkaConsumer, outbox: Outbox, settings: Settings, tp: TopicPartition, log: Extent, rows: Rows
) -> Begun:
    after = read_handled(rows.get(LOG_KEY)).appended_ms + 1
    found = (await consumer.offsets_for_times({tp: after}))[tp]
    begin = log.end if found is None else found.offset
    books = begin_epoch(rows, begin)
    changelog = SEEN.full_name(settings)
    await outbox.deliver([Out(changelog, tp.partition, BOOKS_KEY, msgspec.msgpack.encode(books))])
    await consumer.commit({tp: begin})
    await outbox.deliver([Out(changelog, tp.partition, LOG_KEY, None)])
    return Begun(tp.partition, books.epoch, begin)


async def _is_replaced(consumer: AIOKafkaConsumer, tp: TopicPartition, log: Extent, rows: Rows) -> bool:
    handled = read_handled(rows.get(LOG_KEY))
    committed = await consumer.committed(tp)
    try:
        start_of(tp, log, committed, handled, compacted=False)
        if log.begin <= handled.offset:
            consumer.seek(tp, handled.offset)
            check_same(tp, handled, [await consumer.getone(tp)], compacted=False)
    except LogReplacedError:
        return True
    return False


async def _extents(consumer: AIOKafkaConsumer, topic: str, partitions: int) -> dict[TopicPartition, Extent]:
    tps = [TopicPartition(topic, partition) for partition in range(partitions)]
    begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    return {tp: Extent(begins[tp], ends[tp]) for tp in tps}


async def _rows(consumer: AIOKafkaConsumer, logs: dict[TopicPartition, Extent]) -> list[Rows]:
    """Intake's rows, by partition, as their changelog holds them."""
    rows: list[Rows] = [{} for _ in logs]
    async with asyncio.timeout(PATIENCE_S) as patience:
        await consumer.seek_to_beginning(*logs)
        while left := [tp for tp, log in logs.items() if await consumer.position(tp) < log.end]:
            for some in (await consumer.getmany(*left, timeout_ms=500)).values():
                patience.reschedule(asyncio.get_running_loop().time() + PATIENCE_S)
                for record in some:
                    if record.value is None:
                        rows[record.partition].pop(record.key, None)
                    else:
                        rows[record.partition][record.key] = record.value
    return rows

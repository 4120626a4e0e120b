"""What the live view is told: the latest of three compacted topics, and how the flow moves. It goes on by itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from agents.cli.cluster import PEEK_BYTES, ask_group, first_records
from agents.cli.errors import CommandError
from agents.cli.problems import append_time
from agents.cli.read import administering, connected, ends_of
from agents.cli.view.model import Away, Gone, Pulse, Unreadable
from streams.records import Alert, BrandStats, SourceState
from streams.tables import STATE
from streams.topics import ALERTS, BRAND_STATS, RAW, SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiokafka import TopicPartition
    from aiokafka.structs import ConsumerRecord

    from agents.cli.read import Ends
    from agents.cli.view.model import Event
    from streams.settings import Settings

TAIL = 5000
"""Records of a partition that are read at first: brands and open alerts say each minute how they stand."""

PULSE_EVERY_S = 2.0
SILENCE_S = 6.0
"""A broker that says nothing for so long is away."""

PEEK_S, AGAIN_S = 2.0, 1.0
CLOSE_S = 5.0
"""A client of a broker that is away may take long to let go of it; nobody waits longer."""

KINDS: Mapping[str, type[Alert | BrandStats | SourceState]] = {
    ALERTS.name: Alert,
    BRAND_STATS.name: BrandStats,
    SOURCES.name: SourceState,
}


async def follow(settings: Settings, tell: Callable[[Event], None]) -> None:
    """Tell everything, until cancelled; where Kafka goes away, say so, and go on when it is back."""
    while True:
        jobs = [asyncio.create_task(_read(settings, tell)), asyncio.create_task(_measure(settings, tell))]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                tell(Away(_says(settings, job)))
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.wait(jobs, timeout=CLOSE_S)
        await asyncio.sleep(AGAIN_S)


def _says(settings: Settings, ended: asyncio.Task[None]) -> str:
    try:
        ended.result()
    except CommandError as error:
        if error.__cause__ is None:
            return str(error)
    except (KafkaError, OSError, asyncio.CancelledError):
        pass  # a time-out is an OSError; a connection that ends cancels those who wait for its answers
    return f"no Kafka broker answers at {settings.kafka_bootstrap}"


async def _read(settings: Settings, tell: Callable[[Event], None]) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        client_id=f"{settings.app_id}-cli",
        auto_offset_reset="earliest",
    )
    kinds = {settings.topic_prefix + name: kind for name, kind in KINDS.items()}
    async with connected(consumer, settings):
        ends: Ends = {}
        for name in kinds:
            ends |= await ends_of(consumer, name)
        consumer.assign(list(ends))
        for tp, end in ends.items():
            consumer.seek(tp, max(0, end - TAIL))
        async for record in consumer:
            tell(_event(record, kinds[record.topic]))


def _event(record: ConsumerRecord, kind: type[Alert | BrandStats | SourceState]) -> Event:
    if record.value is None:
        return Gone(kind, (record.key or b"").decode(errors="replace"))
    try:
        return msgspec.json.decode(record.value, type=kind)
    except msgspec.MsgspecError:
        return Unreadable(f"{record.topic}, partition {record.partition}, offset {record.offset}")


async def _measure(settings: Settings, tell: Callable[[Event], None]) -> None:
    probe = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        client_id=f"{settings.app_id}-cli",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=PEEK_BYTES,
        request_timeout_ms=int(SILENCE_S * 1000),  # also while it connects: a firewall, too, says nothing
    )
    raw, group = RAW.full_name(settings), settings.group
    async with connected(probe, settings), administering(settings) as admin:
        handled: Ends = {}
        for table in STATE:
            handled |= await ends_of(probe, settings.topic_prefix + table.follows)
        probe.assign(list(handled))
        while True:
            async with asyncio.timeout(SILENCE_S):
                said = await ask_group(admin, group)
                ends: Ends = await probe.end_offsets(list(handled))
                waiting = {tp: said.committed.get(tp, 0) for tp, end in ends.items() if said.committed.get(tp, 0) < end}
                lag_s = await _oldest_s(probe, waiting)
            received = sum(end for tp, end in ends.items() if tp.topic == raw)
            tell(Pulse(monotonic(), received, lag_s, len(said.workers)))
            await asyncio.sleep(PULSE_EVERY_S)


async def _oldest_s(probe: AIOKafkaConsumer, waiting: Mapping[TopicPartition, int]) -> float:
    """How old the oldest of the first records that wait is; 0.0 where none does. What has expired waits no more."""
    probe.pause(*probe.assignment())
    probe.resume(*waiting)
    oldest = await first_records(probe, waiting, PEEK_S)
    now = datetime.now(UTC)
    return max((max(0.0, (now - append_time(record)).total_seconds()) for record in oldest.values()), default=0.0)

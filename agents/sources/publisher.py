"""Any source -> mentions.raw: in order, and nothing counts as published before Kafka has acknowledged it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streams.topics import RAW

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka.structs import RecordMetadata

    from agents.sources.interface import Source, Sourced
    from streams.settings import Settings

    InFlight = asyncio.Queue[tuple[Sourced, asyncio.Future[RecordMetadata] | None] | Exception | None]

log = logging.getLogger(__name__)

MOST_IN_FLIGHT = 4000
PROGRESS_EVERY = 1000
BATCH_BYTES = 128 * 1024
BATCH_OVERHEAD_BYTES = 512  # what Kafka's framing may add to a lone record
TOPIC_WAIT_S = 5.0


class PublishError(Exception):
    """Kafka refused; the message says what, why, and what to do. Everything up to the last progress is safe."""


@dataclass(frozen=True, slots=True)
class Published:
    """How far publishing has come: all of it acknowledged by Kafka.

    `oversized` counts records that no broker would take; `cursor` is where the source goes on.
    """

    records: int = 0
    oversized: int = 0
    seconds: float = 0.0
    cursor: str | None = None


def make_producer(settings: Settings) -> AIOKafkaProducer:
    """Make a producer that loses and repeats nothing (acks=all, idempotent) and partitions by murmur2 of the key."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap,
        client_id=f"{settings.app_id}-source",
        acks="all",
        enable_idempotence=True,
        linger_ms=10,
        max_batch_size=BATCH_BYTES,
        max_request_size=RAW.max_bytes - BATCH_OVERHEAD_BYTES,
    )


async def publish(
    source: Source,
    producer: AIOKafkaProducer,
    topic: str,
    *,
    cursor: str | None = None,
    on_progress: Callable[[Published], None] | None = None,
) -> Published:
    """Publish what `source` says from after `cursor`, until it ends.

    `on_progress` is told after every group of acknowledgements: the place to save `cursor`. A record
    that is too large is counted, named and left out; the rest goes on.

    Raises:
        PublishError: the topic is missing or a record was refused.
        SourceError: the source cannot be read.
    """
    await _check_topic(producer, topic)
    in_flight: InFlight = asyncio.Queue(MOST_IN_FLIGHT)
    sending = asyncio.create_task(_send(source, producer, topic, cursor, in_flight))
    try:
        return await _settle(in_flight, topic, cursor, on_progress)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        while not in_flight.empty():
            if isinstance(entry := in_flight.get_nowait(), tuple) and entry[1]:
                entry[1].cancel()


async def _check_topic(producer: AIOKafkaProducer, topic: str) -> None:
    """Ask for the list of topics, which never creates one; a topic made just now may take a moment to show."""
    try:
        async with asyncio.timeout(TOPIC_WAIT_S):
            while topic not in (await producer.client.fetch_all_metadata()).topics():  # noqa: ASYNC110  Kafka tells nobody of new topics
                await asyncio.sleep(TOPIC_WAIT_S / 20)
    except TimeoutError:
        raise PublishError(
            f"topic {topic!r} does not exist: run `groundswell topics create`, or check GROUNDSWELL_TOPIC_PREFIX"
        ) from None
    except KafkaError as failed:
        raise PublishError(f"topic {topic!r} cannot be looked up: {failed}") from None


async def _send(
    source: Source, producer: AIOKafkaProducer, topic: str, cursor: str | None, in_flight: InFlight
) -> None:
    try:
        async with aclosing(source.listen(cursor)) as records:  # type: ignore[type-var]
            async for record in records:
                await in_flight.put((record, await _sent(record, producer, topic)))
    except Exception as failed:  # noqa: BLE001  raised by _settle, once everything before it is acknowledged
        await in_flight.put(failed)
    else:
        await in_flight.put(None)


async def _sent(record: Sourced, producer: AIOKafkaProducer, topic: str) -> asyncio.Future[RecordMetadata] | None:
    try:
        acknowledged: asyncio.Future[RecordMetadata] = await producer.send(topic, key=record.key, value=record.value)
    except MessageSizeTooLargeError:
        log.warning("%s: left out, too large: %s, %d bytes", topic, _named(record), len(record.value))
        return None
    except KafkaError as refused:
        raise _refused(record, topic, refused) from None
    return acknowledged


async def _settle(
    in_flight: InFlight, topic: str, cursor: str | None, on_progress: Callable[[Published], None] | None
) -> Published:
    """Wait for acknowledgements in the order of the records, so that a cursor never runs ahead of a loss."""
    began, records, oversized = monotonic(), 0, 0

    def report() -> Published:
        done = Published(records, oversized, monotonic() - began, cursor)
        if on_progress is not None:
            on_progress(done)
        return done

    while isinstance(entry := await in_flight.get(), tuple):
        record, acknowledged = entry
        if acknowledged is None:
            oversized += 1
        else:
            try:
                await acknowledged
            except KafkaError as refused:
                raise _refused(record, topic, refused) from None
            records += 1
        cursor = record.cursor
        if in_flight.empty() or (records + oversized) % PROGRESS_EVERY == 0:
            report()
    done = report()
    if entry is not None:
        raise entry
    return done


def _named(record: Sourced) -> str:
    return record.key.decode(errors="replace")


def _refused(record: Sourced, topic: str, refused: KafkaError) -> PublishError:
    hint = (
        f"; its max.message.bytes must be at least {RAW.max_bytes:,}"
        if isinstance(refused, MessageSizeTooLargeError)
        else ""
    )
    return PublishError(f"{topic}: Kafka refused {_named(record)}: {refused}{hint}")

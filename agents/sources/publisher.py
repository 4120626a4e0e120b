"""Any source -> mentions.raw: in order, and nothing counts as published before Kafka has acknowledged it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError, OutOfOrderSequenceNumber

from agents.sources.interface import Gap, Sourced, SourceDownError
from streams.broker import is_told_to_stop, unbroken
from streams.topics import RAW

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiokafka.structs import RecordMetadata

    from agents.sources.interface import Event, Source
    from streams.settings import Settings

    Acknowledged = asyncio.Future[RecordMetadata]
    InFlight = asyncio.Queue[tuple[Event, Sequence[Acknowledged] | None] | Exception | None]

log = logging.getLogger(__name__)

MOST_IN_FLIGHT = 4000
PROGRESS_EVERY = 1000
BATCH_BYTES = 128 * 1024
BATCH_OVERHEAD_BYTES = 512  # what Kafka's framing may add to a lone record
TOPIC_WAIT_S = 5.0

LATER = (KafkaTimeoutError, OutOfOrderSequenceNumber)
"""Beside what Kafka calls retriable: a new producer may get through."""


class PublishError(Exception):
    """Kafka refused; the message says what, why, and what to do. Everything up to the last progress is safe."""


class KafkaDownError(PublishError):
    """Kafka takes nothing now, but perhaps later; with a new producer, because this one has lost count."""


@dataclass(frozen=True, slots=True)
class Published:
    """How far publishing has come: all of it acknowledged by Kafka.

    `oversized` counts records that no broker would take, `gaps` what the source could not have any more;
    `cursor` is where the source goes on, `latest` the value of the last record.
    """

    records: int = 0
    oversized: int = 0
    seconds: float = 0.0
    cursor: str | None = None
    gaps: int = 0
    latest: bytes | None = None


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
        KafkaDownError: no broker takes anything.
        PublishError: the topic is missing, or a record was refused.
        SourceError: the source cannot be read, or not now.
    """
    partitions = await _partitions(producer, topic)
    in_flight: InFlight = asyncio.Queue(MOST_IN_FLIGHT)
    sending = asyncio.create_task(_send(source, _Sender(producer, topic, partitions), cursor, in_flight))
    settling = _Settling(topic, cursor, on_progress)
    try:
        return await settling.settle(in_flight)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        while not in_flight.empty():
            settling.abandon(in_flight.get_nowait())


async def _partitions(producer: AIOKafkaProducer, topic: str) -> Sequence[int]:
    """Ask for the list of topics, which never creates one; a topic made just now may take a moment to show."""
    try:
        async with asyncio.timeout(TOPIC_WAIT_S):
            while topic not in (await producer.client.fetch_all_metadata()).topics():  # noqa: ASYNC110  Kafka tells nobody of new topics
                await asyncio.sleep(TOPIC_WAIT_S / 20)
            return sorted(await producer.partitions_for(topic))
    except TimeoutError:
        raise PublishError(
            f"topic {topic!r} does not exist: run `groundswell topics create`, or check GROUNDSWELL_TOPIC_PREFIX"
        ) from None
    except KafkaError as failed:
        raise KafkaDownError(f"topic {topic!r} cannot be looked up: {failed}") from None


class _Sender:
    """Hands records to the producer; it does not wait for them."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: Sequence[int]) -> None:
        self._producer, self._topic, self._partitions = producer, topic, partitions

    async def send(self, event: Event) -> Sequence[Acknowledged] | None:
        """Return what will say that Kafka has it; None: it is too large for any broker."""
        if not isinstance(event, Sourced):
            return ()
        targets: Sequence[int | None] = self._partitions if event.everywhere else (None,)
        try:
            with unbroken():
                return [
                    await self._producer.send(self._topic, key=event.key, value=event.value, partition=partition)
                    for partition in targets
                ]
        except MessageSizeTooLargeError:
            log.warning("%s: left out, too large: %s, %d bytes", self._topic, _named(event), len(event.value))
            return None
        except KafkaError as refused:
            raise _refused(event, self._topic, refused) from None


async def _send(source: Source, sender: _Sender, cursor: str | None, in_flight: InFlight) -> None:
    try:
        async with aclosing(source.listen(cursor)) as events:  # type: ignore[type-var]
            async for event in events:
                await in_flight.put((event, await sender.send(event)))
    except asyncio.CancelledError:
        if is_told_to_stop():
            raise
        await in_flight.put(SourceDownError(f"{source.name} was broken off"))
    except Exception as failed:  # noqa: BLE001  raised by settle, once everything before it is acknowledged
        await in_flight.put(failed)
    else:
        await in_flight.put(None)


class _Settling:
    """Waits for acknowledgements in the order of the events, so that a cursor never runs ahead of a loss."""

    def __init__(self, topic: str, cursor: str | None, on_progress: Callable[[Published], None] | None) -> None:
        self._topic, self._on_progress, self._began = topic, on_progress, monotonic()
        self._done = Published(cursor=cursor)
        self._reported = self._done

    async def settle(self, in_flight: InFlight) -> Published:
        """Settle everything, then raise what ended it, if it did not end by itself."""
        while isinstance(entry := await in_flight.get(), tuple):
            try:
                await self._take(*entry)
            except BaseException:
                self.abandon(entry)
                raise
            if in_flight.empty() or (self._done.records + self._done.oversized) % PROGRESS_EVERY == 0:
                self._report()
        if entry is None or self._done != self._reported:  # a source that never answered has come nowhere
            self._report()
        if entry is not None:
            raise entry
        return self._done

    async def _take(self, event: Event, acknowledged: Sequence[Acknowledged] | None) -> None:
        done = self._done
        if isinstance(event, Gap):
            log.warning("%s: something may be missing: %s", self._topic, event.says)
            self._done = replace(done, gaps=done.gaps + 1)
        elif not isinstance(event, Sourced):
            self._done = replace(done, cursor=event.cursor)
        elif acknowledged is None:
            self._done = replace(done, cursor=event.cursor, oversized=done.oversized + 1)
            _answer(event, PublishError(f"{_named(event)} is too large: {len(event.value):,} bytes"))
        else:
            for one in acknowledged:
                try:
                    with unbroken():
                        await one
                except KafkaError as refused:
                    raise _refused(event, self._topic, refused) from None
            self._done = replace(done, cursor=event.cursor, records=done.records + 1, latest=event.value)
            _answer(event, None)

    def _report(self) -> None:
        self._done = self._reported = replace(self._done, seconds=monotonic() - self._began)
        if self._on_progress is not None:
            self._on_progress(self._done)

    def abandon(self, entry: tuple[Event, Sequence[Acknowledged] | None] | Exception | None) -> None:
        """Nobody will say any more what became of it."""
        if isinstance(entry, tuple) and isinstance(event := entry[0], Sourced):
            for one in entry[1] or ():
                one.cancel()
            _answer(event, KafkaDownError(f"{self._topic} was not heard of again"))


def _answer(event: Sourced, failed: PublishError | None) -> None:
    if event.taken is None or event.taken.done():
        return
    if failed is None:
        event.taken.set_result(None)
    else:
        event.taken.set_exception(failed)


def _named(record: Sourced) -> str:
    return record.key.decode(errors="replace")


def _refused(record: Sourced, topic: str, refused: KafkaError) -> PublishError:
    said = f"{topic}: Kafka refused {_named(record)}: {refused}"
    if isinstance(refused, MessageSizeTooLargeError):
        return PublishError(f"{said}; its max.message.bytes must be at least {RAW.max_bytes:,}")
    return KafkaDownError(said) if refused.retriable or isinstance(refused, LATER) else PublishError(said)

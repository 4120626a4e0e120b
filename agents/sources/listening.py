"""A source, listened to for good: asked again when it went down, its cursor kept, its state told to whoever looks."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from random import uniform
from time import monotonic
from typing import TYPE_CHECKING, Literal

import msgspec
from aiokafka.errors import KafkaError
from msgspec.structs import replace

from agents.sources.interface import SourceDownError, SourceError
from agents.sources.publisher import KafkaDownError, Published, PublishError, make_producer, publish
from agents.sources.times import Clock
from streams import metrics
from streams.broker import unbroken
from streams.events import headers_of
from streams.records import SourceState, Time, encode
from streams.topics import RAW, SOURCES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from aiokafka import AIOKafkaProducer

    from agents.sources.interface import Source
    from streams.settings import Settings

log = logging.getLogger(__name__)

TELL_EVERY_S = 1.0
"""How often the cursor is kept: after a kill so much is published again, and dropped by intake."""

ALIVE_EVERY_S = 30.0
"""Told even where nothing changes: whoever looks can tell a quiet source from one that nobody listens to."""

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
LAST_WORD_S = 5.0


class Backoff:
    """How long to wait before asking again: random, up to twice as long each time (full jitter, Brooker 2015)."""

    def __init__(self, first_s: float = FIRST_WAIT_S, longest_s: float = LONGEST_WAIT_S) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._failures = 0

    def wait_s(self, lasted_s: float, asked_for_s: float | None) -> float:
        """Seconds to wait after a connection that `lasted_s`; never less than the other side `asked_for_s`."""
        if lasted_s > self._longest_s:
            self._failures = 0
        most = min(self._longest_s, self._first_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return (asked_for_s or 0.0) + uniform(most / 10, most)


class _Witnessed(msgspec.Struct):
    observed_at: Time


class Listener:
    """Listens to one source until it ends, or for good."""

    def __init__(
        self, source: Source, settings: Settings, *, cursor: str | None = None, backoff: Backoff | None = None
    ) -> None:
        """`cursor`: where it was left, if its cursor is kept at all."""
        self._source, self._settings, self._clock = source, settings, Clock()
        self._backoff = backoff or Backoff()
        self._producer: AIOKafkaProducer | None = None
        now = self._clock.now()
        key = source.cursor_key or source.name
        self.state = SourceState(source=source.name, key=key, state="connecting", at=now, since=now, cursor=cursor)
        self._told = self.state
        self._before = Published()
        self._latest: bytes | None = None
        self.on_progress: Callable[[Published], object] = lambda _: None
        self._counted = metrics.SOURCE_PUBLISHED.labels(source.name)
        self._up = metrics.SOURCE_UP.labels(key)

    async def listen(self) -> None:
        """Listen until the source ends.

        Raises:
            SourceError: it cannot be read, now or later.
            PublishError: Kafka has no such topic, or refuses what it is given.
        """
        work = [asyncio.create_task(one) for one in (self._listen_again(), self._tell_again())]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        except (SourceError, PublishError) as error:
            self._becomes("failed", str(error))
            raise
        except asyncio.CancelledError:
            self._becomes("ended", "told to stop")
            raise
        else:
            self._becomes("ended")
        finally:
            for one in work:
                one.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            with suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(self._close(), LAST_WORD_S)

    async def _listen_again(self) -> None:
        while True:
            began = monotonic()
            try:
                with unbroken():
                    await self._listen_once()
            except (SourceDownError, KafkaDownError, KafkaError) as down:
                await self._wait(down, monotonic() - began)
            except (SourceError, PublishError):
                raise
            except Exception as fault:
                # Ours: something came that nobody has thought of. The other sources can do nothing about it.
                log.exception("%s: a fault in Groundswell; please report it", self._source.name)
                await self._wait(
                    SourceDownError(f"a fault in Groundswell: {type(fault).__name__}"), monotonic() - began
                )
            else:
                return

    async def _wait(self, down: Exception, lasted_s: float) -> None:
        asked_for_s = down.retry_after_s if isinstance(down, SourceDownError) else None
        wait_s = self._backoff.wait_s(lasted_s, asked_for_s)
        log.warning("%s: %s; asked again in %.1f s", self._source.name, down, wait_s)
        self._becomes("waiting", str(down))
        self.state = replace(self.state, reconnects=self.state.reconnects + 1)
        metrics.SOURCE_RECONNECTS.labels(self._source.name).inc()
        await self._clock.sleep(wait_s)

    async def _listen_once(self) -> None:
        self._becomes("connecting", self.state.says)
        self._before = Published(self.state.published, gaps=self.state.gaps)
        async with self._producing() as producer:
            cursor = self.state.cursor if self._source.cursor_key else None
            topic = RAW.full_name(self._settings)
            await publish(self._source, producer, topic, cursor=cursor, on_progress=self._progress)

    @asynccontextmanager
    async def _producing(self) -> AsyncIterator[AIOKafkaProducer]:
        """Use the producer there is; one that Kafka was down for has lost count, and is replaced."""
        try:
            if self._producer is None:
                self._producer = make_producer(self._settings)
                with unbroken():
                    await self._producer.start()
            yield self._producer
        except KafkaError as down:
            await self._drop_producer()
            raise KafkaDownError(f"no Kafka broker answers at {self._settings.kafka_bootstrap}: {down}") from down
        except KafkaDownError:
            await self._drop_producer()
            raise

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(producer.stop(), LAST_WORD_S)

    def _progress(self, done: Published) -> None:
        """Told after every group of acknowledgements."""
        published, gaps = self._before.records + done.records, self._before.gaps + done.gaps
        self._counted.inc(published - self.state.published)
        metrics.SOURCE_GAPS.labels(self._source.name).inc(gaps - self.state.gaps)
        cursor = done.cursor if self._source.cursor_key else None
        self.state = replace(self.state, cursor=cursor, published=published, gaps=gaps)
        if done.latest is not None:
            self._latest = done.latest
        self._becomes("listening")
        self.on_progress(Published(published, done.oversized, (self._clock.now() - self.state.since).total_seconds()))

    def _becomes(
        self, state: Literal["connecting", "listening", "waiting", "ended", "failed"], says: str | None = None
    ) -> None:
        self.state = replace(self.state, state=state, says=says and _printable(says))
        self._up.set(state == "listening")

    # -- telling -------------------------------------------------------------------------------------------

    async def _tell_again(self) -> None:
        why = ""
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            quiet_s = (self._clock.now() - self._told.at).total_seconds()
            if self.state != self._told or quiet_s >= ALIVE_EVERY_S:
                try:
                    await self._tell()
                except (KafkaError, KafkaDownError) as untold:  # it is told again, and what matters by then as well
                    if str(untold) != why:
                        log.warning("%s: how far it has come cannot be kept: %s", self.state.key, untold)
                    why = str(untold)

    async def _tell(self) -> None:
        if self._producer is None:
            return
        told = replace(self.state, at=self._clock.now(), observed_at=self._witnessed())
        where = SOURCES.full_name(self._settings)
        headers = list(headers_of(told))
        with unbroken():
            sent = await self._producer.send(where, key=told.key.encode(), value=encode(told), headers=headers)
            await sent
        self.state = replace(self.state, at=told.at, observed_at=told.observed_at)
        self._told = told

    def _witnessed(self) -> Time | None:
        """When the latest of what was published was witnessed."""
        if self._latest is not None:
            with suppress(msgspec.MsgspecError):  # a frame that nobody could read has no time
                return msgspec.json.decode(self._latest, type=_Witnessed).observed_at
        return self.state.observed_at

    async def _close(self) -> None:
        try:
            with suppress(KafkaError, KafkaDownError):
                await self._tell()
        finally:
            await self._drop_producer()


def _printable(says: str) -> str:
    """What the other side says of itself may hold anything, also what no record takes and no terminal should see."""
    return "".join(one if one.isprintable() else " " for one in says)


async def listen_to_all(listeners: Sequence[Listener]) -> None:
    """Listen to several. One that cannot be read is logged, and the others go on.

    Raises:
        SourceError: one could not be read; raised once the others have ended.
        PublishError: Kafka has no such topic, or refuses what it is given; the others are ended.
    """
    failed: list[SourceError] = []

    async def listen(listener: Listener) -> None:
        try:
            await listener.listen()
        except SourceError as error:
            log.error("%s is not listened to any more: %s", listener.state.key, error)  # noqa: TRY400  a sentence says it
            failed.append(error)

    tasks = [asyncio.create_task(listen(one)) for one in listeners]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if failed:
        raise failed[0]

"""The topic `rules` on a worker: read whole, and followed without a restart.

Every worker reads all of it, in no consumer group: each may have to judge by any version. It has been read to its end
before a partition is opened, and whoever meets a version in the flow waits until it has come here.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from mode import Service

from streams import metrics
from streams.broker import unbroken
from streams.core.versions import UnknownVersionError, Versions
from streams.outbox import Out, Outbox
from streams.records import ON_RULES, InForce, Ruleset, encode
from streams.topics import RULES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aiokafka.structs import ConsumerRecord

    from streams.core.rules import Rules
    from streams.keyed import KeyedDesk
    from streams.settings import Settings

CURRENT = b"current"
"""The key that says which version is in force; every other key is a version."""

AGAIN_AFTER_S = 1.0
CLOSED_WITHIN_S = 1.0

_decode = msgspec.json.Decoder(ON_RULES).decode


async def publish(settings: Settings, rules: Rules, text: str) -> None:
    """Put a version in force: first what it says, and once that is acknowledged, that it counts.

    Raises:
        NotDeliveredError: the topic did not take it; the version before is in force still.
    """
    outbox, topic = Outbox(settings), RULES.full_name(settings)
    await outbox.on_start()
    try:
        await outbox.deliver([Out(topic, 0, rules.version.encode(), encode(Ruleset(version=rules.version, text=text)))])
        await outbox.deliver([Out(topic, 0, CURRENT, encode(InForce(version=rules.version)))])
    finally:
        await outbox.on_stop()


class RuleBook(Service):
    """Follows the topic. `given` is the file that the worker was started with, and its text: the first version, where there is none."""

    abstract = False

    def __init__(
        self,
        settings: Settings,
        given: tuple[Rules, str] | None = None,
        *,
        give_up: Callable[[BaseException], Awaitable[None]],
    ) -> None:
        super().__init__()
        self.versions = Versions()
        self._settings, self._given, self._give_up = settings, given, give_up
        self._tp = TopicPartition(RULES.full_name(settings), 0)
        self._consumer: AIOKafkaConsumer | None = None
        self._moved = asyncio.Condition()
        self._position = 0
        self._settled = False
        self._named: list[str] = []
        self._refused: set[tuple[str, int | str]] = set()
        for reason in metrics.RULES_REFUSALS:
            metrics.RULES_REFUSED.labels(reason)

    async def read_to_end(self) -> None:
        """Return once all that the topic holds by now is known here; while no broker answers, that is not."""
        end = await self._end()
        async with self._moved:
            await self._moved.wait_for(lambda: self._settled and self._position >= end)

    async def know(self, version: str) -> None:
        """Return once a version that stands in the flow is known here, too: it was published before it was used.

        Raises:
            UnknownVersionError: the topic does not hold it, or nobody can read it.
        """
        if version not in self.versions:
            await self.read_to_end()
        await asyncio.to_thread(self.versions.of, version)

    async def prepare(self, desk: KeyedDesk[Any], _: int, records: Sequence[ConsumerRecord]) -> bool:
        """Know the versions that records name before a desk meets them; see `Ledger`. No row has to be written for that."""
        for version in desk.versions_in(records):
            await self.know(version)
        return False

    async def _end(self) -> int:
        while True:
            async with self._moved:
                await self._moved.wait_for(lambda: self._consumer is not None)
                consumer = self._consumer
            with suppress(KafkaError, OSError), unbroken():
                return int((await consumer.end_offsets([self._tp]))[self._tp])  # type: ignore[union-attr]
            await self.sleep(AGAIN_AFTER_S)

    @Service.task
    async def _follow(self) -> None:
        while not self.should_stop:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._settings.kafka_bootstrap,
                client_id=f"{self._settings.app_id}-rules",
                auto_offset_reset="earliest",
            )
            try:
                with unbroken():
                    await consumer.start()
                    consumer.assign([self._tp])
                    await self._read(consumer)
            except (KafkaError, OSError) as error:
                self.log.warning("following %s: %s", self._tp.topic, error)
            except Exception as error:
                self.log.exception("following %s", self._tp.topic)
                await self._give_up(error)
                return
            finally:
                self._consumer = None
                with suppress(TimeoutError):
                    async with asyncio.timeout(CLOSED_WITHIN_S):
                        await consumer.stop()
            await self.sleep(AGAIN_AFTER_S)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        """Read from the topic's start, also over a new connection: what is known already changes nothing."""
        end, news = (await consumer.end_offsets([self._tp]))[self._tp], True
        while not self.should_stop:
            position = await consumer.position(self._tp)
            if news and position >= end:  # of history nothing counts but its end
                await self._put_in_force()
                await self._settle()
                news = False
            async with self._moved:
                self._consumer, self._position = consumer, max(position, self._position)
                self._moved.notify_all()
            for records in (await consumer.getmany(timeout_ms=500)).values():
                news = True
                for record in records:
                    self._take(record)

    def _take(self, record: ConsumerRecord) -> None:
        if record.value is None:
            return  # what it has judged it must be able to judge again
        try:
            one = _decode(record.value)
        except msgspec.DecodeError as error:
            self._refuse("unreadable", f"what stands at offset {record.offset} is none of ours: {error}", record.offset)
            return
        if isinstance(one, InForce) and record.key == CURRENT:
            self._named.append(one.version)
        elif isinstance(one, Ruleset) and record.key == one.version.encode():
            self.versions.add(one.version, one.text)
        else:
            self._refuse("unreadable", f"what stands at offset {record.offset} has another's key", record.offset)

    async def _put_in_force(self) -> None:
        """The latest that can be used: where that is none, what was in force stays so."""
        before = self.versions.current
        for number, version in reversed(list(enumerate(self._named))):
            try:
                await asyncio.to_thread(self.versions.put_in_force, version)
            except UnknownVersionError as error:
                self._refuse("refused" if version in self.versions else "unknown", str(error), version)
            else:
                self._named = self._named[number:]
                if self.versions.current != before:
                    self.log.info("rules: version %s is in force", version[:12])
                return

    async def _settle(self) -> None:
        """All has been read for the first time: begin the topic, if nobody has."""
        if self._settled:
            return
        if self._given is not None:
            rules, text = self._given
            if not self._named:
                await publish(self._settings, rules, text)
                self.versions.add(rules.version, text)
                self._named.append(rules.version)
                await self._put_in_force()
            elif self._named[-1] != rules.version:
                self.log.warning(
                    "rules: the worker's file is version %s, but %s is in force, and counts. `groundswell rules publish` "
                    "puts a file in force",
                    rules.version[:12],
                    self._named[-1][:12],
                )
        self._settled = True

    def _refuse(self, reason: str, what: str, which: int | str) -> None:
        if (reason, which) not in self._refused:
            self._refused.add((reason, which))
            metrics.RULES_REFUSED.labels(reason).inc()
            self.log.error("rules: they stay as they are: %s", what)

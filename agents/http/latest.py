"""What the compacted topics say now: every worker follows all of `brand-stats` and `alerts`, in no consumer group.

So any worker answers for all brands and alerts, with what subscribers read, also while another worker is down or
partitions change hands. Asking the others' desks instead would leave holes just then, and resolved alerts are on no
desk at all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from agents.http.problems import not_now
from streams.broker import unbroken
from streams.records import Alert, BrandStats
from streams.topics import ALERTS, BRAND_STATS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.settings import Settings

AGAIN_AFTER_S = 2
CLOSED_WITHIN_S = 1.0

logger = logging.getLogger(__name__)


class Latest:
    """The latest of each brand and alert; `follow` keeps it so."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        kinds = {BRAND_STATS: BrandStats, ALERTS: Alert}
        self._decode = {topic.full_name(settings): msgspec.json.Decoder(kind).decode for topic, kind in kinds.items()}
        self._held: dict[str, dict[bytes, Any]] = {name: {} for name in self._decode}
        self._stats, self._alerts = self._decode
        self._partitions = [
            TopicPartition(topic.full_name(settings), number) for topic in kinds for number in range(topic.partitions(settings))
        ]  # fmt: skip
        self._consumer: AIOKafkaConsumer | None = None
        self._caught_up = False

    def brands(self) -> Mapping[bytes, BrandStats]:
        """The figures of every brand, by its id.

        Raises:
            Refused: they are not known, or may be old.
        """
        self._check()
        return self._held[self._stats]

    def alerts(self) -> Mapping[bytes, Alert]:
        """Every alert, by its id.

        Raises:
            Refused: they are not known, or may be old.
        """
        self._check()
        return self._held[self._alerts]

    def _check(self) -> None:
        if self._consumer is None or not self._caught_up:
            raise not_now("catching_up", "This worker has not read the topics to their end yet.", AGAIN_AFTER_S)
        answered_ms = min(self._consumer.last_poll_timestamp(tp) or 0 for tp in self._partitions)
        if time.time_ns() // 1_000_000 - answered_ms > self._settings.session_timeout_s * 1000:
            raise not_now("silent", "No broker answers this worker: what it knows may be old.", AGAIN_AFTER_S)

    async def follow(self) -> None:
        """Read the topics, without end; over a new connection, from their start, where one breaks."""
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._settings.kafka_bootstrap,
                client_id=f"{self._settings.app_id}-http",
                auto_offset_reset="earliest",
            )
            try:
                with unbroken():
                    await consumer.start()
                    consumer.assign(self._partitions)
                    self._consumer = consumer
                    await self._read(consumer)
            except (KafkaError, OSError) as error:
                logger.warning("following %s and %s: %s", self._stats, self._alerts, error)
            except Exception:  # whatever it is, agents go on without an API, and it is tried again
                logger.exception("following %s and %s", self._stats, self._alerts)
            finally:
                self._consumer, self._caught_up = None, False
                with suppress(TimeoutError):
                    async with asyncio.timeout(CLOSED_WITHIN_S):
                        await consumer.stop()
            await asyncio.sleep(AGAIN_AFTER_S)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        for held in self._held.values():
            held.clear()
        while True:
            found = await consumer.getmany(timeout_ms=200)
            for tp, records in found.items():
                self._take(tp.topic, {record.key: record.value for record in records})
                await asyncio.sleep(0)  # agents have a say, also while much is read
            if not self._caught_up:
                positions = [(await consumer.position(tp), consumer.highwater(tp)) for tp in self._partitions]
                self._caught_up = all(end is not None and position >= end for position, end in positions)

    def _take(self, topic: str, latest: Mapping[bytes, bytes | None]) -> None:
        held = self._held[topic]
        for key, value in latest.items():
            if value is None:
                held.pop(key, None)
                continue
            try:
                said = self._decode[topic](value)
            except msgspec.DecodeError as error:
                logger.warning("%s, key %r: left out, it is none of ours: %s", topic, key, error)
                continue
            if key == (said.brand if isinstance(said, BrandStats) else said.id).encode():
                held[key] = said
            else:
                logger.warning("%s, key %r: left out, it is none of ours: it names another", topic, key)

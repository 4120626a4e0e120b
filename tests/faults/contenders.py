"""The same mentions and the same kills, for Groundswell and for Faust as its guide teaches it."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from streams.records import Mention, encode
from streams.topics import RAW, SCORED
from tests.faults.harness import Eyes, Flow, Process, comes_true
from tests.faults.oracle import BRANDS, Said

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agents.cli.localkafka import LocalKafka

MENTIONS, PER_SECOND, SEED, KILLS = 6_000, 200, 7, 3
AT_WORK = 300
"""A worker dies a moment after it has told so many since it was started."""
BETWEEN_COMMITS_S = 2.5
"""That moment lies, at random, within so many seconds. Faust commits every 2.8 s, Groundswell about every second."""
WITHIN_S = 60
"""Commits that have not come by then are not waited for: some never come."""
TRANSACTIONS_END_WITHIN_S = 75
"""The broker itself aborts what a dead worker has begun after a minute."""


class Heard(NamedTuple):
    """One mention of one brand."""

    id: str
    brand: str


@dataclass(frozen=True)
class Figures:
    """What stands on the broker at the end. `finished` is False where input remained that nobody had committed."""

    published: int
    lost: int
    told_again: int
    count_error: int
    finished: bool


class Contender(Protocol):
    """One way to count mentions and to send each of them on."""

    async def publish(self, mentions: Sequence[Heard]) -> None:
        """Publish, evenly paced; return once all of it is acknowledged."""

    async def committed(self) -> int:
        """How many mentions are committed."""

    async def told(self) -> int:
        """How many records it has sent on, repetitions included."""

    def start(self) -> None:
        """Start the worker, on the disk that it had."""

    async def kill(self) -> None:
        """SIGKILL."""

    async def figures(self, mentions: Sequence[Heard], *, finished: bool) -> Figures:
        """Stop the worker and look."""


class Groundswell:
    """The whole flow, one worker."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._group = flow.settings.group
        self._raw = RAW.full_name(flow.settings)

    async def publish(self, mentions: Sequence[Heard]) -> None:
        """As a source does it: keyed by id."""
        await self._flow.publish([_said(one) for one in mentions], PER_SECOND)

    async def committed(self) -> int:
        """What intake has committed."""
        offsets = await self._flow.eyes.committed(self._group)
        return sum(offset for tp, offset in offsets.items() if tp.topic == self._raw)

    async def told(self) -> int:
        """What stands on mentions.scored, marks included."""
        return sum((await self._flow.eyes.ends(SCORED.full_name(self._flow.settings))).values())

    def start(self) -> None:
        """Start it."""
        self._flow.start_worker("a")

    async def kill(self) -> None:
        """Kill it."""
        (worker,) = self._flow.workers
        await self._flow.kill(worker)

    async def figures(self, mentions: Sequence[Heard], *, finished: bool) -> Figures:
        """By the oracle, which knows more than is told here; none of that may be wrong either."""
        await self._flow.settled()
        verdict = await self._flow.verdict()
        assert not verdict.wrong, verdict.wrong
        (worker,) = self._flow.workers
        await self._flow.stop(worker)
        return Figures(len(mentions), verdict.lost, verdict.resent, verdict.count_error, finished)


class NaiveFaust:
    """`tests/faults/naivefaust.py`, one worker."""

    def __init__(self, kafka: LocalKafka, prefix: str, folder: Path, eyes: Eyes, guarantee: str) -> None:
        self._bootstrap, self._prefix, self._folder, self._eyes = kafka.bootstrap, prefix, folder, eyes
        self._guarantee = guarantee
        self._started = 0
        self._worker: Process | None = None

    @classmethod
    async def open(cls, kafka: LocalKafka, prefix: str, folder: Path, eyes: Eyes, guarantee: str) -> Self:
        """Create its topics."""
        await eyes.create(f"{prefix}heard", f"{prefix}counted", partitions=4)
        return cls(kafka, prefix, folder, eyes, guarantee)

    async def publish(self, mentions: Sequence[Heard]) -> None:
        """Keyed by brand, as the table is: what is easiest for Faust."""
        loop = asyncio.get_running_loop()
        began, sent = loop.time(), []
        async with AIOKafkaProducer(bootstrap_servers=self._bootstrap, enable_idempotence=True) as producer:
            for number, one in enumerate(mentions):
                await asyncio.sleep(max(0.0, began + number / PER_SECOND - loop.time()))
                value = json.dumps(one._asdict()).encode()
                sent.append(await producer.send(f"{self._prefix}heard", value, key=one.brand.encode()))
            await asyncio.gather(*sent)

    async def committed(self) -> int:
        """What its group has committed."""
        offsets = await self._eyes.committed(f"{self._prefix}app")
        return sum(offset for tp, offset in offsets.items() if tp.topic == f"{self._prefix}heard")

    async def told(self) -> int:
        """What was sent, whether it is visible yet or not."""
        return sum((await self._eyes.ends(f"{self._prefix}counted")).values())

    def start(self) -> None:
        """Start it."""
        self._started += 1
        command = ["faust", "-A", "tests.faults.naivefaust", "--datadir", str(self._folder), "worker", "--without-web"]
        environment = {
            "NAIVE_BROKER": self._bootstrap,
            "NAIVE_PREFIX": self._prefix,
            "NAIVE_GUARANTEE": self._guarantee,
        }
        self._worker = Process(f"naive-{self._guarantee}", self._started, command, environment, self._folder)

    async def kill(self) -> None:
        """Kill it."""
        assert self._worker is not None
        await self._worker.kill()

    async def figures(self, mentions: Sequence[Heard], *, finished: bool) -> Figures:
        """What a consumer reads, and the table's rows in its changelog: the committed ones, where that is the promise."""
        assert self._worker is not None
        with suppress(AssertionError, subprocess.TimeoutExpired):  # whether it ends as it should is not the question
            await self._worker.stop()
        await self._worker.kill()
        told = Counter(
            json.loads(value)["id"]
            for _, value in await visible(self._bootstrap, f"{self._prefix}counted", self._guarantee)
        )
        rows = dict(await visible(self._bootstrap, f"{self._prefix}app-counts-changelog", self._guarantee))
        counts = {json.loads(brand): json.loads(count) for brand, count in rows.items()}
        expected = Counter(one.brand for one in mentions)
        return Figures(
            published=len(mentions),
            lost=sum(one.id not in told for one in mentions),
            told_again=told.total() - len(told),
            count_error=sum(abs(counts.get(brand, 0) - count) for brand, count in expected.items()),
            finished=finished,
        )


async def visible(bootstrap: str, topic: str, guarantee: str) -> list[tuple[bytes, bytes]]:
    """Keys and values of what stands in a topic: of what is committed, where that is the promise."""
    isolation = "read_committed" if guarantee == "exactly_once" else "read_uncommitted"
    async with Eyes(bootstrap) as eyes:
        ends = await eyes.ends(topic)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level=isolation) as consumer:
        consumer.assign(list(ends))

        async def all_transactions_are_over() -> bool:
            return await consumer.end_offsets(list(ends)) == ends

        await comes_true(all_transactions_are_over, TRANSACTIONS_END_WITHIN_S)
        ends = await consumer.end_offsets(list(ends))
        for tp in ends:
            consumer.seek(tp, 0)
        found: list[tuple[bytes, bytes]] = []
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [(record.key, record.value) for record in records]
    return found


def _said(one: Heard) -> Said:
    mention = Mention(id=one.id, source="compared", observed_at=datetime.now(UTC), text=f"about {one.brand}")
    return Said(one.id.encode(), encode(mention), "matched", (one.brand,), ((one.id, one.brand, ""),))


def workload(count: int, seed: int = SEED) -> list[Heard]:
    """Mentions of six brands, of which some are spoken of more than others."""
    chance = random.Random(seed)
    return [Heard(f"compared:{n}", chance.choices(BRANDS, range(1, len(BRANDS) + 1))[0]) for n in range(count)]


async def killed(contender: Contender, mentions: Sequence[Heard], kills: int = KILLS) -> Figures:
    """Publish the mentions while the worker is killed, again and again, and started anew at once."""
    chance = random.Random(SEED)
    contender.start()
    publishing = asyncio.create_task(contender.publish(mentions))
    for _ in range(kills):
        before = await contender.told()

        async def it_is_at_work(before: int = before) -> bool:
            return await contender.told() >= before + AT_WORK

        await comes_true(it_is_at_work, WITHIN_S)
        await asyncio.sleep(chance.uniform(0, BETWEEN_COMMITS_S))
        await contender.kill()
        contender.start()
    await publishing

    async def all_is_committed() -> bool:
        return await contender.committed() >= len(mentions)

    return await contender.figures(mentions, finished=await comes_true(all_is_committed, WITHIN_S))

"""`python -m tests.bench.latency`: from the mention that decides, in Kafka, until its alert is with a subscriber.

A worker with all agents, on a real broker, hears the standard load, said now and witnessed up to two seconds ago. Beside
it brands take fire: three people say so, a second apart, and the third one decides (a hazard speaks from the first
mention on). Times are those of the broker's clock, when it appended the record; an alert's is when a subscriber had it.

    python -m tests.bench.latency                          the standard load, 1,000 mentions a second
    python -m tests.bench.latency --per-second 0           nothing else is said: time comes by progress marks alone
    python -m tests.bench.latency --raw-partitions 1       nobody waits for another partition
"""

from __future__ import annotations

import argparse
import asyncio
import os
import uuid
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from statistics import median
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer
from msgspec.structs import replace

from streams.records import ON_SCORED, ON_SPIKES, Alert, Finding, Mention, ScoredMention, encode
from streams.topics import ALERTS, RAW, SCORED, SPIKES
from tests.bench import load
from tests.bench.broker import broker_of
from tests.bench.job import RAW_PARTITIONS
from tests.faults.harness import Flow, until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aiokafka.structs import RecordMetadata

PER_SECOND = 1000
HAZARDS = 8
"""Of each brand: as many incidents as one may have open."""

INCIDENTS = HAZARDS * len(load.BRANDS)
PEOPLE = 3
"""Suffice for an alert, where the rules say nothing else."""

WARM_UP_S, EVERY_S, TICK_S, PATIENCE_S = 15.0, 0.4, 0.01, 60.0
WORDS = 12
VOCABULARY = " ".join(load._WORDS.values()).split()
SCORED_BAR, ALERT_BAR = "p50 100, p99 300 (moonshot 30, 100)", "p99 5,000 (moonshot 1,000)"

_decode_scored = msgspec.json.Decoder(ON_SCORED).decode
_decode_spike = msgspec.json.Decoder(ON_SPIKES).decode


class Broker(NamedTuple):
    """One that runs."""

    bootstrap: str


class Post(NamedTuple):
    """One of the posts of an incident, and when it is said: seconds after the first mention of all."""

    at_s: float
    brand: str
    issue: str
    number: int

    @property
    def id(self) -> str:
        """The mention's."""
        return f"alarm:{self.brand}:{self.issue}:{self.number}"

    @property
    def what(self) -> tuple[str, str]:
        """The brand, and what detection calls the incident."""
        return self.brand, f"hazard/issue:{self.issue}"


class Took(NamedTuple):
    """One stage: what it leads from and to, how long it took each time, and what the bar is."""

    stage: str
    seconds: Sequence[float]
    bar: str = ""

    def __str__(self) -> str:
        ordered = sorted(self.seconds)
        p50, p99 = median(ordered) * 1000, ordered[len(ordered) * 99 // 100] * 1000
        return f"{self.stage:43} {p50:7,.0f} {p99:7,.0f} {ordered[-1] * 1000:7,.0f}   {self.bar}"


def rules() -> str:
    """The 100 rules of the standard load, and the hazards."""
    hazards = (f"  - {{id: ablaze{number}, match: ablaze{number}, hazard: true}}\n" for number in range(HAZARDS))
    return load.rules_yaml() + "".join(hazards)


def posts(incidents: int) -> list[Post]:
    """What is said of so many incidents, in order of time."""
    where = [(brand.lower(), f"ablaze{number}") for number, brand in product(range(HAZARDS), load.BRANDS)]
    return sorted(
        Post(WARM_UP_S + EVERY_S * count + number, brand, issue, number)
        for count, (brand, issue) in enumerate(where[:incidents])
        for number in range(PEOPLE)
    )


class Latency:
    """One run."""

    def __init__(self, flow: Flow, per_second: float, incidents: int) -> None:
        self._flow, self._per_second, self._posts = flow, per_second, posts(incidents)
        self._chance = Random(load.SEED)
        self._appended: dict[str, asyncio.Future[RecordMetadata]] = {}
        self._alerted: dict[tuple[str, str], float] = {}

    async def run(self) -> list[Took]:
        """Speak, listen, and compare the times."""
        self._flow.start_worker("worker")
        await self._flow.shared()
        subscriber = AIOKafkaConsumer(
            ALERTS.full_name(self._flow.settings), bootstrap_servers=self._flow.settings.kafka_bootstrap
        )
        await subscriber.start()
        listening = asyncio.create_task(self._listen(subscriber))
        try:
            await self._speak()
            await until("each incident has an alert", self._all_alerted, PATIENCE_S)
        finally:
            listening.cancel()
            await subscriber.stop()
        return await self._compare()

    async def _speak(self) -> None:
        producer, topic = self._flow._producer, RAW.full_name(self._flow.settings)
        ends_s = self._posts[-1].at_s
        said = load.standard_load(int(ends_s * self._per_second))
        waiting, began_s, spoken = list(reversed(self._posts)), monotonic(), 0
        while waiting:
            passed_s = monotonic() - began_s
            while spoken < min(passed_s, ends_s) * self._per_second and (raw := next(said, None)):
                await producer.send(topic, key=raw.key, value=self._now(raw.value))
                spoken += 1
            while waiting and waiting[-1].at_s <= passed_s:
                post = waiting.pop()
                self._appended[post.id] = await producer.send(topic, key=post.id.encode(), value=self._alarm(post))
            await asyncio.sleep(TICK_S)

    def _now(self, value: bytes) -> bytes:
        """A mention of the standard load, said now and witnessed as late as there."""
        now = datetime.now(UTC)
        late = timedelta(milliseconds=self._chance.randrange(load.JITTER_MS))
        return encode(
            replace(msgspec.json.decode(value, type=Mention), observed_at=now - late, posted_at=None, ingested_at=now)
        )

    def _alarm(self, post: Post) -> bytes:
        """In words of its own: what repeats another's is nobody's own observation."""
        now, words = datetime.now(UTC), " ".join(self._chance.sample(VOCABULARY, WORDS))
        mention = Mention(
            id=post.id,
            source="alarm",
            observed_at=now,
            ingested_at=now,
            text=f"{post.brand} {post.issue} {words}",
            lang="en",
            author_id=post.id,
        )
        return encode(mention)

    async def _listen(self, subscriber: AIOKafkaConsumer) -> None:
        async for record in subscriber:
            alert = msgspec.json.decode(record.value, type=Alert)
            if alert.change == "fired":
                self._alerted[alert.brand, alert.detectors[0]] = datetime.now(UTC).timestamp()

    async def _all_alerted(self) -> bool:
        return {post.what for post in self._posts} <= self._alerted.keys()

    async def _compare(self) -> list[Took]:
        settings, eyes = self._flow.settings, self._flow.eyes
        raw = {one: (await appended).timestamp / 1000 for one, appended in self._appended.items()}
        scored: dict[str, float] = {}
        for record in await eyes.read(SCORED.full_name(settings)):
            said = _decode_scored(record.value)
            if isinstance(said, ScoredMention):
                scored.setdefault(said.id, record.timestamp / 1000)
        found: dict[tuple[str, str], float] = {}
        for record in await eyes.read(SPIKES.full_name(settings)):
            told = _decode_spike(record.value)
            if isinstance(told, Finding):
                found.setdefault((told.brand, f"{told.detector}/{told.series}"), record.timestamp / 1000)
        decided = [(post.id, post.what) for post in self._posts if post.number == PEOPLE - 1]
        return [
            Took(
                "mention in Kafka -> scored record",
                [scored[post.id] - raw[post.id] for post in self._posts],
                SCORED_BAR,
            ),
            Took("  of those that decide: scored -> finding", [found[what] - scored[one] for one, what in decided]),
            Took("  finding -> alert with a subscriber", [self._alerted[what] - found[what] for _, what in decided]),
            Took("mention in Kafka -> alert out", [self._alerted[what] - raw[one] for one, what in decided], ALERT_BAR),
        ]


async def measure(
    bootstrap: str,
    folder: Path,
    *,
    per_second: float = PER_SECOND,
    incidents: int = INCIDENTS,
    raw_partitions: int = RAW_PARTITIONS,
) -> None:
    """Run it on a broker that runs, and print the table."""
    prefix = f"latency-{uuid.uuid4().hex[:6]}."
    busy = os.getloadavg()[0]
    async with Flow(Broker(bootstrap), prefix, folder, rules=rules(), raw_partitions=raw_partitions) as flow:
        stages = await Latency(flow, per_second, incidents).run()
    print(
        f"\nLatency, {per_second:,.0f} mentions/s, {raw_partitions} raw partitions, {incidents} alerts; before it began, the "
        f"load of this machine of {os.cpu_count()} cores was {busy:.1f}"
    )
    print(f"{'ms':43} {'p50':>7} {'p99':>7} {'most':>7}   bar")
    print(*stages, sep="\n", flush=True)


async def main(given: argparse.Namespace) -> None:
    """Run it on a broker of its own."""
    async with broker_of("latency") as (kafka, folder):
        await measure(kafka.bootstrap, folder, **vars(given))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--per-second", type=float, default=PER_SECOND, help="default: %(default)s")
    parser.add_argument(
        "--incidents", type=int, choices=range(1, INCIDENTS + 1), default=INCIDENTS, metavar=f"1..{INCIDENTS}"
    )
    parser.add_argument("--raw-partitions", type=int, default=RAW_PARTITIONS, help="default: %(default)s")
    asyncio.run(main(parser.parse_args()))

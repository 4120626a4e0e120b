"""Everybody in the world speaks of one brand: the others hardly notice, and memory stays what it was."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest
from confluent_kafka import Producer

from agents.cli.accounts import read_tables
from streams.records import ON_SPIKES, Mark, Mention, ScoredMention, encode
from streams.tables import BRANDS
from streams.topics import RAW, SCORED, SPIKES
from tests.faults import inputs
from tests.faults.harness import Flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka.structs import ConsumerRecord

    from streams.settings import Settings

pytestmark = [pytest.mark.faults, pytest.mark.long, pytest.mark.timeout(480)]

ALL_AT_ONCE = 15_000
"""Mentions by which it is measured how many a second this machine can take."""
SHARE_OF_CAPACITY = 0.4
"""What is within capacity: beyond one half, waiting times grow by queueing alone."""
QUIET_S, FLOOD_S = 25, 150
WARM_UP_S = 5
"""Of the quiet phase, not measured."""
REMEMBERED = 20_000
"""Mentions, in each raw partition, so that this memory is full well before the flood's half."""
TICK_S = 0.01

TIMES_AS_SLOW, SAME_PARTITION_P99_S = 2.0, 5.0
HARDLY_NOTICED_S = 0.2
"""Less is nobody's loss, however many times as slow it is: the crowd itself takes its share of two cores."""
AUTHORS = 50_000
"""How large the crowd is at least; the figure printed says how large it was, which goes with the machine's capacity."""
BYTES_AN_AUTHOR = 200
"""Of the worker's memory, in the flood's second half. RocksDB fills its buffers, with some 100; a memory without a bound takes 150 more."""

FLOODED = "brand0"


def brands(keyed_partitions: int) -> dict[int, list[str]]:
    """Two brands or more in each keyed partition."""
    found: dict[int, list[str]] = {partition: [] for partition in range(keyed_partitions)}
    number = 0
    while min(map(len, found.values())) < 2:
        found[inputs.partition_of(f"brand{number}".encode(), keyed_partitions)].append(f"brand{number}")
        number += 1
    return found


class Crowd:
    """Speaks at a steady pace, each word by an author who has never spoken before. Blocks: give it a thread."""

    def __init__(self, settings: Settings, others: list[str]) -> None:
        self._topic, self._others = RAW.full_name(settings), others
        self._producer = Producer(
            {
                "bootstrap.servers": settings.kafka_bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
                "log_level": 0,  # it has no close, and the broker goes first
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        self.authors = 0
        self.said: Counter[str] = Counter()

    def speak(self, per_second: float, seconds: float, *, flooded: bool = False) -> None:
        """A flood is as much about the other brands as there was without it, and nine times as much about one."""
        began, spoken = monotonic(), 0
        while (elapsed := monotonic() - began) < seconds:
            while spoken < elapsed * per_second * (10 if flooded else 1):
                spoken += 1
                self._say(
                    FLOODED
                    if flooded and spoken % 10
                    else self._others[spoken // (10 if flooded else 1) % len(self._others)]
                )
            self._producer.poll(0)
            sleep(TICK_S)
        self._producer.flush()

    def say_at_once(self, count: int) -> None:
        """As fast as Kafka takes it."""
        for number in range(count):
            self._say(self._others[number % len(self._others)])
        self._producer.flush()

    def _say(self, brand: str) -> None:
        self.authors += 1
        self.said[brand] += 1
        mention = Mention(
            id=f"flood:{self.authors}",
            source="flood",
            observed_at=datetime.now(UTC),
            text=f"Has anybody else seen what happened to {brand} today?",
            author_id=f"did:plc:author-{self.authors}",
        )
        self._producer.produce(self._topic, encode(mention), mention.id)


class Taken(NamedTuple):
    """One mention of a quiet brand, or one mark: its partition, when it was said, and how long until it was told on, in seconds."""

    partition: int
    at_s: float
    took_s: float


def _taken(record: ConsumerRecord, at: datetime) -> Taken:
    return Taken(record.partition, at.timestamp(), record.timestamp / 1000 - at.timestamp())


def scored(records: list[ConsumerRecord]) -> Iterator[Taken]:
    """Until intake has told of it. Only of the brands that are not flooded."""
    decode = msgspec.json.Decoder(ScoredMention).decode
    for record in records:
        if record.key not in (None, FLOODED.encode()):
            yield _taken(record, decode(record.value).observed_at)


def counted(records: list[ConsumerRecord]) -> Iterator[Taken]:
    """Until detect has gone through all that was said up to then; each partition says so every second."""
    decode = msgspec.json.Decoder(ON_SPIKES).decode
    for record in records:
        one = decode(record.value)
        if isinstance(one, Mark) and one.time is not None:
            yield _taken(record, one.time)


def p99_s(taken: list[Taken]) -> float:
    """The time that one in a hundred exceeds."""
    return sorted(one.took_s for one in taken)[len(taken) * 99 // 100]


def memory_bytes(pid: int) -> int:
    """What a process holds in memory now."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


async def test_a_flood_of_one_brand_leaves_the_others_quick_and_memory_bounded(kafka, prefix, tmp_path, say):
    by_partition = brands(4)
    (flooded,) = [partition for partition, names in by_partition.items() if FLOODED in names]
    others = [name for names in by_partition.values() for name in names if name != FLOODED]
    rules = "ruleset: flood\nbrands:\n" + "".join(f"  - {{id: {one}, match: {one}}}\n" for one in [FLOODED, *others])
    async with Flow(kafka, prefix, tmp_path, rules=rules, remembered_mentions=REMEMBERED) as flow:
        worker = flow.start_worker("a")
        await flow.publish(inputs.gossip(flow.settings.raw_partitions, datetime.now(UTC)))
        await flow.settled()
        crowd = Crowd(flow.settings, others)
        asked_at_s = monotonic()
        await asyncio.to_thread(crowd.say_at_once, ALL_AT_ONCE)
        await flow.settled()
        capacity = ALL_AT_ONCE / (monotonic() - asked_at_s)
        quiet_per_second = capacity * SHARE_OF_CAPACITY / 10
        began_s = datetime.now(UTC).timestamp() + WARM_UP_S
        await asyncio.to_thread(crowd.speak, quiet_per_second, QUIET_S)
        flood_s = datetime.now(UTC).timestamp()
        await asyncio.to_thread(crowd.speak, quiet_per_second, FLOOD_S / 2, flooded=True)
        half_bytes, half_authors = memory_bytes(worker.pid), crowd.authors
        await asyncio.to_thread(crowd.speak, quiet_per_second, FLOOD_S / 2, flooded=True)
        over_s = datetime.now(UTC).timestamp()
        end_bytes = memory_bytes(worker.pid)
        await flow.settled()
        said = list(scored(await flow.eyes.read(SCORED.full_name(flow.settings))))
        marks = list(counted(await flow.eyes.read(SPIKES.full_name(flow.settings))))
        rows = {key: len(row) for (_, key), row in (await flow.eyes.latest(BRANDS.full_name(flow.settings))).items()}
        counts = {brand: row.total for brand, row in (await read_tables(flow.settings)).brands.items()}

    def between(taken: list[Taken], since_s: float, until_s: float, *, same: bool) -> float:
        return p99_s([one for one in taken if since_s <= one.at_s < until_s and (one.partition == flooded) == same])

    say(
        f"takes {capacity:,.0f} a second; flooded with {10 * quiet_per_second:,.0f} a second by {crowd.authors:,} authors"
    )
    say("p99 of the other brands, seconds, quiet -> flooded:")
    too_slow, slowest_s = [], {}
    for name, taken in (("scored", said), ("counted", marks)):
        for same in (False, True):
            quiet, flood = (
                between(taken, since_s, until_s, same=same)
                for since_s, until_s in ((began_s, flood_s), (flood_s, over_s))
            )
            if same:
                slowest_s[name] = flood
            elif flood > max(TIMES_AS_SLOW * quiet, HARDLY_NOTICED_S):
                too_slow.append((name, quiet, flood))
            say(f"  {name}, {'the same partition' if same else 'other partitions'}: {quiet:.3f} -> {flood:.3f}")
    growth = (end_bytes - half_bytes) / (crowd.authors - half_authors)
    say(
        f"  memory {half_bytes / 1e6:.0f} MB at half, {end_bytes / 1e6:.0f} MB at the end: {growth:.0f} bytes an author"
    )
    say(f"  the flooded brand's row {rows[FLOODED.encode()]:,} bytes, another's {rows[others[0].encode()]:,}")
    assert counts == dict(crowd.said), "each mention is counted once, applied or late"
    assert crowd.authors >= AUTHORS
    assert not too_slow
    assert max(slowest_s.values()) <= SAME_PARTITION_P99_S
    assert growth <= BYTES_AN_AUTHOR
    assert rows[FLOODED.encode()] <= 2 * rows[others[0].encode()]

"""`python -m tests.bench.sustained`: whether everything together keeps up with so many mentions a second.

The standard load comes evenly onto a real broker of its own, while workers with all agents handle it, everything
durable; all on this machine. Every few seconds a line says how many records wait: in each topic, those not yet
committed. Where that grows, the rate is too high; the last line says for how long after the last mention work was left.

    python -m tests.bench.sustained                              6,000 mentions a second, two workers
    python -m tests.bench.sustained --per-second 3000 --workers 1
"""

from __future__ import annotations

import argparse
import asyncio
import os
from time import monotonic
from typing import TYPE_CHECKING

from aiokafka.partitioner import murmur2
from confluent_kafka import Producer

from streams.topics import RAW, SCORED, SPIKES
from tests.bench.broker import broker_of
from tests.bench.firehose import Use
from tests.bench.job import RAW_PARTITIONS
from tests.bench.load import rules_yaml, standard_load
from tests.faults.harness import Flow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.load import Raw

TICK_S, LOOK_EVERY_S = 0.01, 5.0
SETTLING_S = 5.0
"""After partitions were shared out, before anything is said."""
FEW = 500
"""Records: marks come and are handled all the time, so something always waits."""


class Sustained:
    """One run."""

    def __init__(self, flow: Flow, kafka_pid: int, load: Sequence[Raw], per_second: float) -> None:
        self._flow, self._kafka_pid, self._load, self._per_second = flow, kafka_pid, load, per_second
        self._topics = [topic.full_name(flow.settings) for topic in (RAW, SCORED, SPIKES)]

    async def run(self, workers: int) -> None:
        """Start the workers one after the other, speak, and tell how it goes."""
        for number in range(workers):
            self._flow.start_worker(f"worker{number}")
            await self._flow.shared()
        await asyncio.sleep(SETTLING_S)
        pids = [self._kafka_pid, *[worker.pid for worker in self._flow.workers]]
        began_s = monotonic()
        telling = asyncio.create_task(self._tell(began_s, pids))
        await self._speak(began_s)
        said_s = monotonic() - began_s
        while sum((await self._waiting()).values()) > FEW:  # noqa: ASYNC110  nobody tells when they are done
            await asyncio.sleep(TICK_S)
        done_s = monotonic() - began_s
        telling.cancel()
        print(
            f"{len(self._load):,} mentions in {said_s:.1f} s, all handled {done_s - said_s:.1f} s later: {len(self._load) / done_s:,.0f} a second"
        )

    async def _speak(self, began_s: float) -> None:
        producer = Producer({"bootstrap.servers": self._flow.settings.kafka_bootstrap, "acks": "all", "linger.ms": 20})
        spoken = 0
        while spoken < len(self._load):
            due = min(int((monotonic() - began_s) * self._per_second), len(self._load))
            for raw in self._load[spoken:due]:
                partition = (murmur2(raw.key) & 0x7FFFFFFF) % RAW_PARTITIONS
                producer.produce(self._topics[0], raw.value, raw.key, partition)
            spoken = max(spoken, due)
            producer.poll(0)
            await asyncio.sleep(TICK_S)
        await asyncio.to_thread(producer.flush)

    async def _tell(self, began_s: float, pids: Sequence[int]) -> None:
        used = [Use.of(pid) for pid in pids]
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            waiting = ", ".join(f"{name} {count:,}" for name, count in (await self._waiting()).items())
            before, used = used, [Use.of(pid) for pid in pids]
            kafka, *workers = (
                f"{(now.cpu_s - then.cpu_s) / LOOK_EVERY_S:.0%}" for then, now in zip(before, used, strict=True)
            )
            cpu = f"CPU: Kafka {kafka}, workers {' '.join(workers)}"
            print(f"{monotonic() - began_s:5.0f} s: waiting: {waiting}; {cpu}", flush=True)

    async def _waiting(self) -> dict[str, int]:
        eyes = self._flow.eyes
        return {name: await eyes.behind(self._flow.group, await eyes.ends(name)) for name in self._topics}


async def main(given: argparse.Namespace) -> None:
    """Run it on a broker of its own."""
    load = list(standard_load(int(given.per_second * given.seconds)))
    print(
        f"{given.per_second:,.0f} mentions/s for {given.seconds:.0f} s, {given.workers} workers, {os.cpu_count()} cores"
    )
    async with (
        broker_of("sustained") as (kafka, folder),
        Flow(kafka, "", folder, rules=rules_yaml(), raw_partitions=RAW_PARTITIONS) as flow,
    ):
        await Sustained(flow, kafka.pid or 0, load, given.per_second).run(given.workers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.sustained",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--per-second", type=float, default=6000, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=30, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="default: %(default)s")
    asyncio.run(main(parser.parse_args()))

"""`python -m tests.bench.firehose`: the whole of Bluesky, for minutes, through a listener and a worker on a real broker.

    python -m tests.bench.firehose --minutes 10            as much as there is: 480 events a second, 50 of them posts
    python -m tests.bench.firehose --minutes 10 --times 10
    python -m tests.bench.firehose --filtered              the server sends posts and accounts alone, as it is asked to

Lag is the age of the oldest record that intake has not committed: from the stand-in's clock when it let it happen, over
the listener, Kafka and intake, to the committed offset. Otherwise the server sends everything whatever it is asked for,
so that the listener has to read and drop nine events of ten.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.cli.localkafka import free_port
from streams.records import Mention
from streams.topics import RAW
from tests.bench.broker import broker_of
from tests.bench.load import rules_yaml
from tests.faults.harness import Flow, Process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EVENTS_PER_SECOND = 480
LOOK_EVERY_S, PRINT_EVERY_S = 1.0, 30.0
DRAINED_WITHIN_S = 120
FLAT_S = 1.0
"""The median lag of the last third may be so much above that of the first."""
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Use(NamedTuple):
    """What a process has used so far, and holds now."""

    cpu_s: float
    rss_mib: float

    @classmethod
    def of(cls, pid: int) -> Self:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return cls((int(fields[11]) + int(fields[12])) / TICKS, int(fields[21]) * PAGE / 2**20)


class Look(NamedTuple):
    """How everything stands at one moment."""

    at_s: float
    sent: int
    published: int
    behind: int
    lag_s: float
    listener: Use
    worker: Use
    server: Use


class Firehose:
    """One run."""

    def __init__(self, flow: Flow, folder: Path, given: argparse.Namespace) -> None:
        self._flow, self._folder, self._given = flow, folder, given
        self._bootstrap = flow.settings.kafka_bootstrap
        self._raw = RAW.full_name(flow.settings)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, max_partition_fetch_bytes=4096)

    async def run(self) -> bool:
        """Print how it goes; True: the lag is flat, and nothing is lost."""
        self._worker = self._flow.start_worker("worker")
        await self._flow.shared()
        await self._consumer.start()
        port = free_port()
        self._server, self._listener = self._start_server(port), self._start_listener(port)
        try:
            return await self._run()
        finally:
            await self._consumer.stop()
            for process in (self._listener, self._server):
                if process.exit_code is None:
                    await process.kill()

    def _start_server(self, port: int) -> Process:
        rate = f"--events={EVENTS_PER_SECOND * self._given.times}"
        torrent = ["tests.bench.torrent", f"--port={port}", rate, f"--minutes={self._given.minutes}"]
        return Process("server", 1, torrent + ["--filtered"] * self._given.filtered, {}, self._folder)

    def _start_listener(self, port: int) -> Process:
        listen = ["agents.cli", "--kafka", self._bootstrap, "listen", "bluesky", f"host=ws://127.0.0.1:{port}"]
        environment = {"GROUNDSWELL_TOPIC_PREFIX": self._flow.settings.topic_prefix}
        return Process("listener", 1, listen, environment, self._folder)

    async def _run(self) -> bool:
        looks: list[Look] = []
        began, shown = monotonic(), 0
        while monotonic() - began < self._given.minutes * 60:
            await asyncio.sleep(LOOK_EVERY_S)
            looks.append(await self._look())
            if looks[-1].at_s - looks[shown].at_s >= PRINT_EVERY_S:
                print(_line(looks[shown:]), flush=True)
                shown = len(looks) - 1
        happened = await self._drained()
        warm = [look for look in looks if look.published and look.at_s - began > min(30, self._given.minutes * 20)]
        print("\nall but the first half minute:\n" + _line(warm))
        third = len(warm) // 3
        first, last = (median(look.lag_s for look in some) for some in (warm[:third], warm[-third:]))
        expected = happened["posts"] + happened["deletes"] + happened["removals"] * self._flow.settings.raw_partitions
        ends = await self._ends()
        published = sum(ends.values())
        lost = expected - published
        flat = last <= first + FLAT_S
        print(
            f"lag: median {first:.2f} s in the first third, {last:.2f} s in the last: {'flat' if flat else 'NOT FLAT'}"
        )
        print(f"happened {happened}; wanted in {self._raw} {expected:,}, found {published:,}, all committed by intake")
        return flat and not lost

    async def _look(self) -> Look:
        for process in (self._listener, self._server, self._worker):
            if process.exit_code is not None:
                raise SystemExit(f"{process.name} ended with {process.exit_code}:\n{process.words[-2000:]}")
        ends = await self._ends()
        committed = {
            tp: offset for tp, offset in (await self._flow.eyes.committed(self._flow.group)).items() if tp in ends
        }
        waiting = {tp: committed.get(tp, 0) for tp, end in ends.items() if committed.get(tp, 0) < end}
        oldest = [at_s for tp, offset in waiting.items() if (at_s := await self._witnessed(tp, offset)) is not None]
        return Look(
            at_s=monotonic(),
            sent=self._happened().get("sent", 0),
            published=sum(ends.values()),
            behind=sum(ends[tp] - offset for tp, offset in waiting.items()),
            lag_s=max((_now_s() - at_s for at_s in oldest), default=0.0),
            listener=Use.of(self._listener.pid),
            worker=Use.of(self._worker.pid),
            server=Use.of(self._server.pid),
        )

    async def _ends(self) -> Mapping[TopicPartition, int]:
        return await self._flow.eyes.ends(self._raw)

    async def _witnessed(self, tp: TopicPartition, offset: int) -> float | None:
        """When the record there happened, seconds since 1970; an account's end has a time as well."""
        self._consumer.assign([tp])
        self._consumer.seek(tp, offset)
        found = await self._consumer.getmany(tp, timeout_ms=1000, max_records=1)
        for record in found.get(tp, ()):
            return msgspec.json.decode(record.value, type=Mention).observed_at.timestamp()
        return None

    def _happened(self) -> dict[str, int]:
        lines = [line for line in self._server.words.splitlines() if line.startswith("{") and line.endswith("}")]
        return json.loads(lines[-1]) if lines else {}

    async def _drained(self) -> dict[str, int]:
        """Return what has happened once nothing more happens and intake has committed all of it."""
        give_up_at, before = monotonic() + DRAINED_WITHIN_S, (-1, -1, -1)
        while monotonic() < give_up_at:
            await asyncio.sleep(3 * LOOK_EVERY_S)
            look = await self._look()
            now = (look.sent, look.published, look.behind)
            if now == before and look.behind == 0:
                return self._happened()
            before = now
        raise SystemExit(f"{DRAINED_WITHIN_S} s after the last event something still waits: {before}")


def _now_s() -> float:
    return datetime.now(UTC).timestamp()


def _line(looks: Sequence[Look]) -> str:
    first, last = looks[0], looks[-1]
    seconds = last.at_s - first.at_s

    def used(name: str) -> str:
        was, is_ = getattr(first, name), getattr(last, name)
        return f"{name} {(is_.cpu_s - was.cpu_s) / seconds:4.0%} CPU {is_.rss_mib:4.0f} MiB"

    lags = [look.lag_s for look in looks]
    return (
        f"{(last.sent - first.sent) / seconds:6,.0f} events/s sent, "
        f"{(last.published - first.published) / seconds:5,.0f} records/s published, "
        f"lag mean {mean(lags):.2f} s max {max(lags):.2f} s, {last.behind:,} behind; "
        f"{used('listener')}, {used('worker')}, {used('server')}"
    )


async def main(given: argparse.Namespace) -> bool:
    """Run it on a broker of its own."""
    async with (
        broker_of("firehose") as (kafka, folder),
        Flow(kafka, "firehose.", folder, rules=rules_yaml()) as flow,
    ):
        return await Firehose(flow, folder, given).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--times", type=float, default=1, help="so many times what Bluesky has")
    parser.add_argument(
        "--filtered", action="store_true", help="the server sends what is asked for, and not everything"
    )
    raise SystemExit(not asyncio.run(main(parser.parse_args())))

"""`python -m tests.faults.soak --minutes 30`: workers and broker die at random under a steady load, then everything is counted.

It ends with ALL-RECORDS-ACCOUNTED-FOR and exit code 0, or with the first record that is not and its path
through the flow, and 1. What is checked: every record against what the input alone says must become of it; every
finding and alert step against an undisturbed run over the same log; every delivery against its idempotency
key; the identities of `groundswell audit`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from statistics import linear_regression
from time import monotonic
from typing import TYPE_CHECKING

from agents.cli.localkafka import LocalKafka
from streams.topics import ALERTS, SPIKES
from tests.faults import oracle, twin
from tests.faults.harness import Flow, Process
from tests.faults.receiver import Receiver, repeated, under_a_second_key
from tests.faults.unrest import Unrest, days_ago

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.faults.oracle import Said

PREFIX = "soak."
SLICE_S = 2
CALM_S = (20, 60)
"""Between two faults: at least and at most."""
LOOK_EVERY_S = 5
SETTLED_WITHIN_S = 600
SETTINGS = {"remembered_mentions": 50_000}
"""So few that memory is full after some minutes: from then on a worker must not grow."""
DAYS = 24
"""Of event time, however long the soak: three in which the detector learns, then an incident every four or five hours."""
MIB = 1024 * 1024


class Town:
    """Brands that burst one after the other over three weeks of event time; in between a crowd edits, deletes, repeats, babbles."""

    CROWD = 0.1

    def __init__(self, seed: int, records: float) -> None:
        """`records`: how many it will be asked for."""
        self._chance = random.Random(seed)
        self._unrest = Unrest(seed, begins=days_ago(DAYS), usual_s=DAYS * 86_400 / records)
        self._crowd = oracle.Story(seed, days_ago(DAYS))
        self.rules = oracle.RULES + self._unrest.rules[self._unrest.rules.index("watch:") :]

    def go_on(self, count: int) -> Iterator[Said]:
        """Say so many records."""
        for _ in range(count):
            story = self._crowd if self._chance.random() < self.CROWD else self._unrest
            self._crowd.now = self._unrest.now
            yield next(story.go_on(1))


class Memory:
    """Resident memory of each process over its life, MiB."""

    def __init__(self) -> None:
        self.samples: dict[str, list[tuple[float, float]]] = {}

    async def watch(self, workers: Callable[[], Sequence[Process]]) -> None:
        """Look again and again."""
        while True:
            for worker in workers():
                with suppress(FileNotFoundError, ProcessLookupError):
                    pages = int(_read(f"/proc/{worker.pid}/statm").split()[1])
                    self.samples.setdefault(worker.name, []).append((monotonic() / 60, pages * 4096 / MIB))
            await asyncio.sleep(LOOK_EVERY_S)

    def __str__(self) -> str:
        """Of the process that lived longest: how it grew in the second half of its life, after all caches were warm."""
        name, life = max(self.samples.items(), key=lambda one: len(one[1]))
        late = life[len(life) // 2 :]
        slope = linear_regression(*zip(*late, strict=True)).slope if len(late) > 2 else float("nan")
        return (
            f"{name}, which lived {life[-1][0] - life[0][0]:.0f} min: {life[0][1]:.0f} MiB at first, {late[0][1]:.0f} halfway, "
            f"{life[-1][1]:.0f} at the end, {slope:+.2f} MiB a minute in the second half"
        )


class Weather:
    """What befalls the flow. Worker `a` dies often, `b` only in the first third, so that its memory can be watched."""

    def __init__(self, flow: Flow, broker: LocalKafka, chance: random.Random, until_s: float) -> None:
        self._flow, self._broker, self._chance = flow, broker, chance
        self._began, self._until = monotonic(), until_s
        self.faults: Counter[str] = Counter()
        self._homes = 0

    async def strike(self) -> None:
        """Let one thing after the other happen, with some calm in between."""
        while monotonic() + CALM_S[0] < self._until:
            await asyncio.sleep(min(self._chance.uniform(*CALM_S), max(0, self._until - monotonic())))
            await self._one()

    async def _one(self) -> None:
        (kind,) = self._chance.choices(("kill", "kill, disk lost", "stop", "broker"), weights=(5, 1, 1, 2))
        self.faults[kind] += 1
        if kind == "broker":
            self._broker.kill()
            await asyncio.to_thread(self._broker.start)
            await self._broker.wait_ready()
            return
        early = monotonic() < self._began + (self._until - self._began) / 3
        victim = self._chance.choice([one for one in self._flow.workers if early or not one.home.startswith("b")])
        home = victim.home
        if kind == "stop":
            await self._flow.stop(victim)
        else:
            await self._flow.kill(victim)
        if kind == "kill, disk lost":
            self._homes += 1
            home = f"{home[0]}{self._homes}"
        self._flow.start_worker(home)

    async def supervise(self) -> None:
        """Start again whoever gives up, as a supervisor does it."""
        while True:
            for worker in self._flow.revive():
                self.faults[f"ended by itself with {worker.exit_code}"] += 1
                print(f"  {worker.name}: {worker.words.splitlines()[-1]}", flush=True)
            await asyncio.sleep(0.2)


async def soak(minutes: float, per_second: int, seed: int, folder: Path) -> bool:
    """Return whether every record is accounted for."""
    broker, chance, town = LocalKafka(folder / "kafka"), random.Random(seed), Town(seed, minutes * 60 * per_second)
    await asyncio.to_thread(broker.start)
    await broker.wait_ready()
    try:
        async with (
            Receiver() as receiver,
            Flow(broker, PREFIX, folder, rules=town.rules, supervised=True, **SETTINGS, **receiver.settings) as flow,
        ):
            flow.start_worker("a")
            flow.start_worker("b")
            await flow.shared()
            memory, began = Memory(), monotonic()
            weather = Weather(flow, broker, chance, began + minutes * 60)
            beside = [asyncio.create_task(one) for one in (memory.watch(lambda: flow.workers), weather.supervise())]
            striking = asyncio.create_task(weather.strike())
            await _publish(flow, town, minutes, per_second)
            await striking
            rate = len(flow.published) / (monotonic() - began)
            print(f"published {len(flow.published):,} at {rate:,.0f}/s; {dict(weather.faults)}; settling", flush=True)
            wrong = await _settle(flow)
            for task in beside:
                task.cancel()
            wrong += await _judge(flow, town, receiver)
            print(f"memory: {memory}")
    finally:
        broker.stop()
    for line in wrong:
        print(f"NOT ACCOUNTED FOR: {line}")
    if not wrong:
        print("ALL-RECORDS-ACCOUNTED-FOR")
    return not wrong


async def _publish(flow: Flow, town: Town, minutes: float, per_second: int) -> None:
    """Evenly; after an outage of the broker it makes up for what was not said."""
    began = monotonic()
    for number in range(round(minutes * 60 / SLICE_S)):
        await asyncio.sleep(max(0.0, began + number * SLICE_S - monotonic()))
        await flow.publish(town.go_on(per_second * SLICE_S), per_second)
        if number % (60 // SLICE_S) == 0:
            print(f"  {(monotonic() - began) / 60:4.1f} min: {len(flow.published):,} published", flush=True)


async def _settle(flow: Flow) -> list[str]:
    """Wait until all is handled, then stop the workers."""
    try:
        await flow.settled(within_s=SETTLED_WITHIN_S)
    except AssertionError as error:
        return [str(error)]
    for worker in flow.workers:
        await flow.stop(worker)
    return []


async def _judge(flow: Flow, town: Town, receiver: Receiver) -> list[str]:
    standing = await flow.standing()
    verdict = oracle.judge(flow.published, standing)
    print(verdict)
    wrong = list(verdict.wrong)
    if verdict.first_lost:
        wrong += list(oracle.path(verdict.first_lost, standing))
    spikes = await flow.eyes.read(SPIKES.full_name(flow.settings))
    alerts = await flow.eyes.read(ALERTS.full_name(flow.settings))
    wrong += twin.differences(standing.scored, spikes, alerts, town.rules, flow.settings)
    heard = receiver.accepted
    changes = Counter(one.change for one in heard)
    second, again = under_a_second_key(heard), repeated(heard)
    print(
        f"told by webhook: {dict(changes)}; under a second key {second}, again under the same key {sum(again.values())}"
    )
    if second or receiver.forged:
        wrong.append(f"{second} alert steps came under a second key, {receiver.forged} with a wrong signature")
    audit = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agents.cli", "--kafka", flow.settings.kafka_bootstrap, "audit",
        env={**os.environ, "GROUNDSWELL_TOPIC_PREFIX": PREFIX},
    )  # fmt: skip
    if await audit.wait():
        wrong.append("groundswell audit finds a difference, see above")
    return wrong


def _read(path: str) -> str:
    return Path(path).read_text()


def main() -> None:
    """Exit 0: all records are accounted for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=30, help="how long the load lasts (%(default)s)")
    parser.add_argument("--per-second", type=int, default=1000, help="records published (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the story and the faults (%(default)s)")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the broker is away again and again
    with tempfile.TemporaryDirectory(prefix="groundswell-soak-") as folder:
        sys.exit(not asyncio.run(soak(given.minutes, given.per_second, given.seed, Path(folder))))


if __name__ == "__main__":
    main()

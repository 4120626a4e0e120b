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
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from agents.cli.localkafka import LocalKafka
from streams.records import Alert
from streams.topics import ALERTS, SPIKES
from tests.faults import oracle, twin
from tests.faults.harness import Flow
from tests.faults.pager import Pager
from tests.faults.receiver import Receiver, repeated, under_a_second_key
from tests.faults.unrest import Unrest, days_ago
from tests.faults.weather import Memory, Weather

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.core.deliveries import Delivery
    from tests.faults.oracle import Said

PREFIX = "soak."
SLICE_S = 2
CATCH_UP = 1.5
"""Times the asked rate at most, so that what an outage of the broker held up is made up for."""
SETTLED_WITHIN_S = 600
SETTINGS = {"remembered_mentions": 50_000}
"""So few that memory is full after some minutes: from then on a worker must not grow."""
REPEATED_WITHIN = 40_000
"""Records between a mention and its last copy: fewer than a partition's memory of mentions, even if all were in one."""
DAYS = 24
"""Of event time, however long the soak: three in which the detector learns, then an incident every four or five hours."""


class Town:
    """Brands that burst one after the other over three weeks of event time; in between a crowd edits, deletes, repeats, babbles."""

    CROWD = 0.1

    def __init__(self, seed: int, records: float) -> None:
        """`records`: how many it will be asked for."""
        self._chance = random.Random(seed)
        self._unrest = Unrest(seed, begins=days_ago(DAYS), usual_s=DAYS * 86_400 / records)
        self._crowd = oracle.Story(seed, days_ago(DAYS), repeated=int(REPEATED_WITHIN * self.CROWD))
        self.rules = oracle.RULES + self._unrest.rules[self._unrest.rules.index("watch:") :]

    def go_on(self, count: int) -> Iterator[Said]:
        """Say so many records."""
        for _ in range(count):
            story = self._crowd if self._chance.random() < self.CROWD else self._unrest
            self._crowd.now = self._unrest.now
            yield next(story.go_on(1))


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
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*beside)  # if one had failed, we would not know
            wrong += weather.wrong + await _judge(flow, town, receiver, sum(weather.faults.values()))
            says, grows = memory.verdict()
            print(f"memory: {says}")
            wrong += ["memory grows"] if grows else []
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
        await flow.publish(town.go_on(per_second * SLICE_S), CATCH_UP * per_second)
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


async def _judge(flow: Flow, town: Town, receiver: Receiver, faults: int) -> list[str]:
    standing = await flow.standing()
    verdict = oracle.judge(flow.published, standing)
    print(verdict)
    wrong = list(verdict.wrong)
    spikes = await flow.eyes.read(SPIKES.full_name(flow.settings))
    alerts = await flow.eyes.read(ALERTS.full_name(flow.settings))
    wrong += twin.differences(standing.scored, spikes, alerts, town.rules, flow.settings)
    heard = receiver.accepted
    changes = Counter(one.change for one in heard)
    second, again = under_a_second_key(heard), repeated(heard)
    print(
        f"told by webhook: {dict(changes)}; under a second key {second}, again under the same key {sum(again.values())}"
    )
    if second or receiver.forged or max(again.values(), default=0) > faults:
        wrong.append(f"{second} alert steps came under a second key, {receiver.forged} with a wrong signature: {again}")
    rows = await Pager(flow, receiver, town).deliveries()
    steps = [msgspec.json.decode(record.value, type=Alert) for record in alerts if record.value is not None]
    pages = {alert.id for alert in steps if alert.urgency == "page"}  # nobody is sent tickets here
    untold = [name for name in pages if name not in rows or not _is_told(rows[name])]
    wrong += [f"alert {name} was not told: {rows.get(name)}" for name in untold]
    audit = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agents.cli", "--kafka", flow.settings.kafka_bootstrap, "audit",
        env={**os.environ, "GROUNDSWELL_TOPIC_PREFIX": PREFIX},
    )  # fmt: skip
    if await audit.wait():
        wrong.append("groundswell audit finds a difference, see above")
    return wrong + (list(oracle.path(verdict.first, standing)) if verdict.first else [])


def _is_told(row: Delivery) -> bool:
    """Or it was over before a worker could tell it."""
    return row.state == "delivered" or row.reason == "over_before_told"


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

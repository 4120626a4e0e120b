"""Every live source at once, in one process that is killed in mid-stream, and in the end a worker's own accounts."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest

from agents.cli.accounts import read_tables
from agents.cli.read import read_source_states
from streams.records import ON_SCORED, ScoredMention
from streams.topics import RAW, SCORED
from tests.faults.harness import Flow, Process, comes_true, until
from tests.sources.standins import STANDINS

if TYPE_CHECKING:
    from pathlib import Path

    from agents.cli.localkafka import LocalKafka
    from tests.sources.standins import StandIn

pytestmark = pytest.mark.faults

BATCH, BATCHES, KILLS = 3, 60, 3
PAUSE_S = 0.4
"""So slowly that no source says more, while a listener starts again, than the other side keeps (a feed: 60 entries)."""

MORE = {"mastodon": {"pages": "250"}}
"""All of it is said within the quarter of an hour that this source looks back."""

RULES = "ruleset: sources\nbrands:\n" + "".join(f"  - {{id: {name}, role: own, match: {name}}}\n" for name in STANDINS)
"""Each text holds its mention's id, which begins with the source's name."""


class _Id(msgspec.Struct):
    id: str


async def talk(other: StandIn, chance: Random) -> list[str]:
    """People talk on, whoever listens; now and then a connection breaks."""
    ids: list[str] = []
    for number in range(BATCHES):
        ids += await other.say(BATCH)
        await asyncio.sleep(PAUSE_S)
        if "interrupt" in other.can and number and chance.random() < 0.05:
            await other.interrupt()
    return ids


async def end(process: Process) -> None:
    """Where the test fails, nobody listens on."""
    if process.exit_code is None:
        await process.kill()


@pytest.mark.timeout(300)
async def test_nothing_is_lost_or_counted_twice_where_listening_is_killed_in_mid_stream(
    kafka: LocalKafka, prefix: str, tmp_path: Path, say
) -> None:
    chance = Random(4)
    async with AsyncExitStack() as stack:
        flow = await stack.enter_async_context(Flow(kafka, prefix, tmp_path, rules=RULES))
        others = {name: await stack.enter_async_context(make()) for name, make in STANDINS.items()}
        secrets = {name: value for other in others.values() for name, value in other.secrets.items()}
        words = [
            word
            for name, other in others.items()
            for word in (name, *(f"{key}={value}" for key, value in (other.options | MORE.get(name, {})).items()))
        ]
        environment = {"GROUNDSWELL_TOPIC_PREFIX": prefix, **secrets}
        command = ["agents.cli", "--kafka", kafka.bootstrap, "listen", *words]

        def listen(number: int) -> Process:
            process = Process("listen", number, command, environment, tmp_path)
            stack.push_async_callback(end, process)
            return process

        async def said() -> Counter[str]:
            return Counter(
                msgspec.json.decode(record.value, type=_Id).id
                for record in await flow.eyes.read(RAW.full_name(flow.settings))
            )

        async def so_many(count: int) -> bool:
            return sum((await flow.eyes.ends(RAW.full_name(flow.settings))).values()) >= count

        flow.start_worker("a")
        listener = listen(0)
        await flow.shared()
        talking = [asyncio.create_task(talk(other, chance)) for other in others.values()]
        for kill in range(KILLS):
            count = len(others) * BATCH * BATCHES * (kill + 1) // (KILLS + 2)
            await until(f"{count} records are published", lambda count=count: so_many(count), 60)
            await listener.kill()
            listener = listen(kill + 1)
        ids = dict(zip(others, await asyncio.gather(*talking), strict=True))

        async def all_are_heard() -> bool:
            heard = await said()
            return all(one in heard for mine in ids.values() for one in mine)

        await comes_true(all_are_heard, 60)
        await listener.stop()
        await flow.settled()
        heard = await said()
        tables = await read_tables(flow.settings)
        booked, states = tables.by_source(), await read_source_states(flow.settings)
        told = {
            (scored.brand, scored.origin, scored.op)
            for record in await flow.eyes.read(SCORED.full_name(flow.settings))
            if isinstance(scored := msgspec.json.decode(record.value, type=ON_SCORED), ScoredMention)
        }
        ops = Counter((brand, op) for brand, _, op in told)
        wrong = []
        for name, mine in ids.items():
            lost = [one for one in mine if one not in heard]
            counted, edits = ops[name, "create"], ops[name, "update"]
            say(
                f"{name}: {len(mine)} said, {KILLS} kills, {sum(heard[one] for one in mine)} published, "
                f"{booked[name]['duplicate']} duplicates dropped, {counted} counted, "
                f"{edits} edits, lost {len(lost)}"
            )
            wrong += [f"lost {one}" for one in lost[:3]]
            if counted != len(set(mine)) or tables.brands[name].total != counted + edits:
                wrong.append(f"{name}: {counted} counted, {edits} edits, {tables.brands[name].total} in its row")
        assert not wrong
        assert {state.state for state in states.values()} == {"ended"}

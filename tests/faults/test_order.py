"""Outputs, then rows, then the offset: what "Nothing lost" in the README says, each with a test that names it.

Zombies: test_zombie.py. A new log: test_logs.py. Holes: test_restarts.py.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
import pytest
from faust.stores.rocksdb import Store
from rocksdict import AccessType, Options, Rdict

from streams.records import ON_SCORED, Mark
from streams.tables import STATE
from streams.topics import SCORED
from tests.faults.harness import Flow, new_story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.harness import Process

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

DOOMED = "tests.faults.doomed"
DIES_WITHIN_S = 60
PER_SECOND = 200
"""So that there is always something that the offsets do not cover yet."""
BUNDLE_WAIT_S = 0.3
"""So that most bundles speak to several partitions."""


@pytest.mark.parametrize(
    "doom",
    [
        "logged brands 6",
        pytest.param("half-told mentions.scored 30", marks=pytest.mark.long),
        pytest.param("told brands 6", marks=pytest.mark.long),
        pytest.param("half-logged brands 6", marks=pytest.mark.long),
        pytest.param("logged seen 6", marks=pytest.mark.long),
        pytest.param("stored brands 6", marks=pytest.mark.long),
        pytest.param("released seen 6", marks=pytest.mark.long),
    ],
)
async def test_killed_between_two_writes_restarted_and_moved_to_an_empty_disk_nothing_is_lost_or_counted_twice(
    kafka, prefix, tmp_path, say, doom
):
    """And the local copy never holds a row that the changelog does not: local ahead of log."""
    story = new_story(seed=11)
    async with Flow(kafka, prefix, tmp_path, bundle_wait_s=BUNDLE_WAIT_S) as flow:
        doomed = flow.start_worker("a", module=DOOMED, doom=doom)
        await flow.shared()
        await asyncio.gather(flow.publish(story.go_on(800), PER_SECOND), killed(flow, doomed))
        rows = await rows_that_both_hold(flow, tmp_path / "a")
        await flow.publish(story.go_on(200))
        survivor = flow.start_worker("a")
        await flow.settled()
        await flow.stop(survivor)
        await flow.publish(story.go_on(200))
        flow.start_worker("b")
        await flow.settled()
        verdict = await flow.verdict()
    say(f"killed at {doom}: {verdict}; {rows} local rows, all of them in the changelog")
    assert not verdict.wrong
    assert rows


async def killed(flow: Flow, worker: Process) -> None:
    assert await worker.ended(DIES_WITHIN_S) == -9, worker.words
    flow.given_up(worker)


async def rows_that_both_hold(flow: Flow, home: Path) -> int:
    """Compare a dead worker's local copies with the changelogs, as these stood at the offset up to which it holds them."""
    count = 0
    for table in STATE:
        changelog = await flow.eyes.read(table.full_name(flow.settings))
        for partition, local in local_copies(home, table.name):
            up_to = int(local.pop(Store.offset_key, -1))
            logged: dict[bytes, bytes] = {}
            for record in changelog:
                if record.partition == partition and record.offset <= up_to:
                    logged[record.key] = record.value
            assert local == {key: row for key, row in logged.items() if row is not None}, f"{table.name}-{partition}"
            count += len(local)
    return count


def local_copies(home: Path, table: str) -> Iterator[tuple[int, dict[bytes, bytes]]]:
    """What RocksDB holds of a table, by partition."""
    for path in home.glob(f"**/{table}-*.db"):
        database = Rdict(str(path), Options(raw_mode=True), access_type=AccessType.read_only())
        yield int(path.stem.rpartition("-")[2]), dict(database.items())
        database.close()


async def test_after_a_failed_delivery_nothing_more_is_sent_there_until_the_worker_has_restarted(
    kafka, prefix, tmp_path, say
):
    """Order: if a later batch overtook a failed one, the retry would be skipped as already applied."""
    async with Flow(kafka, prefix, tmp_path, bundle_records=20) as flow:
        await flow.publish(new_story(seed=12).go_on(1000))
        worker = flow.start_worker("a", module=DOOMED, doom="failing mentions.scored 8")
        assert await worker.ended(DIES_WITHIN_S) == 1
        flow.given_up(worker)
        last_line = worker.words.splitlines()[-1]
        before = await origins_told(flow)
        flow.start_worker("a", module=DOOMED, doom="alone - 0")
        await flow.settled()
        verdict, after = await flow.verdict(), await origins_told(flow)
    told = sum(map(len, before.values()))
    say(f"the eighth delivery failed after {told} were told: {verdict}")
    assert f"{SCORED.name}-0 did not take what was sent to it (KafkaTimeoutError)" in last_line
    assert told
    for lane, offsets in before.items():
        assert offsets == {offset for offset in after[lane] if offset <= max(offsets)}, "something was overtaken"
    assert not verdict.wrong


@pytest.mark.long
async def test_a_partition_that_goes_away_and_comes_back_is_opened_from_its_rows_and_not_from_memory(
    kafka, prefix, tmp_path, say
):
    """Hand-over: what its first owner remembers of it is older than what its second owner wrote down."""
    story = new_story(seed=13)
    async with Flow(kafka, prefix, tmp_path) as flow:
        flow.start_worker("a")
        await flow.publish(story.go_on(300))
        await flow.settled()
        guest = flow.start_worker("b")
        await flow.shared()
        await flow.publish(story.go_on(300))
        await flow.settled()
        await flow.stop(guest)
        await flow.shared()
        await flow.publish(story.go_on(300))
        await flow.settled()
        verdict = await flow.verdict()
    say(f"gone and back: {verdict}")
    assert not verdict.wrong


async def origins_told(flow: Flow) -> dict[tuple[int, int], set[int]]:
    """Raw offsets that were told, by scored partition and raw partition."""
    told = defaultdict(set)
    for record in await flow.eyes.read(SCORED.full_name(flow.settings)):
        value = msgspec.json.decode(record.value, type=ON_SCORED)
        if not isinstance(value, Mark):
            told[record.partition, value.origin.partition].add(value.origin.offset)
    return told

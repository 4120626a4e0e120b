"""No room for rows: on the worker's disk, and in the changelog."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.pages import LOG_KEY, read_handled
from streams.tables import BRANDS, SEEN
from streams.topics import RAW, SCORED
from tests.faults.doomed import fill
from tests.faults.harness import QUICK_CHECKPOINT_S, Flow, new_story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

MENTIONS = 600
ROOM_MIB = 24
ENDS_WITHIN_S = 60


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own, which forgets nothing while it is mounted."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM_MIB}m", "groundswell-test", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def assert_rows_cover_what_is_committed(flow: Flow) -> None:
    """No offset was committed beyond the record up to which the changelog's rows go."""
    committed = await flow.eyes.committed(flow.group)
    for table, topic in ((SEEN, RAW), (BRANDS, SCORED)):
        rows = await flow.eyes.latest(table.full_name(flow.settings))
        for tp, offset in committed.items():
            if tp.topic == topic.full_name(flow.settings) and offset:
                assert read_handled(rows.get((tp.partition, LOG_KEY))).offset >= offset - 1, tp


@pytest.mark.parametrize("when", ["while it runs", pytest.param("while it recovers", marks=pytest.mark.long)])
async def test_a_full_disk_stops_the_worker_with_a_clear_word_and_nothing_is_lost_once_there_is_room(
    kafka, prefix, tmp_path, say, when
):
    story, disk = new_story(seed=21), tmp_path / "small"
    ballast = disk / "ballast"
    with small_disk(disk):
        async with Flow(kafka, prefix, tmp_path, checkpoint_s=QUICK_CHECKPOINT_S) as flow:
            await flow.publish(story.go_on(MENTIONS))
            if when == "while it runs":
                worker = flow.start_worker("small")
                await flow.settled()
                fill(ballast)
                await flow.publish(story.go_on(MENTIONS))
            else:
                elsewhere = flow.start_worker("elsewhere")
                await flow.settled()
                await flow.stop(elsewhere)
                worker = flow.start_worker("small", module="tests.faults.doomed", doom=f"recovering {ballast} 0")
            code = await worker.ended(ENDS_WITHIN_S)
            flow.given_up(worker)
            last_line = worker.words.splitlines()[-1]
            await assert_rows_cover_what_is_committed(flow)
            ballast.unlink()
            await flow.publish(story.go_on(MENTIONS))
            flow.start_worker("small")
            await flow.settled()
            verdict = await flow.verdict()
    say(f"disk full {when}: exit {code}, {last_line!r}; then {verdict}")
    assert code == 1
    assert f"the tables in {disk / 'tables'} cannot be written" in last_line
    assert "No space left on device" in last_line
    assert "Make room there" in last_line
    assert not verdict.wrong


@pytest.mark.long
async def test_a_changelog_that_takes_no_rows_stops_the_worker_and_nothing_is_lost_once_it_does(
    kafka, prefix, tmp_path, say
):
    story = new_story(seed=22)
    async with Flow(kafka, prefix, tmp_path) as flow:
        changelog = BRANDS.full_name(flow.settings)
        worker = flow.start_worker("a")
        await flow.publish(story.go_on(MENTIONS))
        await flow.settled()
        await largest_record(flow, changelog, 100)
        await flow.publish(story.go_on(MENTIONS))
        code = await worker.ended(ENDS_WITHIN_S)
        flow.given_up(worker)
        last_line = worker.words.splitlines()[-1]
        await assert_rows_cover_what_is_committed(flow)
        await largest_record(flow, changelog, 1_000_000)
        flow.start_worker("a")
        await flow.settled()
        verdict = await flow.verdict()
    say(f"rows refused: exit {code}, {last_line!r}; then {verdict}")
    assert code == 1
    assert changelog in last_line
    assert "MessageSizeTooLargeError" in last_line
    assert not verdict.wrong


async def largest_record(flow: Flow, topic: str, size: int) -> None:
    """Tell the broker what it may take, bytes."""
    await flow.eyes.admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic, {"cleanup.policy": "compact", "max.message.bytes": str(size)})]
    )

"""A worker that was frozen past its session wakes up and believes that its partitions are still its own."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.harness import Flow, new_story

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

MENTIONS = 8_000
PER_SECOND = 400
AFTERWARDS = 200


@pytest.mark.long
async def test_a_worker_frozen_under_load_and_woken_after_its_partitions_moved_changes_nothing(
    kafka, prefix, tmp_path, say
):
    crowd = new_story(3)
    story = list(crowd.go_on(MENTIONS))
    to_tell = sum(len(said.tells) for said in story)
    async with Flow(kafka, prefix, tmp_path) as flow:
        zombie = flow.start_worker("a")
        flow.start_worker("b")
        await flow.shared()
        publishing = asyncio.create_task(flow.publish(story, PER_SECOND))
        await flow.told(at_least=to_tell / 5)
        zombie.freeze()
        await flow.shared(among=1)
        zombie.thaw()
        await publishing
        await flow.shared()
        await flow.settled()
        verdict = await flow.verdict()
        for worker in flow.workers:
            await flow.stop(worker)
        await flow.publish(crowd.go_on(AFTERWARDS))
        flow.start_worker("c")  # its disk is empty: all that it knows is what the changelogs say
        await flow.settled()
        recovered = await flow.verdict()
    say(f"frozen, replaced and woken: {verdict}; after the next recovery: {recovered}")
    assert not verdict.wrong
    assert not recovered.wrong

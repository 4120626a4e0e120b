"""Workers die without a word, under load."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.faults.harness import Flow, new_story

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

MENTIONS = 20_000
PER_SECOND = 1200
MOMENTS = ((0.05, 0.15), (0.25, 0.35), (0.45, 0.55), (0.65, 0.75), (0.85, 0.95))
"""A worker dies when so much, at random within these bounds, has been told of all there is to tell."""


@pytest.mark.parametrize(
    ("seed", "checkpoint_s"),
    [
        pytest.param(1, 1.0, id="rows-wait-for-a-checkpoint"),  # much is lost from memory, and told again
        # much is read again that rows hold already
        pytest.param(4, 0.2, id="rows-are-ahead-of-the-offsets", marks=pytest.mark.long),
    ],
)
async def test_two_workers_killed_again_and_again_lose_nothing_and_count_nothing_twice(
    kafka, prefix, tmp_path, say, seed, checkpoint_s
):
    chance = random.Random(seed)
    story = list(new_story(seed).go_on(MENTIONS))
    to_tell = sum(len(said.tells) for said in story)
    async with Flow(kafka, prefix, tmp_path, checkpoint_s=checkpoint_s) as flow:
        flow.start_worker("a")
        flow.start_worker("b")
        await flow.shared()
        publishing = asyncio.create_task(flow.publish(story, PER_SECOND))
        for bounds in MOMENTS:
            await flow.told(at_least=chance.uniform(*bounds) * to_tell)
            victim = chance.choice(flow.workers)
            await flow.kill(victim)
            flow.start_worker(victim.home)
        await publishing
        await flow.settled()
        verdict = await flow.verdict()
    say(f"{len(MOMENTS)} kills: {verdict}")
    assert not verdict.wrong

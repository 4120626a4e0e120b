"""The broker dies without a word, under load, and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from time import monotonic

import pytest

from agents.cli.localkafka import LocalKafka
from streams.topics import RAW
from tests.faults.harness import EXIT_WITHIN_S, Flow, new_story, until

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.timeout(300)]

MENTIONS = 4_000
PER_SECOND = 300
GO_ON_WITHIN_S = 30


async def test_workers_go_on_by_themselves_once_the_broker_is_back_and_nothing_is_lost(prefix, tmp_path, say):
    broker = LocalKafka(tmp_path / "kafka")
    await asyncio.to_thread(broker.start)
    await broker.wait_ready()
    try:
        story = list(new_story(5).go_on(MENTIONS))
        async with Flow(broker, prefix, tmp_path) as flow:
            flow.start_worker("a")
            flow.start_worker("b")
            await flow.shared()
            publishing = asyncio.create_task(flow.publish(story, PER_SECOND))
            await flow.told(at_least=sum(len(said.tells) for said in story) / 4)
            broker.kill()
            await asyncio.to_thread(broker.start)
            await broker.wait_ready()
            back_at, waiting = monotonic(), await flow.eyes.ends(RAW.full_name(flow.settings))

            async def what_waited_is_handled() -> bool:
                return await flow.eyes.behind(flow.settings.group, waiting) == 0

            await until("workers have gone on", what_waited_is_handled, GO_ON_WITHIN_S)
            went_on_s = monotonic() - back_at
            await publishing
            await flow.settled(within_s=120)
            verdict = await flow.verdict()
            still_there = [worker.exit_code for worker in flow.workers]
    finally:
        broker.stop()
    say(f"broker killed once: {verdict}; workers went on {went_on_s:.1f} s after it was back")
    assert not verdict.wrong
    assert still_there == [None, None]


@pytest.mark.long
async def test_a_worker_told_to_stop_while_the_broker_is_dead_ends_in_time_and_nothing_is_lost(prefix, tmp_path, say):
    broker = LocalKafka(tmp_path / "kafka")
    await asyncio.to_thread(broker.start)
    await broker.wait_ready()
    try:
        story = new_story(6)
        async with Flow(broker, prefix, tmp_path, checkpoint_s=30) as flow:
            worker = flow.start_worker("a")
            await flow.publish(story.go_on(2 * PER_SECOND))
            await flow.told(at_least=PER_SECOND)
            broker.kill()  # much is told, and nothing of it written down
            asked_at = monotonic()
            os.kill(worker.pid, signal.SIGTERM)
            code = await worker.ended(EXIT_WITHIN_S)
            ended_s = monotonic() - asked_at
            flow.given_up(worker)
            await asyncio.to_thread(broker.start)
            await broker.wait_ready()
            flow.start_worker("a", checkpoint_s=1)
            await flow.settled(within_s=120)
            verdict = await flow.verdict()
    finally:
        broker.stop()
    say(f"stopped while the broker was dead: exit {code} after {ended_s:.1f} s; then {verdict}")
    assert code == 1
    assert "no broker took its last rows and offsets" in worker.words.splitlines()[-1]
    assert not verdict.wrong

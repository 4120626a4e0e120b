"""The broker dies without a word, under load, and comes back."""

from __future__ import annotations

import asyncio

import pytest

from agents.cli.localkafka import LocalKafka
from tests.faults.harness import Flow, new_story

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.timeout(300)]

MENTIONS = 6_000
PER_SECOND = 300


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
            await publishing
            await flow.settled(within_s=120)
            verdict = await flow.verdict()
            still_there = [worker.exit_code for worker in flow.workers]
    finally:
        broker.stop()
    say(f"broker killed once: {verdict}")
    assert not verdict.wrong
    assert still_there == [None, None]

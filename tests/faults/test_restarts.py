"""Workers are restarted as a rolling upgrade does it, with mentions waiting: round after round, nothing is skipped."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tests.faults.harness import EXIT_WITHIN_S, QUICK_CHECKPOINT_S, Flow, new_story

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

WAITING = 200
"""Mentions published while no worker runs."""
PER_SECOND = 300
BUNDLE_RECORDS = 5
"""Few, so that many bundles are on their way at any moment."""


@pytest.mark.parametrize("disk", [pytest.param("kept", marks=pytest.mark.long), "lost"])
async def test_a_worker_restarted_with_mentions_waiting_skips_none(kafka, prefix, tmp_path, say, rounds, disk):
    """Where the disk is lost, tables are read from their changelogs while mentions are already being fetched."""
    story = new_story(seed=2)
    async with Flow(kafka, prefix, tmp_path, bundle_records=BUNDLE_RECORDS, checkpoint_s=QUICK_CHECKPOINT_S) as flow:
        for number in range(rounds):
            await flow.publish(story.go_on(WAITING))
            worker = flow.start_worker(f"disk{number}" if disk == "lost" else "disk")
            await flow.settled()
            await flow.stop(worker)
        verdict = await flow.verdict()
    say(f"{rounds} restarts, disk {disk}: {verdict}")
    assert not verdict.wrong


@pytest.mark.long
async def test_a_second_worker_that_joins_and_leaves_costs_nothing(kafka, prefix, tmp_path, say, rounds):
    story, visits = new_story(seed=3), -(-rounds // 3)  # each takes as long as three restarts
    async with Flow(kafka, prefix, tmp_path) as flow:
        flow.start_worker("a")
        for _ in range(visits):
            guest = flow.start_worker("b")
            await flow.publish(story.go_on(WAITING))
            await flow.shared()
            await flow.publish(story.go_on(WAITING))
            await flow.stop(guest)
            await flow.settled()
        verdict = await flow.verdict()
    say(f"{visits} visits: {verdict}")
    assert not verdict.wrong


@pytest.mark.long
async def test_workers_restarted_one_after_the_other_under_load_lose_nothing(kafka, prefix, tmp_path, say):
    """Each ends content, in time (`Flow.stop`), while mentions keep coming."""
    story, upgraded = new_story(seed=4), asyncio.Event()

    async with Flow(kafka, prefix, tmp_path) as flow:

        async def go_on_publishing() -> None:
            while not upgraded.is_set():
                await flow.publish(story.go_on(PER_SECOND), PER_SECOND)

        for home in "ab":
            flow.start_worker(home)
        await flow.shared()
        publishing = asyncio.create_task(go_on_publishing())
        await flow.told(at_least=PER_SECOND)
        for worker in flow.workers:
            await flow.stop(worker)
            flow.start_worker(worker.home)
            await flow.shared()
        upgraded.set()
        await publishing
        await flow.settled()
        verdict = await flow.verdict()
    say(f"a rolling upgrade at {PER_SECOND}/s: {verdict}")
    assert not verdict.wrong


async def test_a_worker_told_to_stop_before_its_tables_are_recovered_ends_in_time_and_nothing_is_lost(
    kafka, prefix, tmp_path, say
):
    story = new_story(seed=5)
    async with Flow(kafka, prefix, tmp_path, checkpoint_s=QUICK_CHECKPOINT_S) as flow:
        before = flow.start_worker("before")
        await flow.publish(story.go_on(WAITING))
        await flow.settled()
        await flow.stop(before)
        committed = await flow.eyes.committed(flow.group)
        await flow.publish(story.go_on(WAITING))
        recovering = flow.start_worker("after", module="tests.faults.hanging", hangs="recovery")
        await flow.shared()
        os.kill(recovering.pid, signal.SIGTERM)
        code = await recovering.ended(EXIT_WITHIN_S)
        flow.given_up(recovering)
        committed_meanwhile = await flow.eyes.committed(flow.group)
        flow.start_worker("after")
        await flow.settled()
        verdict = await flow.verdict()
    say(f"stopped while tables were recovered: exit {code}; then {verdict}")
    assert code == 0
    assert committed_meanwhile == committed
    assert not verdict.wrong

"""Workers are restarted as a rolling upgrade does it, with mentions waiting: round after round, nothing is skipped."""

from __future__ import annotations

import pytest

from tests.faults.harness import Flow, new_story

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

WAITING = 200
"""Mentions published while no worker runs."""
BUNDLE_RECORDS = 5
"""Few, so that many bundles are on their way at any moment."""


@pytest.mark.parametrize("disk", ["kept", "lost"])
async def test_a_worker_restarted_with_mentions_waiting_skips_none(kafka, prefix, tmp_path, say, rounds, disk):
    """Where the disk is lost, tables are read from their changelogs while mentions are already being fetched."""
    story = new_story(seed=2)
    async with Flow(kafka, prefix, tmp_path, bundle_records=BUNDLE_RECORDS) as flow:
        for number in range(rounds):
            await flow.publish(story.go_on(WAITING))
            worker = flow.start_worker(f"disk{number}" if disk == "lost" else "disk")
            await flow.settled()
            await flow.stop(worker)
        verdict = await flow.verdict()
    say(f"{rounds} restarts, disk {disk}: {verdict}")
    assert not verdict.wrong


async def test_a_second_worker_that_joins_and_leaves_costs_nothing(kafka, prefix, tmp_path, say, rounds):
    story = new_story(seed=3)
    async with Flow(kafka, prefix, tmp_path) as flow:
        flow.start_worker("a")
        for _ in range(rounds):
            guest = flow.start_worker("b")
            await flow.publish(story.go_on(WAITING))
            await flow.shared()
            await flow.publish(story.go_on(WAITING))
            await flow.stop(guest)
            await flow.settled()
        verdict = await flow.verdict()
    say(f"{rounds} visits: {verdict}")
    assert not verdict.wrong

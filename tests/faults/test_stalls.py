"""A worker in which something has stopped without a word ends, and says what; one that has nothing to do goes on."""

from __future__ import annotations

import pytest

from tests.faults.harness import Flow, comes_true, new_story

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

PATIENCE_S = 5
SLACK_S = 15
"""For a start on a busy machine, and for the end."""
IDLE_PATIENCE_S = 15
"""More than a pause of a busy machine, which must not be taken for a stall."""


@pytest.mark.parametrize(
    ("hangs", "says"),
    [
        ("producer", "mentions.raw-0 has stood still for"),
        pytest.param("fetcher", "mentions.raw-0 has stood still for", marks=pytest.mark.long),
        pytest.param("recovery", "its tables are not recovered", marks=pytest.mark.long),
        pytest.param("loop", "in block", marks=pytest.mark.long),
    ],
)
async def test_a_worker_whose_partition_makes_no_progress_says_so_and_exits_non_zero(
    kafka, prefix, tmp_path, say, hangs, says
):
    async with Flow(kafka, prefix, tmp_path, raw_partitions=1, stall_timeout_s=PATIENCE_S) as flow:
        await flow.publish(new_story(9).go_on(100))
        worker = flow.start_worker("a", module="tests.faults.hanging", hangs=hangs)
        code = await worker.ended(within_s=PATIENCE_S + 2 * SLACK_S)
        flow.given_up(worker)
        committed = await flow.eyes.committed(flow.settings.group)
    say(f"{hangs}: {next(line for line in worker.words.splitlines() if says in line)}")
    assert code == 1
    assert not any(committed.values())


@pytest.mark.long
async def test_neither_an_idle_worker_nor_a_spare_one_ends(kafka, prefix, tmp_path):
    partitions = {"raw_partitions": 1, "keyed_partitions": 1}
    async with Flow(kafka, prefix, tmp_path, **partitions, stall_timeout_s=IDLE_PATIENCE_S) as flow:
        flow.start_worker("a")
        flow.start_worker("b")
        await flow.shared()
        await flow.publish(new_story(9).go_on(100))
        await flow.settled()

        async def one_has_ended() -> bool:
            return any(worker.exit_code is not None for worker in flow.workers)

        assert not await comes_true(one_has_ended, within_s=IDLE_PATIENCE_S + SLACK_S)

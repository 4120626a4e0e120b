"""Workers die, stop and hand over while they page: nobody is paged twice, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import random
from time import monotonic

import pytest

from agents.notify import AT_ONCE
from streams.topics import RAW, SCORED, SPIKES
from tests.faults.harness import SESSION_TIMEOUT_S, until
from tests.faults.pager import paging
from tests.faults.receiver import accepting, failing, hanging, repeated, under_a_second_key
from tests.faults.unrest import BRANDS, Unrest, days_ago

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


CHECKPOINT_S = 3
"""So long that a worker dies before it has written down what it was answered."""
GROWING_PER_SECOND = 20
"""So slowly that the alert changes again after it was first told."""


@pytest.mark.long
@pytest.mark.parametrize(
    ("moment", "answer"),
    [
        pytest.param("before the answer", hanging, id="before-the-answer"),
        pytest.param("when the alert has changed", hanging, id="when-the-alert-has-changed"),
        pytest.param("after the answer", accepting, id="after-the-answer"),
    ],
)
async def test_a_worker_killed_between_a_send_and_its_record_repeats_it_once_under_the_same_key(
    kafka, prefix, tmp_path, say, moment, answer
):
    async with paging(kafka, prefix, tmp_path, checkpoint_s=CHECKPOINT_S) as pager:
        (worker,) = pager.flow.workers
        receiver, heard = pager.receiver, pager.receiver.heard
        receiver.answer = answer
        growing = asyncio.create_task(pager.flow.publish(pager.story.burst("acme"), GROWING_PER_SECOND))
        await pager.hears(lambda: len(heard) == 1)
        if moment == "when the alert has changed":
            await growing
            await pager.settles()
        if moment == "after the answer":
            await pager.hears(lambda: len(receiver.accepted) == 1)
        await pager.flow.kill(worker)
        before = len(heard)
        receiver.answer = accepting
        pager.flow.start_worker("a")
        await growing
        await pager.settles()
        await pager.each_is_told(alerts=1)
        await pager.flow.publish(pager.story.calm())
        await pager.each("is over", lambda row: row.heard == "resolved", alerts=1)
        verdict = await pager.flow.verdict()
    say(f"killed {moment}: {', '.join(f'{one.change} {one.step} as {one.key}' for one in heard)}; {verdict}")
    assert before == 1
    assert sum(repeated(heard).values()) <= 1
    pages = [(one.body["data"]["severity"], one.key) for one in heard if one.change == "fired"]
    assert len(set(pages)) == len({severity for severity, _ in pages})
    assert under_a_second_key(heard) == 0
    assert not verdict.wrong


@pytest.mark.long
@pytest.mark.parametrize("trouble", [pytest.param(failing(500), id="failing"), pytest.param(hanging, id="hanging")])
async def test_what_a_stopped_worker_has_not_told_is_told_by_the_next_owner_under_the_same_key(
    kafka, prefix, tmp_path, say, trouble
):
    async with paging(kafka, prefix, tmp_path) as pager:
        pager.flow.start_worker("b", webhook_url=pager.receiver.url("b"))
        await pager.flow.shared()
        pager.receiver.answer = trouble
        await pager.flow.publish(pager.story.burst(*BRANDS))
        await pager.settles()
        await pager.hears(lambda: len({one.alert_id for one in pager.receiver.heard}) == len(BRANDS))
        tried = list(pager.receiver.heard)
        owner = max(pager.flow.workers, key=lambda worker: sum(one.path == worker.home for one in tried))
        began = monotonic()
        await pager.flow.stop(owner)
        pager.receiver.answer = accepting
        await pager.each_is_told(alerts=len(BRANDS))
        told_s = monotonic() - began
        heard = pager.receiver.heard
    left = {one.alert_id: one.key for one in tried if one.path == owner.home}
    after = [one for one in heard if one.accepted and one.alert_id in left and one.change == "fired"]
    say(f"{owner.home} left {len(left)} deliveries; {len(after)} told by its heir after {told_s:.1f} s")
    assert {one.alert_id: one.key for one in after} == left
    assert {one.path for one in after} == {"a", "b"} - {owner.home}
    assert len(after) == len(left)
    assert under_a_second_key(heard) == 0


TOWN = tuple(f"{brand}{number}" for brand in BRANDS for number in (1, 2))
"""More brands than deliveries may be under way at once."""


@pytest.mark.long
async def test_what_waits_for_its_turn_while_partitions_move_is_told_by_the_new_owner_alone(
    kafka, prefix, tmp_path, say
):
    story = Unrest(seed=7, begins=days_ago(6), brands=TOWN)
    async with paging(kafka, prefix, tmp_path, story) as pager:
        heard, gate = pager.receiver.heard, asyncio.Event()

        async def when_the_gate_opens(one, request):
            await gate.wait()
            return await accepting(one, request)

        pager.receiver.answer = when_the_gate_opens
        await pager.flow.publish(story.burst(*TOWN))
        await pager.hears(lambda: len(heard) == AT_ONCE)
        pager.flow.start_worker("b", webhook_url=pager.receiver.url("b"))
        await pager.flow.shared()
        under_way = {one.key for one in heard if one.path == "a"}
        gate.set()
        await pager.each_is_told(alerts=len(TOWN))
        again = repeated(heard)
    say(
        f"{len(under_way)} of {len(TOWN)} under way while partitions moved; {len(again)} of them told again, the rest once"
    )
    assert again.keys() <= under_way
    assert set(again.values()) <= {1}


KILLS = 5
PER_SECOND = 600
TAKEOVER_S = SESSION_TIMEOUT_S + 5


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_workers_killed_while_they_page_tell_each_step_under_one_key_and_count_every_mention_once(
    kafka, prefix, tmp_path, say
):
    """Each dies as soon as something more was told. The last one stays dead: the other takes over."""
    chance, story = random.Random(11), Unrest(seed=11, begins=days_ago(6), usual_s=20, gossip=6)
    async with paging(kafka, prefix, tmp_path, story) as pager:
        flow, heard, enough = pager.flow, pager.receiver.heard, asyncio.Event()
        flow.start_worker("b", webhook_url=pager.receiver.url("b"))
        await flow.shared()

        async def unrest():
            while not enough.is_set():
                await flow.publish(story.go_on(PER_SECOND), PER_SECOND)

        talking = asyncio.create_task(unrest())
        for number in range(1, KILLS + 1):
            known = len(heard)
            await pager.hears(lambda known=known: len(heard) > known, within_s=120)
            victim, died_at = chance.choice(flow.workers), monotonic()
            await flow.kill(victim)
            if number < KILLS:
                flow.start_worker(victim.home, webhook_url=pager.receiver.url(victim.home))
                await flow.shared()
        await _every_partition_moves_on(flow)
        takeover_s = monotonic() - died_at
        enough.set()
        await talking
        await flow.publish(story.calm())
        await pager.settles()
        await pager.each("has ended", _has_ended, alerts=len(story.bursts) - 1)
        alerts, verdict = await pager.alerts(), await flow.verdict()
    again = repeated(heard)
    say(
        f"{KILLS} kills, {len(story.bursts)} bursts, {len(alerts)} alerts, {len(heard)} requests: {sum(again.values())} "
        f"repeated, {under_a_second_key(heard)} under a second key; takeover {takeover_s:.1f} s; {verdict}"
    )
    assert under_a_second_key(heard) == 0
    assert sum(again.values()) <= KILLS
    assert takeover_s <= TAKEOVER_S
    assert not verdict.wrong


def _has_ended(row):
    """Told to its end, or not at all because a worker's death outlasted it."""
    return (row.state, row.heard) == ("delivered", "resolved") or row.reason == "over_before_told"


async def _every_partition_moves_on(flow):
    """Whoever owned it."""
    topics = {topic.full_name(flow.settings) for topic in (RAW, SCORED, SPIKES)}
    group = flow.settings.group
    before = {tp: offset for tp, offset in (await flow.eyes.committed(group)).items() if tp.topic in topics}

    async def each_has_moved():
        now = await flow.eyes.committed(group)
        return all(now.get(tp, 0) > offset for tp, offset in before.items())

    await flow.shared(among=1)
    await until("every partition moves on", each_has_moved, 60)

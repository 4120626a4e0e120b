"""A receiver that misbehaves holds nothing up, and is told once, in the end."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from time import monotonic

import pytest

from agents.notifiers.webhook import TIMEOUT_S
from streams.core.deliveries import ATTEMPTS, BACKOFF_S
from tests.faults.harness import QUICK_CHECKPOINT_S
from tests.faults.pager import paging
from tests.faults.receiver import accepting, dropping, failing, hanging, repeated, slow, under_a_second_key
from tests.faults.unrest import BRANDS

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

ASKED_S = 4
"""Between the first and the second wait of our own."""
SLOW_S = 2
SOON_S = TIMEOUT_S - 1
"""Sooner than a receiver that hangs is given up."""


def waits_of(heard):
    """The seconds between one request about an alert and the next, until it was accepted."""
    by_alert = {}
    for one in heard:
        tries = by_alert.setdefault(one.alert_id, [])
        if not (tries and tries[-1].accepted):
            tries.append(one)
    return [[after.at_s - before.at_s for before, after in pairwise(tries)] for tries in by_alert.values()]


@pytest.mark.long
@pytest.mark.parametrize(
    ("trouble", "tries", "at_least_s"),
    [
        pytest.param(failing(500), 2, BACKOFF_S[:2], id="500"),
        pytest.param(failing(429, Retry_After=str(ASKED_S)), 2, (ASKED_S, BACKOFF_S[1]), id="429"),
        pytest.param(dropping, 2, BACKOFF_S[:2], id="connections-dropped"),
        pytest.param(hanging, 1, (TIMEOUT_S + BACKOFF_S[0],), id="hanging"),
    ],
)
async def test_a_receiver_in_trouble_holds_nothing_up_and_is_told_once_when_it_is_well(
    kafka, prefix, tmp_path, say, trouble, tries, at_least_s
):
    async with paging(kafka, prefix, tmp_path) as pager:
        pager.receiver.answer = trouble
        await pager.flow.publish(pager.story.burst("acme", "globex"))
        await pager.flow.publish(pager.story.calm(timedelta(minutes=10)))
        settled_s = await pager.settles()
        assert settled_s < SOON_S
        assert not pager.receiver.accepted
        await pager.each("was tried", lambda row: row.attempt >= tries, alerts=2)
        pager.receiver.answer = accepting
        await pager.each_is_told(alerts=2)
        await pager.flow.publish(pager.story.calm())
        await pager.each("is over", lambda row: row.heard == "resolved", alerts=2)
        waits = waits_of(pager.receiver.heard)
        verdict = await pager.flow.verdict()
    say(f"settled in {settled_s:.1f} s meanwhile; tried again after {_figures(waits)} s; {verdict}")
    assert all(wait >= least for some in waits for wait, least in zip(some, at_least_s, strict=False))
    assert all(len(some) >= tries for some in waits)
    _each_change_was_accepted_once(pager, incidents=2)
    assert not verdict.wrong


@pytest.mark.long
async def test_a_receiver_that_refuses_connections_is_told_once_when_it_is_back(kafka, prefix, tmp_path, say):
    async with paging(kafka, prefix, tmp_path) as pager:
        await pager.receiver.hide()
        began = monotonic()
        await pager.flow.publish(pager.story.burst("acme", "globex"))
        await pager.flow.publish(pager.story.calm(timedelta(minutes=10)))
        settled_s = await pager.settles()
        assert settled_s < SOON_S
        await pager.each("was tried", lambda row: row.attempt >= 2, alerts=2)
        await pager.receiver.show()
        await pager.each_is_told(alerts=2)
        away_s = min(heard.at_s for heard in pager.receiver.heard) - began
    say(f"settled in {settled_s:.1f} s meanwhile; told after {away_s:.1f} s, at the third attempt")
    assert away_s >= sum(BACKOFF_S[:2])
    _each_change_was_accepted_once(pager, incidents=2, over=False)


async def test_a_slow_receiver_makes_nobody_wait(kafka, prefix, tmp_path, say):
    async with paging(kafka, prefix, tmp_path, checkpoint_s=QUICK_CHECKPOINT_S) as pager:
        pager.receiver.answer = slow(SLOW_S)
        await pager.flow.publish(pager.story.burst(*BRANDS))
        settled_s = await pager.settles()
        await pager.each_is_told(alerts=len(BRANDS))
    told = len(pager.receiver.accepted)
    say(f"{told} answers of {SLOW_S} s each; settled in {settled_s:.1f} s")
    assert settled_s < SLOW_S * told, "or else they were waited for, one after the other"
    assert not repeated(pager.receiver.heard)
    _each_change_was_accepted_once(pager, incidents=len(BRANDS), over=False)


@pytest.mark.parametrize("status", [400, pytest.param(410, marks=pytest.mark.long)])
async def test_what_the_receiver_refuses_is_marked_dead_and_not_said_again(kafka, prefix, tmp_path, say, status):
    async with paging(kafka, prefix, tmp_path, checkpoint_s=QUICK_CHECKPOINT_S) as pager:
        pager.receiver.answer = failing(status)
        await pager.flow.publish(pager.story.burst("acme"))
        await pager.each("is dead", lambda row: (row.state, row.reason) == ("dead", "refused"), alerts=1)
        refused = len(pager.receiver.heard)
        pager.receiver.answer = failing(503)
        await pager.flow.publish(pager.story.burst("globex"))  # once this is tried again, so would have been the other
        await pager.each("is dead or tried twice", lambda row: row.state == "dead" or row.attempt >= 2, alerts=2)
        pager.receiver.answer = accepting
        await pager.flow.publish(pager.story.calm())
        await pager.settles()
        heard = Counter(one.body["data"]["brand"] for one in pager.receiver.heard)
    say(f"HTTP {status}: asked {refused} times, then dead; of the next alert {heard['globex']} times")
    assert heard["acme"] == refused
    assert not repeated(one for one in pager.receiver.heard if one.body["data"]["brand"] == "acme")


async def test_a_receiver_that_never_recovers_is_given_up_after_so_many_attempts(kafka, prefix, tmp_path, say):
    """The worker's hours of backoff are cut to tenths of a second."""
    async with paging(
        kafka, prefix, tmp_path, checkpoint_s=QUICK_CHECKPOINT_S, module="tests.faults.impatient"
    ) as pager:
        pager.receiver.answer = failing(500)
        await pager.flow.publish(pager.story.burst("acme"))
        await pager.each("is dead", lambda row: (row.state, row.reason) == ("dead", "gave_up"), alerts=1)
    say(f"given up after {len(pager.receiver.heard)} attempts")
    assert len(pager.receiver.heard) == ATTEMPTS


def _each_change_was_accepted_once(pager, *, incidents, over=True):
    """A page for each incident, and its end; what got worse meanwhile is said at most once for each."""
    said = Counter((heard.body["data"]["brand"], heard.change) for heard in pager.receiver.accepted)
    assert set(said.values()) == {1}
    changes = Counter(change for _, change in said)
    assert changes["fired"] == incidents
    assert changes["resolved"] == (incidents if over else 0)
    assert under_a_second_key(pager.receiver.heard) == 0
    assert pager.receiver.forged == 0


def _figures(waits):
    return "; ".join(" and ".join(f"{wait:.1f}" for wait in some) for some in waits)

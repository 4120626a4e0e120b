from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.core.deliveries import (
    ATTEMPTS,
    LONGEST_WAIT_S,
    Delivered,
    Delivery,
    Refused,
    Retry,
    key_of,
    on_alert,
    on_outcome,
    to_send,
)
from streams.records import Alert, Sample
from tests import samples
from tests.samples import NOON

AN_HOUR = timedelta(hours=1)
SAMPLE = Sample(id="bluesky:1", text="my laptop burns", observed_at=NOON, sentiment="negative")


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


def an_alert(step=1, change="fired", severity="warning", at=NOON, urgency="page") -> Alert:
    return samples.an_alert(
        urgency=urgency,
        status="resolved" if change == "resolved" else "firing",
        change=change,
        step=step,
        severity=severity,
        started_at=NOON,
        at=at,
        evidence=replace(samples.an_alert().evidence, samples=(SAMPLE,)),
    )


def hears(row, alert, now=NOON):
    return on_alert(row, alert, now, max_age=AN_HOUR)


def answers(row, outcome, now=NOON, jitter=0.0):
    return on_outcome(row, to_send(row), outcome, now, jitter)


@pytest.fixture
def told() -> Delivery:
    """A sink that has been told that the alert fires, as a warning."""
    return answers(hears(None, an_alert()), Delivered())


# what is told


def test_a_fresh_alert_is_due_at_once_and_then_told():
    row = hears(None, an_alert())
    assert (row.state, row.reason, row.next_at) == ("pending", "due", NOON)

    row = answers(row, Delivered())

    assert (row.state, row.reason, row.next_at, row.heard) == ("delivered", "told", None, "firing")


def test_a_ticket_that_becomes_a_page_is_told_once_more_under_a_key_of_its_own():
    ticket = an_alert(urgency="ticket")
    row = answers(hears(None, ticket), Delivered())

    row = hears(row, an_alert(2, "updated"))

    assert (row.state, to_send(row).change) == ("pending", "updated")
    assert key_of(ticket, "log") != key_of(to_send(row), "log")
    assert answers(row, Delivered()).reason == "told"


def test_a_ticket_that_was_refused_is_tried_again_as_a_page():
    row = answers(hears(None, an_alert(urgency="ticket")), Refused("no"))

    assert hears(row, an_alert(2, "updated")).state == "pending"


def test_what_is_told_already_is_not_told_again(told):
    assert hears(told, an_alert()) is told
    assert hears(told, an_alert(change="refreshed", at=NOON + seconds(60)), NOON + seconds(61)) is told


def test_a_refresh_of_an_alert_never_seen_is_told_as_fired():
    row = hears(None, an_alert(step=4, change="refreshed"))

    assert (row.state, to_send(row).change) == ("pending", "fired")


def test_an_update_is_told_only_if_it_got_worse(told):
    assert hears(told, an_alert(2, "updated")) is told

    row = hears(told, an_alert(3, "updated", severity="critical"))

    assert (row.state, to_send(row).change, key_of(to_send(row), "slack")) == (
        "pending",
        "updated",
        "a1.critical.slack",
    )


def test_a_resolve_is_told_to_whoever_knows_that_it_fires(told):
    row = hears(told, an_alert(2, "resolved"))
    assert to_send(row).change == "resolved"

    row = answers(row, Delivered())

    assert (row.state, row.heard) == ("delivered", "resolved")


def test_a_step_older_than_the_row_changes_nothing(told):
    row = answers(hears(told, an_alert(5, "resolved")), Delivered())

    assert hears(row, an_alert(3, "updated", severity="critical")) is row


# what is not told


def test_an_old_alert_pages_nobody():
    row = hears(None, an_alert(), now=NOON + seconds(3601))

    assert (row.state, row.reason) == ("muted", "too_old")
    with pytest.raises(ValueError, match="too_old"):
        to_send(row)


def test_a_replay_of_a_whole_life_pages_nobody():
    row, now = None, NOON + timedelta(days=30)
    for alert in (an_alert(), an_alert(1, "refreshed"), an_alert(2, "updated", "critical"), an_alert(3, "resolved")):
        row = hears(row, alert, now)
        assert row.state == "muted"


def test_an_old_step_is_told_after_all_once_a_refresh_shows_that_the_alert_is_open_now():
    now = NOON + timedelta(hours=2)
    missed = hears(None, an_alert(), now)

    row = hears(missed, an_alert(change="refreshed", at=now - seconds(30)), now)

    assert (row.state, to_send(row).change) == ("pending", "fired")


def test_a_late_resolve_is_still_told_to_a_sink_that_believes_it_fires(told):
    row = hears(told, an_alert(2, "resolved"), now=NOON + timedelta(days=1))

    assert row.state == "pending"


def test_what_was_over_before_it_was_told_is_not_told():
    row = hears(hears(None, an_alert()), an_alert(2, "resolved"))

    assert (row.state, row.reason) == ("muted", "over_before_told")


def test_a_sink_that_was_surely_not_reached_hears_no_resolve():
    row = answers(hears(None, an_alert()), Retry("HTTP 503"))

    assert hears(row, an_alert(2, "resolved")).reason == "over_before_told"


def test_a_sink_that_may_have_heard_of_it_hears_the_resolve():
    row = answers(hears(None, an_alert()), Retry("timeout", maybe_heard=True))

    assert to_send(hears(row, an_alert(2, "resolved"))).change == "resolved"


# overtaking


def test_a_newer_step_takes_the_place_of_one_not_told_and_keeps_its_backoff():
    row = answers(hears(None, an_alert()), Retry("HTTP 503"))

    newer = hears(row, an_alert(2, "updated", "critical"))

    assert (newer.attempt, newer.next_at) == (row.attempt, row.next_at)
    assert (to_send(newer).step, to_send(newer).severity) == (2, "critical")
    assert to_send(newer).change == "fired", "it never heard of it"


def test_a_page_has_the_same_key_from_whichever_step_it_is_made():
    row = answers(hears(None, an_alert()), Retry("timeout", maybe_heard=True))
    newer = hears(row, an_alert(2, "updated"))

    assert to_send(newer).step == 2
    assert key_of(to_send(newer), "slack") == key_of(to_send(row), "slack") == "a1.warning.slack"
    assert key_of(to_send(hears(newer, an_alert(3, "resolved"))), "slack") == "a1.resolved.slack"


def test_words_deleted_while_a_delivery_waits_are_not_sent():
    row = hears(None, an_alert())
    without = replace(an_alert(2, "updated"), evidence=replace(an_alert().evidence, samples=()))

    assert to_send(hears(row, without)).evidence.samples == ()


def test_a_row_keeps_nobodys_words_once_nothing_is_pending(told):
    dead = answers(hears(None, an_alert()), Refused("HTTP 400"))
    old = hears(None, an_alert(), NOON + timedelta(days=2))

    for row in (told, dead, old):
        assert b"burns" not in msgspec.msgpack.encode(row)


def test_a_resolve_that_comes_while_fired_is_on_its_way_is_told_after_it():
    row = hears(None, an_alert())
    on_its_way = to_send(row)
    row = hears(row, an_alert(2, "resolved"))

    row = on_outcome(row, on_its_way, Delivered(), NOON, 0)

    assert (row.state, row.next_at, to_send(row).change) == ("pending", NOON, "resolved")


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Retry("HTTP 503"), "muted"), (Refused("HTTP 400"), "muted"), (Retry("?", None, True), "pending")],
)
def test_a_resolve_that_overtakes_a_failing_attempt_is_told_only_if_it_may_have_been_heard(outcome, state):
    row = hears(None, an_alert())
    on_its_way = to_send(row)
    row = hears(row, an_alert(2, "resolved"))

    assert on_outcome(row, on_its_way, outcome, NOON, 0).state == state


def test_a_refusal_of_a_step_that_was_overtaken_leaves_the_newer_one_its_chance():
    row = hears(None, an_alert())
    on_its_way = to_send(row)
    row = hears(row, an_alert(2, "updated", "critical"))

    row = on_outcome(row, on_its_way, Refused("HTTP 400"), NOON, 0)

    assert (row.state, to_send(row).step) == ("pending", 2)


# failing


def test_waits_grow_then_level_off_and_in_the_end_it_is_dead_with_its_reason():
    row, now, waits = hears(None, an_alert()), NOON, []
    while row.state == "pending":
        now = row.next_at
        row = answers(row, Retry("HTTP 500"), now)
        if row.next_at:
            waits.append((row.next_at - now).total_seconds())

    assert waits == [1, 5, 30, 120, 600, 1800, 3600, 3600, 3600, 3600, 3600]
    assert (row.state, row.reason, row.attempt, row.detail) == ("dead", "gave_up", ATTEMPTS, "HTTP 500")


def test_jitter_makes_a_wait_longer_and_never_shorter():
    row = hears(None, an_alert())

    waits = [answers(row, Retry("busy", after_s=20.0), jitter=jitter).next_at - NOON for jitter in (0.0, 0.5, 1.0)]

    assert waits == [seconds(20), seconds(25), seconds(30)]


def test_the_other_side_may_ask_for_a_longer_wait_but_not_for_ever():
    row = hears(None, an_alert())

    assert answers(row, Retry("busy", after_s=90.0)).next_at == NOON + seconds(90)
    assert answers(row, Retry("busy", after_s=0.0)).next_at == NOON + seconds(1)
    assert answers(row, Retry("busy", after_s=float("inf"))).next_at == NOON + seconds(LONGEST_WAIT_S)


def test_a_refusal_is_final_for_the_step():
    row = answers(hears(None, an_alert()), Refused("HTTP 404"))

    assert (row.state, row.reason, row.detail) == ("dead", "refused", "HTTP 404")
    assert hears(row, an_alert(change="refreshed", at=NOON + seconds(60))) is row
    assert hears(row, an_alert(2, "updated")) is row
    assert hears(row, an_alert(2, "resolved")) is row


def test_a_dead_row_tries_again_when_it_gets_worse():
    row = hears(answers(hears(None, an_alert()), Refused("HTTP 404")), an_alert(2, "updated", "critical"))

    assert (row.state, row.attempt, to_send(row).change) == ("pending", 0, "fired")


def test_a_dead_update_does_not_keep_the_resolve_from_whoever_heard_it_fire(told):
    row = answers(hears(told, an_alert(2, "updated", "critical")), Refused("HTTP 400"))

    assert to_send(hears(row, an_alert(3, "resolved"))).change == "resolved"


# at least once

LIFE = (
    an_alert(),
    an_alert(change="refreshed", at=NOON + seconds(60)),
    an_alert(2, "updated"),
    an_alert(3, "updated", "critical"),
    an_alert(3, "refreshed", "critical", at=NOON + seconds(180)),
    an_alert(4, "resolved", "critical"),
)
OUTCOMES = (Delivered(), Retry("HTTP 503"), Retry("timeout", 40.0, maybe_heard=True), Refused("HTTP 400"))


@settings(max_examples=1000)
@given(st.lists(st.one_of(st.sampled_from(LIFE), st.sampled_from(OUTCOMES)), max_size=30))
def test_in_any_order_with_any_answers_a_sink_hears_each_step_once_and_the_truth_in_the_end(events):
    row, now, taken = None, NOON, []
    for event in (*events, *LIFE, *[Delivered()] * 3):
        now += seconds(1)
        if isinstance(event, Alert):
            row = hears(row, event, now)
            assert hears(row, event, now) is row, "said twice"
        elif row is not None and row.state == "pending":
            sent = to_send(row)
            taken += [sent] if event == Delivered() else []
            row = on_outcome(row, sent, event, now, 0.5)
        if row is not None:
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=Delivery) == row
            assert (row.state == "pending") == (row.next_at is not None)

    keys = [key_of(alert, "webhook") for alert in taken]
    assert len(keys) == len(set(keys))
    changes = [alert.change for alert in taken]
    assert changes == [change for change in ("fired", "updated", "resolved") if change in changes]
    assert row.state in ("delivered", "dead", "muted")
    assert (row.state == "delivered") == ("resolved" in changes)
    assert row.state != "muted" or not changes

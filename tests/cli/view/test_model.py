"""What there is to see, from what was heard."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from agents.cli.view.model import Away, Gone, Pulse, Unreadable, View
from streams.records import Alert, BrandStats, SourceState
from tests.cli.view.stories import MINUTE, NOON, alert, source, stats

HOUR = 60 * MINUTE


def shown(*events, now=NOON):
    view = View()
    for event in events:
        view.take(event)
    return view.shown(now)


def pulse(at_s: float, received: int = 0, lag_s: float = 0.0, workers: int = 1) -> Pulse:
    return Pulse(at_s, received, lag_s, workers)


def test_nothing_is_known_before_anything_was_heard():
    nothing = shown()
    assert (nothing.rate, nothing.lag_s, nothing.workers, nothing.heard, nothing.brands) == (None, None, None, None, ())
    assert not nothing.connected


def test_only_the_latest_of_each_brand_alert_and_source_is_shown():
    seen = shown(stats(late=1), stats(late=2), alert(step=1), alert(step=2), source(gaps=1), source(gaps=2))
    assert [row.stats.late for row in seen.brands] == [2]
    assert [row.alert.step for row in seen.alerts] == [2]
    assert [row.state.gaps for row in seen.sources] == [2]


def test_what_is_gone_from_its_topic_is_gone_from_the_screen():
    seen = shown(
        stats(),
        alert(),
        source(),
        Gone(BrandStats, "dell"),
        Gone(Alert, "a1"),
        Gone(SourceState, "bluesky"),
        Gone(Alert, "?"),
    )
    assert (seen.brands, seen.alerts, seen.sources) == ((), (), ())


def test_the_rate_is_over_the_last_ten_seconds():
    assert shown(pulse(0, 1000)).rate is None
    assert shown(pulse(0, 1000), pulse(2, 1100)).rate == 50
    long_ago = [pulse(0, 0), pulse(2, 100_000)]
    assert shown(*long_ago, *(pulse(at, 100_000 + at) for at in range(4, 30, 2))).rate == 1


def test_a_log_made_anew_is_no_negative_rate():
    assert shown(pulse(0, 1000), pulse(2, 3)).rate == 0


def test_while_kafka_is_away_what_was_known_stays_and_the_rate_does_not():
    away = shown(stats(), pulse(0, 10), pulse(2, 20), Away("no broker answers"))
    assert (away.away, away.connected, away.rate, away.lag_s) == ("no broker answers", False, None, None)
    assert [row.stats.brand for row in away.brands] == ["dell"]
    back = shown(pulse(0, 10), Away("no broker answers"), pulse(60, 20), pulse(62, 40))
    assert (back.away, back.connected, back.rate) == (None, True, 10)


def test_time_is_that_of_the_brand_that_was_heard_of_last():
    assert shown(stats("a", NOON), stats("b", NOON - MINUTE)).heard == NOON


def test_alerts_age_in_event_time():
    [row] = shown(stats(at=NOON + 30 * MINUTE), alert(started_at=NOON), now=NOON + 24 * HOUR).alerts
    assert row.age == 30 * MINUTE


def test_the_worst_page_is_first_then_the_newest_then_tickets_and_brands_with_alerts_before_the_others():
    seen = shown(
        stats("a"),
        stats("m"),
        stats("z"),
        alert("old", "z", severity="warning", started_at=NOON - 2 * HOUR),
        alert("new", "z", severity="warning", started_at=NOON - HOUR),
        alert("bad", "m", started_at=NOON - 9 * HOUR),
        alert("cheers", "z", urgency="ticket", nature="praise", started_at=NOON),
        alert("over", "a", status="resolved", started_at=NOON - HOUR, resolved_at=NOON - MINUTE),
    )
    assert [row.alert.id for row in seen.alerts] == ["bad", "new", "old", "cheers", "over"]
    assert [row.stats.brand for row in seen.brands] == ["m", "z", "a"]


@pytest.mark.parametrize(("minutes", "there"), [(59, True), (61, False)])
def test_a_resolved_alert_is_shown_for_an_hour(minutes, there):
    over = alert(status="resolved", started_at=NOON - 2 * HOUR, resolved_at=NOON - HOUR)
    seen = shown(stats(at=NOON - HOUR + minutes * MINUTE), over)
    assert bool(seen.alerts) == there
    assert all(row.age == HOUR for row in seen.alerts)


def test_a_brand_learns_until_its_own_time_has_come():
    until = NOON + HOUR
    [learning] = shown(stats(learning_until=until), now=NOON + 9 * HOUR).brands
    assert learning.learning == HOUR
    [done] = shown(stats(at=until, learning_until=until)).brands
    assert done.learning is None


def test_a_source_whose_process_says_nothing_is_unheard_unless_it_has_ended():
    said = source(observed_at=NOON - 3 * MINUTE)
    [well] = shown(said, now=NOON + timedelta(seconds=60)).sources
    assert (well.unheard, well.latest) == (None, 4 * MINUTE)
    [gone] = shown(said, now=NOON + 5 * MINUTE).sources
    assert gone.unheard == 5 * MINUTE
    [ended] = shown(replace(said, state="ended"), now=NOON + 5 * MINUTE).sources
    assert ended.unheard is None


def test_a_record_that_cannot_be_read_is_said_with_its_place():
    assert "alerts, partition 1, offset 7" in shown(Unreadable("alerts, partition 1, offset 7")).note

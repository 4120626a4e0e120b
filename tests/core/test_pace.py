from __future__ import annotations

from random import Random

import msgspec

from streams.core.pace import GAPS, LEAST_KNOWN, LEAST_SILENCE_S, Pace

HOUR = 3600.0


def spoken(every_s: float, times: int, *, start: float = 0.0) -> Pace:
    pace = Pace(start)
    for number in range(1, times):
        pace.hear(start + number * every_s)
    return pace


def test_a_source_that_stops_speaking_is_silent_after_many_times_its_usual_gap():
    pace = spoken(every_s=60, times=200)

    assert not pace.is_silent(pace.heard_s + 0.9 * GAPS * 60)
    assert pace.is_silent(pace.heard_s + 1.1 * GAPS * 60)


def test_a_busy_source_is_given_a_quarter_of_an_hour_all_the_same():
    pace = spoken(every_s=0.1, times=5000)

    assert not pace.is_silent(pace.heard_s + LEAST_SILENCE_S - 1)
    assert pace.is_silent(pace.heard_s + LEAST_SILENCE_S)


def test_nothing_is_said_of_a_source_that_is_hardly_known():
    assert not spoken(every_s=1, times=LEAST_KNOWN - 1).is_silent(10 * HOUR)
    assert spoken(every_s=1, times=LEAST_KNOWN + 1).is_silent(10 * HOUR)


def test_a_quiet_night_is_no_silence():
    """Six weeks of a source that at night speaks six times less."""
    random, pace, now = Random(4), Pace(0.0), 0.0
    while now < 42 * 24 * HOUR:
        at_night = now / HOUR % 24 < 7
        now += random.expovariate(20 / HOUR if at_night else 120 / HOUR)
        assert not pace.is_silent(now)
        pace.hear(now)


def test_a_source_that_comes_back_is_as_lively_as_it_was():
    pace = spoken(every_s=60, times=500)
    usual = pace.seconds / pace.mentions

    back_at = pace.heard_s + 48 * HOUR
    pace.hear(back_at)

    assert not pace.is_silent(back_at + 60)
    assert abs(pace.seconds / pace.mentions - usual) < 1


def test_what_comes_late_takes_nothing_back():
    pace = spoken(every_s=60, times=100)
    heard = pace.heard_s

    pace.hear(heard - HOUR)

    assert pace.heard_s == heard
    assert pace.seconds >= 0


def test_it_rests_in_a_row_without_loss():
    pace = spoken(every_s=7, times=300)

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(pace), type=Pace) == pace

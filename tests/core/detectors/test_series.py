from __future__ import annotations

import random
from math import isfinite

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.detectors.episodes import EpisodeParams
from streams.core.detectors.series import Series, SeriesParams, Usual

DAY = 288  # bins of five minutes
MONDAY = 20_000 // 7 * 7 * DAY + 4 * DAY  # the first bin of a Monday: 1970 began on a Thursday
USUAL = Usual(SeriesParams())
THRESHOLD = EpisodeParams().threshold


def lived(count, *, days=7, usual=USUAL):
    """A series that lived for some days from a Monday on; `count` says how many mentions in each bin."""
    series = Series()
    for bin_ in range(MONDAY, MONDAY + days * DAY):
        usual.learn(series, bin_, count(bin_))
    return series


def noise(most, seed=1):
    rng = random.Random(seed)
    return lambda _: rng.randint(0, most)


def office_hours(bin_):
    """Twelve mentions in five minutes by day, none by night."""
    return 12 if 8 <= bin_ % DAY // 12 < 20 else 0


def judge(series, bin_, count, usual=USUAL):
    sums = series.sums()
    usual.roll(series, sums, [bin_], [count])
    return usual.surprise(series, sums)


def learn(series, bin_, count, **how):
    """Returns how surprising the count was before it was learned from."""
    surprise = judge(series, bin_, count)
    USUAL.learn(series, bin_, count, **how)
    return surprise


def test_what_comes_as_usual_surprises_nobody_and_a_burst_does():
    series = lived(noise(10))
    assert judge(series, MONDAY + 7 * DAY, 5) < 3
    assert judge(series, MONDAY + 7 * DAY, 100) > THRESHOLD


@given(counts=st.lists(st.integers(0, 500), min_size=2, max_size=2))
def test_more_is_never_less_surprising(counts):
    series = lived(noise(10), days=2)
    fewer, more = sorted(counts)
    assert judge(series, MONDAY + 2 * DAY, fewer) <= judge(series, MONDAY + 2 * DAY, more)


def test_ordinary_noise_rarely_reaches_the_threshold_on_busy_and_quiet_series_alike():
    for most in (1, 4, 20, 200):
        series, count = lived(noise(most), days=4), noise(most, seed=2)
        bins = range(MONDAY + 4 * DAY, MONDAY + 25 * DAY)
        loud = [bin_ for bin_ in bins if learn(series, bin_, count(bin_)) >= THRESHOLD]
        assert len(loud) <= 3  # of 6,048


def test_what_is_loud_for_five_minutes_is_less_of_a_surprise_than_what_lasts():
    once, lasting = lived(noise(10)), lived(noise(10))
    bins = range(MONDAY + 7 * DAY, MONDAY + 7 * DAY + 12)
    after_one = [learn(once, bin_, 40 if bin_ == bins[0] else 5, calibrate=False) for bin_ in bins]
    after_all = [learn(lasting, bin_, 40, calibrate=False) for bin_ in bins]
    assert max(after_one) < max(after_all) / 2


def test_a_quiet_night_does_not_lower_the_bar_unless_asked_to():
    three_at_night = MONDAY + 14 * DAY + 36
    lower = Usual(SeriesParams(season_floor=0.0))
    level, lowered = lived(office_hours, days=14), lived(office_hours, days=14, usual=lower)
    assert USUAL.bar(level, three_at_night) == level.level
    assert lower.bar(lowered, three_at_night) < 0.6 * lowered.level


def test_the_rush_hour_raises_the_bar():
    series = lived(lambda bin_: 40 if bin_ % DAY // 12 == 18 else 5, days=21)
    at_noon, at_six = (USUAL.bar(series, MONDAY + 21 * DAY + 12 * hour) for hour in (12, 18))
    assert at_six > 1.5 * at_noon


def test_weekends_have_a_season_of_their_own():
    series = lived(lambda bin_: 30 if (bin_ - MONDAY) % (7 * DAY) < 5 * DAY else 3, days=28)
    wednesday, sunday = (USUAL.bar(series, MONDAY + (28 + day) * DAY + 150) for day in (2, 6))
    assert wednesday > sunday


def test_one_enormous_bin_hardly_moves_what_is_usual():
    series = lived(noise(10))
    before = series.level
    USUAL.learn(series, MONDAY + 7 * DAY, 100_000)
    assert series.level < 1.05 * before


def test_a_new_normal_becomes_usual_within_a_month():
    series = lived(noise(10))
    for bin_ in range(MONDAY + 7 * DAY, MONDAY + 37 * DAY):
        USUAL.learn(series, bin_, 15)
    assert 14 < series.level < 16


def test_the_tail_is_left_alone_while_something_is_up():
    series = lived(noise(10))
    before = _tails(series)
    for bin_ in range(MONDAY + 7 * DAY, MONDAY + 8 * DAY):
        USUAL.learn(series, bin_, 80, calibrate=False)
    assert _tails(series) == before


def _tails(series):
    return [msgspec.structs.astuple(memory.tail) for memory in series.memories]


def test_level_and_season_do_not_drift_apart():
    series = lived(noise(6), days=140)
    season = memoryview(series.season).cast("f")
    assert sum(season[:24]) * 5 + sum(season[24:]) * 2 == pytest.approx(168, rel=1e-3)
    assert series.level == pytest.approx(3, rel=0.15)


@settings(deadline=None)
@given(runs=st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 300)), max_size=8))
def test_no_counts_whatever_break_it(runs):
    series, bin_ = Series(), MONDAY
    for count, bins in runs:
        for _ in range(bins):
            assert isfinite(learn(series, bin_, count))
            bin_ += 1
    for memory in series.memories:
        assert 0.05 <= memory.alpha <= 2
        assert memory.tail.quantile >= 1
        assert memory.tail.excess >= 0.15
    assert isfinite(series.level)


@settings(deadline=None)
@given(counts=st.lists(st.integers(0, 60), min_size=1, max_size=400), cut=st.floats(0, 1))
def test_written_and_read_back_it_goes_on_to_the_last_bit(counts, cut):
    straight, stopped = Series(), Series()
    for place, count in enumerate(counts):
        if place == int(cut * len(counts)):
            stopped = msgspec.msgpack.decode(msgspec.msgpack.encode(stopped), type=Series)
        assert learn(straight, MONDAY + place, count) == learn(stopped, MONDAY + place, count)
    assert stopped == straight


@pytest.mark.parametrize("bin_s", [0, -300, 7, 7200])
def test_bins_that_do_not_divide_the_hour_are_refused(bin_s):
    with pytest.raises(ValueError, match=f"bin_s = {bin_s}: expected a divisor"):
        Usual(SeriesParams(bin_s=bin_s))

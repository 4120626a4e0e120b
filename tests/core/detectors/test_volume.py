from __future__ import annotations

import random
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.detectors.interface import Heard
from streams.core.detectors.volume import VolumeDetector, VolumeParams, VolumeState

BIN_S = 300
DAY_S = 86_400
MONDAY_S = 1_750_032_000  # 2025-06-16, midnight UTC
LATENESS_S = 900
BURST = 90  # mentions at once, where 4 in five minutes are usual


class Brand:
    """One brand's life: tells the detector mentions and time, and keeps what it said."""

    def __init__(self, params=None, lateness_s=LATENESS_S):
        self.detector = VolumeDetector(lateness_s, params)
        self.state = self.detector.start(MONDAY_S)
        self.now_s = float(MONDAY_S)
        self.signs = []

    def says(self, count, at_s=None, label="neutral"):
        """So many mentions at once; returns what the detector made of them."""
        mention = Heard(at_s=self.now_s if at_s is None else at_s, id="any", label=label)
        return self._keep([sign for _ in range(count) for sign in self.detector.heard(self.state, mention)])

    def waits(self, seconds):
        self.now_s += seconds
        return self._keep(self.detector.passed(self.state, self.now_s))

    def lives(self, bins, rate, label="neutral"):
        """Goes through whole bins; `rate(bin)` mentions in each."""
        told = []
        for bin_ in range(bins):
            told += self.says(rate(bin_), label=label)
            told += self.waits(BIN_S)
        return told

    def _keep(self, signs):
        self.signs += signs
        return list(signs)


def noise(least, most, seed=1):
    rng = random.Random(seed)
    return lambda _: rng.randint(least, most)


def usual_brand(days=5, **kw):
    """About 4 mentions in 5 minutes, day and night."""
    brand = Brand(**kw)
    brand.lives(days * 288, noise(1, 7))
    return brand


def packed(brand):
    return msgspec.msgpack.encode(brand.state)


def test_a_burst_after_a_quiet_past_is_a_sign():
    brand = usual_brand()
    assert brand.signs == []
    first = brand.says(BURST)[0]
    assert (first.series, first.step, first.state) == ("all", 1, "open")
    assert first.episode_s == brand.now_s
    assert first.score >= VolumeParams().threshold


BURSTS = st.lists(st.tuples(st.integers(1, 150), st.integers(0, 4000)), max_size=4)
_lived: list[bytes] = []


def calm_brand():
    """A usual brand of which nothing was ever said, every time anew."""
    brand = Brand()
    if not _lived:
        _lived.append(packed(usual_brand()))
    brand.state = msgspec.msgpack.decode(_lived[0], type=VolumeState)
    brand.now_s += 5 * DAY_S
    return brand


def expects(brand):
    return {one.series: one for one in brand.detector.expects(brand.state, brand.now_s)}


def score(brand, series="all"):
    """The score that the next mention adds to."""
    track = brand.state.tracks.by_series[series]
    return brand.detector._tracker._usual.surprise(track.past, track.weight, track.expected)


@settings(deadline=None)
@given(past=BURSTS)
def test_as_many_as_the_band_holds_are_needed_and_enough_to_speak(past):
    brand = calm_brand()
    for count, pause_s in past:
        brand.says(count)
        brand.waits(pause_s)
    band = expects(brand)["all"]
    assert (band.observed >= band.high) == (score(brand) >= VolumeParams().threshold)
    brand.state.episodes.clear()  # as if it had not spoken of it already
    missing = int(band.high - band.observed)
    if missing > 0:
        assert brand.says(missing - 1) == []
        assert [sign.observed for sign in brand.says(1)] == [band.high]
    else:
        assert brand.says(1)


def test_each_series_has_a_band_of_its_own_once_it_was_heard_of():
    brand = calm_brand()
    assert list(expects(brand)) == ["all"]
    brand.says(1, label="negative")
    bands = expects(brand)
    assert bands["all"].expected == pytest.approx(24, rel=0.2)
    assert (bands["negative"].observed, bands["negative"].window_s) == (1, 1800)
    assert bands["negative"].high < bands["all"].high


def test_what_a_sign_showed_is_at_its_bands_upper_edge():
    brand = calm_brand()
    sign = brand.says(BURST)[0]
    assert sign.expected == pytest.approx(expects(brand)["all"].expected, abs=0.01)
    assert sign.observed == expects(brand)["all"].high


def test_too_little_past_says_nothing():
    brand = usual_brand(days=2)
    assert brand.says(1000) == []
    assert brand.detector.learning_until_s(brand.state) == MONDAY_S + 3 * DAY_S


def test_what_it_heard_while_it_was_silent_is_known_afterwards():
    brand = Brand()
    brand.lives(3 * 288, noise(30, 50))
    assert brand.says(50) == []
    assert brand.says(700)


def test_twenty_times_the_volume_speaks_before_the_bin_is_over():
    brand = usual_brand()
    told = [sign for second in range(0, BIN_S, 4) for sign in brand.says(1, at_s=brand.now_s + second)]
    assert told[0].at_s < brand.now_s + 270
    assert told[0].episode_s == brand.now_s


def test_ten_times_the_volume_speaks_within_ten_minutes():
    brand = usual_brand()
    told = [sign for second in range(0, 2 * BIN_S, 8) for sign in brand.says(1, at_s=brand.now_s + second)]
    assert told[0].state == "open"


def test_the_morning_after_a_quiet_night_is_no_news():
    brand = Brand()
    rng = random.Random(3)
    brand.lives(10 * 288, lambda bin_: rng.randint(4, 12) if 6 <= bin_ % 288 // 12 < 22 else rng.randint(0, 2))
    assert brand.signs == []


def test_some_talk_in_the_dead_of_night_is_judged_by_the_level_of_the_day():
    brand = Brand()
    rng = random.Random(3)
    brand.lives(10 * 288 + 36, lambda bin_: rng.randint(4, 12) if 6 <= bin_ % 288 // 12 < 22 else rng.randint(0, 2))
    assert brand.lives(12, noise(4, 12)) == []


def test_a_steady_rise_to_twice_the_volume_in_a_week_pages_nobody():
    brand = Brand()
    rng = random.Random(5)
    brand.lives(5 * 288, lambda _: rng.randint(5, 15))
    brand.lives(7 * 288, lambda bin_: round(rng.randint(5, 15) * (1 + bin_ / (7 * 288))))
    assert brand.signs == []


def test_an_hour_of_silence_closes_it_exactly_once():
    brand = usual_brand()
    brand.says(BURST)
    (over,) = [sign for sign in brand.lives(48, noise(1, 7)) if sign.state == "over"]
    assert over == brand.signs[-1]
    assert over.step == len(brand.signs)
    assert over.episode_s == brand.signs[0].episode_s
    assert over.at_s - over.episode_s >= 3600
    assert brand.waits(2 * DAY_S) == []


def test_as_long_as_it_is_loud_it_is_not_over():
    brand = usual_brand()
    assert {sign.state for sign in brand.lives(72, noise(30, 40))} == {"open"}


def test_twice_as_loud_is_the_next_step_of_the_same_episode():
    brand = usual_brand()
    told = brand.says(500)
    assert [sign.step for sign in told] == list(range(1, len(told) + 1))
    assert len({sign.episode_s for sign in told}) == 1
    assert all(later.score >= 2 * earlier.score for earlier, later in pairwise(told))


def test_after_an_episode_only_something_twice_as_loud_speaks_before_the_cool_down_is_over():
    def after_an_episode():
        brand = usual_brand()
        brand.says(BURST)
        brand.lives(30, noise(1, 7))
        assert brand.signs[-1].state == "over"
        return brand

    brand = after_an_episode()
    assert brand.says(BURST) == []
    told = after_an_episode().says(400)
    assert (told[0].step, told[0].state) == (1, "open")
    brand = after_an_episode()
    brand.lives(150, noise(1, 7))
    assert brand.says(BURST)


def test_an_alarm_does_not_teach_that_alarms_are_usual():
    brand = usual_brand()
    brand.says(BURST)
    tail = brand.state.tracks.by_series["all"].past.tail
    brand.lives(24, noise(30, 40))
    assert brand.state.tracks.by_series["all"].past.tail == tail


def test_negative_mentions_have_a_series_of_their_own():
    brand = Brand()
    brand.lives(5 * 288, noise(20, 40))
    told = brand.says(50, label="negative")
    assert {sign.series for sign in told} == {"negative"}


def test_a_series_never_heard_of_is_as_old_as_its_brand():
    brand = usual_brand()
    assert "negative" not in brand.state.tracks.by_series
    assert brand.says(40, label="negative")[0].series == "negative"


def test_a_straggler_counts_in_its_own_bin():
    punctual, straggling = usual_brand(), usual_brand()
    punctual.says(15)
    for brand in (punctual, straggling):
        brand.waits(2 * BIN_S)
        brand.says(3)
    straggling.says(15, at_s=straggling.now_s - 2 * BIN_S)
    assert punctual.state.tracks.by_series["all"].counts == straggling.state.tracks.by_series["all"].counts
    for brand in (punctual, straggling):
        brand.waits(6 * BIN_S)
    assert packed(punctual) == packed(straggling)


def test_stragglers_can_decide_but_it_happens_now():
    brand = usual_brand()
    told = brand.says(3 * BURST, at_s=brand.now_s - LATENESS_S)
    assert told[0].at_s == brand.now_s


def test_what_comes_after_its_bin_was_learned_from_changes_nothing():
    brand = usual_brand()
    before = packed(brand)
    assert brand.says(1000, at_s=brand.now_s - LATENESS_S - 1) == []
    assert packed(brand) == before


def test_a_mention_ahead_of_time_seals_nothing():
    brand = usual_brand()
    assert brand.says(BURST, at_s=brand.now_s + 7200)[0].episode_s == brand.now_s + 7200
    before = brand.state.tracks.by_series["all"].counts[:]
    brand.says(1, at_s=brand.now_s - LATENESS_S)
    assert sum(brand.state.tracks.by_series["all"].counts) == sum(before) + 1
    assert brand.waits(7200 + 3600) == []  # the quiet before it does not count
    assert brand.waits(2 * 3600)[0].state == "over"


def test_people_are_shown_numbers_that_they_can_check():
    brand = usual_brand()
    brand.lives(6, lambda _: 4)
    sign = brand.says(BURST)[0]
    assert sign.window_s == 1800
    assert sign.observed == sum(brand.state.tracks.by_series["all"].counts[-6:-1]) + (
        brand.state.tracks.by_series["all"].counts[-1] - (BURST - _needed(brand))
    )
    assert 18 < sign.expected < 36  # about 4 in each of six bins


def _needed(brand):
    """How many of the last burst were enough."""
    fresh = usual_brand()
    fresh.lives(6, lambda _: 4)
    return next(n for n in range(1, BURST + 1) if fresh.says(1))


@pytest.mark.parametrize("lateness_s", [0, 1, 900, 86_400])
def test_any_allowed_lateness_will_do(lateness_s):
    brand = Brand(lateness_s=lateness_s)
    brand.lives(4 * 288, noise(1, 7))
    assert brand.says(BURST, at_s=brand.now_s)
    assert brand.waits(DAY_S)[-1].state == "over"


def test_a_series_fits_in_512_bytes_however_busy():
    brand = Brand()
    for _ in range(4 * 288):
        brand.says(1, label="negative")
        for track in brand.state.tracks.by_series.values():
            track.counts[-1] += 100_000
        brand.waits(BIN_S)
    for track in brand.state.tracks.by_series.values():
        track.weight += 10_000_000
    brand.says(1, label="negative")
    brand.says(1, label="negative")
    assert brand.state.episodes
    assert len(packed(brand)) <= 512 * len(brand.state.tracks.by_series)


@settings(deadline=None, max_examples=30)
@given(
    counts=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3), st.booleans()), min_size=1, max_size=60),
    restarts=st.sets(st.integers(0, 60)),
)
def test_a_restart_in_mid_stream_changes_no_later_score(counts, restarts):
    straight, stopped = _warm(), _warm()
    for place, (count, bins_late, cross) in enumerate(counts):
        if place in restarts:
            stopped.state = msgspec.msgpack.decode(packed(stopped), type=VolumeState)
        for brand in (straight, stopped):
            brand.says(count, at_s=brand.now_s - bins_late * BIN_S, label="negative" if cross else "positive")
            brand.waits(BIN_S)
    assert straight.signs == stopped.signs
    assert packed(straight) == packed(stopped)


_WARM = packed(usual_brand())


def _warm():
    brand = Brand()
    brand.state = msgspec.msgpack.decode(_WARM, type=VolumeState)
    brand.now_s = brand.detector.due_s(brand.state) - BIN_S
    return brand

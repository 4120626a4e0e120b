from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from streams.core.detectors.episodes import EpisodeParams
from streams.core.detectors.interface import Heard, Plan, Voice
from streams.core.detectors.volume import MOST_ISSUES, VolumeDetector, VolumeState

BIN_S = 300
DAY_S = 86_400
MONDAY_S = 1_750_032_000  # 2025-06-16, midnight UTC
LATENESS_S = 900
THRESHOLD = EpisodeParams().threshold
BURST = 90  # mentions at once, where 4 in five minutes are usual


class Brand:
    """One brand's life: tells the detector mentions and time, and keeps what it said."""

    def __init__(self, lateness_s=LATENESS_S, timezone="UTC", make=VolumeDetector):
        self.detector, self.plan = make(lateness_s), Plan(timezone=timezone)
        self.state = self.detector.start(MONDAY_S)
        self.now_s = float(MONDAY_S)
        self.signs = []

    def says(self, count, at_s=None, label="neutral", **known):
        """So many mentions at once; returns what the detector made of them."""
        mention = Heard(at_s=self.now_s if at_s is None else at_s, id="any", label=label, **known)
        return self._keep([sign for _ in range(count) for sign in self.detector.heard(self.state, mention, self.plan)])

    def waits(self, seconds, *, deaf=False):
        self.now_s += seconds
        return self._keep(self.detector.passed(self.state, self.now_s, self.plan, deaf=deaf))

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
    assert first.score >= THRESHOLD


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
    return brand.detector._counting.without(brand.state.storms, series, 0)


@settings(deadline=None)
@given(past=BURSTS)
def test_as_many_as_the_band_holds_are_needed_and_enough_to_speak(past):
    brand = calm_brand()
    for count, pause_s in past:
        brand.says(count)
        brand.waits(pause_s)
    band = expects(brand)["all"]
    assert band.high >= band.expected
    if band.high > band.expected:  # which is where the score, and not what is usual, draws the line
        assert brand.says(int(band.high - band.observed) - 1) == []
        assert [sign.observed for sign in brand.says(1)] == [band.high]


def test_while_it_is_loud_the_band_ends_where_it_would_speak_again():
    brand = calm_brand()
    calm = expects(brand)["all"].high
    brand.says(BURST)
    assert expects(brand)["all"].high > 1.5 * calm


def test_each_issue_has_a_band_of_its_own_once_it_was_heard_of():
    brand = calm_brand()
    assert list(expects(brand)) == ["all"]
    brand.says(1, issues=("screen",))
    bands = expects(brand)
    assert bands["all"].expected == pytest.approx(24, rel=0.2)
    assert (bands["issue:screen"].observed, bands["issue:screen"].window_s) == (1, 1800)
    assert bands["issue:screen"].high < bands["all"].high


def test_a_storm_about_one_issue_is_heard_in_its_series_first():
    brand = Brand()
    brand.lives(5 * 288, noise(20, 40))
    told = brand.says(60, issues=("screen",))
    assert {sign.series for sign in told} == {"issue:screen"}


def test_a_brand_has_at_most_so_many_issues():
    brand = calm_brand()
    for n in range(3 * MOST_ISSUES):
        brand.says(1, issues=(f"issue{n}",))
    assert len(brand.state.storms.tracks.by_series) == 1 + MOST_ISSUES


def test_a_storm_of_applause_is_praise():
    brand = calm_brand()
    assert {sign.nature for sign in brand.says(BURST, label="positive")} == {"praise"}


def test_a_storm_in_angry_words_or_in_an_unknown_mood_is_trouble():
    for label in ("neutral", "negative", "unscored"):
        assert {sign.nature for sign in calm_brand().says(BURST, label=label)} == {"trouble"}


def test_a_storm_in_the_usual_mood_is_notable_until_it_is_twice_as_loud():
    brand, moods = Brand(), random.Random(2)
    for _ in range(5 * 288):
        brand.says(1, label=moods.choice(["negative", "neutral", "neutral", "positive"]))
        brand.waits(BIN_S)
    told = [
        sign
        for _ in range(60)
        for sign in brand.says(1, label=moods.choice(["negative", "neutral", "neutral", "positive"]))
    ]
    assert [sign.nature for sign in told] == ["notable", "trouble"]


def test_a_storm_of_accounts_made_lately_is_a_flood():
    assert {sign.nature for sign in calm_brand().says(BURST, author_age_s=86_400.0)} == {"flood"}


def test_a_storm_of_copies_is_a_flood():
    assert {sign.nature for sign in calm_brand().says(BURST, voice=Voice(weight=0.1, copy=True))} == {"flood"}


def test_a_storm_behind_a_few_copies_is_still_trouble():
    brand = calm_brand()
    brand.says(20, voice=Voice(weight=0.1, copy=True))
    assert brand.says(BURST)[0].nature == "trouble"


def test_what_came_while_the_source_was_silent_teaches_nothing():
    deaf, awake = calm_brand(), calm_brand()
    deaf.waits(5 * DAY_S, deaf=True)
    awake.waits(5 * DAY_S)
    for brand in (deaf, awake):
        brand.waits(1800)
    assert expects(deaf)["all"].expected == pytest.approx(expects(calm_brand())["all"].expected, rel=0.1)
    assert expects(awake)["all"].expected < 0.8 * expects(deaf)["all"].expected


def test_no_episode_is_over_because_nobody_could_hear():
    brand = calm_brand()
    brand.says(BURST)
    assert brand.waits(DAY_S, deaf=True) == []
    assert brand.lives(30, noise(1, 7))[-1].state == "over"


def test_deafness_told_in_one_step_or_in_many_is_the_same():
    once, often = calm_brand(), calm_brand()
    for brand, steps in ((once, 1), (often, 60)):
        brand.says(BURST)
        for _ in range(steps):
            brand.waits(7200 / steps, deaf=True)
        brand.lives(20, noise(1, 7))
    assert once.signs == often.signs
    assert packed(once) == packed(often)


def test_the_rush_hour_is_the_brands_own_and_keeps_to_its_clocks_when_they_change():
    def bar_at_six_in_berlin_once_winter_came(timezone):
        brand = Brand(timezone=timezone)
        brand.now_s = datetime(2025, 10, 5, 22, tzinfo=UTC).timestamp()  # midnight there; clocks go back on the 26th
        brand.state = brand.detector.start(brand.now_s)
        brand.lives(20 * 288, lambda bin_: 12 if bin_ % 288 // 12 == 18 else 2)
        brand.waits(2 * DAY_S - 6 * 3600 + 3600 + 1800, deaf=True)  # to half past six on Monday the 27th
        return expects(brand)["all"].expected

    assert bar_at_six_in_berlin_once_winter_came("Europe/Berlin") > 1.2 * bar_at_six_in_berlin_once_winter_came("UTC")


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


def test_after_an_episode_only_something_twice_as_loud_speaks_for_a_day_or_so():
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
    brand.lives(2 * 288, noise(1, 7))
    assert brand.says(BURST)


def test_an_alarm_does_not_teach_that_alarms_are_usual():
    brand = usual_brand()
    brand.says(BURST)
    tails = [astuple(one.tail) for one in brand.state.storms.tracks.by_series["all"].past.memories]
    brand.lives(24, noise(30, 40))
    assert [astuple(one.tail) for one in brand.state.storms.tracks.by_series["all"].past.memories] == tails


def test_a_series_never_heard_of_is_as_old_as_its_brand():
    brand = usual_brand()
    assert brand.says(40, issues=("screen",))[0].series == "issue:screen"


def test_a_straggler_counts_in_its_own_bin():
    punctual, straggling = usual_brand(), usual_brand()
    punctual.says(15)
    for brand in (punctual, straggling):
        brand.waits(2 * BIN_S)
        brand.says(3)
    straggling.says(15, at_s=straggling.now_s - 2 * BIN_S)
    assert (
        punctual.state.storms.tracks.by_series["all"].counts == straggling.state.storms.tracks.by_series["all"].counts
    )
    for brand in (punctual, straggling):
        brand.waits(6 * BIN_S)
    assert punctual.state.storms == straggling.state.storms


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
    before = brand.state.storms.tracks.by_series["all"].counts[:]
    brand.says(1, at_s=brand.now_s - LATENESS_S)
    assert sum(brand.state.storms.tracks.by_series["all"].counts) == sum(before) + 1
    assert brand.waits(7200 + 3600) == []  # the quiet before it does not count
    assert brand.waits(2 * 3600)[0].state == "over"


def test_people_are_shown_numbers_that_they_can_check():
    brand = usual_brand()
    brand.lives(6, lambda _: 4)
    sign = brand.says(BURST)[0]
    assert sign.window_s == 1800
    assert sign.observed == sum(brand.state.storms.tracks.by_series["all"].counts[-6:-1]) + (
        brand.state.storms.tracks.by_series["all"].counts[-1] - (BURST - _needed(brand))
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
        for track in brand.state.storms.tracks.by_series.values():
            track.counts[-1] += 100_000
        brand.waits(BIN_S)
        brand.says(1, issues=("screen", "battery"))
    brand.says(BURST, issues=("screen", "battery"))
    for track in brand.state.storms.tracks.by_series.values():
        track.sums.weight += 10_000_000
        track.sums.lasting_weight += 10_000_000
        track.spare = -1
    brand.says(2, issues=("screen", "battery"))
    assert len(brand.state.storms.episodes) == 3
    assert len(packed(brand)) <= 512 * len(brand.state.storms.tracks.by_series)


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
            brand.says(
                count, at_s=brand.now_s - bins_late * BIN_S, label="negative", issues=("screen",) if cross else ()
            )
            brand.waits(BIN_S)
    assert straight.signs == stopped.signs
    assert packed(straight) == packed(stopped)


_WARM = packed(usual_brand())


def _warm():
    brand = Brand()
    brand.state = msgspec.msgpack.decode(_WARM, type=VolumeState)
    brand.now_s = brand.detector.due_s(brand.state) - BIN_S
    return brand

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.detectors.counts import params_for, score_counts

DAY = 288
MONDAY = 20_256 * DAY


def ordinary(bins, seed=1):
    rng = random.Random(seed)
    return [rng.randint(0, 9) for _ in range(bins)]


def judged(counts, start=MONDAY, **kw):
    return list(score_counts(enumerate(counts, start), **kw))


PAST = ordinary(4 * DAY)
RUNS = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 40)), max_size=6)


@settings(deadline=None, max_examples=12)
@given(soon=RUNS, later=RUNS)
def test_scores_of_a_prefix_do_not_change_when_later_counts_arrive(soon, later):
    early = PAST + [count for count, bins in soon for _ in range(bins)]
    whole = early + [count for count, bins in later for _ in range(bins)]
    assert judged(whole)[: len(early)] == judged(early)


@settings(deadline=None, max_examples=12)
@given(runs=RUNS)
def test_empty_bins_may_be_left_out(runs):
    counts = PAST + [count for count, bins in runs for _ in range(bins)] + [1]
    bins = list(enumerate(counts, MONDAY))
    scores = dict(zip([bin_ for bin_, _ in bins], score_counts(bins), strict=True))
    full = [one for one in bins if one[1]]
    assert all(
        scores[bin_] == told for (bin_, _), told in zip(full, score_counts(full), strict=True) if bin_ > full[0][0]
    )


def test_a_storm_pages_and_what_follows_pages_again_only_if_it_is_twice_as_loud():
    scores = judged([*PAST, 60, 90, *ordinary(40), 60, 90, *ordinary(40), 900, 900])
    paged = [bin_ - len(PAST) for bin_, one in enumerate(scores) if one.anomaly_score]
    assert paged[0] in (0, 1)
    assert not [bin_ for bin_ in paged if 2 < bin_ < 82]
    assert paged[-1] >= 82
    assert all(one.anomaly_score in (0, one.score) for one in scores)


def test_nothing_pages_while_it_learns():
    assert not any(one.anomaly_score for one in judged([*ordinary(2 * DAY), 900, 900]))


def test_after_months_of_silence_all_is_learned_anew():
    counts = [*enumerate(PAST, MONDAY), *enumerate([900] * 10, MONDAY + 100 * DAY)]
    assert not any(one.anomaly_score for one in list(score_counts(counts))[len(PAST) :])


def test_the_same_lengths_of_time_serve_bins_of_a_minute_and_of_an_hour():
    minute, hour = params_for(60).series, params_for(3600).series
    assert (minute.memory_bins, hour.memory_bins) == ((15, 180), (1, 3))
    assert minute.shown_bins * 60 == 1800


@pytest.mark.parametrize("bin_s", [0, -60, 7, 420, 7200])
def test_bins_that_do_not_divide_an_hour_are_refused(bin_s):
    with pytest.raises(ValueError, match=f"bins of {bin_s} s: expected a divisor"):
        params_for(bin_s)

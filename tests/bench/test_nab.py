"""The scorer, against cases worked out by hand from NAB's definition."""

from __future__ import annotations

from math import exp, inf

import pytest

from tests.bench.nab import DATA, PROFILES, Corpus, Series, alarms_of, altered, read_series, volume

STANDARD = PROFILES["standard"]
ROWS, WINDOWS = 100, [(40, 49), (70, 79)]  # of which the first 15 rows are probation


def corpus(*alarms: tuple[int, float]) -> Corpus:
    """One file with two windows, and alarms at (row, score)."""
    scores = [0.0] * ROWS
    for row, score in alarms:
        scores[row] = score
    file = Series("file", list(range(0, 300 * ROWS, 300)), [0] * ROWS, WINDOWS)
    return Corpus.judged([file], lambda _: scores)


def sigmoid(position: float) -> float:
    return 2 / (1 + exp(5 * position)) - 1


def test_silence_is_0_and_an_alarm_in_each_windows_first_row_is_100():
    assert corpus().score(0, STANDARD) == 0
    assert corpus((40, 1.0), (70, 1.0)).score(0, STANDARD) == pytest.approx(100)


def test_an_alarm_earns_less_the_later_in_its_window_it_comes_and_only_the_first_one_earns():
    half_way = sigmoid(-0.5) / sigmoid(-1)  # row 45: five of ten rows are left, itself included
    assert corpus((45, 1.0), (48, 9.0)).points(0, STANDARD) == pytest.approx(half_way - 1)
    assert corpus((49, 1.0)).points(0, STANDARD) == pytest.approx(sigmoid(-0.1) / sigmoid(-1) - 1)


def test_an_alarm_outside_costs_the_more_the_farther_behind_a_window_it_is():
    silence = corpus().points(0, STANDARD)
    assert corpus((30, 1.0)).points(0, STANDARD) == pytest.approx(silence - 0.11)  # before any window
    assert corpus((52, 1.0)).points(0, STANDARD) == pytest.approx(silence + 0.11 * sigmoid(3 / 9))
    assert corpus((99, 1.0)).points(0, STANDARD) == pytest.approx(silence + 0.11 * sigmoid(20 / 9))
    far = Series("file", [], [0] * 200, WINDOWS)
    alarm = Corpus.judged([far], lambda _: [0.0] * 199 + [1.0])
    assert alarm.points(0, STANDARD) == pytest.approx(silence - 0.11)  # three widths behind


def test_the_first_rows_count_for_nothing():
    assert alarms_of([1.0] * 15 + [0.0] * 85, WINDOWS) == []
    assert len(alarms_of([1.0] * 16 + [0.0] * 84, WINDOWS)) == 1
    assert len(alarms_of([1.0] * 10_000, WINDOWS)) == 10_000 - 750


def test_profiles_differ_in_what_a_false_alarm_and_a_missed_window_cost():
    one_of_each = corpus((40, 1.0), (30, 1.0))
    standard, low_fp, low_fn = (one_of_each.points(0, PROFILES[name]) for name in ("standard", "low FP", "low FN"))
    assert standard == pytest.approx(1 - 1 - 0.11)
    assert low_fp == pytest.approx(1 - 1 - 0.22)
    assert low_fn == pytest.approx(1 - 2 - 0.11)


def test_the_best_threshold_keeps_what_earns_and_drops_what_costs():
    judged = corpus((40, 5.0), (70, 4.0), (20, 3.0), (60, 3.5))
    assert judged.best_threshold(STANDARD) == 4.0
    assert judged.score(4.0, STANDARD) == pytest.approx(100)
    assert corpus((20, 3.0)).best_threshold(STANDARD) == inf


def test_each_file_left_out_is_judged_by_the_threshold_of_the_others():
    scores = {"quiet": {40: 3.0, 70: 3.0}, "loud": {40: 9.0, 70: 9.0, 20: 3.0}}
    files = [Series(name, [], [0] * ROWS, WINDOWS) for name in scores]
    judged = Corpus.judged(files, lambda file: [scores[file.name].get(row, 0.0) for row in range(ROWS)])
    # What is best on the loud file, 9, misses all of the quiet one; what is best on that, 3, costs an alarm.
    assert judged.left_out(STANDARD) == pytest.approx(judged.normalised(-2 + 2 - 0.11, STANDARD))


@pytest.mark.skipif(not (DATA / "windows.json").exists(), reason=f"no {DATA}: BENCH_DATA=FOLDER names what has nab/")
def test_real_storms_are_heard_also_where_only_a_quarter_of_their_mentions_is():
    files = read_series(DATA)
    heard = Corpus.judged(files, volume)
    assert heard.score(heard.best_threshold(STANDARD), STANDARD) >= 85
    assert heard.left_out(STANDARD) >= 80
    thinned = Corpus.judged([altered(file, share=0.25, days=1.5) for file in files], volume)
    assert thinned.score(0, STANDARD) >= 75

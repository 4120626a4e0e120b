"""The anchors must do what they say, or beating them means nothing."""

from __future__ import annotations

from random import Random

from tests.bench.anchors import DAY_S, HOUR_S, LEARNING_S, MeanAndDeviations, SigniTrend

WORDS = [f"word{number}" for number in range(60)]


def pages(anchor: MeanAndDeviations | SigniTrend, said: list[tuple[float, str]]) -> list[float]:
    return [at_s for at_s, text in said if anchor.hear(at_s, text)]


def every(gap_s: float, from_s: float, to_s: float, text: str = "") -> list[tuple[float, str]]:
    random = Random(1)
    count = int((to_s - from_s) / gap_s)
    return [(from_s + n * gap_s, text or " ".join(random.sample(WORDS, 6))) for n in range(count)]


def test_an_hour_of_more_than_the_mean_and_three_deviations_pages_once() -> None:
    usual = every(600, 0, 5 * DAY_S)
    burst = every(60, 5 * DAY_S, 5 * DAY_S + HOUR_S)
    [at_s] = pages(MeanAndDeviations(), usual + burst)
    assert 5 * DAY_S < at_s < 5 * DAY_S + 600


def test_what_is_usual_pages_nobody() -> None:
    assert pages(MeanAndDeviations(), every(600, 0, 8 * DAY_S)) == []
    assert pages(SigniTrend(), every(120, 0, 6 * DAY_S)) == []


def test_nobody_is_paged_while_they_learn() -> None:
    burst = every(30, LEARNING_S - DAY_S, LEARNING_S - DAY_S + HOUR_S, "flames everywhere")
    for anchor in (MeanAndDeviations(), SigniTrend()):
        assert pages(anchor, every(600, 0, LEARNING_S - DAY_S) + burst) == []


def test_a_word_said_far_more_often_than_usual_pages_at_the_end_of_its_epoch() -> None:
    usual, start_s = every(120, 0, 6 * DAY_S), 5 * DAY_S
    new = every(360, start_s, start_s + HOUR_S, "flames everywhere")
    [at_s] = pages(SigniTrend(), sorted(usual + new))
    assert start_s + HOUR_S <= at_s < start_s + HOUR_S + 120


def test_a_word_that_is_always_said_is_no_trend_even_when_twice_as_much_is_said() -> None:
    usual = every(120, 0, 6 * DAY_S, "the weather")
    assert pages(SigniTrend(), sorted(usual + every(120, 5 * DAY_S, 6 * DAY_S, "the weather"))) == []

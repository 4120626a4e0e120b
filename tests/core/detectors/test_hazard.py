"""A few different people on something dangerous: early, once, and whatever else is said."""

from __future__ import annotations

import msgspec
import pytest

from streams.core.detectors.hazard import MOST_AUTHORS, MOST_MENTIONS, HazardDetector, HazardState
from streams.core.detectors.interface import Heard, Plan, Voice

START_S = 1_750_000_000.0
HOUR_S, DAY_S = 3600, 86_400
PLAN = Plan(hazards={"battery_fire": (3, DAY_S)})
SERIES = "issue:battery_fire"


def post(author: int, at_h: float = 0.0, *, label="neutral", issues=("battery_fire",), copy=False) -> Heard:
    return Heard(
        at_s=START_S + at_h * HOUR_S,
        id=f"x:{author}:{at_h}",
        label=label,
        issues=issues,
        author=author,
        voice=Voice(copy=copy),
    )


@pytest.fixture
def detector():
    return HazardDetector()


@pytest.fixture
def state(detector) -> HazardState:
    return detector.start(START_S)


def told(detector, state, *posts, plan=PLAN):
    return [sign for one in posts for sign in detector.heard(state, one, plan)]


def test_the_third_person_pages_at_once_and_from_the_first_mention_of_a_brand_on(detector, state):
    assert told(detector, state, post(1), post(2, 5)) == []

    [sign] = told(detector, state, post(3, 9))

    assert (sign.series, sign.state, sign.step, sign.observed, sign.authors) == (SERIES, "open", 1, 3, 3)
    assert (sign.at_s, sign.window_s, sign.nature) == (post(3, 9).at_s, DAY_S, "trouble")
    assert sign.mentions == ("x:1:0.0", "x:2:5", "x:3:9")
    assert sign.score > 5
    assert sign.expected < 0.2


@pytest.mark.parametrize("label", ["positive", "neutral", "negative", "unscored"])
def test_it_asks_for_no_anger(detector, state, label):
    assert len(told(detector, state, *(post(n, label=label) for n in range(3)))) == 1


def test_one_person_counts_once_however_often_they_say_it(detector, state):
    assert told(detector, state, *(post(1, n / 10) for n in range(50)), post(2, 6)) == []


def test_a_copy_is_nobodys_own_observation(detector, state):
    assert told(detector, state, post(1), *(post(n, copy=True) for n in range(2, 90))) == []


def test_people_too_far_apart_are_no_incident(detector, state):
    assert told(detector, state, *(post(n, n * 12.0) for n in range(20))) == []


def test_what_suffices_is_what_the_rules_say_and_other_issues_are_none_of_its_business(detector, state):
    plan = Plan(hazards={"battery_fire": (2, HOUR_S)})

    assert told(detector, state, post(1, issues=("retold",)), post(2, issues=("retold",)), plan=plan) == []
    assert told(detector, state, post(1), post(2, 1.1), plan=plan) == []
    assert len(told(detector, state, post(3, 1.2), plan=plan)) == 1


def test_two_hazards_of_one_brand_are_counted_apart(detector, state):
    plan = Plan(hazards={"battery_fire": (3, DAY_S), "recall": (2, DAY_S)})

    [sign] = told(
        detector, state, post(1), post(2, issues=("recall",)), post(3, issues=("recall", "battery_fire")), plan=plan
    )

    assert sign.series == "issue:recall"


def test_a_straggler_completes_the_window_that_it_falls_in(detector, state):
    [sign] = told(detector, state, post(1, 1), post(2, 24.5), post(3, 0.8))

    assert sign.observed == 3
    assert sign.at_s == post(2, 24.5).at_s


def test_a_further_step_comes_each_time_they_are_twice_as_many(detector, state):
    signs = told(detector, state, *(post(n, n / 60) for n in range(30)))

    assert [(sign.step, sign.observed) for sign in signs] == [(1, 3), (2, 6), (3, 12), (4, 24)]
    assert len({sign.episode_s for sign in signs}) == 1


def test_it_is_over_when_too_few_are_left_in_the_window(detector, state):
    told(detector, state, post(1), post(2, 1), post(3, 2), post(4, 20))
    due_s = detector.due_s(state)

    assert not detector.passed(state, due_s - 1, PLAN)
    [over] = detector.passed(state, due_s + 5 * DAY_S, PLAN)

    assert due_s == START_S + 25 * HOUR_S
    assert (over.state, over.step, over.at_s, over.observed) == ("over", 2, due_s, 2)


def test_who_stood_behind_one_incident_does_not_make_up_the_next(detector, state):
    told(detector, state, post(1), post(2, 1), post(3, 2))
    detector.passed(state, START_S + 26 * HOUR_S, PLAN)

    assert told(detector, state, post(3, 25), post(2, 24.5), post(4, 26)) == []
    [again] = told(detector, state, post(5, 27), post(6, 28))
    assert (again.step, again.observed) == (1, 3)


def test_a_brand_where_people_often_talk_of_it_is_surprised_less(detector, state):
    plan = Plan(hazards={"battery_fire": (20, HOUR_S)})
    told(detector, state, *(post(n, n) for n in range(24 * 14)), plan=plan)

    [usual] = told(detector, state, *(post(1000 + n, 24 * 14 + n / 100) for n in range(20)), plan=plan)
    [rare] = told(detector, detector.start(START_S), *(post(n, n / 100) for n in range(20)), plan=plan)

    assert 0.8 < usual.expected < 1.2
    assert usual.score < rare.score


def test_an_issue_that_is_no_hazard_any_more_is_forgotten_once_its_episode_is_over(detector, state):
    told(
        detector,
        state,
        post(1),
        post(2),
        post(3),
        post(9, issues=("recall",)),
        plan=Plan(hazards={"battery_fire": (3, DAY_S), "recall": (3, DAY_S)}),
    )
    only = Plan(hazards={"other": (3, DAY_S)})

    told(detector, state, post(4, issues=("other",)), plan=only)
    assert set(state.issues) == {"battery_fire", "other"}

    [over] = detector.passed(state, START_S + 2 * DAY_S, only)
    told(detector, state, post(5, 49, issues=("other",)), plan=only)
    assert (over.series, set(state.issues)) == (SERIES, {"other"})


def test_whatever_happens_its_state_stays_small(detector, state):
    for n in range(5000):
        told(detector, state, post(n, n / 100))
        detector.passed(state, START_S + n * 36)

    assert len(state.issues["battery_fire"].authors) <= MOST_AUTHORS
    assert len(state.issues["battery_fire"].mentions) <= MOST_MENTIONS
    assert len(msgspec.msgpack.encode(state)) < 10_000

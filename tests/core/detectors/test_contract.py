"""What every detector promises, whatever it listens for. Runs over all of REGISTRY."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.core.detectors import REGISTRY
from streams.core.detectors.interface import Heard, Plan, Sign

LATENESS_S = 900
DAY_S = 86_400
PLAN = Plan(timezone="America/Chicago", hazards={"battery_fire": (3, DAY_S)})
START_S = 1_750_000_000.0
WARM_S = START_S + 5 * DAY_S
WORDS = [
    "the",
    "screen",
    "of",
    "my",
    "new",
    "phone",
    "works",
    "fine",
    "and",
    "the",
    "shop",
    "was",
    "nice",
    "to",
    "me",
    "today",
]

everyone = pytest.mark.parametrize("make", REGISTRY, ids=lambda make: make.name)
thorough = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def chatter(since_s, until_s, rng):
    """Ordinary talk: about one mention a minute and a half, mostly neutral."""
    at_s = since_s
    while (at_s := at_s + rng.expovariate(1 / 90)) < until_s:
        yield Heard(
            at_s=at_s,
            id=f"usual:{at_s}",
            label=rng.choice(["neutral", "neutral", "positive", "negative"]),
            author=rng.randrange(5000),
            text=" ".join(rng.sample(WORDS, 8)),
        )


def trouble(at_s, n):
    """One post of a storm that no detector should sleep through."""
    return Heard(
        at_s=at_s,
        id=f"trouble:{n}",
        label="negative",
        issues=("battery_fire",),
        author=10_000 + n,
        text=f"my battery burst into flames number {n} {WORDS[n % len(WORDS)]}",
    )


_warm: dict[str, bytes] = {}


def warmed(make):
    """A detector, and its state after five ordinary days."""
    detector = make(LATENESS_S)
    if make.name not in _warm:
        state, rng = detector.start(START_S), random.Random(7)
        for mention in chatter(START_S, WARM_S, rng):
            detector.passed(state, mention.at_s, PLAN)
            detector.heard(state, mention, PLAN)
        _warm[make.name] = msgspec.msgpack.encode(state)
    return detector, msgspec.msgpack.decode(_warm[make.name], type=detector.state_type)


def play(detector, state, events, *, restarts=frozenset(), small_steps=False):
    """Tell a detector a log of events; returns its signs and its last state."""
    signs: list[Sign] = []
    now_s, n = WARM_S, 0
    for place, (kind, amount, offset_s) in enumerate(events):
        if place in restarts:
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=detector.state_type)
        if kind == "time":
            steps = [now_s + amount * 60 * part / 7 for part in range(1, 7)] if small_steps else []
            now_s += amount * 60
            for step_s in [*steps, now_s, now_s, now_s - 1000] if small_steps else [now_s]:
                signs += detector.passed(state, step_s, PLAN)
        else:
            for _ in range(amount):
                signs += detector.heard(state, trouble(now_s + offset_s, n := n + 1), PLAN)
    return signs, msgspec.msgpack.encode(state)


events = st.lists(
    st.one_of(
        st.tuples(st.just("time"), st.integers(1, 200), st.just(0)),
        st.tuples(st.just("time"), st.sampled_from([1, 5, 1440]), st.just(0)),
        st.tuples(st.just("mentions"), st.integers(1, 60), st.integers(-1500, 900)),
    ),
    max_size=40,
)


def test_every_detector_has_a_name_of_its_own_and_a_version():
    detectors = [make(LATENESS_S) for make in REGISTRY]
    assert len({detector.name for detector in detectors}) == len(detectors)
    assert all(detector.version for detector in detectors)


@everyone
def test_a_storm_is_heard_within_its_first_hour_and_is_over_two_days_later(make):
    detector, state = warmed(make)
    opening: list[Sign] = []
    for n in range(240):
        at_s = WARM_S + n * 15
        opening += [*detector.passed(state, at_s, PLAN), *detector.heard(state, trouble(at_s, n), PLAN)]
    assert opening
    assert {sign.state for sign in opening} == {"open"}
    ending = detector.passed(state, WARM_S + 2 * DAY_S, PLAN)
    opened = {(sign.series, sign.episode_s) for sign in opening}
    assert {(sign.series, sign.episode_s) for sign in ending if sign.state == "over"} == opened


@everyone
def test_nothing_is_said_while_learning(make):
    detector = make(LATENESS_S)
    state = detector.start(START_S)
    until_s = detector.learning_until_s(state)
    for hour in range(int((until_s - START_S) // 3600)):
        at_s = START_S + hour * 3600
        for n in range(hour % 50):
            assert not detector.heard(state, trouble(at_s, n), PLAN)
        assert not detector.passed(state, at_s, PLAN)
        assert not detector.expects(state, at_s)


@everyone
@thorough
@given(events=events)
def test_to_ask_what_is_usual_changes_nothing_and_each_series_answers_once(make, events):
    detector, state = warmed(make)
    play(detector, state, events)
    before = msgspec.msgpack.encode(state)
    now_s = WARM_S + 60 * sum(amount for kind, amount, _ in events if kind == "time")
    told = detector.expects(state, now_s)
    assert msgspec.msgpack.encode(state) == before
    assert len({one.series for one in told}) == len(told)
    assert all(one.detector == detector.name and one.window_s > 0 and one.high >= 0 for one in told)


@everyone
@thorough
@given(events=events, restarts=st.sets(st.integers(0, 40)))
def test_a_restart_in_mid_stream_changes_nothing(make, events, restarts):
    detector, state = warmed(make)
    _, again = warmed(make)
    assert play(detector, state, events) == play(detector, again, events, restarts=restarts)


@everyone
@thorough
@given(events=events)
def test_time_told_in_small_steps_twice_or_out_of_date_changes_nothing(make, events):
    detector, state = warmed(make)
    _, again = warmed(make)
    assert play(detector, state, events) == play(detector, again, events, small_steps=True)


@everyone
@thorough
@given(events=events)
def test_steps_count_up_from_one_and_an_episode_is_over_exactly_once(make, events):
    detector, state = warmed(make)
    signs, _ = play(detector, state, [*events, ("time", 3 * 1440, 0)])
    episodes: dict[tuple[str, int], list[Sign]] = {}
    for sign in signs:
        episodes.setdefault((sign.series, sign.episode_s), []).append(sign)
    for told in episodes.values():
        assert [sign.step for sign in told] == list(range(1, len(told) + 1))
        assert [sign.state for sign in told] == ["open"] * (len(told) - 1) + ["over"]


@everyone
@thorough
@given(events=events, share=st.floats(0, 0.99))
def test_before_it_is_due_passing_time_does_nothing(make, events, share):
    detector, state = warmed(make)
    now_s = WARM_S
    for event in events:
        before = msgspec.msgpack.encode(state)
        early_s = now_s + share * max(0.0, detector.due_s(state) - now_s)
        assert not detector.passed(state, min(early_s, detector.due_s(state) - 0.001), PLAN)
        assert msgspec.msgpack.encode(state) == before
        if event[0] == "time":
            now_s += event[1] * 60
            detector.passed(state, now_s, PLAN)
            assert detector.due_s(state) > now_s
        else:
            detector.heard(state, trouble(now_s + event[2], event[1]), PLAN)


@everyone
@thorough
@given(events=events, later=events)
def test_what_comes_later_changes_nothing_that_was_said(make, events, later):
    detector, state = warmed(make)
    _, again = warmed(make)
    said, _ = play(detector, state, events)
    assert play(detector, again, [*events, *later])[0][: len(said)] == said


@everyone
@thorough
@given(events=events, deaf_min=st.integers(1, 3000), pieces=st.integers(2, 9))
def test_deafness_told_in_small_steps_or_twice_changes_nothing(make, events, deaf_min, pieces):
    detector, state = warmed(make)
    _, again = warmed(make)
    now_s = WARM_S + 60 * sum(amount for kind, amount, _ in events if kind == "time")
    until_s = now_s + 60 * deaf_min
    play(detector, state, events)
    play(detector, again, events)
    once = detector.passed(state, until_s, PLAN, deaf=True)
    steps = [now_s + 60 * deaf_min * part / pieces for part in range(1, pieces)]
    often = [sign for step_s in [*steps, until_s, until_s] for sign in detector.passed(again, step_s, PLAN, deaf=True)]
    assert list(once) == often
    assert msgspec.msgpack.encode(state) == msgspec.msgpack.encode(again)

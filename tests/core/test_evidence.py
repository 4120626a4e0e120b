"""What lets a person believe a finding in ten seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from agents.detect import heard_of
from streams.core.detectors.interface import Rising, Sign, Voice
from streams.core.tally import Tally
from streams.records import Evidence, Origin, Place, Removal, ScoredMention, Sentiment

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOON_S = int(NOON.timestamp())


def hear(tally: Tally, number: int, minute: float, text: str = "", *, label="neutral", voice=None, **fields) -> None:
    fields.setdefault("author_id", f"author {number}")
    said = ScoredMention(
        brand="dell",
        origin=Origin(0, 0, number),
        id=f"x:{number}",
        source=fields.pop("source", "x"),
        observed_at=NOON + timedelta(minutes=minute),
        sentiment=Sentiment(label=label),
        text=text or f"post{number} about topic{number} in words{number} of their{number} own{number}",
        **fields,
    )
    heard = heard_of(said, b"")
    tally.add(said, replace(heard, voice=voice or Voice(first_seen=False)), ())


def sign(series="all", minute: float = 0, **fields) -> Sign:
    usual = {"observed": 40.0, "expected": 10.0, "score": 9.0, "window_s": 1800}
    return Sign(series=series, episode_s=NOON_S, step=1, state="open", at_s=NOON_S + minute * 60, **usual | fields)


def seen(tally: Tally, *asked, **fields) -> Evidence:
    return tally.evidence(sign(*asked, **fields), baseline_s=8 * 86_400)


@pytest.fixture
def tally() -> Tally:
    return Tally()


def test_a_storm_is_shown_with_who_speaks_how_many_hear_it_and_where(tally):
    for n in range(30):
        place = Place(country="US") if n % 3 else None
        hear(
            tally,
            n,
            n / 3,
            label="negative",
            author_id=f"a{n % 10}",
            author_followers=50,
            place=place,
            source=["x", "hn"][n % 2],
        )

    evidence = seen(tally, "negative", 10)

    assert (evidence.authors, evidence.reach, evidence.negative_share) == (10, 500, 1.0)
    assert (evidence.sources, evidence.places) == ({"x": 15, "hn": 15}, {"US": 20})
    assert evidence.probability == pytest.approx(0.000123)
    assert evidence.baseline_s == 8 * 86_400


def test_who_is_glad_is_none_of_those_who_are_angry(tally):
    for n in range(20):
        hear(tally, n, n / 2, label="negative" if n < 5 else "positive", author_followers=10)

    assert (seen(tally, "negative", 10).authors, seen(tally, "negative", 10).reach) == (5, 50)
    assert {sample.sentiment for sample in seen(tally, "negative", 10).samples} == {"negative"}
    assert seen(tally, "all", 10).authors == 20


@pytest.mark.parametrize("doubling", [4, 8])
def test_what_doubles_steadily_is_told_with_its_doubling_time(tally, doubling):
    number = 0
    for minute in range(30):
        for _ in range(round(2 ** (minute / doubling))):
            hear(tally, number := number + 1, minute + 0.5)

    evidence = seen(tally, "all", 30, observed=float(number), expected=0.0)

    assert evidence.doubling_min == pytest.approx(doubling, abs=1.5)


def test_what_stands_still_doubles_in_half_the_window_and_what_is_usual_not_at_all(tally):
    for n in range(120):
        hear(tally, n, n / 4)

    assert seen(tally, "all", 30, observed=120.0, expected=60.0).doubling_min == pytest.approx(15, abs=1.5)
    assert seen(tally, "all", 30, observed=120.0, expected=110.0).doubling_min is None


def test_copies_and_newcomers_are_told_as_shares_of_the_window(tally):
    for n in range(20):
        hear(tally, n, n / 4, voice=Voice(copy=n >= 15, first_seen=n < 5))
    hear(tally, 99, -45, voice=Voice(copy=True, first_seen=True))

    assert (seen(tally, "all", 5).copies, seen(tally, "all", 5).newcomers) == (0.25, 0.25)


def test_the_terms_that_a_detector_names_are_told_and_posts_that_hold_them_are_shown(tally):
    for n in range(60):
        hear(tally, n, n / 3)
    hear(tally, 100, 20, "the hinge broke after a week", author_followers=7)
    hear(tally, 101, 21, "another hinge came loose, so cheap", author_followers=8)

    evidence = seen(tally, "terms", 21, terms=(Rising("hinge", 2.0, 30.0),), mentions=("x:100", "x:101"), authors=2)

    assert [(term.term, term.lift) for term in evidence.terms] == [("hinge", 30.0)]
    assert {sample.id for sample in evidence.samples} == {"x:100", "x:101"}
    assert (evidence.authors, evidence.reach) == (2, 15)
    assert evidence.first_seen == NOON + timedelta(minutes=20)


def test_what_most_of_it_is_about_is_named_and_what_few_mention_is_not(tally):
    for n in range(40):
        hear(tally, n, n / 2, issues=("login",) if n % 2 else ("price",) if n % 10 == 0 else ())

    assert tally.witness.about(sign(minute=20, observed=40.0, expected=5.0)) == ("login",)
    assert tally.witness.about(sign("issue:fire", 20)) == ("fire",)


# samples


def test_samples_are_by_different_people_and_no_near_copies_and_spread_over_the_window(tally):
    for n in range(8):
        hear(tally, n, n, "buy cheap dell laptops at this great shop now", label="negative")
    for n in range(10, 18):
        hear(tally, n, n, label="negative", author_id="fifty posts")
    for n in range(20, 26):
        hear(tally, n, n, label="negative")

    samples = seen(tally, "negative", 26).samples

    assert 3 <= len(samples) <= 5
    assert len({sample.author_id for sample in samples}) == len(samples)
    assert sum("cheap" in sample.text for sample in samples) <= 1


def test_the_post_that_says_what_is_new_comes_before_those_that_say_what_they_always_say(tally):
    for n in range(200):
        hear(tally, n, n / 4 - 100, "my dell screen and keyboard and price")
    for n in range(300, 304):
        hear(tally, n, n - 300, f"smoke from my dell{n} in room{n} at night{n}, smoke")

    assert "smoke" in seen(tally, "all", 4).samples[0].text


def test_a_post_that_was_deleted_is_shown_no_more(tally):
    for n in range(3):
        hear(tally, n, n)
    gone = Removal(origin=Origin(0, 0, 9), why="deleted", brand="dell", id="x:1")

    assert tally.witness.concerns(gone)
    tally.witness.remove(gone)
    assert {sample.id for sample in seen(tally, "all", 3).samples} == {"x:0", "x:2"}
    assert not tally.witness.concerns(gone)

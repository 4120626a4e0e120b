"""How pages are told true from false, on a tiny case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from agents.simulator import World
from agents.simulator.events import Event, Kind
from streams.records import Origin, ScoredMention, Sentiment
from tests.bench.detection import figures
from tests.bench.simulated import Case, Job, Page, case_of, play
from tests.bench.verdicts import judge

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 1, 12, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def event(kind: Kind, from_h: float, to_h: float, mentions: tuple[str, ...] = ()) -> Event:
    return Event(kind=kind, brand="acme", theme="fire", start=at(from_h), end=at(to_h), mentions=mentions)


def said(number: int, hours: float) -> ScoredMention:
    return ScoredMention(
        brand="acme",
        origin=Origin(0, 0, number),
        id=f"x:{number}",
        source="x",
        observed_at=at(hours),
        sentiment=Sentiment("negative"),
    )


IDS = tuple(f"x:{number}" for number in range(20))
CASE = Case(
    brand="acme",
    per_hour=20,
    weeks=1,
    rules="",
    mentions=[said(number, 10 + number / 10) for number in range(20)],
    events=[
        event("rise", 0, 168),
        event("incident", 10, 12, IDS),
        event("campaign", 20, 24),
        event("joke", 30, 34),
        event("incident", 40, 44, IDS[:11]),
    ],
)
BY_WORDS, BY_VOLUME = ("emerging_terms/terms",), ("volume/all",)


def test_the_first_page_of_an_incident_finds_it_and_later_ones_are_repeats() -> None:
    result = judge(CASE, [Page(at(11.55), BY_WORDS), Page(at(10.25), BY_VOLUME), Page(at(12.9), BY_WORDS)])
    [found] = result.found
    assert (found.mentions, found.minutes, found.share, found.pages, found.by) == (3, 15, 3 / 20, 3, BY_VOLUME)
    assert (result.missed, result.false) == ([], [])


def test_an_incident_without_a_page_is_missed_unless_it_was_tiny() -> None:
    assert [missed.mentions for missed in judge(CASE, []).missed] == [20]


@pytest.mark.parametrize(
    ("hours", "by", "kind"),
    [(21, BY_WORDS, "campaign"), (34.9, BY_VOLUME, "joke"), (60, BY_WORDS, "nothing"), (60, BY_VOLUME, "rise")],
)
def test_a_page_of_no_incident_is_false_and_has_its_cause(hours: float, by: tuple[str, ...], kind: str) -> None:
    result = judge(CASE, [Page(at(hours), by)])
    assert [cause for cause, _ in result.false] == [kind]
    if kind != "nothing":
        assert result.others[kind] == (1, 1)


def test_figures_count_repeats_as_pages_and_false_ones_by_the_week() -> None:
    told = figures([judge(CASE, [Page(at(10.25), BY_VOLUME), Page(at(11), BY_WORDS), Page(at(60), BY_WORDS)])])
    assert told["incidents found, of those with 12 mentions"] == "1 of 1, 100%"
    assert (told["false pages per brand-week"], told["pages per true incident"]) == ("1.00", "2.00")
    assert told["precision of pages"] == "0.67"


def test_the_agents_hear_a_case_and_a_remembered_one_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(seed=3, brands=2, weeks=1)
    number = min((0, 1), key=lambda n: job.world().lives[n].per_hour)
    case = case_of(job, number, cache=tmp_path)
    monkeypatch.setattr(World, "tell", lambda _: pytest.fail("it was remembered"))
    assert case_of(job, number, cache=tmp_path) == case
    assert len(case.mentions) > 24 * 7 * 15
    case.mentions = case.mentions[:1000]
    played = play(case)
    assert played.pages == []  # they are learning
    assert played.row_bytes > 1000

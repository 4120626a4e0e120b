"""Pages against the truth of a simulated world: which incidents somebody was woken up for, when, and who for nothing."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.simulator.events import Event
    from tests.bench.simulated import Case, Page

GRACE = timedelta(hours=1)
"""A page so long after an incident's end is still about it: people still talk of it."""
FEWEST = 12
"""Incidents of fewer mentions nobody is asked to find."""


class Found(NamedTuple):
    """An incident that was found: mentions, minutes and the share of all its mentions until the page; pages in all."""

    theme: str
    mentions: int
    minutes: float
    share: float
    pages: int
    by: tuple[str, ...]


class Missed(NamedTuple):
    """An incident that nobody was woken up for."""

    theme: str
    start: datetime
    mentions: int


class Result(NamedTuple):
    """One case. `others` counts events of each other kind, and how many paged; `false` are all pages but incidents'."""

    brand: str
    weeks: int
    found: list[Found]
    missed: list[Missed]
    others: dict[str, tuple[int, int]]
    false: list[tuple[str, Page]]


def judge(case: Case, pages: Sequence[Page]) -> Result:
    """Tell true pages from false ones, by time alone: a brand's short events do not overlap.

    A page outside of all of them is the steady rise's if volume alone says so, else "nothing"'s.
    """
    short = [event for event in case.events if event.kind != "rise"]
    paged: dict[int, list[Page]] = {n: [] for n in range(len(short))}
    false: list[tuple[str, Page]] = []
    for page in sorted(pages, key=lambda one: one.at):
        number = _about(page.at, short)
        if number is not None:
            paged[number].append(page)
            if short[number].kind != "incident":
                false.append((short[number].kind, page))
        else:
            rising = page.at >= min(event.start for event in case.events if event.kind == "rise")
            by_volume = all(one.startswith(("volume", "negativity")) for one in page.by)
            false.append(("rise" if rising and by_volume else "nothing", page))
    times = {mention.id: mention.observed_at for mention in case.mentions}
    asked = [n for n, event in enumerate(short) if event.kind == "incident" and len(event.mentions) >= FEWEST]
    found = [_found(short[n], paged[n], times) for n in asked if paged[n]]
    silent = [short[n] for n in asked if not paged[n]]
    missed = [Missed(event.theme, event.start, len(event.mentions)) for event in silent]
    others = {kind: _how_many_paged(kind, short, paged) for kind in ("campaign", "joke", "flood")}
    others["rise"] = (case.weeks, len([kind for kind, _ in false if kind == "rise"]))
    return Result(case.brand, case.weeks, found, missed, others, false)


def _how_many_paged(kind: str, events: Sequence[Event], paged: dict[int, list[Page]]) -> tuple[int, int]:
    numbers = [n for n, event in enumerate(events) if event.kind == kind]
    return len(numbers), len([n for n in numbers if paged[n]])


def _about(at: datetime, events: Sequence[Event]) -> int | None:
    during = [n for n, event in enumerate(events) if event.start <= at <= event.end]
    just_after = [n for n, event in enumerate(events) if event.end < at <= event.end + GRACE]
    return next(iter(during + just_after), None)


def _found(event: Event, pages: Sequence[Page], times: dict[str, datetime]) -> Found:
    said = sorted(times[one] for one in event.mentions if one in times)
    before = bisect_right(said, pages[0].at)
    minutes = (pages[0].at - event.start) / timedelta(minutes=1)
    return Found(event.theme, before, minutes, before / len(said), len(pages), pages[0].by)

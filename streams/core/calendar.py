"""Known events: hours in which more than usual is usual, and those in which nobody wants to be paged.

Times are those on the wall, where the brand is at home; what is left out or said twice by a change of the
clocks is as the time zone data say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Once:
    """From one time to another, on the wall."""

    first: datetime
    until: datetime

    def end_of(self, local: datetime) -> datetime | None:
        """The end, if `local` lies within."""
        return self.until if self.first <= local < self.until else None


@dataclass(frozen=True, slots=True)
class Weekly:
    """Each week for `span` from `start` after the midnight before a `weekday` (0 is Monday); None: each day."""

    weekday: int | None
    start: timedelta
    span: timedelta

    def end_of(self, local: datetime) -> datetime | None:
        """The end of the occurrence that `local` lies in."""
        every = timedelta(days=1 if self.weekday is None else 7)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        begun = (
            midnight - timedelta(days=(local.weekday() - (self.weekday or 0)) if every.days == 7 else 0) + self.start
        )
        if begun > local:
            begun -= every
        return begun + self.span if local < begun + self.span else None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the rules' `calendar`. `brands` None: all. `hazard`: it mutes hazards as well."""

    name: str
    when: Once | Weekly
    brands: frozenset[str] | None = None
    expect: float | None = None
    mute: bool = False
    hazard: bool = False

    def ends(self, brand: str, at: datetime, zone: ZoneInfo) -> datetime | None:
        """When the event ends that is on for a brand at `at`; None: it is not on."""
        if self.brands is not None and brand not in self.brands:
            return None
        end = self.when.end_of(at.astimezone(zone).replace(tzinfo=None))
        return None if end is None else end.replace(tzinfo=zone).astimezone(UTC)

"""Times of records: reading them, and placing them against the clock."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
SPACE_BEFORE_ZONE = re.compile(r" (?=[+-]\d\d:?\d\d$)")
MILLISECONDS_FROM = 1e11  # as seconds this would be the year 5138, so it counts milliseconds


class Clock:
    """The wall clock. Sources take it as a parameter, so that a test plays hours in no time."""

    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        await asyncio.sleep(seconds)


def read_time(text: object) -> datetime | None:
    """Read a time as UTC, or None where that is impossible or the year is outside 1900-2999.

    Understood: RFC 3339, `2015-02-24 11:35:52 -0800`, `Tue Oct 31 22:10:47 +0000 2017`, and seconds
    or milliseconds since 1970. A time without a zone is UTC.
    """
    stood = str(text).strip()
    try:
        if NUMBER.fullmatch(stood):
            number = float(stood)
            time = datetime.fromtimestamp(number / 1000 if abs(number) >= MILLISECONDS_FROM else number, UTC)
        else:
            time = datetime.fromisoformat(SPACE_BEFORE_ZONE.sub("", _as_iso(stood)))
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return time if 1900 <= time.year < 3000 else None


def _as_iso(stood: str) -> str:
    match stood.split():
        case [_, month, day, clock, zone, year] if month in MONTHS:
            return f"{year}-{MONTHS.index(month) + 1:02}-{day:>02}T{clock}{zone}"
    return stood


@dataclass(frozen=True, slots=True)
class Placement:
    """Where recorded times lie on the wire, and when each record may leave."""

    first: datetime
    started: datetime
    speed: float | None
    shift: timedelta

    @classmethod
    def of(cls, first: datetime, last: datetime, now: datetime, *, speed: float | None, shifted: bool) -> Placement:
        """Place `first` to `last`, played from `now` at `speed` (event seconds a second; None: at once).

        Shifted times lie as late as they can without any record running ahead of the clock at which
        it leaves: the last is said at the very end of play, or, slower than life, the first now.
        """
        play = (last - first) / speed if speed else timedelta()
        shift = min(now - first, now + play - last) if shifted else timedelta()
        return cls(first, now, speed, shift)

    def wait_s(self, at: datetime, now: datetime) -> float:
        """Seconds until the record of `at` may leave. Counted from the start, so that nothing drifts."""
        if self.speed is None:
            return 0.0
        return (self.started + (at - self.first) / self.speed - now).total_seconds()

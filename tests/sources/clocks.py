"""A clock that moves only when somebody sleeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agents.sources.times import Clock

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


class PlayedClock(Clock):
    """Sleeping takes no time and moves the clock; `slept_s` is how long play would have taken."""

    def __init__(self, now: datetime = NOON, *, costs: timedelta = timedelta()) -> None:
        self._now, self._costs = now, costs
        self.slept_s = 0.0

    def now(self) -> datetime:
        self._now += self._costs
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.slept_s += seconds
        self._now += timedelta(seconds=seconds)

"""The source `simulate`: a scenario told with its history at once, its live part faster than life, and then in real time."""

from __future__ import annotations

from datetime import timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, ClassVar, Self

from agents.sources.interface import Sourced, SourceError
from agents.sources.options import Options
from agents.sources.scenario import Scenario
from agents.sources.teller import Teller, Told
from agents.sources.times import Clock
from streams.records import Mention, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from datetime import datetime


class Simulate:
    """Tells a scenario so that its live part ends at `end`.

    Paced, the history goes out at once, the live part `speed` times faster than life, and after it
    ordinary chatter goes on in real time; event time is never ahead of the clock. Not paced,
    everything goes out at once and ends with the live part. The same seed gives the same bytes, except for
    times. Ids are the same in every telling, so a second one needs a topic prefix of its own.
    """

    name = "simulate"
    cursor_key: str | None = None
    about: ClassVar[str] = "a made-up story from a fixed seed, such as dell-batteries: two quiet weeks, then a crisis"
    options: ClassVar[Mapping[str, str]] = {
        "scenario": "a bundled scenario's name, or a .yaml file (default: dell-batteries)",
        "end": "the event time at which the live part ends (default: when its play ends)",
        "pace": "yes (default), or no: all at once, and end with the live part",
    }

    def __init__(
        self, scenario: Scenario, *, end: datetime | None = None, pace: bool = True, clock: Clock | None = None
    ) -> None:
        """`end` None: the moment at which play will end."""
        self.scenario, self.end, self.pace = scenario, end, pace
        self._clock = clock or Clock()
        self._live_ms = round(scenario.live_min * 60_000)

    @classmethod
    def open(cls, options: Mapping[str, str]) -> Self:
        """Make one from `key=value` options; see `options`.

        Raises:
            SourceError: an option is unknown or wrong, or the scenario is.
        """
        given = Options(cls.name, options, cls.options)
        scenario = Scenario.load(given.text("scenario", "dell-batteries"))
        return cls(scenario, end=given.time("end"), pace=given.one_of("pace", ("yes", "no")) == "yes")

    def history(self) -> Iterator[Sourced]:
        """What lies before the live part."""
        end, now = self._ends(0), self._clock.now()
        for index, told in takewhile(lambda each: each[1].at_ms < 0, self._numbered()):
            yield from self._delivered(told, index, -1, end, now)

    async def listen(self, cursor: str | None = None) -> AsyncIterator[Sourced]:
        """Yield the whole story, oldest first, from after `cursor`, the index of a record."""
        if cursor is not None and not cursor.isdecimal():
            raise SourceError(f"simulate: the cursor {cursor!r} is not the index of a record")
        after = -1 if cursor is None else int(cursor)
        end: datetime | None = None
        began: datetime | None = None
        for index, told in self._numbered():
            if not self.pace and told.at_ms >= self._live_ms:
                return
            if index + told.copies - 1 <= after:
                continue
            end = end or self._ends(told.at_ms)
            now = self._clock.now()
            if self.pace and told.at_ms >= 0:
                # not before `end - play`: whatever the history took, event time stays behind the clock
                began = began or max(now - self._played(told.at_ms), end - self._played(self._live_ms))
                if (wait_s := (began + self._played(told.at_ms) - now).total_seconds()) > 0:
                    await self._clock.sleep(wait_s)
                    now = self._clock.now()
            for sourced in self._delivered(told, index, after, end, now):
                yield sourced

    def _ends(self, from_ms: int) -> datetime:
        """When the live part ends if the telling goes on, now, from `from_ms`."""
        if self.end is not None:
            return self.end
        ahead = self._played(self._live_ms) - self._played(from_ms) if self.pace else timedelta()
        return self._clock.now() + ahead

    def _played(self, at_ms: int) -> timedelta:
        """How long after the start of the live part, on the wall clock, `at_ms` is told."""
        fast_ms = min(max(at_ms, 0), self._live_ms)
        return timedelta(milliseconds=fast_ms / self.scenario.speed + max(at_ms - self._live_ms, 0))

    def _numbered(self) -> Iterator[tuple[int, Told]]:
        """What is told, each with the index of its first delivery."""
        index = 0
        for told in Teller(self.scenario).tell():
            yield index, told
            index += told.copies

    def _delivered(self, told: Told, index: int, after: int, end: datetime, now: datetime) -> Iterator[Sourced]:
        """What is told as often as it is delivered, the same bytes each time, without what is not after `after`."""
        observed_at = end + timedelta(milliseconds=told.at_ms - self._live_ms)
        mention = Mention(observed_at=observed_at, posted_at=observed_at, ingested_at=now, **told.fields)
        key, value = mention.id.encode(), encode(mention)
        for number in range(max(index, after + 1), index + told.copies):
            yield Sourced(key, value, str(number))

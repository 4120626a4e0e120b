"""Lanes merged by event time: what several raw partitions tell of one brand is applied in the order in which it was said.

While a backlog is read, one raw partition may be hours of event time ahead of another. Who counts in the
order of arrival then takes the others for stragglers, and learns a past that never was. So what a lane
says waits until every lane has come as far. In life that is a second or so, the pace of progress marks.

Nothing waits for long: `PATIENCE_MS` of the broker's own clock, as it stands in the log, and at most
`MOST_WAITING` records. All of this is a function of the log alone, so the same log is merged in the same way
by whoever reads it, in whatever bundles. Within a lane the order is kept, on which its watermarks rest.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

from streams.records import Mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from streams.records import Origin

PATIENCE_MS = 30_000
"""As long as it takes until somebody else works on the partitions of a worker that died; no page is held back for longer."""

MOST_WAITING = 10_000
"""Records, of one keyed partition."""


class Said(NamedTuple):
    """One record of a lane. `time` is how far the lane had come when it was said; None: it has no time yet."""

    key: bytes | None
    value: Any
    origin: Origin
    time: datetime | None


class Merge:
    """What waits, by event time."""

    def __init__(self, lanes: int, reached: dict[int, datetime | None]) -> None:
        """`reached` is how far each of the lanes that have spoken had come; None: it holds nothing, and holds nobody back."""
        self._lanes, self._reached = lanes, reached
        self._idle: dict[int, datetime | None] = {}
        self._ahead: dict[int, timedelta] = {}
        self._horizon = self._lowest()
        self._waiting: list[tuple[datetime, int, int, Said]] = []
        self._since: OrderedDict[int, int] = OrderedDict()
        """Of each offset that waits, in order, when the broker appended it."""

    @property
    def waits_from(self) -> int | None:
        """The first offset that waits; None: nothing does."""
        return next(iter(self._since), None)

    def hear(
        self, offset: int, appended_ms: int, key: bytes | None, value: Any, origin: Origin, time: datetime | None
    ) -> Iterator[Said]:
        """Take the next record of the log; yield what may be applied now, in order."""
        lane, reached = origin.partition, self._reached
        known, time = reached.get(lane), self._lifted(lane, value, time)
        if time is not None and (known is None or time > known):
            reached[lane] = time
            if known is None or known == self._horizon:  # else another lane is behind this one
                self._horizon = self._lowest()
            known = time
        elif lane not in reached and isinstance(value, Mark):
            reached[lane] = None  # only a mark without a time says that the lane holds nothing
            self._horizon = self._lowest()
        if self._idle:
            self._level()
        said = Said(key, value, origin, known)
        if known is None:
            yield said
        else:
            heappush(self._waiting, (known, lane, offset, said))
            self._since[offset] = appended_ms
        while self._waiting and (self.is_reached(self._waiting[0][0]) or self._is_overdue(appended_ms)):
            _, _, released, said = heappop(self._waiting)
            del self._since[released]
            yield said

    def is_reached(self, time: datetime) -> bool:
        """Whether every lane has come as far."""
        return self._horizon is not None and time <= self._horizon

    def _lifted(self, lane: int, value: Any, time: datetime | None) -> datetime | None:
        """How far a record says that its lane has come. At its end a lane goes on from where it was lifted to."""
        if not (isinstance(value, Mark) and value.idle):
            self._ahead.pop(lane, None)
            if time is not None:
                self._idle.clear()  # whether the others hold something as old is known only once they look again
            return time
        self._idle[lane] = time
        return None if time is None else time + self._ahead.get(lane, timedelta())

    def _level(self) -> None:
        """Where all lanes have been read to their ends, each has come as far as the furthest: nothing older is on its way."""
        if len(self._idle) < self._lanes:
            return
        latest = max((time for time in self._reached.values() if time is not None), default=None)
        if latest is None:
            return
        for lane, time in self._idle.items():
            if time is not None:
                self._ahead[lane], self._reached[lane] = latest - time, latest
        self._horizon = self._lowest()

    def _lowest(self) -> datetime | None:
        if len(self._reached) < self._lanes:
            return None
        return min((time for time in self._reached.values() if time is not None), default=None)

    def _is_overdue(self, now_ms: int) -> bool:
        return now_ms - next(iter(self._since.values())) > PATIENCE_MS or len(self._since) > MOST_WAITING

"""One connection to a Jetstream server: where it begins, what its frames mean one after the other, where it can go on."""

from __future__ import annotations

import re
from datetime import timedelta
from hashlib import blake2b
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Self

from agents.sources.bluesky.frames import EPOCH, MICROSECOND, Broken, Notice, UnreadableError, read_v1, read_v2
from agents.sources.bluesky.posts import mention_of
from agents.sources.interface import Gap, Reached, Sourced, SourceDownError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.sources.bluesky.frames import Happening
    from agents.sources.interface import Event
    from agents.sources.times import Clock

REACHED_EVERY_S = 1.0

FIRST_TIME = 10**15
"""Servers take a cursor from here on for a time, microseconds since 1970, and below for an event's number."""
BACK = timedelta(seconds=5)
"""A server's times run back a little from one event to the next: going on by time begins so much earlier."""
BACK_ELSEWHERE = timedelta(minutes=1)
"""Another server has witnessed the same at other times."""
GAP = timedelta(minutes=1)
"""v1 does not say that a cursor is too old. The network is never quiet for so long."""

CURSOR = re.compile(r"(\d{1,18})(?:/(\d{1,18}))?@(\S+)")


class Place(NamedTuple):
    """A cursor: when an event was witnessed by which server, and, in v2, its number there. Numbers mean nothing elsewhere."""

    time_us: int
    host: str
    seq: int | None = None

    @classmethod
    def read(cls, cursor: str) -> Self:
        """Read what `str` wrote.

        Raises:
            SourceError: it is not one of ours.
        """
        found = CURSOR.fullmatch(cursor)
        if found is None:
            raise SourceError(f"bluesky: the cursor {cursor!r} is not a time and a server")
        return cls(int(found[1]), found[3], int(found[2]) if found[2] else None)

    def __str__(self) -> str:
        return f"{self.time_us}{'' if self.seq is None else f'/{self.seq}'}@{self.host}"

    def by_time(self, host: str) -> int:
        """Where to begin on `host` so that nothing is missed, microseconds since 1970."""
        return max(FIRST_TIME, self.time_us - (BACK if host == self.host else BACK_ELSEWHERE) // MICROSECOND)


class RenumberedError(Exception):
    """A server counts from another beginning than the one that the cursor is of: it must be asked by time."""


class Reading:
    """One connection's frames, one after the other."""

    def __init__(self, wire: str, host: str, start: int | None, cursor: str, clock: Clock) -> None:
        """`start` is where the server was asked to begin, `cursor` where listening would begin if it ended now."""
        self._host, self._cursor, self._clock = host, cursor, clock
        self._read = read_v2 if wire == "v2" else read_v1
        self._after = start if start is not None and start < FIRST_TIME else None
        self._from_us = start if wire == "v1" else None
        self._newest_us = Place.read(cursor).time_us
        self._next_s = 0.0

    def hear(self, frame: bytes) -> Iterator[Event]:
        """Say what a frame means.

        Raises:
            SourceDownError: the server says that it is going to close the connection.
            RenumberedError: see there.
        """
        try:
            said = self._read(frame)
            if isinstance(said, Notice):
                yield from self._notice(said)
            elif said is not None:
                yield from self._happening(said)
        except UnreadableError as error:
            key = error.mention_id or f"bluesky:unreadable/{blake2b(frame, digest_size=8).hexdigest()}"
            yield Sourced(key.encode(), frame, self._cursor)

    def _notice(self, notice: Notice) -> Iterator[Event]:
        says = f"{self._host} says {notice.name}: {notice.message}"
        if notice.fatal:
            raise SourceDownError(says)
        if notice.name == "FutureCursor":
            raise RenumberedError(says)
        if notice.name == "OutdatedCursor":
            yield Gap(says)

    def _happening(self, said: Happening) -> Iterator[Event]:
        if self._after is not None and said.seq is not None:
            if said.seq < self._after or (said.seq == self._after and said.time_us != self._newest_us):
                raise RenumberedError(f"{self._host} counts its events from another beginning than it did")
            was_heard, self._after = said.seq == self._after, None
            if was_heard:
                return
        if self._from_us is not None:
            if (said.time_us - self._from_us) * MICROSECOND > GAP:
                begins = EPOCH + self._from_us * MICROSECOND
                yield Gap(f"{self._host} goes on at {said.at:%F %T} UTC; asked for was {begins:%F %T}")
            self._from_us = None
        now = self._clock.now()
        now_us, time_us = (now - EPOCH) // MICROSECOND, said.time_us
        if (time_us - now_us) * MICROSECOND > BACK_ELSEWHERE:
            time_us = now_us  # a cursor that lies ahead would pass over what is said until then
        if said.seq is not None or time_us > self._newest_us:  # by time, what is heard again moves nothing back
            self._newest_us = time_us
            self._cursor = str(Place(time_us, self._host, said.seq))
        if isinstance(said.what, Broken):
            yield Gap(f"{said.did}: its history broke off; what it deleted meanwhile is not told")
        mention = mention_of(said, self._cursor, now)
        if mention is not None:
            yield Sourced.of(mention, self._cursor)
        elif monotonic() >= self._next_s:
            self._next_s = monotonic() + REACHED_EVERY_S
            yield Reached(self._cursor)

"""The source `hackernews`: every story and comment, from the site's own API; no key needed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from agents.sources.hackernews.api import HackerNewsApi
from agents.sources.hackernews.item import TOLD, created, deleted, edited, mention_id, read_item
from agents.sources.http import open_session
from agents.sources.interface import Gap, Reached, Sourced, SourceDownError, SourceError
from agents.sources.options import Options
from agents.sources.times import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from datetime import datetime

    from agents.sources.hackernews.item import Item
    from agents.sources.interface import Event

API = "https://hacker-news.firebaseio.com/v0"
CHUNK = 200
LOOKED_AT_AGAIN = 100
MOST_MISSING = 1000
MOST_REMEMBERED = 50_000
EDITABLE = timedelta(hours=2)


class Known(NamedTuple):
    """What is remembered of an item: how it read when it was told, None if it was not; and its story."""

    words: str | None
    root: int | None


class HackerNews:
    """Reads items by their numbers, which have no holes: so it goes on exactly where it was.

    An item may answer null: for a moment, while its author's delay runs, or for good. It is asked for again until one
    after it is `patience_s` old; then it is told as a gap. Meanwhile the cursor stays before it, and what comes after
    it is not held up. When it appears later it is told all the same.

    Edits and deletions are known from the site's list of recent changes, and once, after an interruption, from the last
    100 items; one that came later to an older item while nobody listened stays unknown. What the moderators take away
    before it was heard is not told, unless they give it back. What comes back after it was told as deleted stays deleted.
    """

    name = "hackernews"
    about: ClassVar[str] = "every story and comment on Hacker News; no key needed"
    options: ClassVar[Mapping[str, str]] = {
        "every": "seconds between looks for what is new (default 10)",
        "patience": "seconds until an item that is still missing is given up (default 900)",
        "base": f"where the API is (default {API})",
    }

    def __init__(
        self, *, base: str = API, every_s: float = 10.0, patience_s: float = 900.0, clock: Clock | None = None
    ) -> None:
        """`every_s`: how long to wait between looks."""
        self.cursor_key: str | None = self.name if base == API else f"{self.name}:{base}"
        self._base, self._every_s, self._clock = base, every_s, clock or Clock()
        self._patience = timedelta(seconds=patience_s)
        self._known: dict[int, Known] = {}
        self._missing: dict[int, datetime | None] = {}

    @classmethod
    def open(cls, options: Mapping[str, str]) -> Self:
        """Make one from `key=value` options; see `options`.

        Raises:
            SourceError: an option is unknown or wrong.
        """
        given = Options(cls.name, options, cls.options)
        base = given.text("base", API).rstrip("/")
        if not base.startswith(("http://", "https://")):
            raise SourceError(f"hackernews: base={base}: expected an address such as {API}")
        return cls(
            base=base,
            every_s=given.number("every", 10, least=0.01, most=3600),
            patience_s=given.number("patience", 900, least=0, most=86_400),
        )

    async def listen(self, cursor: str | None = None) -> AsyncIterator[Event]:
        """Yield what is said from after item `cursor`, or from now on, without end."""
        if cursor is not None and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
            raise SourceError(f"hackernews: the cursor {cursor!r} is not the number of an item")
        self._missing.clear()
        async with open_session() as session:
            api = HackerNewsApi(session, self._base)
            last = int(cursor) if cursor else await api.newest()
            again = set(range(max(1, last + 1 - LOOKED_AT_AGAIN), last + 1)) if cursor else set()
            yield Reached(str(last))
            while True:
                newest = max(last, await api.newest())
                more = True
                while more:
                    begin, last = last + 1, min(newest, last + CHUNK)
                    for event in self._first(await api.items([*self._missing, *range(begin, last + 1)])):
                        yield event
                    yield Reached(self._cursor(last))
                    more = last < newest
                again.update(await api.changed())
                changed = sorted(number for number in again if number <= last and number not in self._missing)
                for event in self._looked_at(await api.items(changed), self._cursor(last)):
                    yield event
                again.clear()
                await self._clock.sleep(self._every_s)

    def _first(self, found: Mapping[int, bytes]) -> Iterator[Event]:
        """What items come to that have not been had before. Those without an answer are waited for."""
        now = self._clock.now()
        for number, stood in found.items():
            try:
                item = read_item(stood)
            except ValueError:
                self._missing.pop(number, None)
                yield self._unreadable(number, stood, self._cursor(number))
                continue
            if item is None:
                self._missing.setdefault(number, None)
                continue
            self._missing.pop(number, None)
            for before, later in self._missing.items():
                if later is None and before < number:
                    self._missing[before] = item.said_at
            told = item.type in TOLD and not item.gone
            words = self._words(number)  # some are asked for again after an interruption
            known = self._remember(item, told=told)
            if told:
                yield Sourced.of(created(item, known.root, now), self._cursor(number))
                if words not in (None, item.words):
                    yield Sourced.of(edited(item, known.root, now), self._cursor(number))
            elif item.deleted or words:
                yield Sourced.of(deleted(number, now), self._cursor(number))
        yield from self._give_up(now)

    def _give_up(self, now: datetime) -> Iterator[Gap]:
        """Stop waiting for those after which something old enough was had."""
        lost = [number for number, later in self._missing.items() if later is not None and now - later > self._patience]
        for number in lost:
            del self._missing[number]
            self._known[number] = Known(None, None)
        if lost:
            yield Gap(
                f"hackernews: {len(lost)} items cannot be had, the first is {lost[0]}; hidden, or never published"
            )
        if len(self._missing) > MOST_MISSING:
            raise SourceDownError(f"{self._base} answers null for {len(self._missing):,} items in a row")

    def _looked_at(self, found: Mapping[int, bytes], cursor: str) -> Iterator[Event]:
        """What items come to that have been had before, or stood before the cursor."""
        now = self._clock.now()
        for number, stood in found.items():
            try:
                item = read_item(stood)
            except ValueError:
                yield self._unreadable(number, stood, cursor)
                continue
            words = self._words(number)
            never_told = words is None and number in self._known
            if item is None or (never_told and item.gone) or (item.type not in TOLD and not item.gone):
                continue
            known = self._remember(item, told=not item.gone)
            if item.gone:
                yield Sourced.of(deleted(number, now), cursor)
            elif never_told:
                yield Sourced.of(created(item, known.root, now), cursor)
            elif words != item.words if words else now - item.said_at < EDITABLE:
                yield Sourced.of(edited(item, known.root, now), cursor)

    def _words(self, number: int) -> str | None:
        return self._known[number].words if number in self._known else None

    def _remember(self, item: Item, *, told: bool) -> Known:
        above = self._known.get(item.parent) if item.parent is not None else Known(None, item.id)
        known = self._known[item.id] = Known(item.words if told else None, above.root if above else None)
        if len(self._known) > MOST_REMEMBERED:
            del self._known[next(iter(self._known))]
        return known

    def _cursor(self, number: int) -> str:
        """Everything up to here has been said, if everything up to `number` has been asked for."""
        return str(min([number, *(missing - 1 for missing in self._missing)]))

    def _unreadable(self, number: int, stood: bytes, cursor: str) -> Sourced:
        return Sourced(f"{mention_id(number)}/unreadable".encode(), stood, cursor)

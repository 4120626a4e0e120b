"""What `groundswell audit` reads, and in which order.

It may run while everything runs, because of the order in which it reads. Each thing is read before
what proves it: workers deliver what they tell before they write down that they did, so whatever a table
says stands in its topic by the time that the topic is read.

1. `seen`: intake's books say how far each raw partition is written down, its memory who was to be told.
2. `brands`: each row says up to which origin it has counted, and the log row what all of them cover.
3. `mentions.scored` to its end: all that was told of what 1 covers, all that was counted of what 2 covers.
4. `dead-letters` to its end, for the same reason.
5. `mentions.raw` up to where 1 says; what came later is waiting, and nobody's fault.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

from agents.cli.accounts import read_tables
from agents.cli.errors import CommandError
from agents.cli.evidence import Walk
from agents.cli.identities import is_whole, judge
from agents.cli.problems import Problem, append_time
from agents.cli.read import reading
from agents.cli.tellings import REMOVED, SET_ASIDE, TOLD, Tellings
from streams.broker import check_topics
from streams.core.redeliveries import fingerprint
from streams.records import Origin  # noqa: TC001  a field's type
from streams.topics import DEAD_LETTERS, RAW, SCORED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.cli.accounts import Tables
    from agents.cli.identities import Findings
    from agents.cli.read import Ends, Reader
    from streams.core.books import Books
    from streams.settings import Settings

CLOCKS_APART = timedelta(minutes=1)
"""What is told of a record stands in its topic later than the record in raw, but for the clocks of two brokers."""
LETTER_KEY = re.compile(rb"(\d+)/(\d+)/(\d+)")


class Span(NamedTuple):
    """Raw records appended from `since` until before `until`."""

    since: datetime
    until: datetime


class Told(Struct):
    """Of a record of `mentions.scored`, what the audit needs."""

    kind: str
    origin: Origin
    brand: str | None = None


_decode = msgspec.json.Decoder(Told).decode


def _is_booked(books: Mapping[int, Books], origin: Origin) -> bool:
    here = books[origin.partition]
    return (origin.epoch, origin.offset) <= (here.epoch, here.offset)


class Examination:
    """One look at everything."""

    def __init__(self, settings: Settings, span: Span | None) -> None:
        self._settings, self._span = settings, span
        self._tellings = Tellings()
        self._tables: Tables

    async def run(self) -> Findings:
        """Read what has to be read, in the order that the module's docstring explains.

        Raises:
            BrokerError: no broker answers, or its topics are not as the settings say.
            CommandError: it has fallen silent, or the settings are not the workers'.
        """
        await check_topics(self._settings)
        self._tables = await read_tables(self._settings)
        key = fingerprint("author key", self._settings.author_key_bytes)
        if any(books.author_key not in (None, key) for books in self._tables.books.values()):
            raise CommandError("GROUNDSWELL_AUTHOR_KEY is not the workers': use their settings")
        async with reading(self._settings, SCORED) as reader:
            expired, overdue = await self._read_scored(reader)
        async with reading(self._settings, DEAD_LETTERS) as reader:
            letters_since = await self._read_letters(reader)
        self._tellings.settle()
        async with reading(self._settings, RAW) as reader:
            walks, waiting = await self._read_raw(reader, expired, letters_since)
        return judge(self._tables, self._tellings, walks, waiting, overdue, cumulative=self._span is None)

    async def _since(self, reader: Reader) -> tuple[Ends, set[int]]:
        """Where to begin to read, and in which partitions something before that has expired."""
        starts = await reader.starts()
        since = starts if self._span is None else await reader.first_at(self._span.since - CLOCKS_APART)
        return since, {tp.partition for tp, start in starts.items() if since[tp] == start > 0}

    async def _read_scored(self, reader: Reader) -> tuple[dict[int, int], list[Problem]]:
        """Note all that was told. Return up to where in each raw partition tellings have expired; and what no row has."""
        since, beheaded = await self._since(reader)
        tables, note = self._tables, self._tellings.note
        first: dict[tuple[int, int], int] = {}
        overdue: dict[tuple[str, Origin], Problem] = {}
        async for record in reader.to_end(since):
            one = _decode(record.value)
            origin = one.origin
            lane = origin.epoch, origin.partition
            if record.partition in beheaded and origin.epoch == tables.books[origin.partition].epoch:
                first.setdefault((record.partition, origin.partition), origin.offset)
            if one.kind in ("mark", "rules_changed"):
                continue
            note(lane, origin.offset, TOLD if one.kind == "mention" else REMOVED, one.brand)
            if one.brand is None:
                continue
            row = tables.brands.get(one.brand)
            mark = (0, -1) if row is None else row.marks.get(origin.partition, (0, -1))
            if (origin.epoch, origin.offset) > mark and record.offset <= tables.handled.get(record.partition, -1):
                where = f"{SCORED.name} {record.partition}/{record.offset} tells {one.brand} of it, and is written down"
                overdue[one.brand, origin] = Problem(
                    append_time(record),
                    origin.partition,
                    origin.offset,
                    msgspec.json.decode(record.value).get("id"),
                    one.kind,
                    f"{where} as handled, but {one.brand}'s row has counted up to {origin.partition}/{mark[1]} only",
                )
        expired = {
            partition: max((first.get((keyed, partition), books.offset) for keyed in beheaded), default=-1)
            for partition, books in tables.books.items()
        }
        # What intake has not written down it tells again.
        return expired, [one for (_, origin), one in overdue.items() if _is_booked(tables.books, origin)]

    async def _read_letters(self, reader: Reader) -> dict[int, datetime]:
        """Note what was set aside. Return since when letters stand, where older ones have expired."""
        since, beheaded = await self._since(reader)
        stand_since: dict[int, datetime] = {}
        async for record in reader.to_end(since):
            if letter := LETTER_KEY.fullmatch(record.key or b""):  # with a value or, taken away again, without one
                epoch, partition, offset = map(int, letter.groups())
                self._tellings.note((epoch, partition), offset, SET_ASIDE)
                if record.partition in beheaded:
                    stand_since.setdefault(record.partition, append_time(record))
        return {number: stand_since.get(number, datetime.now(UTC)) for number in beheaded}

    async def _read_raw(
        self, reader: Reader, expired: dict[int, int], letters_since: dict[int, datetime]
    ) -> tuple[dict[int, Walk], dict[int, int]]:
        settings, tables = self._settings, self._tables
        walks = {
            tp.partition: Walk(
                tp.partition,
                tables.books[tp.partition],
                tables.memories[tp.partition],
                tables.removals[tp.partition],
                self._tellings,
                expired=max(expired[tp.partition], tables.books[tp.partition].begin - 1),
                letters_since=letters_since.get(tp.partition),
                max_future=timedelta(seconds=settings.max_future_s),
            )
            for tp in sorted(reader.ends)
        }
        waiting = {tp.partition: end - 1 - tables.books[tp.partition].offset for tp, end in reader.ends.items()}
        since = await (reader.starts() if self._span is None else reader.first_at(self._span.since))
        until = reader.ends if self._span is None else await reader.first_at(self._span.until)
        reader.ends = {tp: min(end, 1 + tables.books[tp.partition].offset) for tp, end in until.items()}
        async for record in reader.to_end({tp: min(offset, reader.ends[tp]) for tp, offset in since.items()}):
            walks[record.partition].take(record)
        for walk in walks.values():
            if self._span is None and is_whole(walk):
                walk.believe_books()
        return walks, waiting

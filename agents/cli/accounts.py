"""The accounts as the tables hold them: what came in, what became of it, what was counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

from agents.cli.read import reading
from streams.core.books import BOOKS_KEY, CLASSES, Books
from streams.core.redeliveries import Redeliveries
from streams.core.removals import Removals
from streams.keyed import CLOCK_KEY, RULES_LANE
from streams.pages import LOG_KEY, read_handled
from streams.tables import BRANDS, SEEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.keyed import Watermark
    from streams.settings import Settings


class Counted(Struct):
    """What a brand's tally says of scored = applied + late."""

    applied: int = 0
    late: int = 0


class BrandRow(NamedTuple):
    """One brand's row: its watermarks by raw partition, and what it has counted up to them."""

    marks: dict[int, Watermark]
    counted: Counted

    @property
    def total(self) -> int:
        """Every scored mention that this row has taken in."""
        return self.counted.applied + self.counted.late


def by_source(books: Iterable[Mapping[str, Mapping[str, int]]]) -> dict[str, Counter[str]]:
    """Add up what several partitions count by source and class."""
    found: dict[str, Counter[str]] = {}
    for one in books:
        for source, counts in one.items():
            found.setdefault(source, Counter()).update(counts)
    return dict(sorted(found.items()))


class Tables(NamedTuple):
    """The latest rows, intake's by raw partition. `handled`: up to which offset of each partition of `mentions.scored` brands' rows are written down."""

    books: dict[int, Books]
    memories: dict[int, Redeliveries]
    removals: dict[int, Removals]
    brands: dict[str, BrandRow]
    handled: dict[int, int]

    def by_source(self) -> dict[str, Counter[str]]:
        """Records by source and class, as intake has booked them."""
        return by_source(books.classes for books in self.books.values())

    def scored(self) -> Counter[str]:
        """Mentions told to each brand, as intake has booked them."""
        return sum((Counter(books.scored) for books in self.books.values()), Counter())


async def read_tables(settings: Settings) -> Tables:
    """Read what intake and detect have written down, intake first.

    Raises:
        CommandError: no broker answers, or it has no such topics.
    """
    tables = Tables({}, {}, {}, {}, {})
    key = settings.author_key_bytes
    for partition in range(settings.raw_partitions):
        tables.books[partition] = Books()
        tables.memories[partition] = Redeliveries(settings.remembered_mentions, key)
        tables.removals[partition] = Removals(key)
    async with reading(settings, SEEN) as reader:
        # Blocks of remembered mentions in the order of their first offsets; the books' key comes before every digit.
        for row in sorted(await reader.latest(), key=lambda row: row.key):
            if row.key == BOOKS_KEY:
                books = tables.books[row.partition] = msgspec.msgpack.decode(row.value, type=Books)
                tables.memories[row.partition].before = books.before
            elif row.key.isdigit():
                tables.memories[row.partition].load(int(row.key), row.value)
            elif row.key != LOG_KEY:
                tables.removals[row.partition].load(row.key, row.value)
    async with reading(settings, BRANDS) as reader:
        for row in await reader.latest():
            if row.key == LOG_KEY:
                tables.handled[row.partition] = read_handled(row.value).offset
            elif row.key != CLOCK_KEY:
                tables.brands[row.key.decode()] = _brand_row(row.value)
    return tables


def _brand_row(content: bytes) -> BrandRow:
    _, marks, state = msgspec.msgpack.decode(content, type=tuple[int, dict[int, tuple[int, int]], bytes])
    tally, *_ = msgspec.msgpack.decode(state, type=list[msgspec.Raw])
    marks.pop(RULES_LANE, None)
    return BrandRow(marks, msgspec.msgpack.decode(tally, type=Counted))


async def read_accounts(settings: Settings) -> str:
    """Return the accounts, in lines for people."""
    return say_accounts(await read_tables(settings))


def say_accounts(tables: Tables) -> str:
    """Return, in lines for people: received by source and class, and for each brand scored, applied and late."""
    lines = ["received = " + " + ".join(CLASSES)]
    for source, counts in tables.by_source().items():
        lines.append(f"  {source}: {counts.total():,} = " + " + ".join(f"{counts[name]:,}" for name in CLASSES))
    for brand, booked in sorted(tables.scored().items()):
        row = tables.brands.get(brand, BrandRow({}, Counted()))
        told = max(booked, row.total)  # rows are read after the books, and may be ahead of them
        waiting = f" + {told - row.total:,} under way" if told > row.total else ""
        lines.append(
            f"  {brand}: {told:,} scored = {row.counted.applied:,} applied + {row.counted.late:,} late{waiting}"
        )
    return "\n".join(lines)

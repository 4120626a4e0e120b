"""Whether the accounts add up (README, Nothing lost): intake's books and the brands' rows, against what the topics hold. Pure.

in = matched + unmatched + excluded + duplicate + dead + control
scored, re-sends ignored = applied + late
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from agents.cli.accounts import BrandRow, Counted, by_source
from agents.cli.problems import COLUMNS, NAMED, Problem, columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agents.cli.accounts import Tables
    from agents.cli.evidence import Walk
    from agents.cli.tellings import Tellings
    from streams.keyed import Watermark

NO_ROW = BrandRow({}, Counted())
NOWHERE: Final = (0, -1)


class BrandAccounts(NamedTuple):
    """One brand: scored = applied + late + under way. Of a span of time, only how many were told."""

    brand: str
    scored: int
    applied: int | None = None
    late: int | None = None
    under_way: int | None = None


@dataclass(frozen=True)
class Findings:
    """What the audit found. Totals are left out (`cumulative` is False) where only a span of time is looked at.

    `unnamed` is how many more problems there are than `problems` names.
    """

    walks: Mapping[int, Walk]
    waiting: Mapping[int, int]
    brands: list[BrandAccounts]
    problems: list[Problem]
    resent: int
    cumulative: bool
    unnamed: int

    @property
    def records(self) -> int:
        """How many raw records were looked at."""
        return sum(walk.records for walk in self.walks.values())

    @property
    def expired(self) -> int:
        """Raw records that intake has booked and that cannot be looked at any more, themselves or what was told of them."""
        gone = (
            sum(walk.books.before + walk.books.offset + 1 - walk.records for walk in self.walks.values())
            if self.cumulative
            else 0
        )
        return gone + sum(walk.unchecked for walk in self.walks.values())

    def by_source(self) -> dict[str, Counter[str]]:
        """Records looked at, by source and column."""
        return by_source(walk.classes for walk in self.walks.values())


def judge(
    tables: Tables,
    tellings: Tellings,
    walks: Mapping[int, Walk],
    waiting: Mapping[int, int],
    overdue: Sequence[Problem],
    *,
    cumulative: bool,
) -> Findings:
    """Compare everything; what is wrong with single records comes first, the oldest at the head.

    `waiting` counts the raw records that intake has not written down; `overdue` are told mentions that no brand's row has.
    """
    records = [*(one for walk in walks.values() for one in walk.problems), *overdue]
    totals: list[Problem] = []
    brands = _brands(tables, tellings)
    for partition, left in waiting.items():
        if left < 0:
            totals.append(
                Problem.total(f"raw partition {partition} has lost {-left:,} records that are booked: was it replaced?")
            )
    if cumulative:
        totals += (Problem.total(text) for walk in walks.values() for text in _misbooked(walk))
        for brand, one in brands.items():
            totals += (Problem.total(text) for text in _miscounted(brand, one, tables, walks))
    booked = tables.scored()
    shown = [
        BrandAccounts(brand, booked[brand] + one.early, one.row.counted.applied, one.row.counted.late, one.under_way)
        if cumulative
        else BrandAccounts(brand, one.told.total())
        for brand, one in brands.items()
    ]
    named = sorted(records, key=lambda one: (one.at, one.partition, one.offset))[:NAMED]
    wrong = sum(walk.wrong for walk in walks.values()) + len(overdue)
    return Findings(walks, waiting, shown, [*named, *totals], tellings.again, cumulative, wrong - len(named))


def is_whole(walk: Walk) -> bool:
    """Whether the partition stands from its first record on, with all that was told of it."""
    return walk.books.epoch == 0 and walk.first in (None, 0) and walk.expired < 0


def _misbooked(walk: Walk) -> Iterator[str]:
    """Where the whole log stands the books must say of it what the topics say; else they can only be too large."""
    books, here = walk.books, f"raw partition {walk.partition}"
    booked = sum(sum(counts.values()) for counts in books.classes.values())
    if not is_whole(walk):
        if booked > books.before + books.offset + 1:
            yield f"{here}: {booked:,} records are booked of {books.before + books.offset + 1:,}"
        return
    if booked != walk.records:
        yield f"{here}: it holds {walk.records:,} records up to {books.offset}, {booked:,} are booked"
    for source in sorted(books.classes.keys() | walk.classes.keys()):
        is_booked, found = columns(books.classes.get(source, {})), walk.classes.get(source, Counter())
        wrong = [
            f"{name} {found[name]:,}, booked {is_booked[name]:,}" for name in COLUMNS if found[name] != is_booked[name]
        ]
        if wrong:
            yield f"{here}, source {source}: {'; '.join(wrong)}"


class _Brand:
    """One brand: how many mentions were told of what is booked, and how its row stands to the books."""

    def __init__(self, row: BrandRow) -> None:
        self.row = row
        self.told: Counter[int] = Counter()
        self.marked = self.under_way = self.early = 0

    def note(self, partition: int, here: Watermark, booked_to: Watermark) -> None:
        """One mention told, once."""
        booked, marked = here <= booked_to, here <= self.row.marks.get(partition, NOWHERE)
        self.told[partition] += booked
        self.marked += marked
        self.under_way += booked and not marked
        self.early += marked and not booked


def _brands(tables: Tables, tellings: Tellings) -> dict[str, _Brand]:
    found = {brand: _Brand(row) for brand, row in tables.brands.items()}
    for lane in tellings.lanes():
        epoch, partition = lane
        books = tables.books[partition]
        booked_to = books.epoch, books.offset
        for brand, offset in tellings.mentions(lane):
            if brand not in found:
                found[brand] = _Brand(NO_ROW)
            found[brand].note(partition, (epoch, offset), booked_to)
    return {brand: found.get(brand) or _Brand(NO_ROW) for brand in sorted(found.keys() | tables.scored().keys())}


def _miscounted(brand: str, one: _Brand, tables: Tables, walks: Mapping[int, Walk]) -> Iterator[str]:
    """Its row against the books, which needs no more than what lies between the two; and both against the log, if whole."""
    row, counted = one.row, one.row.counted
    says = f"brand {brand}: its row has counted {row.total:,} ({counted.applied:,} applied + {counted.late:,} late)"
    marks = ", ".join(f"{partition}/{mark[1]}" for partition, mark in sorted(row.marks.items()))
    wanted = tables.scored()[brand] - one.under_way + one.early
    if all(map(is_whole, walks.values())) and row.total != one.marked:
        yield f"{says}, mentions.scored holds {one.marked:,} up to its watermarks {marks or '(none)'}"
    elif row.total != wanted:
        yield f"{says}, by intake's books it is {wanted:,} up to its watermarks {marks or '(none)'}"
    for partition, walk in walks.items():
        booked = walk.books.scored.get(brand, 0)
        if is_whole(walk) and booked != one.told[partition]:
            yield (
                f"brand {brand}: mentions.scored holds {one.told[partition]:,} from raw partition {partition} up to "
                f"{walk.books.offset}, {booked:,} are booked"
            )

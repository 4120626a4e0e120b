"""The accounts of a run, from the tables themselves: what came in, what became of it, what was counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from agents.cli.read import read_latest
from streams.core.intake import BOOKS_KEY, CLASSES, Books
from streams.records import BrandStats
from streams.tables import SEEN
from streams.topics import BRAND_STATS

if TYPE_CHECKING:
    from streams.settings import Settings


async def read_accounts(settings: Settings) -> str:
    """Return, in lines for people: received by source and class, and for each brand scored, applied and late.

    `applied` and `late` are as of each brand's last closed minute.
    """
    books = [
        msgspec.msgpack.decode(row.value, type=Books)
        async for row in read_latest(settings, SEEN.changelog(settings))
        if row.key == BOOKS_KEY
    ]
    by_source: dict[str, Counter[str]] = {}
    scored: Counter[str] = Counter()
    for book in books:
        scored.update(book.scored)
        for source, counts in book.classes.items():
            by_source.setdefault(source, Counter()).update(counts)
    lines = ["received = " + " + ".join(CLASSES)]
    for source, counts in sorted(by_source.items()):
        lines.append(f"  {source}: {counts.total():,} = " + " + ".join(f"{counts[name]:,}" for name in CLASSES))
    stats = {
        row.key.decode(): msgspec.json.decode(row.value, type=BrandStats)
        async for row in read_latest(settings, BRAND_STATS.full_name(settings))
    }
    for brand, told in sorted(scored.items()):
        figures = stats.get(brand)
        counted = f"{figures.applied:,} applied + {figures.late:,} late" if figures else "no closed minute yet"
        lines.append(f"  {brand}: {told:,} scored = {counted}")
    return "\n".join(lines)

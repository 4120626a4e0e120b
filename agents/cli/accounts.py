"""The accounts of a run, from the tables themselves: what came in, what became of it, what was counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from agents.cli.read import reading
from streams.core.intake import BOOKS_KEY, CLASSES, Books
from streams.records import BrandStats
from streams.tables import SEEN
from streams.topics import BRAND_STATS

if TYPE_CHECKING:
    from aiokafka.structs import ConsumerRecord

    from streams.settings import Settings
    from streams.tables import Table
    from streams.topics import Topic


async def read_accounts(settings: Settings) -> str:
    """Return, in lines for people: received by source and class, and for each brand scored, applied and late.

    `applied` and `late` are as of each brand's last closed minute.
    """
    by_source: dict[str, Counter[str]] = {}
    scored: Counter[str] = Counter()
    for row in await _latest(settings, SEEN):
        if row.key == BOOKS_KEY:
            books = msgspec.msgpack.decode(row.value, type=Books)
            scored.update(books.scored)
            for source, counts in books.classes.items():
                by_source.setdefault(source, Counter()).update(counts)
    stats = [msgspec.json.decode(row.value, type=BrandStats) for row in await _latest(settings, BRAND_STATS)]
    by_brand = {one.brand: one for one in stats}
    lines = ["received = " + " + ".join(CLASSES)]
    for source, counts in sorted(by_source.items()):
        lines.append(f"  {source}: {counts.total():,} = " + " + ".join(f"{counts[name]:,}" for name in CLASSES))
    for brand, told in sorted(scored.items()):
        figures = by_brand.get(brand)
        counted = f"{figures.applied:,} applied + {figures.late:,} late" if figures else "no closed minute yet"
        lines.append(f"  {brand}: {told:,} scored = {counted}")
    return "\n".join(lines)


async def _latest(settings: Settings, topic: Topic | Table) -> list[ConsumerRecord]:
    async with reading(settings, topic) as reader:
        return await reader.latest()

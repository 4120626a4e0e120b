"""Where counts rest, and whether the accounts add up, compared with the input."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from agents.detect import Detect
from streams.core.books import BOOKS_KEY, CLASSES, Books
from streams.core.versions import Versions
from streams.keyed import CLOCK_KEY
from streams.pages import LOG_KEY
from streams.records import BrandStats, Mention

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aiokafka.structs import ConsumerRecord

    from streams.core.tally import Tally
    from tests.faults.oracle import Published, Said, Standing

MINUTE_S = 60
Bucket = tuple[str, int]
"""A brand, and the second since 1970 at which a bucket begins."""


def tallies(standing: Standing) -> dict[str, Tally]:
    """Each brand's tally, from its row."""
    return {
        key.decode(): Detect(standing.settings, Versions(), partition).load(msgspec.msgpack.decode(row)[2]).tally
        for (partition, key), row in standing.brands.items()
        if key not in (CLOCK_KEY, LOG_KEY)
    }


def heard(story: Iterable[Said], span_s: int = MINUTE_S) -> Counter[Bucket]:
    """What each brand's buckets must hold: new mentions in time, where they were observed."""
    found: Counter[Bucket] = Counter()
    for said in story:
        if said.brands and not said.late:
            mention = msgspec.json.decode(said.value, type=Mention)
            if mention.op == "create":
                found.update((brand, int(mention.observed_at.timestamp() // span_s) * span_s) for brand in said.brands)
    return found


def counted(standing: Standing) -> Counter[Bucket]:
    """What each brand's minutes hold."""
    return Counter(
        {
            (brand, start): sum(counts)
            for brand, tally in tallies(standing).items()
            for start, counts in tally.buckets[MINUTE_S].items()
            if sum(counts)
        }
    )


def read_stats(records: Sequence[ConsumerRecord]) -> list[BrandStats]:
    """What brand-stats says, oldest first in each partition, tombstones aside."""
    return [msgspec.json.decode(record.value, type=BrandStats) for record in records if record.value]


def unbalanced(published: Sequence[Published], standing: Standing) -> Iterator[str]:
    """Received = the sum of the classes, in each raw partition; scored = applied + late, for each brand."""
    books = {
        partition: msgspec.msgpack.decode(row, type=Books)
        for (partition, key), row in standing.seen.items()
        if key == BOOKS_KEY
    }
    received = Counter(one.partition for one in published)
    for partition, book in books.items():
        classes = sum((Counter(counts) for counts in book.classes.values()), Counter())
        if sum(classes[what] for what in CLASSES) != received[partition]:
            yield f"partition {partition}: received {received[partition]}, booked {dict(classes)}"
    scored = sum((Counter(book.scored) for book in books.values()), Counter())
    for brand, tally in tallies(standing).items():
        if scored[brand] != tally.applied + tally.late:
            yield f"{brand}: {scored[brand]} scored, {tally.applied} applied + {tally.late} late"

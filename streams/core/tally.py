"""One brand's figures: counts by minute, hour and day, in event time.

Counts rest in minutes; a mention lands in the minute in which the network witnessed it, even if it
arrives (within the allowed lateness) after that minute was published, or long before it: while a
backlog is read, one raw partition may be hours ahead of the others. Everything is bounded: minutes
for an hour behind time, two hours, two days; and what `streams.core.evidence` remembers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from streams.core.evidence import Witness
from streams.records import BrandStats, Figures

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from streams.core.detectors.interface import Heard, Rising, Sign
    from streams.records import Evidence, Expected, ScoredMention

LABELS: Final = ("negative", "neutral", "positive", "unscored")
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
CLOSED_MINUTES = 60
KEEP = {MINUTE_S: CLOSED_MINUTES + 1, HOUR_S: 2, DAY_S: 2}
MOST_BUCKETS = 1500
"""Of a span, those ahead of time included: a day of minutes and some."""


class Tally(Struct):
    """The state; `buckets` holds, by span in seconds and start, one count for each of LABELS.

    `left`: the rules do not name the brand any more, so nothing is told of it; `applied` and `late` stay.
    """

    buckets: dict[int, dict[int, list[int]]] = field(default_factory=lambda: {span: {} for span in KEEP})
    witness: Witness = field(default_factory=Witness)
    applied: int = 0
    late: int = 0
    published: int = 0
    left: bool = False

    def add(self, mention: ScoredMention, heard: Heard, hazards: Container[str], prominence: float = 0.0) -> None:
        """Count one public mention that is not late; `prominence` is that of its most prominent term.

        On `hazards` a few posts matter for long.
        """
        at_s, label = int(heard.at_s), LABELS.index(heard.label)
        for span, buckets in self.buckets.items():
            start = at_s - at_s % span
            if (counts := buckets.get(start)) is None:
                counts = buckets[start] = [0] * len(LABELS)
                if len(buckets) > MOST_BUCKETS:
                    del buckets[min(buckets)]
            counts[label] += 1
        self.witness.hear(mention, heard, hazards, prominence)

    def evidence(self, sign: Sign, baseline_s: int | None, prominent: Sequence[Rising] = ()) -> Evidence:
        """Return what lets a person believe a sign; where it names no terms, the `prominent` ones."""
        return self.witness.evidence(sign, self.buckets[MINUTE_S], baseline_s, prominent)

    # -- telling ---------------------------------------------------------------------------------

    def due_s(self) -> float:
        """When the next minute can be published."""
        return self.published + 2 * MINUTE_S if self.published else 0.0

    def stats(
        self, brand: str, now_s: float, learning_until_s: float, expected: tuple[Expected, ...] = ()
    ) -> BrandStats:
        """Return the figures as of `now_s`, and let go of older ones; `minute` is the last one that is over."""
        for span, buckets in self.buckets.items():
            oldest = (now_s // span - KEEP[span] + 1) * span
            for start in [start for start in buckets if start < oldest]:
                del buckets[start]
        self.witness.forget(now_s - HOUR_S)
        self.published = int(now_s // MINUTE_S) * MINUTE_S - MINUTE_S
        minutes = [
            self.buckets[MINUTE_S].get(self.published - ago * MINUTE_S, (0,)) for ago in reversed(range(CLOSED_MINUTES))
        ]
        return BrandStats(
            brand=brand,
            at=_utc(now_s),
            minute=self._figures(MINUTE_S, self.published),
            hour=self._figures(HOUR_S, int(now_s // HOUR_S) * HOUR_S),
            day=self._figures(DAY_S, int(now_s // DAY_S) * DAY_S),
            applied=self.applied,
            late=self.late,
            learning_until=_utc(learning_until_s) if learning_until_s > now_s else None,
            minutes=tuple(map(sum, minutes)),
            negative_minutes=tuple(counts[0] for counts in minutes),
            expected=expected,
        )

    def _figures(self, span: int, start: int) -> Figures:
        counts = dict(zip(LABELS, self.buckets[span].get(start, (0, 0, 0, 0)), strict=True))
        return Figures(start=_utc(start), span_s=span, mentions=sum(counts.values()), **counts)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

"""One brand's figures and the evidence at hand: counts by minute, hour and day, who spoke lately, samples.

Counts rest in minutes; a mention lands in the minute in which the network witnessed it, even if it
arrives (within the allowed lateness) after that minute was published, or long before it: while a
backlog is read, one raw partition may be hours ahead of the others. Everything is bounded: minutes
for an hour behind time, two hours, two days, 300 authors of the last half hour, eight samples.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field
from msgspec.structs import replace

from streams.core.redeliveries import fingerprint
from streams.records import BrandStats, Evidence, Figures, Sample

if TYPE_CHECKING:
    from streams.core.detectors.interface import Sign
    from streams.records import Expected, Removal, ScoredMention

LABELS: Final = ("negative", "neutral", "positive", "unscored")
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
CLOSED_MINUTES = 60
KEEP = {MINUTE_S: CLOSED_MINUTES + 1, HOUR_S: 2, DAY_S: 2}
MOST_BUCKETS = 1500
"""Of a span, those ahead of time included: a day of minutes and some."""
AUTHORS, AUTHOR_WINDOW_S = 300, 1800
SAMPLES_NEGATIVE, SAMPLES_OTHER, SAMPLE_CHARS = 5, 3, 280
FACETS = 64
USUAL_SHARE_KEPT = 0.5 ** (1 / 2000)
"""Per mention: after 2,000 more, a past mention counts half in the usual negative share."""


class Tally(Struct):
    """The state; `buckets` holds, by span in seconds and start, one count for each of LABELS.

    `left`: the rules do not name the brand any more, so nothing is told of it; `applied` and `late` stay.
    """

    buckets: dict[int, dict[int, list[int]]] = field(default_factory=lambda: {span: {} for span in KEEP})
    facets: dict[int, dict[str, int]] = {}
    authors: dict[int, list[float]] = {}
    samples: list[Sample] = []
    usual: tuple[float, float] = (0.0, 0.0)
    applied: int = 0
    late: int = 0
    published: int = 0
    left: bool = False

    def add(self, mention: ScoredMention, author_key: bytes = b"") -> None:
        """Count one public mention that is not late. Authors are counted by a hash, under this key."""
        at = mention.observed_at.timestamp()
        label = LABELS.index(mention.sentiment.label)
        for span, buckets in self.buckets.items():
            start = int(at // span) * span
            counts = buckets.setdefault(start, [0] * len(LABELS))
            counts[label] += 1
            if len(buckets) > MOST_BUCKETS:
                del buckets[min(buckets)]
        self._facet(int(at // HOUR_S), f"source:{mention.source}", *(f"issue:{issue}" for issue in mention.issues))
        negative = label == 0
        self.usual = (self.usual[0] * USUAL_SHARE_KEPT + negative, self.usual[1] * USUAL_SHARE_KEPT + 1)
        self._note_author(fingerprint(mention.author_id or mention.id, author_key) >> 32, at, negative=negative)
        self._note_sample(mention, negative=negative)

    def _facet(self, hour: int, *names: str) -> None:
        facets = self.facets.setdefault(hour, {})
        for name in names:
            if name in facets or len(facets) < FACETS:
                facets[name] = facets.get(name, 0) + 1
        while len(self.facets) > 2:
            del self.facets[min(self.facets)]

    def _note_author(self, author: int, at: float, *, negative: bool) -> None:
        seen = self.authors.pop(author, [0.0, 0.0])
        self.authors[author] = [max(seen[0], at), max(seen[1], at) if negative else seen[1]]
        if len(self.authors) > AUTHORS:
            del self.authors[next(iter(self.authors))]

    def _note_sample(self, mention: ScoredMention, *, negative: bool) -> None:
        self.samples.append(
            Sample(
                id=mention.id,
                text=(mention.text or mention.title or "")[:SAMPLE_CHARS],
                observed_at=mention.observed_at,
                sentiment=mention.sentiment.label,
                author_id=mention.author_id,
                author_name=mention.author_name,
                url=mention.url,
            )
        )
        alike = [index for index, sample in enumerate(self.samples) if (sample.sentiment == "negative") == negative]
        if len(alike) > (SAMPLES_NEGATIVE if negative else SAMPLES_OTHER):
            del self.samples[alike[0]]

    def edit(self, mention: ScoredMention) -> None:
        """An edit is no new mention: where it is shown, it is shown as it reads now."""
        text = (mention.text or mention.title or "")[:SAMPLE_CHARS]
        self.samples = [replace(sample, text=text) if sample.id == mention.id else sample for sample in self.samples]

    def concerns(self, removal: Removal) -> bool:
        """Whether something shown must vanish."""
        return any(map(removal.takes, self.samples))

    def remove(self, removal: Removal) -> None:
        """Text, author and id vanish; counts are history and stay."""
        self.samples = [sample for sample in self.samples if not removal.takes(sample)]

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

    def evidence(self, sign: Sign) -> Evidence:
        """Return what lets a person believe a sign."""
        since = sign.at_s - AUTHOR_WINDOW_S
        about_negative = sign.series == "negative"
        recent = [
            sum(counts[label] for start, counts in self.buckets[MINUTE_S].items() if start > sign.at_s - sign.window_s)
            for label in range(len(LABELS))
        ]
        facets: dict[str, dict[str, int]] = {"source": {}, "issue": {}}
        for counts in (counts for hour, counts in self.facets.items() if hour >= sign.at_s // HOUR_S - 1):
            for name, count in counts.items():
                kind, _, value = name.partition(":")
                facets[kind][value] = facets[kind].get(value, 0) + count
        chosen = [sample for sample in self.samples if not about_negative or sample.sentiment == "negative"]
        return Evidence(
            window_s=sign.window_s,
            observed=round(sign.observed, 2),
            expected=round(sign.expected, 2),
            score=round(sign.score, 2),
            authors=sum(1 for seen in self.authors.values() if seen[about_negative] > since),
            negative_share=round(recent[0] / sum(recent), 3) if sum(recent) else None,
            usual_negative_share=round(self.usual[0] / self.usual[1], 3) if self.usual[1] else None,
            issues=facets["issue"],
            sources=facets["source"],
            samples=tuple(reversed(chosen[-5:])),
        )


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

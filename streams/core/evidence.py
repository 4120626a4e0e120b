"""What lets a person believe a finding: who spoke lately and how many hear them, where, how fast it grows, samples.

Everything is bounded: 300 authors of the last hour, two hours of places, 18 posts, some words.
"""

from __future__ import annotations

from math import exp, sqrt
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from streams.core.detectors.independence import USUAL_SHARE_KEPT
from streams.core.detectors.wording import words_of
from streams.core.samples import Kept, choose, keep, shown_as, text_of
from streams.records import Evidence, Term

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from streams.core.detectors.interface import Heard, Rising, Sign
    from streams.records import Removal, ScoredMention

MINUTE_S, HOUR_S = 60, 3600
AUTHORS = 300
FACETS = 64
FACET_CHARS = 64
MAJORITY = 0.5
"""Of what is unusual: an issue that so much of it is about is what it is about."""

FEWEST_TO_GROW = 4
WHOLE: Final = ("all", "negative")
"""The series of a brand as a whole. Any other is about something, which some posts are and others are not."""


class Author(Struct, array_like=True):
    """When one author spoke last, in whole seconds, and last said something negative; and how many follow."""

    at: int = 0
    negative_at: int = 0
    followers: int = 0


class Witness(Struct):
    """One brand's latest past. `facets` count by hour, `repeats` copies and newcomers by minute."""

    facets: dict[int, dict[str, int]] = {}
    authors: dict[int, Author] = {}
    repeats: dict[int, list[int]] = {}
    kept: list[Kept] = []
    usual: tuple[float, float] = (0.0, 0.0)
    rules_version: str = ""

    def hear(self, mention: ScoredMention, heard: Heard, hazards: Container[str], prominence: float) -> None:
        """Remember one public mention."""
        at_s, voice, negative = int(heard.at_s), heard.voice, heard.label == "negative"
        self._count(at_s // HOUR_S, mention)
        bad, all_of = self.usual
        self.usual = (bad * USUAL_SHARE_KEPT + negative, all_of * USUAL_SHARE_KEPT + 1)
        authors, author = self.authors, heard.author >> 32
        seen = authors.pop(author, None)
        if seen is None:
            seen = Author()
            if len(authors) == AUTHORS:
                del authors[next(iter(authors))]
        authors[author] = seen
        seen.at, seen.followers = max(seen.at, at_s), heard.followers or seen.followers
        if negative:
            seen.negative_at = max(seen.negative_at, at_s)
        if voice.copy or voice.first_seen:
            repeats = self.repeats.setdefault(at_s - at_s % MINUTE_S, [0, 0])
            repeats[0] += voice.copy
            repeats[1] += voice.first_seen
        hazard = bool(mention.issues) and any(issue in hazards for issue in mention.issues)
        self.kept = keep(self.kept, mention, at_s=heard.at_s, prominence=prominence, copy=voice.copy, hazard=hazard)
        self.rules_version = mention.rules_version

    def _count(self, hour: int, mention: ScoredMention) -> None:
        if (facets := self.facets.get(hour)) is None:
            facets = self.facets[hour] = {}
            while len(self.facets) > 2:
                del self.facets[min(self.facets)]
        names = [f"source:{mention.source}", *[f"issue:{issue}" for issue in mention.issues]]
        if (place := mention.place) is not None and (name := place.country or place.region or place.city):
            names.append(f"place:{name[:FACET_CHARS]}")
        for name in names:
            if name in facets or len(facets) < FACETS:
                facets[name] = facets.get(name, 0) + 1

    def forget(self, until_s: float) -> None:
        """Let go of minutes that end before."""
        for minute in [minute for minute in self.repeats if minute < until_s - MINUTE_S]:
            del self.repeats[minute]

    def edit(self, mention: ScoredMention) -> None:
        """An edit is no new mention: where it is shown, it is shown as it reads now."""
        text = text_of(mention)
        self.kept = [shown_as(one, text) if one.sample.id == mention.id else one for one in self.kept]

    def concerns(self, removal: Removal) -> bool:
        """Whether something shown must vanish."""
        return any(removal.takes(one.sample) for one in self.kept)

    def remove(self, removal: Removal) -> None:
        """Text, author and id vanish; counts are history and stay."""
        self.kept = [one for one in self.kept if not removal.takes(one.sample)]

    # -- telling ---------------------------------------------------------------------------------

    def evidence(
        self,
        sign: Sign,
        minutes: Mapping[int, Sequence[int]],
        baseline_s: int | None,
        prominent: Sequence[Rising] = (),
    ) -> Evidence:
        """Return all that is known of a sign. `minutes` are counts by label, negative ones first, by start.

        `prominent` are told where the sign names no terms.
        """
        behind = self.behind(sign)
        about_negative = sign.series == "negative"
        window = [(start, counts) for start, counts in minutes.items() if start > sign.at_s - sign.window_s]
        total, negative = sum(sum(counts) for _, counts in window), sum(counts[0] for _, counts in window)
        repeats = [counts for start, counts in self.repeats.items() if start > sign.at_s - sign.window_s]
        if sign.series in WHOLE:
            voices = list(self._voices(sign.at_s - sign.window_s, negative=about_negative))
            authors, reach = len(voices), sum(voices)
            times = [(float(start), counts[0] if about_negative else sum(counts)) for start, counts in window]
        else:
            followers = {one.sample.author_id or one.sample.id: one.sample.followers or 0 for one in behind}
            authors, reach = len(followers), sum(followers.values())
            times = [(one.at_s, 1) for one in behind]
        return Evidence(
            window_s=sign.window_s,
            observed=round(sign.observed, 2),
            expected=round(sign.expected, 2),
            score=round(sign.score, 2),
            authors=authors if sign.authors is None else sign.authors,
            negative_share=round(negative / total, 3) if total else None,
            usual_negative_share=round(self.usual[0] / self.usual[1], 3) if self.usual[1] else None,
            issues=self._facets("issue", sign.at_s),
            sources=self._facets("source", sign.at_s),
            samples=choose(behind, min(sign.window_s, HOUR_S)),
            probability=float(f"{exp(-max(sign.score, 0.0)):.3g}"),
            baseline_s=baseline_s,
            first_seen=min((one.sample.observed_at for one in behind), default=None),
            reach=reach or None,
            doubling_min=_doubling_min(times, sign),
            copies=round(sum(counts[0] for counts in repeats) / total, 3) if total else None,
            newcomers=round(sum(counts[1] for counts in repeats) / total, 3) if total else None,
            places=self._facets("place", sign.at_s),
            terms=tuple(Term(one.term, round(one.observed, 1), round(one.lift, 1)) for one in sign.terms or prominent),
        )

    def behind(self, sign: Sign) -> list[Kept]:
        """The posts kept that a sign rests on."""
        since = [one for one in self.kept if sign.at_s - sign.window_s < one.at_s <= sign.at_s]
        if sign.series == "all":
            return since
        if sign.series == "negative":
            return [one for one in since if one.sample.sentiment == "negative"]
        issue, terms = sign.series.removeprefix("issue:"), {one.term for one in sign.terms}
        return [
            one
            for one in since
            if one.sample.id in sign.mentions
            or issue in one.issues
            or (terms and not terms.isdisjoint(words_of(one.sample.text)))
        ]

    def about(self, sign: Sign) -> tuple[str, ...]:
        """The issues that at least half of a sign is about: of the posts behind it, or of what is beyond the expected."""
        if sign.series.startswith("issue:"):
            return (sign.series.removeprefix("issue:"),)
        if sign.series in WHOLE:
            counts, least = self._facets("issue", sign.at_s), max(3.0, MAJORITY * (sign.observed - sign.expected))
        else:
            behind = self.behind(sign)
            counts, least = {}, max(2.0, MAJORITY * len(behind))
            for issue in (issue for one in behind for issue in one.issues):
                counts[issue] = counts.get(issue, 0) + 1
        return tuple(sorted(issue for issue, count in counts.items() if count >= least))

    def _voices(self, since_s: float, *, negative: bool) -> Iterator[int]:
        """The followers of each who spoke since then."""
        for author in self.authors.values():
            if (author.negative_at if negative else author.at) > since_s:
                yield author.followers

    def _facets(self, kind: str, at_s: float) -> dict[str, int]:
        found: dict[str, int] = {}
        for facets in (facets for hour, facets in self.facets.items() if hour >= at_s // HOUR_S - 1):
            for name, count in facets.items():
                of, _, value = name.partition(":")
                if of == kind:
                    found[value] = found.get(value, 0) + count
        return found


def _doubling_min(times: Sequence[tuple[float, int]], sign: Sign) -> float | None:
    """Minutes in which the second half of what is beyond the expected came. Exact for what doubles steadily.

    A window that is only partly remembered (more than an hour) is taken for what is left of it.
    """
    count = sum(count for _, count in times)
    window_s = min(sign.window_s, HOUR_S) if sign.series in WHOLE else sign.window_s
    expected = sign.expected if sign.series in WHOLE else 0.0
    if count - expected < FEWEST_TO_GROW + 2 * sqrt(expected):  # chance alone does as much
        return None
    half, seen = (count - expected) / 2, 0.0
    for at_s, more in sorted(times, reverse=True):
        seen += more
        age_s = max(sign.at_s - at_s, 1.0)
        if seen - expected * age_s / window_s >= half:
            return round(age_s / 60, 1)
    return None

"""Posts worth showing as evidence: a few are kept as they come, and of those a few are chosen that differ.

What is kept are the strongest lately: a post about something that is said far more than usual just now
outlives hundreds of ordinary ones, and a post on a hazard lasts a day. So the dozen posts behind a finding
are still there when it is made, however busy the brand is.
"""

from __future__ import annotations

from math import log1p
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from streams.core.detectors.wording import terms_in, words_of
from streams.records import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.records import ScoredMention

Group = Literal["hazard", "negative", "other"]
KEPT: Final[dict[str, int]] = {"hazard": 6, "negative": 8, "other": 4}
SAMPLE_CHARS = 280
AGES_S = 1200.0
"""Seconds: a post is outlived by one that is so much older and stronger by one."""

COPY_COSTS = 3.0
SHOWN, LEAST_SHOWN = 5, 3
ALIKE = 0.5
"""Of two posts' words, together: near-copies have more in common."""


class Kept(Struct, array_like=True, frozen=True):
    """A post; how strong it is as evidence, aside from its age; and what it is about."""

    sample: Sample
    group: Group
    strength: float
    lasts: float
    """What has more of this outlives what has less, now and ever after."""
    issues: tuple[str, ...] = ()

    @property
    def at_s(self) -> float:
        """When it was witnessed."""
        return self.sample.observed_at.timestamp()


def keep(
    kept: list[Kept], mention: ScoredMention, *, at_s: float, prominence: float, copy: bool, hazard: bool
) -> list[Kept]:
    """Return what is kept once a mention has come, whose most prominent term has such a `prominence`."""
    group: Group = "hazard" if hazard else "negative" if mention.sentiment.label == "negative" else "other"
    strength = round(2 * log1p(prominence) - COPY_COSTS * copy, 3)
    lasts = strength + at_s / AGES_S
    rivals = [other for other in kept if other.group == group]
    if len(rivals) >= KEPT[group]:
        weakest = min(rivals, key=attrgetter("lasts"))
        if lasts < weakest.lasts:
            return kept
        kept = [other for other in kept if other is not weakest]
    sample = Sample(
        id=mention.id,
        text=text_of(mention),
        observed_at=mention.observed_at,
        sentiment=mention.sentiment.label,
        author_id=mention.author_id,
        author_name=mention.author_name,
        url=mention.url,
        followers=mention.author_followers,
    )
    return [*kept, Kept(sample, group, strength, lasts, mention.issues)]


def text_of(mention: ScoredMention) -> str:
    """What is shown of a mention; a long text is cut."""
    return (mention.text or mention.title or "")[:SAMPLE_CHARS]


def choose(kept: Iterable[Kept], span_s: float) -> tuple[Sample, ...]:
    """The strongest by different people, no near-copies, and spread over `span_s` seconds as far as there are enough."""
    ranked = sorted(kept, key=lambda one: (-one.strength, -one.at_s, one.sample.id))
    chosen: list[Kept] = []
    for apart_s, most in ((span_s / (2 * SHOWN), SHOWN), (0.0, LEAST_SHOWN)):
        for one in ranked:
            if len(chosen) < most and all(_differ(one, other, apart_s) for other in chosen):
                chosen.append(one)
    return tuple(one.sample for one in sorted(chosen, key=ranked.index))


def shown_as(kept: Kept, text: str) -> Kept:
    """The same post as it reads after an edit."""
    return replace(kept, sample=replace(kept.sample, text=text))


def _differ(one: Kept, other: Kept, apart_s: float) -> bool:
    if one.sample.id == other.sample.id or abs(one.at_s - other.at_s) < apart_s:
        return False
    author = one.sample.author_id or one.sample.author_name
    if author is not None and author == (other.sample.author_id or other.sample.author_name):
        return False
    words, others = (frozenset(terms_in(words_of(each.sample.text))) for each in (one, other))
    return not words | others or len(words & others) / len(words | others) < ALIKE

"""How a text feels: stock VADER's score for any text, and towards a brand the service score on top of it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.core.language import LanguageGate
from streams.core.service import Contribution, Service
from streams.core.vader import Vader
from streams.records import Label, Sentiment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REMEMBERED = 8_192
"""Latest texts whose score is remembered: a repost sounds like the post."""
LONGEST = 10_000
"""Code points in which a feeling towards a brand is looked for."""


class Bounds(NamedTuple):
    """Compound scores up to `negative` are called negative, those from `positive` on positive.

    Between the two `unsure` bounds, people called few texts what the label says; `conflict` is the sum
    of valences that must stand on either side for a text to contradict itself.
    """

    negative: float
    positive: float
    unsure: tuple[float, float]
    conflict: float


# VADER's own bounds. Its scores are coarse: one weak word is enough for 0.2.
PLAIN: Final = Bounds(-0.05, 0.05, (-0.25, 0.25), 1.5)
# Wider to the positive side: most thanks in what is said to a company are manners.
SERVICE: Final = Bounds(-0.13, 0.32, (-0.22, 0.49), 2.5)
NOTHING_FELT: Final = 0.01
"""A score as close to 0 as this says that nothing was felt, and is no boundary case."""
UNSCORED: Final = Sentiment("unscored")


class Explained(NamedTuple):
    """A verdict and what each word adds to its `compound`."""

    sentiment: Sentiment
    contributions: tuple[Contribution, ...]


class Scorer:
    """VADER, the service lexicon and the language gate; takes a second to read them: build it once."""

    def __init__(self) -> None:
        self._vader = Vader()
        self._service = Service(self._vader)
        self._gate = LanguageGate()
        self.lexicon = self._service.lexicon.version
        self._compound = lru_cache(REMEMBERED)(self._vader.compound)
        self._plain = lru_cache(REMEMBERED)(self._score_plainly)
        self._about = lru_cache(REMEMBERED)(self._score_about)

    def score_many(
        self,
        texts: Sequence[str],
        langs: Sequence[str | None],
        names: Iterable[tuple[str, ...] | None] | None = None,
    ) -> list[Sentiment]:
        """One verdict for each text, in order.

        `langs` are BCP-47 as declared, or None. `names` are what a text calls the brand that it is to be
        scored towards; None: it is scored as a whole, by VADER alone.
        """
        called = [None] * len(texts) if names is None else names
        is_english, plain, about = self._gate.is_english, self._plain, self._about
        return [
            UNSCORED if not is_english(text, lang) else plain(text) if by is None else about(text, by)
            for text, lang, by in zip(texts, langs, called, strict=True)
        ]

    def explain(self, text: str, lang: str | None, names: tuple[str, ...] | None = None) -> Explained:
        """One verdict, with what each word adds to it."""
        [sentiment] = self.score_many([text], [lang], [names])
        if sentiment.compound is None:
            return Explained(sentiment, ())
        if names is None:
            told = self._vader.explain(text).contributions
            return Explained(sentiment, tuple(Contribution(*one) for one in told))
        return Explained(sentiment, self._service.score(text[:LONGEST], names).contributions())

    def _score_plainly(self, text: str) -> Sentiment:
        scored = self._vader.explain(text)
        label, unsure = _verdict(scored.compound, scored.good, scored.bad, PLAIN)
        return Sentiment(label, scored.compound, scored.compound, unsure)

    def _score_about(self, text: str, names: tuple[str, ...]) -> Sentiment:
        scored = self._service.score(text[:LONGEST], names)
        label, unsure = _verdict(scored.compound, scored.good, scored.bad, SERVICE)
        return Sentiment(label, scored.compound, self._compound(text), unsure, scored.about, self.lexicon)


def _verdict(compound: float, good: float, bad: float, bounds: Bounds) -> tuple[Label, bool]:
    low, high = bounds.unsure
    torn = good >= bounds.conflict and bad <= -bounds.conflict and low * 2 < compound < high * 2
    unsure = torn or (low < compound < high and abs(compound) > NOTHING_FELT)
    if compound <= bounds.negative:
        return "negative", unsure
    return "positive" if compound >= bounds.positive else "neutral", unsure

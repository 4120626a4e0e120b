"""How a text sounds: stock VADER, for English only."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from streams.records import Label, Sentiment

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 2_000
"""Code points that are scored, an emoji counted as long as the words VADER puts in its place; the
rest of a longer text is not heard. VADER rescans all words for each word it knows, so its time grows
with the square of the length, and one hostile text must not stall a worker."""
REMEMBERED = 8_192
"""Latest texts whose score is remembered: a repost sounds like the post."""
NEGATIVE_FROM, POSITIVE_FROM = -0.05, 0.05

_UNSCORED = Sentiment("unscored")


class Scorer:
    """VADER with its lexicon, which takes a tenth of a second to read: build it once."""

    def __init__(self) -> None:
        self._vader = SentimentIntensityAnalyzer()
        self._remembered = lru_cache(REMEMBERED)(self._score)

    def score_many(self, texts: Sequence[str], langs: Sequence[str | None]) -> list[Sentiment]:
        """One verdict for each text, in order. `langs` are BCP-47 as declared; undeclared counts as English."""
        return [
            self._remembered(text) if _english(lang) else _UNSCORED for text, lang in zip(texts, langs, strict=True)
        ]

    def _score(self, text: str) -> Sentiment:
        compound: float = self._vader.polarity_scores(self._heard(text[:LONGEST]))["compound"]
        return Sentiment(_label(compound), compound, compound)

    def _heard(self, text: str) -> str:
        """As much of a text as is scored."""
        if text.isascii():
            return text
        # A space parts one emoji's words from the next.
        lengths = accumulate(len(self._vader.emojis.get(char, "")) + 1 for char in text)
        return text[: sum(length <= LONGEST for length in lengths)]


def _english(lang: str | None) -> bool:
    return not lang or lang.replace("_", "-").split("-", 1)[0].lower() == "en"


def _label(compound: float) -> Label:
    if compound <= NEGATIVE_FROM:
        return "negative"
    return "positive" if compound >= POSITIVE_FROM else "neutral"

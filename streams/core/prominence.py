"""Which words of a brand are said more than usual just now: for evidence, and to know which posts are worth showing.

Forward decay (Cormode, Shkapenyuk, Srivastava, Xu, 2009): a later mention weighs more, so that nothing has
to fade until all is scaled back at once. Of the words, those heard most lately are kept.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

from msgspec import Struct

from streams.core.detectors.wording import terms_in, words_of
from streams.records import Term

if TYPE_CHECKING:
    from collections.abc import Sequence

LATELY_S, USUALLY_S = 1800.0, 7 * 86_400.0
"""Half-lives of what is counted as now, and as usual."""

KEPT, MOST = 96, 160
WORDS_OF_ONE = 24
SCALE_BACK = 40.0
"""Half-lives ahead of the beginning; floats hold far more."""

LEAST, LEAST_LIFT = 2.0, 2.0
DOUBT = 50.0
"""As many mentions stand for what is not known of a word that is new here."""

TOLD = 5
FORGOTTEN = 500.0
"""Half-lives: after weeks of silence nothing is left, and no number is large enough to say how little."""


class Prominence(Struct, array_like=True):
    """One brand's words: for each its mentions lately and usually, weighed as of `since_s`; and all mentions."""

    since_s: float = 0.0
    lately: float = 0.0
    usually: float = 0.0
    words: dict[str, list[float]] = {}

    def hear(self, text: str, at_s: float) -> float:
        """Count a mention's words once each; returns the lift of the one that is most above its usual."""
        if not self.words:
            self.since_s = at_s
        elif at_s - self.since_s > SCALE_BACK * LATELY_S:
            self._scale_back(at_s)
        now, slow = self._at(at_s)
        self.lately += now
        self.usually += slow
        best, words, scale, least = 1.0, self.words, self._scale(now, slow), LEAST * now
        for word in terms_in(words_of(text))[:WORDS_OF_ONE]:
            counts = words.get(word)
            if counts is None:
                words[word] = [now, slow]
                continue
            counts[0] += now
            counts[1] += slow
            if counts[0] >= least and (lift := _lift(counts, now, slow) * scale) > best:
                best = lift
        if len(words) > MOST:
            latest = sorted(words, key=lambda word: words[word][0], reverse=True)[:KEPT]
            self.words = {word: words[word] for word in latest}
        return best

    def rising(self, at_s: float) -> tuple[Term, ...]:
        """The words that say most of what is unusual now: said often, and far more than usual."""
        if not self.words or at_s < self.since_s:
            return ()
        now, slow = self._at(at_s)
        scale = self._scale(now, slow)
        found = [(word, counts[0] / now, _lift(counts, now, slow) * scale) for word, counts in self.words.items()]
        found = [one for one in found if one[1] >= LEAST and one[2] >= LEAST_LIFT]
        found.sort(key=lambda one: (-one[1] * log(one[2]), one[0]))
        return tuple(Term(word, round(count, 1), round(lift, 1)) for word, count, lift in found[:TOLD])

    def _scale(self, now: float, slow: float) -> float:
        """Mentions before, in doubt some more, for each of the latest."""
        lately = self.lately / now
        return (max(0.0, self.usually / slow - lately) + DOUBT) / max(lately, 1.0)

    def _scale_back(self, at_s: float) -> None:
        now, slow = self._at(at_s)
        self.since_s, self.lately, self.usually = at_s, self.lately / now, self.usually / slow
        self.words = {word: [counts[0] / now, counts[1] / slow] for word, counts in self.words.items()}

    def _at(self, at_s: float) -> tuple[float, float]:
        ahead = max(at_s - self.since_s, -SCALE_BACK * LATELY_S)
        return 2.0 ** min(ahead / LATELY_S, FORGOTTEN), 2.0 ** min(ahead / USUALLY_S, FORGOTTEN)


def _lift(counts: Sequence[float], now: float, slow: float) -> float:
    """A word's latest mentions, for each of those before; times the scale, the quotient of its shares."""
    lately = counts[0] / now
    before = counts[1] / slow - lately
    return lately / (before + 1.0 if before > 0.0 else 1.0)

"""What is up, once it was said: which rises belong together, and what is a further step.

Rises join a matter that is open if they share a term with it, or a third of the latest mentions, or come
soon after it. So one incident is one episode. It is over once nothing was added for two hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct

from streams.core.detectors.interface import Nature, Rising, Sign
from streams.core.detectors.witnesses import LOOK_BACK_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.core.detectors.suspicion import Rise
    from streams.core.detectors.witnesses import Witness

JOINS_S, OVER_S = 90 * 60, 2 * 3600
SHARED = 0.3
LOUDER = 2.0
"""Times as many mentions: a further step."""
MOST_TERMS, MOST_IDS, MOST_SHOWN = 24, 12, 8


@dataclass(frozen=True, slots=True)
class Told:
    """What was found: of what nature, the rises with the strongest first, and who is behind them."""

    nature: Nature
    rises: Sequence[Rise]
    mentions: Sequence[Witness]
    score: float
    at_s: float


class Matter(Struct, array_like=True):
    """One open episode; `observed` mentions were behind it when it last spoke, `ids` are the latest of them."""

    nature: Nature
    episode_s: int
    step: int
    at_s: float
    observed: int
    expected: float
    terms: list[str]
    ids: list[str]

    @property
    def series(self) -> str:
        """What pages or is a flood is watched; what people merely talk about is only recorded."""
        return "terms" if self.nature in {"trouble", "flood"} else "topics"

    def takes(self, told: Told) -> bool:
        """Whether this is more of the same; if so, remembers it."""
        if told.nature != self.nature:
            return False
        terms, ids = [rise.term for rise in told.rises], _latest(told)
        alike = (
            told.at_s - self.at_s < JOINS_S
            or not set(terms).isdisjoint(self.terms)
            or len(set(ids) & set(self.ids)) >= SHARED * len(ids)
        )
        if alike:
            self.at_s, self.ids = told.at_s, ids
            self.terms = list(dict.fromkeys((*self.terms, *terms)))[:MOST_TERMS]
        return alike

    def louder(self, told: Told) -> bool:
        """Whether it has grown so much that it must be said again; if so, counts the step."""
        if len(told.mentions) < LOUDER * self.observed:
            return False
        self.step += 1
        self.observed, self.expected = len(told.mentions), _expected(told)
        return True

    def over(self) -> Sign:
        """The last step."""
        return Sign(
            series=self.series,
            episode_s=self.episode_s,
            step=self.step + 1,
            state="over",
            at_s=self.at_s + OVER_S,
            observed=float(self.observed),
            expected=self.expected,
            score=0.0,
            window_s=LOOK_BACK_S,
            nature=self.nature,
        )

    def sign(self, told: Told) -> Sign:
        """The step that was just counted."""
        return Sign(
            series=self.series,
            episode_s=self.episode_s,
            step=self.step,
            state="open",
            at_s=told.at_s,
            observed=float(self.observed),
            expected=self.expected,
            score=told.score,
            window_s=LOOK_BACK_S,
            nature=self.nature,
            mentions=tuple(self.ids),
            authors=len({one.author for one in told.mentions}),
            terms=tuple(
                Rising(rise.term, round(rise.observed, 2), round(rise.observed / rise.expected, 1))
                for rise in told.rises[:MOST_SHOWN]
            ),
        )


def begin(told: Told, episode_s: int) -> Matter:
    """A matter that nobody has spoken of yet."""
    terms = [rise.term for rise in told.rises[:MOST_TERMS]]
    return Matter(told.nature, episode_s, 1, told.at_s, len(told.mentions), _expected(told), terms, _latest(told))


def _latest(told: Told) -> list[str]:
    return [one.id for one in told.mentions[-MOST_IDS:]]


def _expected(told: Told) -> float:
    return round(sum(rise.background for rise in told.rises), 2)

"""How a brand's mentions of about the last hour feel, beside how they usually do, and how many repeat one another.

Half of what was heard is forgotten within half an hour, of what is usual within eight days. A share of mentions
counts as clearly higher when the lower end of its Wilson interval (1927; two standard deviations) is.
"""

from __future__ import annotations

from math import log, sqrt
from typing import TYPE_CHECKING

from msgspec import Struct

from streams.core.detectors.hours import DAY_S

if TYPE_CHECKING:
    from streams.core.detectors.interface import Heard

HALF_LIFE_S, USUAL_HALF_LIFE_S = 1800.0, 8.0 * DAY_S
DEVIATIONS = 2.0
SCALE = 2.0
"""The variance of a count that fades so is half its mean: twice the count is like a Poisson count."""
YOUNG_WEIGHT = 0.25
"""What the voice of an account made lately counts for, where more of them than usual speak."""


class Feel(Struct, array_like=True):
    """Faded counts of mentions. `echoes` is how much of those in the series was not a voice of its own."""

    scored: float = 0.0
    positive: float = 0.0
    negative: float = 0.0
    heard: float = 0.0
    echoes: float = 0.0

    def fade(self, kept: float) -> None:
        """Forget all but a share of it."""
        self.scored *= kept
        self.positive *= kept
        self.negative *= kept
        self.heard *= kept
        self.echoes *= kept

    def add(self, mention: Heard, share: float, *, counts: bool) -> None:
        """Take in a mention, or what is left of an old one; `counts` if it is in the series."""
        if mention.label != "unscored":
            self.scored += share
            self.positive += share * (mention.label == "positive")
            self.negative += share * (mention.label == "negative")
        if counts:
            self.heard += share
            self.echoes += share * (1 - mention.voice.weight * (YOUNG_WEIGHT if mention.young else 1.0))


class Mood(Struct, array_like=True):
    """One brand's, as of `at_s`."""

    at_s: float
    now: Feel
    usual: Feel

    def hear(self, mention: Heard, *, counts: bool) -> None:
        """Take in a mention, late or not; `counts` if it is in the series."""
        ahead_s, share, usual_share = mention.at_s - self.at_s, 1.0, 1.0
        if ahead_s > 0:
            self.now.fade(_kept(ahead_s, HALF_LIFE_S))
            self.usual.fade(_kept(ahead_s, USUAL_HALF_LIFE_S))
            self.at_s = mention.at_s
        elif ahead_s < 0:
            share, usual_share = _kept(-ahead_s, HALF_LIFE_S), _kept(-ahead_s, USUAL_HALF_LIFE_S)
        self.now.add(mention, share, counts=counts)
        self.usual.add(mention, usual_share, counts=counts)

    def usual_share(self, label: str) -> float:
        """Of "positive" or "negative" mentions; never quite none, and never quite all."""
        return float((getattr(self.usual, label) + 1) / (self.usual.scored + 5))

    def share_between(self, label: str) -> tuple[float, float]:
        """The present share lies between these two."""
        count, scored = SCALE * getattr(self.now, label), SCALE * self.now.scored
        if scored <= 0:
            return 0.0, 1.0
        share, square = count / scored, DEVIATIONS**2
        middle = share + square / (2 * scored)
        width = DEVIATIONS * sqrt(share * (1 - share) / scored + square / (4 * scored * scored))
        return (middle - width) / (1 + square / scored), (middle + width) / (1 + square / scored)

    def is_known(self) -> bool:
        """Whether at least a quarter of all mentions usually say how people feel."""
        return self.usual.positive + self.usual.negative > self.usual.heard / 4

    def unusual_echoes(self) -> float:
        """How many more than usual of the present mentions echo others, or their authors, or come from new accounts."""
        usual = self.usual.echoes / self.usual.heard if self.usual.heard else 0.0
        return max(0.0, self.now.echoes - usual * self.now.heard)

    def lopsided(self, label: str, at_s: float, without: float = 0.0) -> float:
        """Evidence that the label is more frequent than usual: a binomial's root deviance, 0 if it is not.

        `without` so many of the mentions with that label.
        """
        kept, usual = SCALE * _kept(max(0.0, at_s - self.at_s), HALF_LIFE_S), self.usual_share(label)
        count, scored = kept * (getattr(self.now, label) - without), kept * (self.now.scored - without)
        if count <= usual * scored:
            return 0.0
        deviance = count * log(count / (usual * scored))
        if scored > count:
            deviance += (scored - count) * log((scored - count) / ((1 - usual) * scored))
        return sqrt(max(0.0, 2 * deviance))


def started(at_s: float) -> Mood:
    """Nothing was heard yet."""
    return Mood(at_s, Feel(), Feel())


def _kept(seconds: float, half_life_s: float) -> float:
    return float(0.5 ** (seconds / half_life_s))

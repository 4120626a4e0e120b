"""What a detector's evidence usually reaches on one series, and so what it is worth there.

Evidence that stands for one in a million on paper comes once a day on a series that lives by fits and starts. So the
series' own 98 % quantile and the mean excess over it are followed, by stochastic approximation, and evidence is told as
a surprise of about -ln(probability per bin): one threshold serves busy and quiet series alike.
"""

from __future__ import annotations

from math import exp, log

from msgspec import Struct

LEAST_QUANTILE, LEAST_EXCESS = 1.0, 0.15


class Tail(Struct, array_like=True):
    """The evidence that one bin in fifty exceeds, and by how much on average."""

    quantile: float = 2.0
    excess: float = 1.0


class Tails:
    """Learns and reads tails; holds no state of its own."""

    __slots__ = ("_quantile", "_rate", "_there")

    def __init__(self, quantile: float, half_life_bins: float) -> None:
        """Follow `quantile` (0 to 1), forgetting half within `half_life_bins`."""
        self._quantile = quantile
        self._rate = 1 - exp(-log(2) / half_life_bins)
        self._there = -log(1 - quantile)

    def surprise(self, tail: Tail, evidence: float) -> float:
        """About -ln(probability per bin) of an evidence of 0 or more, if excesses are exponential."""
        if evidence > tail.quantile:
            return self._there + (evidence - tail.quantile) / tail.excess
        return self._there * evidence / tail.quantile

    def rate(self, bins: int) -> float:
        """How much the `bins`-th bin of a series teaches: the first ones the most."""
        return max(self._rate, 1 / (bins + 50))

    def learn(self, tail: Tail, evidence: float, rate: float) -> None:
        """Take in the evidence of a bin."""
        if evidence > tail.quantile:
            over = min(evidence - tail.quantile, 4 * tail.excess)
            kept = tail.excess + min(rate / (1 - self._quantile), 0.2) * (over - tail.excess)
            tail.excess = max(LEAST_EXCESS, kept)
            tail.quantile += 4 * rate * self._quantile
        else:
            tail.quantile = max(LEAST_QUANTILE, tail.quantile - 4 * rate * (1 - self._quantile))

"""How often a source usually speaks, and whether it has fallen silent: a dead connection is no quiet day.

If a source speaks once in `gap` seconds, the chance that it says nothing for `t` seconds is exp(-t/gap) (a
Poisson process). Real sources have nights and storms, so the gap is an average over days, and the
silence has to be far longer than chance alone would ask for.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

HALF_LIFE_S: Final = 2 * 86_400
LEAST_KNOWN: Final = 50
"""Mentions, before anything is said of a source."""
GAPS: Final = 60
"""At night a source speaks five times less than on average, and still it must not seem dead by chance."""
LEAST_SILENCE_S: Final = 900


class Pace(Struct, array_like=True):
    """How many mentions in how many seconds, older ones ever less; `heard_s` is the latest, seconds since 1970."""

    heard_s: float
    mentions: float = 1.0
    seconds: float = 0.0

    def hear(self, at_s: float) -> None:
        """One mention. A silence that was one teaches nothing about the pace."""
        passed_s = at_s - self.heard_s
        if passed_s < 0 or self.is_silent(at_s):
            passed_s = 0.0
        kept = 0.5 ** (passed_s / HALF_LIFE_S)
        self.mentions = self.mentions * kept + 1
        self.seconds = self.seconds * kept + passed_s
        self.heard_s = max(self.heard_s, at_s)

    def expected(self, now_s: float) -> float:
        """How many mentions would be usual since the latest one: -ln(the chance that there was none)."""
        return max(now_s - self.heard_s, 0.0) * self.mentions / self.seconds if self.seconds else 0.0

    def is_silent(self, now_s: float) -> bool:
        """Whether this is no longer chance."""
        if self.mentions < LEAST_KNOWN or now_s - self.heard_s < LEAST_SILENCE_S:
            return False
        return self.expected(now_s) >= GAPS

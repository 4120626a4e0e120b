"""What happens to a made-up brand, and the truth about it."""

from __future__ import annotations

import math
from datetime import datetime  # noqa: TC003  a field's type
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from random import Random

Kind = Literal["incident", "campaign", "joke", "flood", "rise"]
"""incident: should page. campaign, joke: applause. flood: few voices that pretend to be many. rise: twice as much in a week."""

HOUR_S, DAY_S, WEEK_S = 3600, 86_400, 7 * 86_400
ONSETS = (0.01, 0.02, 0.05)
SHORT: tuple[Kind, ...] = ("incident", "incident", "campaign", "joke", "flood")
"""What happens to each brand in each week, besides a rise; never two at the same time."""
SLOT_S = WEEK_S / len(SHORT)


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happens, as written to the truth file. `mentions` are its ids; a rise has none of its own."""

    kind: Kind
    brand: str
    theme: str
    start: datetime
    end: datetime
    mentions: tuple[str, ...] = ()


class Truth(Struct, frozen=True, kw_only=True):
    """What happened in a world. Until `quiet_until` nothing did, so that detectors can learn what is usual."""

    seed: int
    hard: bool
    start: datetime
    quiet_until: datetime
    end: datetime
    mentions: int
    events: tuple[Event, ...]


class Plot(Struct, kw_only=True):
    """How one short event goes: seconds since the world's start, rates as a multiple of the brand's average.

    It begins at `onset`, doubles every `doubling_s` up to `peak`, stays there for `hold_s`, halves every `half_life_s`.
    """

    kind: Kind
    theme: str
    words: tuple[str, ...]
    start_s: float
    onset: float
    doubling_s: float
    peak: float
    hold_s: float
    half_life_s: float
    reposts: float
    feelings: tuple[float, float]
    """Shares of negative and of neutral mentions; the others are positive."""
    authors: int = 0
    """How many there are; 0: anybody."""

    @property
    def growth_s(self) -> float:
        """How long it grows."""
        return self.doubling_s * math.log2(self.peak / self.onset)

    @property
    def end_s(self) -> float:
        """When it is as rare again as at its onset, but not after its slot is over."""
        fading_s = self.half_life_s * math.log2(self.peak / max(self.onset, self.peak / 32))
        return self.start_s + min(self.growth_s + self.hold_s + fading_s, 0.9 * SLOT_S)

    def rate(self, at_s: float) -> float:
        """How often it is spoken of."""
        if not self.start_s <= at_s < self.end_s:
            return 0.0
        since_s = at_s - self.start_s
        if since_s < self.growth_s:
            return self.onset * math.exp2(since_s / self.doubling_s)
        return self.peak * math.exp2(-max(0.0, since_s - self.growth_s - self.hold_s) / self.half_life_s)


def plot(random: Random, kind: Kind, theme: str, words: tuple[str, ...], per_hour: float, *, hard: bool) -> Plot:
    """Draw how an event goes; its start is 0 still."""
    if kind == "incident":
        return Plot(
            kind=kind, theme=theme, words=words, start_s=0.0,
            onset=random.choice(ONSETS), doubling_s=random.uniform(10, 80) * 60, peak=random.uniform(1.0, 2.0),
            hold_s=random.uniform(1, 4) * HOUR_S, half_life_s=random.uniform(20, 60) * 60,
            reposts=0.15, feelings=(0.85, 0.12),
        )  # fmt: skip
    if kind == "campaign":
        return Plot(
            kind=kind, theme=theme, words=words, start_s=0.0,
            onset=0.3, doubling_s=600.0, peak=1.5, hold_s=random.uniform(4, 10) * HOUR_S, half_life_s=1800.0,
            reposts=0.25, feelings=(0.05, 0.15),
        )  # fmt: skip
    if kind == "joke":
        return Plot(
            kind=kind, theme=theme, words=words, start_s=0.0,
            onset=0.05, doubling_s=random.uniform(8, 25) * 60, peak=random.uniform(0.8, 2.0),
            hold_s=random.uniform(0.5, 2.0) * HOUR_S, half_life_s=random.uniform(20, 60) * 60,
            reposts=0.55, feelings=(0.05, 0.20),
        )  # fmt: skip
    authors = random.randint(30, 79) if hard else random.randint(8, 24)
    lasts_h = random.uniform(0.7, 3.0)
    posts = max(authors * random.uniform(2, 5), per_hour * lasts_h * random.uniform(0.4, 1.2))
    rate = posts / lasts_h / per_hour
    return Plot(
        kind=kind, theme=theme, words=words, start_s=0.0,
        onset=rate, doubling_s=1.0, peak=rate, hold_s=lasts_h * HOUR_S, half_life_s=1.0,
        reposts=0.0, feelings=(0.90, 0.10), authors=authors,
    )  # fmt: skip

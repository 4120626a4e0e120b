"""What is usual for one series of counts, and how surprising a count is.

The expectation is a slow level times an hour-of-day season (weekdays and weekends apart, in the
brand's own time). The evidence is the root deviance, under a negative binomial, of exponentially
weighted counts: one that remembers a quarter of an hour and sees what bursts, one that remembers
three hours and sees what lasts. The series' own tails turn each into a surprise, and their mean is
the score: what is loud for five minutes and forgotten after ten is not yet news. The deviance is
the textbook one (McCullagh and Nelder, Generalized Linear Models); see `tail` for the rest.

Everything is O(1) in time and in bytes. Bins are numbered since 1970: bin * bin_s seconds.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from dataclasses import dataclass
from math import exp, floor, log, sqrt
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

from streams.core.detectors.hours import DAY_S, HOUR_S
from streams.core.detectors.tail import Tail, Tails

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_SEASON = 0.05
HOURS = 24
SLOTS = 2 * HOURS  # of a weekday, then of a weekend day
LEAST_ALPHA, MOST_ALPHA = 0.05, 2.0

_FLOAT = struct.Struct("<f")
_SHARES = 5 / 7 / HOURS, 2 / 7 / HOURS  # of all bins, those in a slot of each kind
_SEASON = struct.Struct(f"<{SLOTS}f")
_VISITS = 24, 255  # a slot begins as if it had seen so many bins, and forgets as if it had seen no more than so many


@dataclass(frozen=True, slots=True)
class SeriesParams:
    """How a series is read. Half-lives are in days, the other lengths in bins of `bin_s` seconds."""

    bin_s: int = 300
    memory_bins: tuple[int, int] = (3, 36)  # what counts as now: a burst, and what lasts
    shown_bins: int = 6  # the window that people are shown
    level_half_life_days: float = 8.0
    tail_half_life_days: float = 14.0
    tail_quantile: float = 0.98
    season_power: float = 0.5  # how much of a busy hour raises the bar
    season_floor: float = 1.0  # 1: a quiet hour does not lower the bar; 0: it does
    least_expected: float = 0.5  # mentions a bin


class Memory(Struct, array_like=True):
    """Exponentially weighted sums of the counts and of what was expected of them; `alpha` is how unevenly they fall."""

    weight: float = 0.0
    expected: float = 0.0
    alpha: float = 0.5
    tail: Tail = msgspec.field(default_factory=Tail)


class Series(Struct, array_like=True):
    """What is known of one series. `level` is in mentions a bin.

    The season rests as the float32 it is written as, so that a series read back is the same to the
    last bit.
    """

    bins: int = 0
    level: float = 0.0
    memories: tuple[Memory, Memory] = msgspec.field(default_factory=lambda: (Memory(), Memory()))
    season: bytearray = msgspec.field(default_factory=lambda: bytearray(_SEASON.pack(*[1.0] * SLOTS)))

    def sums(self) -> Sums:
        """The weights and expectations of both memories."""
        burst, lasting = self.memories
        return Sums(burst.weight, burst.expected, lasting.weight, lasting.expected)


class Sums(Struct, array_like=True):
    """Both memories' sums, carried on beyond what was learned from."""

    weight: float = 0.0
    expected: float = 0.0
    lasting_weight: float = 0.0
    lasting_expected: float = 0.0


class _Place(NamedTuple):
    """Where in the week a bin lies: its own slot, and the two hour centres around it."""

    slot: int
    before: int  # these two as places in the packed season
    after: int
    share: float  # of `after`


class Usual:
    """Learns and judges series; holds no state of its own. Its bins are numbered by local clocks."""

    def __init__(self, params: SeriesParams) -> None:
        """Raises ValueError for bins that do not divide an hour."""
        if params.bin_s <= 0 or HOUR_S % params.bin_s:
            raise ValueError(f"bin_s = {params.bin_s}: expected a divisor of 3600 seconds")
        self._day_bins = day = DAY_S // params.bin_s
        self._season_power, self._season_floor = params.season_power, params.season_floor
        self._least_expected = params.least_expected
        self._kept = tuple(1 - 1 / bins for bins in params.memory_bins)
        self._level_rate = 1 - exp(-log(2) / (params.level_half_life_days * day))
        self.tails = Tails(params.tail_quantile, params.tail_half_life_days * day)
        self._week = [_place(bin_ * params.bin_s, params.bin_s) for bin_ in range(7 * day)]

    def add(self, sums: Sums, count: int, bins_ago: int) -> None:
        """Count mentions of some bins ago."""
        burst, lasting = self._kept
        sums.weight += count * burst**bins_ago
        sums.lasting_weight += count * lasting**bins_ago

    def roll(self, series: Series, sums: Sums, bins: Sequence[int], counts: Sequence[int]) -> None:
        """Carry the sums through some more bins, learning nothing."""
        burst, lasting = self._kept
        for bin_, count in zip(bins, counts, strict=True):
            mean = self._expect(series, bin_)[0]
            sums.weight = burst * sums.weight + count
            sums.expected = burst * sums.expected + mean
            sums.lasting_weight = lasting * sums.lasting_weight + count
            sums.lasting_expected = lasting * sums.lasting_expected + mean

    def bar(self, series: Series, bin_: int) -> float:
        """What counts are judged by in a bin: what is expected, in mentions."""
        return self._expect(series, bin_)[0]

    def surprise(self, series: Series, sums: Sums, more: float = 0) -> float:
        """About -ln(probability per bin) of the counts, and of so many `more` of them now. Rises with them."""
        burst, lasting = series.memories
        loud = self._evidence(0, sums.weight + more, sums.expected, burst.alpha)
        long = self._evidence(1, sums.lasting_weight + more, sums.lasting_expected, lasting.alpha)
        return (self.tails.surprise(burst.tail, loud) + self.tails.surprise(lasting.tail, long)) / 2

    def at_present(self, series: Series, sums: Sums) -> float:
        """The surprise of the short memory alone: a storm that has passed stays in the long one for hours."""
        burst = series.memories[0]
        return self.tails.surprise(burst.tail, self._evidence(0, sums.weight, sums.expected, burst.alpha))

    def missing(self, series: Series, sums: Sums, threshold: float) -> int:
        """How many mentions more, all of them now, would surprise by `threshold`; below 0, how many fewer still would."""
        # What exceeds neither expectation is no surprise.
        least = floor(min(sums.expected - sums.weight, sums.lasting_expected - sums.lasting_weight))
        most = 1
        while self.surprise(series, sums, most) < threshold:
            most *= 2
        return bisect_left(range(least, most), threshold, key=lambda more: self.surprise(series, sums, more)) + least

    def learn(self, series: Series, bin_: int, count: int, *, calibrate: bool = True) -> None:
        """Take in the whole count of a bin, each bin once and in order.

        `calibrate=False` leaves the tails as they are: while something is up they are not usual.
        """
        mean, season = self._expect(series, bin_)
        calibrate = calibrate and series.bins >= self._day_bins  # on its first day a level still surprises itself
        alpha_rate, tail_rate = max(self._level_rate, 1 / (series.bins + 20)), self.tails.rate(series.bins)
        for place, memory in enumerate(series.memories):
            kept = self._kept[place]
            memory.weight = kept * memory.weight + count
            memory.expected = kept * memory.expected + mean
            evidence = self._evidence(place, memory.weight, memory.expected, memory.alpha)
            _learn_alpha(memory, kept, alpha_rate)
            if calibrate:
                self.tails.learn(memory.tail, evidence, tail_rate)
        alpha = series.memories[0].alpha
        self._learn_level(series, bin_, min(count, mean + 4 * sqrt(mean + alpha * mean * mean)), season)
        series.bins += 1
        if series.bins % self._day_bins == 0:
            _normalise(series)

    def _expect(self, series: Series, bin_: int) -> tuple[float, float]:
        """What is expected of a bin, in mentions, and the season's factor in it."""
        _, before, after, share = self._week[bin_ % len(self._week)]
        earlier: float = _FLOAT.unpack_from(series.season, before)[0]
        season = earlier + share * (_FLOAT.unpack_from(series.season, after)[0] - earlier)
        season = max(season, LEAST_SEASON)
        return self._bar(series.level, season), season

    def _bar(self, level: float, season: float) -> float:
        factor = season**self._season_power
        bar = level * (factor if factor > self._season_floor else self._season_floor)  # noqa: FURB136
        return bar if bar > self._least_expected else self._least_expected  # noqa: FURB136

    def _evidence(self, place: int, weight: float, expected: float, alpha: float) -> float:
        """Signed root deviance; 0 for all that is less than expected, which alarms nobody."""
        if weight <= expected:
            return 0.0
        # The variance of such a sum is its mean / (1 + kept): scaled so, it is like a Poisson count.
        scale, r = 1 + self._kept[place], 1 / alpha
        count, mean = scale * weight, scale * expected
        return sqrt(max(2 * (count * log(count / mean) - (count + r) * log((count + r) / (mean + r))), 0.0))

    def _learn_level(self, series: Series, bin_: int, count: float, season: float) -> None:
        slot = self._week[bin_ % len(self._week)][0]
        visits = min(_VISITS[0] + int(series.bins * _SHARES[slot >= HOURS]), _VISITS[1])
        value: float = _FLOAT.unpack_from(series.season, 4 * slot)[0]
        # Half a mention on either side: in a sparse series one mention makes no rush hour.
        value += ((count + 0.5) / (series.level + 0.5) - value) / (visits + 1)
        _FLOAT.pack_into(series.season, 4 * slot, value)
        rate = max(self._level_rate, 1 / (series.bins + 1)) if series.bins < self._day_bins else self._level_rate
        series.level += rate * (count / season - series.level)


def _learn_alpha(memory: Memory, kept: float, rate: float) -> None:
    count, mean = (1 + kept) * memory.weight, (1 + kept) * memory.expected
    alpha, square = memory.alpha, mean * mean
    off = min((count - mean) ** 2, 16 * (mean + alpha * square))
    if mean < 2:  # of so few there is little to learn
        rate *= mean / 2
    alpha += rate * ((off - mean) / square - alpha)
    memory.alpha = max(LEAST_ALPHA, min(alpha, MOST_ALPHA))


def _normalise(series: Series) -> None:
    """Keep the season's mean over a week at 1, or level and season drift apart over the months."""
    season = _SEASON.unpack(series.season)
    mean = (5 * sum(season[:24]) + 2 * sum(season[24:])) / 168
    _SEASON.pack_into(series.season, 0, *[value / mean for value in season])
    series.level *= mean


def _place(at_s: int, bin_s: int) -> _Place:
    since = at_s + bin_s / 2 - 1800  # from the centre of an hour to the centre of the bin
    hour = int(since // 3600)
    return _Place(_slot(at_s // 3600), 4 * _slot(hour), 4 * _slot(hour + 1), since / 3600 - hour)


def _slot(hour: int) -> int:
    """The slot of an hour since 1970, which began on a Thursday."""
    return hour % 24 + (24 if (hour // 24 + 3) % 7 >= 5 else 0)

"""What is usual for one series of counts, and how surprising a count is.

The expectation is a slow level times an hour-of-day season (UTC, weekdays and weekends apart). The
evidence is the root deviance, under a negative binomial, of an exponentially weighted count. The
series' own tail then turns it into a surprise of about -ln(probability per bin), so that one
threshold serves busy and quiet series alike. The deviance is the textbook one (McCullagh and
Nelder, Generalized Linear Models); quantile and tail are tracked by stochastic approximation.

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

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY_S = 86_400
LEAST_SEASON = 0.05
SLOTS = 48  # 24 hours of a weekday, then 24 of a weekend day

_FLOAT = struct.Struct("<f")
_SEASON = struct.Struct(f"<{SLOTS}f")
_MOST_VISITS = 255  # one byte a slot; from there on a slot forgets over some weeks


@dataclass(frozen=True, slots=True)
class SeriesParams:
    """How a series is read. Half-lives are in days, the other lengths in bins of `bin_s` seconds."""

    bin_s: int = 300
    memory_bins: int = 6  # what counts as now: a single bin is noise
    level_half_life_days: float = 8.0
    tail_half_life_days: float = 14.0
    tail_quantile: float = 0.98
    season_power: float = 0.5  # how much of a busy hour raises the bar
    season_floor: float = 1.0  # 1: a quiet hour does not lower the bar; 0: it does
    least_expected: float = 0.5  # mentions a bin


class Series(Struct, array_like=True):
    """What is known of one series. `level` is in mentions a bin.

    `weight` and `expected` are the exponentially weighted sums of the counts and of their
    expectation. The season rests as the float32 it is written as, so that a series read back is
    the same to the last bit. `visits` says how many bins each of its slots has learned from.
    """

    bins: int = 0
    level: float = 0.0
    weight: float = 0.0
    expected: float = 0.0
    alpha: float = 0.5
    tail: float = 2.0
    slope: float = 1.0
    season: bytearray = msgspec.field(default_factory=lambda: bytearray(_SEASON.pack(*[1.0] * SLOTS)))
    visits: bytearray = msgspec.field(default_factory=lambda: bytearray([36] * SLOTS))


class _Place(NamedTuple):
    """Where in the week a bin lies: its own slot, and the two hour centres around it."""

    slot: int
    before: int
    after: int
    share: float  # of `after`


class Usual:
    """Learns and judges series; holds no state of its own."""

    def __init__(self, params: SeriesParams) -> None:
        """Raises ValueError for bins that do not divide an hour."""
        if params.bin_s <= 0 or 3600 % params.bin_s:
            raise ValueError(f"bin_s = {params.bin_s}: expected a divisor of 3600 seconds")
        day = DAY_S // params.bin_s
        self._season_power, self._season_floor = params.season_power, params.season_floor
        self._least_expected = params.least_expected
        self._params = params
        self._day_bins = day
        self._kept = 1 - 1 / params.memory_bins
        self._level_rate = 1 - exp(-log(2) / (params.level_half_life_days * day))
        self._tail_rate = 1 - exp(-log(2) / (params.tail_half_life_days * day))
        self._at_tail = -log(1 - params.tail_quantile)
        self._week = [_place(bin_ * params.bin_s, params.bin_s) for bin_ in range(7 * day)]

    def kept(self, bins: int) -> float:
        """The share of a count that still weighs after so many bins."""
        return self._kept**bins

    def roll(
        self, series: Series, weight: float, expected: float, first_bin: int, counts: Sequence[int]
    ) -> tuple[float, float]:
        """Carry the two sums through the bins from `first_bin` on, learning nothing.

        While history is read fast, hundreds of bins wait for the slowest partition: the season is unpacked once.
        """
        kept, level, seasons = self._kept, series.level, _SEASON.unpack(series.season)
        for bin_, count in enumerate(counts, first_bin):
            weight = kept * weight + count
            expected = kept * expected + self._bar(level, self._season(seasons, self._week[bin_ % len(self._week)]))
        return weight, expected

    def surprise(self, series: Series, weight: float, expected: float) -> float:
        """About -ln(probability per bin) of a `weight` where `expected` is usual. Rises with `weight`."""
        return self._surprise(series, self._deviance(weight, expected, series.alpha))

    def missing(self, series: Series, weight: float, expected: float, threshold: float) -> int:
        """How many mentions more, all of them now, would surprise by `threshold`; below 0, how many fewer still would."""

        def more(count: int) -> float:
            return self.surprise(series, weight + count, expected)

        least, most = floor(expected - weight), 1  # what does not exceed the expectation is no surprise
        while more(most) < threshold:
            most *= 2
        return bisect_left(range(least, most), threshold, key=more) + least

    def learn(self, series: Series, bin_: int, count: int, *, calibrate: bool = True) -> float:
        """Take in the whole count of a bin, each bin once and in order; returns its surprise.

        `calibrate=False` leaves the tail as it is: while something is up the tail is not usual.
        """
        mean, season = self._expect(series, bin_)
        series.weight = self._kept * series.weight + count
        series.expected = self._kept * series.expected + mean
        deviance = self._deviance(series.weight, series.expected, series.alpha)
        surprise = self._surprise(series, deviance)
        self._learn_dispersion(series)
        if calibrate and series.bins >= self._day_bins:  # on its first day a level that still settles surprises itself
            self._learn_tail(series, deviance)
        self._learn_level(series, bin_, min(count, mean + 4 * sqrt(mean + series.alpha * mean * mean)), season)
        series.bins += 1
        if series.bins % self._day_bins == 0:
            _normalise(series)
        return surprise

    def _expect(self, series: Series, bin_: int) -> tuple[float, float]:
        """What is expected of a bin, in mentions, and the season's factor in it."""
        season = self._season(_SEASON.unpack(series.season), self._week[bin_ % len(self._week)])
        return self._bar(series.level, season), season

    @staticmethod
    def _season(seasons: Sequence[float], place: _Place) -> float:
        _, before, after, share = place
        season = seasons[before] + share * (seasons[after] - seasons[before])
        return season if season > LEAST_SEASON else LEAST_SEASON  # noqa: FURB136  max() costs as much as the rest

    def _bar(self, level: float, season: float) -> float:
        factor = season**self._season_power
        bar = level * (factor if factor > self._season_floor else self._season_floor)  # noqa: FURB136
        return bar if bar > self._least_expected else self._least_expected  # noqa: FURB136

    def _deviance(self, weight: float, expected: float, alpha: float) -> float:
        """Signed root deviance; 0 for all that is less than expected, which alarms nobody."""
        if weight <= expected:
            return 0.0
        # The variance of such a sum is its mean / (1 + kept): scaled so, it is like a Poisson count.
        count, mean, r = (1 + self._kept) * weight, (1 + self._kept) * expected, 1 / alpha
        return sqrt(max(2 * (count * log(count / mean) - (count + r) * log((count + r) / (mean + r))), 0.0))

    def _surprise(self, series: Series, deviance: float) -> float:
        if deviance > series.tail:
            return self._at_tail + (deviance - series.tail) / series.slope
        return self._at_tail * deviance / series.tail

    def _learn_dispersion(self, series: Series) -> None:
        count, mean = (1 + self._kept) * series.weight, (1 + self._kept) * series.expected
        most = 4 * sqrt(mean + series.alpha * mean * mean)
        off = max(-most, min(count - mean, most))
        rate = max(self._level_rate, 1 / (series.bins + 20)) * min(1.0, mean / 2)
        series.alpha += rate * ((off * off - mean) / (mean * mean) - series.alpha)
        series.alpha = max(0.1, min(series.alpha, 2.0))

    def _learn_tail(self, series: Series, deviance: float) -> None:
        rate = max(self._tail_rate, 1 / (series.bins + 50))
        quantile = self._params.tail_quantile
        if deviance > series.tail:
            excess = min(deviance - series.tail, 4 * series.slope)
            series.slope = max(0.15, series.slope + min(rate / (1 - quantile), 0.2) * (excess - series.slope))
            series.tail += 4 * rate * quantile
        else:
            series.tail = max(1.0, series.tail - 4 * rate * (1 - quantile))

    def _learn_level(self, series: Series, bin_: int, count: float, season: float) -> None:
        slot = self._week[bin_ % len(self._week)].slot
        visits = series.visits[slot]
        value: float = _FLOAT.unpack_from(series.season, 4 * slot)[0]
        # Half a mention on either side: in a sparse series one mention makes no rush hour.
        value += ((count + 0.5) / (series.level + 0.5) - value) / (visits + 1)
        _FLOAT.pack_into(series.season, 4 * slot, value)
        series.visits[slot] = min(visits + 1, _MOST_VISITS)
        rate = max(self._level_rate, 1 / (series.bins + 1)) if series.bins < self._day_bins else self._level_rate
        series.level += rate * (count / season - series.level)


def _normalise(series: Series) -> None:
    """Keep the season's mean over a week at 1, or level and season drift apart over the months."""
    season = _SEASON.unpack(series.season)
    mean = (5 * sum(season[:24]) + 2 * sum(season[24:])) / 168
    _SEASON.pack_into(series.season, 0, *[value / mean for value in season])
    series.level *= mean


def _place(at_s: int, bin_s: int) -> _Place:
    since = at_s + bin_s / 2 - 1800  # from the centre of an hour to the centre of the bin
    hour = int(since // 3600)
    return _Place(_slot(at_s // 3600), _slot(hour), _slot(hour + 1), since / 3600 - hour)


def _slot(hour: int) -> int:
    """The slot of an hour since 1970, which began on a Thursday."""
    return hour % 24 + (24 if (hour // 24 + 3) % 7 >= 5 else 0)

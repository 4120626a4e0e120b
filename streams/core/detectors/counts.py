"""The volume detector over a history of bare counts, as it would have judged them while they came."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.core.detectors.counting import FORGOTTEN_AFTER_S, Counting, CountingParams
from streams.core.detectors.episodes import EpisodeParams
from streams.core.detectors.interface import Plan
from streams.core.detectors.series import SeriesParams

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SERIES = "all"


class Judged(NamedTuple):
    """A bin's score when it ends, and the same again if it pages there, else 0.

    Whole numbers: over the same history in other minutes a score is another by half of one and more, and a
    threshold between them would tell apart what is alike.
    """

    score: int
    anomaly_score: int


def params_for(bin_s: int) -> CountingParams:
    """The same lengths of time in bins of another length. Raises ValueError for bins that do not divide an hour."""
    usual = SeriesParams()
    if bin_s <= 0 or 3600 % bin_s:
        raise ValueError(f"bins of {bin_s} s: expected a divisor of 3600 s")
    burst, lasting = (max(1, round(bins * usual.bin_s / bin_s)) for bins in usual.memory_bins)
    series = SeriesParams(
        bin_s=bin_s,
        memory_bins=(burst, lasting),
        shown_bins=max(1, round(usual.shown_bins * usual.bin_s / bin_s)),
        least_expected=usual.least_expected * bin_s / usual.bin_s,
    )
    return CountingParams(series, EpisodeParams())


def score_counts(counts: Iterable[tuple[int, int]], bin_s: int = 300, timezone: str = "UTC") -> Iterator[Judged]:
    """Judge (bin, count) in rising order, each from what came before it; bins left out held nothing.

    Bins are numbered since 1970: bin * bin_s seconds.
    """
    counting, plan = Counting(params_for(bin_s), allowed_lateness_s=0), Plan(timezone=timezone)
    storms = None
    for number, count in counts:
        at_s = float(number * bin_s)
        if storms is None or at_s - storms.tracks.head * bin_s > FORGOTTEN_AFTER_S:
            storms = counting.start(at_s)
        counting.passed(storms, at_s, plan, deaf=False)
        counting.place(storms, at_s, plan)
        counting.count(storms, SERIES, number, count)
        score = counting.score(storms, SERIES)
        pages = count > 0 and score >= counting.bar(storms, SERIES)
        if pages:
            counting.speak(storms, SERIES, score, at_s, "trouble")
        told = round(score)
        yield Judged(told, told if pages else 0)

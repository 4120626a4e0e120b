"""Rules over counts that everybody has: what the volume detector is measured against on bare counts.

Each takes the counts of five-minute bins and gives a score for each bin: how many standard deviations above the mean
where it would page, 0 elsewhere. Like ours, none sees what comes later.
"""

from __future__ import annotations

from collections import deque
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HOUR, DAY = 12, 288  # bins


def last_hour(counts: Sequence[int]) -> list[float]:
    """The last hour's count against mean and standard deviation of the last seven days'; quiet for two hours after."""
    sums = [sum(counts[max(0, n - HOUR + 1) : n + 1]) for n in range(len(counts))]
    return _peaks(sums, window=7 * DAY, spacing=2 * HOUR)


def peak_agent(counts: Sequence[int]) -> list[float]:
    """As Huginn's PeakDetectorAgent by default: against the last 14 days, at most one peak in two days."""
    return _peaks(counts, window=14 * DAY, spacing=2 * DAY)


def _peaks(values: Sequence[int], *, window: int, spacing: int) -> list[float]:
    past: deque[int] = deque()
    total = squares = 0
    scores, quiet_until = [], 0
    for n, value in enumerate(values):
        score = 0.0
        if len(past) >= 3 * DAY and n >= quiet_until:
            mean = total / len(past)
            sd = sqrt(max(squares / len(past) - mean * mean, 1e-9))
            if value > mean + 3 * sd:
                score, quiet_until = (value - mean) / sd, n + spacing
        scores.append(score)
        past.append(value)
        total, squares = total + value, squares + value * value
        if len(past) > window:
            gone = past.popleft()
            total, squares = total - gone, squares - gone * gone
    return scores


RULES: dict[str, Callable[[Sequence[int]], list[float]]] = {
    "last hour > 7-day mean + 3 sd": last_hour,
    "Huginn's peak detector": peak_agent,
}

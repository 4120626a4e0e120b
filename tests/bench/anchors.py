"""Two detectors that everybody has, over the same mentions: what any of ours is measured against."""

from __future__ import annotations

import math
from collections import Counter, deque
from statistics import fmean, pstdev
from zlib import crc32

HOUR_S, DAY_S = 3600, 86_400
LEARNING_S = 4 * DAY_S
CALM_S = 2 * HOUR_S
"""What is loud again within so long is the same page."""


class MeanAndDeviations:
    """The last hour holds more than the mean and 3 standard deviations of the last 7 days' hours."""

    name = "7-day mean + 3 sd"

    def __init__(self) -> None:
        self._last_hour: deque[float] = deque()
        self._hours: deque[int] = deque(maxlen=7 * 24)
        self._hour, self._count, self._bar = -1, 0, math.inf
        self._loud_s = -math.inf

    def hear(self, at_s: float, text: str) -> bool:
        """One mention; whether it pages."""
        hour = int(at_s // HOUR_S)
        if self._hour < 0:
            self._hour = hour
        while self._hour < hour:
            self._hours.append(self._count)
            self._hour, self._count = self._hour + 1, 0
            if len(self._hours) * HOUR_S >= LEARNING_S:
                self._bar = fmean(self._hours) + 3 * pstdev(self._hours)
        self._count += 1
        self._last_hour.append(at_s)
        while self._last_hour[0] <= at_s - HOUR_S:
            self._last_hour.popleft()
        if len(self._last_hour) <= self._bar:
            return False
        calm, self._loud_s = at_s - self._loud_s > CALM_S, at_s
        return calm


class SigniTrend:
    """Words that are said far more often than usual, by hashed significance thresholds.

    After Schubert, Weiler and Kriegel, "SigniTrend: scalable detection of emerging topics in textual streams by
    hashed significance thresholds" (KDD 2014). Time is cut into epochs. Of each word's share of an epoch's mentions
    an exponentially weighted mean and variance are kept, not by word but in two tables of hashed buckets, where
    the largest share counts; a word's own are the smaller ones of its two buckets. A word is significant if its
    share lies `THRESHOLD` standard deviations above its mean, both kept off 0 by `BIAS`.
    """

    name = "SigniTrend"
    EPOCH_S = HOUR_S
    HALF_LIFE_EPOCHS = 7 * DAY_S / EPOCH_S
    BUCKETS = 1 << 14
    THRESHOLD, BIAS, FEWEST = 5.0, 0.02, 4

    def __init__(self) -> None:
        self._keep = 0.5 ** (1 / self.HALF_LIFE_EPOCHS)
        self._moments: tuple[dict[int, tuple[int, float, float]], ...] = ({}, {})
        self._epoch, self._first, self._said, self._mentions = -1, -1, Counter[str](), 0
        self._loud_s = -math.inf

    def hear(self, at_s: float, text: str) -> bool:
        """One mention; whether the epoch that it ends pages."""
        epoch, paged = int(at_s // self.EPOCH_S), False
        if epoch != self._epoch:
            if self._epoch >= 0:
                paged = self._close() and at_s - self._loud_s > CALM_S
            else:
                self._first = epoch
            if paged or (self._loud and self._mentions):
                self._loud_s = at_s
            self._epoch, self._mentions = epoch, 0
            self._said.clear()
        self._mentions += 1
        self._said.update(set(text.lower().split()))
        return paged

    def _close(self) -> bool:
        """Learn an epoch; whether something in it was significant."""
        self._loud = False
        learned = (self._epoch - self._first) * self.EPOCH_S >= LEARNING_S
        highest: tuple[dict[int, float], ...] = ({}, {})
        for word, count in self._said.items():
            share = count / self._mentions
            buckets = self._buckets(word)
            if learned and count >= self.FEWEST and self._significance(share, buckets) >= self.THRESHOLD:
                self._loud = True
            for table, bucket in zip(highest, buckets, strict=True):
                table[bucket] = max(share, table.get(bucket, 0.0))
        for moments, table in zip(self._moments, highest, strict=True):
            for bucket, share in table.items():
                mean, square = self._usual(moments, bucket)
                rate = 1 - self._keep
                moments[bucket] = (self._epoch, mean + rate * (share - mean), square + rate * (share**2 - square))
        return self._loud

    _loud = False

    def _significance(self, share: float, buckets: tuple[int, int]) -> float:
        usual = [self._usual(table, bucket) for table, bucket in zip(self._moments, buckets, strict=True)]
        mean = min(mean for mean, _ in usual)
        deviation = math.sqrt(min(max(0.0, square - mean**2) for mean, square in usual))
        return (share - max(mean, self.BIAS)) / (deviation + self.BIAS)

    def _usual(self, moments: dict[int, tuple[int, float, float]], bucket: int) -> tuple[float, float]:
        """The mean share and the mean squared share, as silent epochs since have left them."""
        epoch, mean, square = moments.get(bucket, (self._epoch, 0.0, 0.0))
        kept = self._keep ** max(0, self._epoch - epoch - 1)
        return mean * kept, square * kept

    def _buckets(self, word: str) -> tuple[int, int]:
        hashed = crc32(word.encode())
        return hashed % self.BUCKETS, (hashed // self.BUCKETS) % self.BUCKETS


ANCHORS = (MeanAndDeviations, SigniTrend)

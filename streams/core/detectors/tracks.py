"""Counting one brand's series in event time, where mentions come early and late.

A mention may come up to the allowed lateness behind time, and ahead of it. Three kinds of bins:

- *sealed*: ended at least the allowed lateness ago. Only these are learned from, each once, whole.
- *completed*: time has passed their end.
- up to the *head*: the furthest bin that time or any mention has reached. What is up now is judged
  at the head, with the sealed past for what is usual. The head counts with its whole expectation
  from its first second on, so it can only understate. A mention moves the head, never time.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from msgspec import Struct

from streams.core.detectors.series import Series, SeriesParams, Usual

if TYPE_CHECKING:
    from collections.abc import Container


class Track(Struct, array_like=True):
    """One series being followed: its sealed past, and the counts of the latest bins up to the head.

    `weight` and `expected` are the past's sums carried on to the head.
    """

    past: Series
    counts: list[int]
    weight: float = 0.0
    expected: float = 0.0


class Tracks(Struct, array_like=True):
    """One brand's series. Time is in `bin`, mentions have got as far as `head`, all began in `born_bin`."""

    born_bin: int
    bin: int
    head: int
    by_series: dict[str, Track] = {}


class Tracker:
    """Moves tracks through time; holds no state of its own."""

    def __init__(self, params: SeriesParams, *, allowed_lateness_s: int, longest_silence_s: int) -> None:
        """A new series is taught its brand's age in silence, but no more than `longest_silence_s` of it."""
        self._usual = Usual(params)
        self._bin_s = params.bin_s
        self._shown = params.memory_bins
        self._unsealed = ceil(allowed_lateness_s / params.bin_s)  # completed bins that stragglers still reach
        self._behind = max(self._unsealed, self._shown - 1)  # bins whose counts are kept behind time
        self._silence = longest_silence_s // params.bin_s

    def start(self, now_s: float) -> Tracks:
        """A brand first heard of at `now_s`."""
        now = int(now_s // self._bin_s)
        return Tracks(born_bin=now, bin=now, head=now)

    def place(self, tracks: Tracks, at_s: float) -> int | None:
        """The bin of a mention, which may move the head; None where that bin is sealed already."""
        bin_ = int(at_s // self._bin_s)
        if bin_ < tracks.bin - self._unsealed:
            return None
        if bin_ > tracks.head:
            ahead = [0] * (bin_ - tracks.head)
            for track in tracks.by_series.values():
                track.counts += ahead
                track.weight, track.expected = self._usual.roll(
                    track.past, track.weight, track.expected, tracks.head + 1, ahead
                )
            tracks.head = bin_
        return bin_

    def count(self, tracks: Tracks, series: str, bin_: int) -> float:
        """Count one mention in a bin that is not sealed; returns the surprise at the head."""
        track = tracks.by_series.get(series) or self._begin(tracks, series)
        track.counts[bin_ - tracks.head - 1] += 1
        track.weight += self._usual.kept(tracks.head - bin_)
        return self._usual.surprise(track.past, track.weight, track.expected)

    def completed(self, tracks: Tracks, series: str) -> float:
        """The surprise at the end of the bin that time is in."""
        track = tracks.by_series[series]
        return self._usual.surprise(track.past, *self._sums(tracks, track, tracks.bin))

    def turn(self, tracks: Tracks, unusual: Container[str]) -> None:
        """Time goes on to the next bin and one more is sealed. The tails of `unusual` series stay as they are.

        Call `carry` once time stands still: what the sealed bin taught changes the sums at the head.
        """
        sealed = tracks.bin - self._unsealed
        tracks.bin += 1
        fresh = [0] * (tracks.bin - tracks.head)
        tracks.head += len(fresh)
        for series, track in tracks.by_series.items():
            track.counts += fresh
            if sealed >= tracks.born_bin:
                count = track.counts[sealed - tracks.head - 1]
                self._usual.learn(track.past, sealed, count, calibrate=series not in unusual)
            del track.counts[0]

    def carry(self, tracks: Tracks) -> None:
        """Bring the sums at the head up to date."""
        for track in tracks.by_series.values():
            track.weight, track.expected = self._sums(tracks, track, tracks.head)

    def shown(self, tracks: Tracks, series: str, bin_: int) -> tuple[int, float]:
        """What a person may check: mentions in the last `memory_bins` bins up to `bin_`, and the bar for them."""
        track = tracks.by_series[series]
        end = len(track.counts) + bin_ - tracks.head
        return sum(track.counts[end - self._shown : end]), self._sums(tracks, track, bin_)[1]

    def missing(self, tracks: Tracks, series: str, threshold: float) -> int:
        """How many mentions more at the head would surprise by `threshold`; none or fewer: it does already."""
        track = tracks.by_series[series]
        return self._usual.missing(track.past, track.weight, track.expected, threshold)

    def _begin(self, tracks: Tracks, series: str) -> Track:
        past = Series()
        sealed = tracks.bin - self._unsealed
        for bin_ in range(max(tracks.born_bin, sealed - self._silence), sealed):
            self._usual.learn(past, bin_, 0)
        track = Track(past, [0] * (self._behind + 1 + tracks.head - tracks.bin))
        track.weight, track.expected = self._sums(tracks, track, tracks.head)
        tracks.by_series[series] = track
        return track

    def _sums(self, tracks: Tracks, track: Track, until_bin: int) -> tuple[float, float]:
        """The past's sums carried through the bins that are not sealed, to the end of `until_bin`."""
        first = tracks.bin - self._unsealed
        counts = track.counts[first - tracks.head - 1 : len(track.counts) + until_bin - tracks.head]
        return self._usual.roll(track.past, track.past.weight, track.past.expected, first, counts)

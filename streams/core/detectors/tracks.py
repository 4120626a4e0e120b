"""Counting one brand's series in event time, where mentions come early and late.

A mention may come up to the allowed lateness behind time, and ahead of it. Three kinds of bins:

- *sealed*: ended at least the allowed lateness ago. Only these are learned from, each once, whole.
- *completed*: time has passed their end.
- up to the *head*: the furthest bin that time or any mention has reached. What is up now is judged
  at the head, with the sealed past for what is usual. The head counts with its whole expectation
  from its first second on, so it can only understate. A mention moves the head, never time.

A bin that ends while the brand's source is silent is *deaf*: for what is usual it never was.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from msgspec import Struct

from streams.core.detectors.hours import local_bin
from streams.core.detectors.series import Series, SeriesParams, Sums, Usual

if TYPE_CHECKING:
    from collections.abc import Container, Sequence


class Track(Struct, array_like=True):
    """One series being followed: its sealed past, and the counts of the latest bins up to the head.

    `sums` are the past's, carried on to the head. `spare` more mentions in the head's bin would not reach the bar
    that was asked about last, so that nothing has to be worked out; below 0, nobody knows.
    """

    past: Series
    counts: list[int]
    sums: Sums
    spare: int = -1


class Tracks(Struct, array_like=True):
    """One brand's series. Time is in `bin`, mentions have got as far as `head`, all began in `born_bin`.

    `deaf` are the deaf bins of those whose counts are still kept; days and hours are those of `timezone`, an IANA name.
    """

    born_bin: int
    bin: int
    head: int
    by_series: dict[str, Track] = {}
    deaf: list[int] = []
    timezone: str = "UTC"


LOOKS_AHEAD = 8
"""Mentions: so many more are tried at once, to see whether the bar is far."""


class Tracker:
    """Moves tracks through time; holds no state of its own."""

    def __init__(self, params: SeriesParams, *, allowed_lateness_s: int, longest_silence_s: int) -> None:
        """A new series is taught its brand's age in silence, but no more than `longest_silence_s` of it."""
        self.usual = Usual(params)
        self._bin_s = params.bin_s
        self._shown = params.shown_bins
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
            bins = self._local(tracks, range(tracks.head + 1, bin_ + 1))
            for track in tracks.by_series.values():
                track.counts += ahead
                self.usual.roll(track.past, track.sums, bins, ahead)
                track.spare = -1
            tracks.head = bin_
        return bin_

    def count(self, tracks: Tracks, series: str, bin_: int, mentions: int = 1) -> None:
        """Count mentions in a bin that is not sealed."""
        track = tracks.by_series.get(series) or self._begin(tracks, series)
        track.counts[bin_ - tracks.head - 1] += mentions
        track.spare -= mentions
        if bin_ not in tracks.deaf:
            self.usual.add(track.sums, mentions, tracks.head - bin_)

    def score(self, tracks: Tracks, series: str) -> float:
        """The surprise at the head."""
        track = tracks.by_series[series]
        return self.usual.surprise(track.past, track.sums)

    def reaches(self, tracks: Tracks, series: str, bar: float) -> bool:
        """Whether the surprise at the head is `bar` or more, which within a bin never falls."""
        track = tracks.by_series[series]
        if track.spare >= 0:
            return False
        if self.usual.surprise(track.past, track.sums) >= bar:
            return True
        if self.usual.surprise(track.past, track.sums, LOOKS_AHEAD) < bar:
            track.spare = LOOKS_AHEAD
        return False

    def completed(self, tracks: Tracks, series: str) -> tuple[float, float]:
        """The surprise at the end of the bin that time is in, and that of the short memory alone."""
        track = tracks.by_series[series]
        sums = self.sums(tracks, track, tracks.bin)
        return self.usual.surprise(track.past, sums), self.usual.at_present(track.past, sums)

    def turn(self, tracks: Tracks, unusual: Container[str], *, deaf: bool) -> None:
        """Time goes on to the next bin and one more is sealed.

        The tails of `unusual` series stay as they are. Call `carry` once time stands still: what the sealed bin
        taught changes the sums at the head.
        """
        sealed = tracks.bin - self._unsealed
        if deaf:
            tracks.deaf.append(tracks.bin)
        tracks.bin += 1
        fresh = [0] * (tracks.bin - tracks.head)
        tracks.head += len(fresh)
        learns = sealed >= tracks.born_bin and sealed not in tracks.deaf
        local = local_bin(sealed, self._bin_s, tracks.timezone)
        for series, track in tracks.by_series.items():
            track.counts += fresh
            if learns:
                count = track.counts[sealed - tracks.head - 1]
                self.usual.learn(track.past, local, count, calibrate=series not in unusual)
            del track.counts[0]
        if tracks.deaf and tracks.deaf[0] < tracks.bin - self._behind:
            del tracks.deaf[0]

    def carry(self, tracks: Tracks) -> None:
        """Bring the sums at the head up to date."""
        for track in tracks.by_series.values():
            track.sums, track.spare = self.sums(tracks, track, tracks.head), -1

    def shown(self, tracks: Tracks, series: str, bin_: int) -> tuple[int, float]:
        """What a person may check: mentions in the last `shown_bins` bins up to `bin_`, and the bar for them."""
        track = tracks.by_series[series]
        end = len(track.counts) + bin_ - tracks.head
        bins = [one for one in range(bin_ - self._shown + 1, bin_ + 1) if one not in tracks.deaf]
        expected = sum(self.usual.bar(track.past, one) for one in self._local(tracks, bins))
        return sum(track.counts[end - self._shown : end]), expected

    def missing(self, tracks: Tracks, series: str, threshold: float) -> int:
        """How many mentions more at the head would surprise by `threshold`; none or fewer: it does already."""
        track = tracks.by_series[series]
        return self.usual.missing(track.past, track.sums, threshold)

    def sums(self, tracks: Tracks, track: Track, until_bin: int) -> Sums:
        """The past's sums carried through the bins that are not sealed, to the end of `until_bin`."""
        bins: Sequence[int] = range(tracks.bin - self._unsealed, until_bin + 1)
        if tracks.deaf:
            bins = [one for one in bins if one not in tracks.deaf]
        sums = track.past.sums()
        counts = [track.counts[one - tracks.head - 1] for one in bins]
        self.usual.roll(track.past, sums, self._local(tracks, bins), counts)
        return sums

    def _begin(self, tracks: Tracks, series: str) -> Track:
        past = Series()
        sealed = tracks.bin - self._unsealed
        for bin_ in range(max(tracks.born_bin, sealed - self._silence), sealed):
            self.usual.learn(past, local_bin(bin_, self._bin_s, tracks.timezone), 0)
        track = Track(past, [0] * (self._behind + 1 + tracks.head - tracks.bin), past.sums())
        track.sums = self.sums(tracks, track, tracks.head)
        tracks.by_series[series] = track
        return track

    def _local(self, tracks: Tracks, bins: Sequence[int]) -> Sequence[int]:
        zone = tracks.timezone
        return bins if zone == "UTC" else [local_bin(one, self._bin_s, zone) for one in bins]

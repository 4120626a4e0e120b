"""When to speak of a score, when again, and when it is over. Scores are about -ln(probability per bin).

After something was said, it takes a score twice as high to say more. That demand halves every day: what is no
louder than yesterday's storm is no news, and a week later it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct

from streams.core.detectors.hours import DAY_S, HOUR_S


@dataclass(frozen=True, slots=True)
class EpisodeParams:
    """When to speak; all times are event time."""

    threshold: float = 5.5
    louder: float = 2.0  # times as loud: a further step, or a new episode
    fade_s: int = DAY_S  # within which what it takes to speak again halves
    quiet_score: float = 3.0
    quiet_s: int = HOUR_S


class Episode(Struct, array_like=True):
    """The latest episode of a series.

    `score` is what was last said, `peak` the loudest that was seen, faded to what it is worth in `peak_bin`;
    `loud_bin` is the latest that was not quiet.
    """

    first_bin: int
    score: float
    peak: float
    peak_bin: int
    loud_bin: int
    step: int = 1
    over: bool = False


class Episodes:
    """Judges scores; holds no state of its own."""

    def __init__(self, params: EpisodeParams, bin_s: int) -> None:
        self.threshold, self._louder, self._quiet_score = params.threshold, params.louder, params.quiet_score
        self._fade_bins, self._quiet_bins = params.fade_s / bin_s, params.quiet_s // bin_s

    def bar(self, episode: Episode | None, bin_: int) -> float:
        """The score from which to speak again in a bin, or at all."""
        if episode is None:
            return self.threshold
        if not episode.over:
            return self._louder * episode.score
        return max(self.threshold, self._louder * self._faded(episode, bin_))

    def speak(self, episode: Episode | None, bin_: int, score: float) -> Episode:
        """Something was said of a score: the episode with that step in it, maybe a new one."""
        if episode is None or episode.over:
            return Episode(first_bin=bin_, score=score, peak=score, peak_bin=bin_, loud_bin=bin_)
        episode.step += 1
        episode.score = score
        return episode

    def listen(self, episode: Episode, bin_: int, score: float, present: float) -> bool:
        """A bin is complete: has it been quiet long enough since the last loud one? Then it is over now.

        How quiet it is, is what `present` says: the score without what is some hours old.
        """
        episode.peak, episode.peak_bin = max(self._faded(episode, bin_), score), max(episode.peak_bin, bin_)
        if present >= self._quiet_score:
            episode.loud_bin = max(episode.loud_bin, bin_)
        if bin_ - episode.loud_bin < self._quiet_bins:
            return False
        episode.step += 1
        episode.over = True
        return True

    def wait(self, episode: Episode) -> None:
        """A bin went by in which nobody could hear: it was not quiet."""
        episode.loud_bin += 1

    def _faded(self, episode: Episode, bin_: int) -> float:
        return float(episode.peak * 0.5 ** (max(0, bin_ - episode.peak_bin) / self._fade_bins))

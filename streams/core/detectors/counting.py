"""What the counting detectors share: a brand's series, the episodes in them, and what is told of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from streams.core.detectors.episodes import Episode, EpisodeParams, Episodes
from streams.core.detectors.hours import DAY_S
from streams.core.detectors.interface import Sign
from streams.core.detectors.series import SeriesParams
from streams.core.detectors.tracks import Tracker, Tracks
from streams.records import Expected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.core.detectors.interface import Nature, Parameter, Plan
    from streams.core.detectors.tail import Tails

FORGOTTEN_AFTER_S = 60 * DAY_S


@dataclass(frozen=True, slots=True)
class CountingParams:
    """How counts are read, and when to speak of them."""

    series: SeriesParams = field(default_factory=SeriesParams)
    episodes: EpisodeParams = field(default_factory=EpisodeParams)
    learning_s: int = 3 * DAY_S


class Storms(Struct, array_like=True):
    """One brand's series, and the latest episode of each."""

    learning_until_s: float
    tracks: Tracks
    episodes: dict[str, Episode] = {}


class Counting:
    """Counts, seals and speaks; holds no state of its own."""

    def __init__(self, params: CountingParams, *, allowed_lateness_s: int) -> None:
        """`allowed_lateness_s` is how far behind time a mention may come without being marked late."""
        self._bin_s = params.series.bin_s
        self._window_s = params.series.shown_bins * self._bin_s
        self._learning_s = params.learning_s
        self._episodes = Episodes(params.episodes, self._bin_s)
        self._tracker = Tracker(
            params.series, allowed_lateness_s=allowed_lateness_s, longest_silence_s=params.learning_s
        )
        self.threshold = params.episodes.threshold
        self.parameters: dict[str, Parameter] = {
            "threshold": self.threshold,
            "baseline_s": int(params.series.level_half_life_days * DAY_S),
            "bin_s": self._bin_s,
        }

    @property
    def tails(self) -> Tails:
        """How the series' tails are read; for evidence of another kind."""
        return self._tracker.usual.tails

    def start(self, now_s: float) -> Storms:
        """A brand first heard of at `now_s`."""
        return Storms(now_s + self._learning_s, self._tracker.start(now_s))

    def due_s(self, storms: Storms) -> float:
        """The end of the bin that time is in."""
        return float((storms.tracks.bin + 1) * self._bin_s)

    def place(self, storms: Storms, at_s: float, plan: Plan) -> int | None:
        """The bin of a mention; None where it is sealed already.

        After FORGOTTEN_AFTER_S without a word everything is learned anew: nobody knows what is usual then.
        """
        if at_s - storms.tracks.head * self._bin_s > FORGOTTEN_AFTER_S:
            anew = self.start(at_s)
            storms.learning_until_s, storms.tracks, storms.episodes = anew.learning_until_s, anew.tracks, {}
        storms.tracks.timezone = plan.timezone
        return self._tracker.place(storms.tracks, at_s)

    def count(self, storms: Storms, series: str, bin_: int, mentions: int = 1) -> None:
        """Count mentions in a bin that `place` gave."""
        self._tracker.count(storms.tracks, series, bin_, mentions)

    def reaches(self, storms: Storms, series: str, bar: float) -> bool:
        """Whether the series' score is as high as its `bar` now; mostly known without working it out."""
        return self._tracker.reaches(storms.tracks, series, bar)

    def score(self, storms: Storms, series: str) -> float:
        """How surprising the series is now."""
        return self._tracker.score(storms.tracks, series)

    def without(self, storms: Storms, series: str, mentions: float) -> float:
        """The series' score, if so many of its present mentions had not been."""
        track = storms.tracks.by_series[series]
        return self._tracker.usual.surprise(track.past, track.sums, -mentions)

    def bar(self, storms: Storms, series: str) -> float:
        """The score from which to speak, or speak again; none while learning."""
        if storms.tracks.head * self._bin_s < storms.learning_until_s:
            return inf
        return self._episodes.bar(storms.episodes.get(series), storms.tracks.head)

    def speak(
        self, storms: Storms, series: str, score: float, at_s: float, nature: Nature, usual_part: float | None = None
    ) -> Sign:
        """The next step of the series' episode. `usual_part` says that so much of what is observed is expected."""
        head = storms.tracks.head
        storms.episodes[series] = self._episodes.speak(storms.episodes.get(series), head, score)
        # A straggler decides about now, not about the time that it comes from.
        at_s = max(at_s, float(head * self._bin_s))
        return self._sign(storms, series, "open", at_s=at_s, score=score, nature=nature, usual_part=usual_part)

    def passed(
        self,
        storms: Storms,
        now_s: float,
        plan: Plan,
        *,
        deaf: bool,
        beside: Callable[[float, bool], float] = lambda _, __: 0.0,
    ) -> list[Sign]:
        """Complete and seal, bin by bin, up to `now_s`.

        `beside` is asked once for each bin that ends: what other evidence there is then, as a score. It is told
        when the bin ends, and whether all is calm.
        """
        signs: list[Sign] = []
        if self.due_s(storms) > now_s:
            return signs
        tracks = storms.tracks
        tracks.timezone = plan.timezone
        while (at_s := self.due_s(storms)) <= now_s:
            going_on = _going_on(storms)
            other = 0.0 if deaf else beside(at_s, not going_on)
            for series, episode in going_on.items():
                if deaf:
                    self._episodes.wait(episode)
                    continue
                score, present = self._tracker.completed(tracks, series)
                score = max(other, score)
                if self._episodes.listen(episode, tracks.bin, score, max(other, present)):
                    signs.append(self._sign(storms, series, "over", at_s=at_s, score=score))
            self._tracker.turn(tracks, _going_on(storms) if going_on else (), deaf=deaf)
        self._tracker.carry(tracks)
        return signs

    def expects(self, storms: Storms, now_s: float, detector: str) -> Sequence[Expected]:
        """Counts as a person may check them. `high` is where the detector would speak, or speak again.

        Older mentions weigh less in the score than in `observed`: `high` is where it would stand if those that
        are missing came right now.
        """
        tracks = storms.tracks
        if min(now_s, tracks.head * self._bin_s) < storms.learning_until_s:
            return ()
        told = []
        for series in tracks.by_series:
            observed, expected = self._tracker.shown(tracks, series, tracks.head)
            missing = self._tracker.missing(tracks, series, self.bar(storms, series))
            told.append(
                Expected(
                    detector=detector,
                    series=series,
                    window_s=self._window_s,
                    observed=float(observed),
                    expected=round(expected, 2),
                    high=max(float(observed + max(missing, 1)), round(expected, 2)),
                )
            )
        return told

    def _sign(
        self,
        storms: Storms,
        series: str,
        stands: Literal["open", "over"],
        *,
        at_s: float,
        score: float,
        nature: Nature = "trouble",
        usual_part: float | None = None,
    ) -> Sign:
        last_bin = storms.tracks.head if stands == "open" else storms.tracks.bin
        observed, usual = self._tracker.shown(storms.tracks, series, last_bin)
        episode = storms.episodes[series]
        return Sign(
            series=series,
            episode_s=episode.first_bin * self._bin_s,
            step=episode.step,
            state=stands,
            at_s=at_s,
            observed=float(observed),
            expected=usual if usual_part is None else usual_part * observed,
            score=score,
            window_s=self._window_s,
            nature=nature,
        )


def _going_on(storms: Storms) -> dict[str, Episode]:
    if not storms.episodes:
        return storms.episodes
    return {series: episode for series, episode in storms.episodes.items() if not episode.over}

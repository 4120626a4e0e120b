"""Volume: more mentions, or more negative ones, than this brand usually has at this hour.

Sees campaigns, outages and storms. An onset of a few per cent of a busy brand's volume drowns in
its noise: that is for other detectors. Every mention is judged as it comes, so the page leaves
with the deciding one; only completed bins decide that an episode is over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from streams.core.detectors.interface import NO_PLAN, Sign
from streams.core.detectors.series import DAY_S, SeriesParams
from streams.core.detectors.tracks import Tracker, Tracks
from streams.records import Expected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.core.detectors.interface import Heard, Plan


@dataclass(frozen=True, slots=True)
class VolumeParams:
    """When to speak. Scores are about -ln(probability per bin); all times are event time."""

    series: SeriesParams = field(default_factory=SeriesParams)
    threshold: float = 6.3
    louder: float = 2.0  # times as loud: a further step, or a new episode despite the cool-down
    quiet_score: float = 3.0
    quiet_s: int = 3600
    cooldown_s: int = 12 * 3600
    learning_s: int = 3 * DAY_S


FORGOTTEN_AFTER_S = 60 * DAY_S


class Episode(Struct, array_like=True):
    """The latest episode of a series: open until `cool_bin`, the end of its cool-down, is known.

    `score` is what was last said, `peak` the most that was seen; `loud_bin` is the latest that was not quiet.
    """

    first_bin: int
    score: float
    peak: float
    loud_bin: int
    step: int = 1
    cool_bin: int | None = None


class VolumeState(Struct, array_like=True):
    """One brand."""

    learning_until_s: float
    tracks: Tracks
    episodes: dict[str, Episode] = {}


def series_of(mention: Heard) -> tuple[str, ...]:
    """The series a mention counts in. One never heard of before has been silent as long as its brand is known."""
    return ("all", "negative") if mention.label == "negative" else ("all",)


class VolumeDetector:
    """Follows a brand's series and speaks when there is far more than usual.

    A sign's `observed` is the plain number of mentions in the last `memory_bins` bins (half an
    hour), the running one included; `expected` is the bar that they were judged by, which at night
    is the level of the whole day.
    """

    name = "volume"
    version = "1"
    state_type = VolumeState
    watched: Mapping[str, str] = MappingProxyType({"volume": "all", "negativity": "negative"})

    def __init__(self, allowed_lateness_s: int = 900, params: VolumeParams | None = None) -> None:
        """`allowed_lateness_s` is how far behind time a mention may come without being marked late."""
        self._params = params = params or VolumeParams()
        self._bin_s = params.series.bin_s
        self._window_s = params.series.memory_bins * self._bin_s
        self._tracker = Tracker(
            params.series, allowed_lateness_s=allowed_lateness_s, longest_silence_s=params.learning_s
        )

    def start(self, now_s: float) -> VolumeState:
        """A brand first heard of at `now_s`."""
        return VolumeState(now_s + self._params.learning_s, self._tracker.start(now_s))

    def due_s(self, state: VolumeState) -> float:
        """The end of the bin that time is in."""
        return float((state.tracks.bin + 1) * self._bin_s)

    def learning_until_s(self, state: VolumeState) -> float:
        """A few days after the brand was first heard of, for all its series alike."""
        return state.learning_until_s

    def expects(self, state: VolumeState, now_s: float) -> Sequence[Expected]:
        """Counts as a person may check them. `high` is where the score reaches the threshold, whatever the episode.

        Older mentions weigh less in the score than in `observed`: `high` is where it would stand if those that
        are missing came right now.
        """
        tracks = state.tracks
        if min(now_s, tracks.head * self._bin_s) < state.learning_until_s:
            return ()
        told = []
        for series in tracks.by_series:
            observed, expected = self._tracker.shown(tracks, series, tracks.head)
            high = max(0, observed + self._tracker.missing(tracks, series, self._params.threshold))
            told.append(
                Expected(
                    detector=self.name,
                    series=series,
                    window_s=self._window_s,
                    observed=float(observed),
                    expected=round(expected, 2),
                    high=float(high),
                )
            )
        return told

    def heard(self, state: VolumeState, mention: Heard, plan: Plan = NO_PLAN) -> Sequence[Sign]:  # noqa: ARG002
        """Count one mention and judge. In a bin already sealed it is too late to count.

        After FORGOTTEN_AFTER_S without a word everything is learned anew: nobody knows what is usual then.
        """
        if mention.at_s - state.tracks.head * self._bin_s > FORGOTTEN_AFTER_S:
            anew = self.start(mention.at_s)
            state.learning_until_s, state.tracks, state.episodes = anew.learning_until_s, anew.tracks, {}
        bin_ = self._tracker.place(state.tracks, mention.at_s)
        if bin_ is None:
            return ()
        signs: list[Sign] = []
        for series in series_of(mention):
            score = self._tracker.count(state.tracks, series, bin_)
            if score >= self._params.threshold and score >= self._bar(state, series):
                signs.append(self._speak(state, series, score, mention.at_s))
        return signs

    def passed(
        self,
        state: VolumeState,
        now_s: float,
        plan: Plan = NO_PLAN,  # noqa: ARG002
        *,
        deaf: bool = False,  # noqa: ARG002
    ) -> Sequence[Sign]:
        """Complete and seal, bin by bin, up to `now_s`: silence is learned from too."""
        signs: list[Sign] = []
        if self.due_s(state) > now_s:
            return signs
        while self.due_s(state) <= now_s:
            for series, episode in state.episodes.items():
                if episode.cool_bin is None:
                    signs += self._listen(state, series, episode)
            self._tracker.turn(state.tracks, _open(state))
        self._tracker.carry(state.tracks)
        return signs

    def _bar(self, state: VolumeState, series: str) -> float:
        """The score from which to speak again, or at all."""
        if state.tracks.head * self._bin_s < state.learning_until_s:
            return inf
        episode = state.episodes.get(series)
        if episode is None or (episode.cool_bin is not None and episode.cool_bin <= state.tracks.head):
            return self._params.threshold
        return self._params.louder * (episode.score if episode.cool_bin is None else episode.peak)

    def _speak(self, state: VolumeState, series: str, score: float, at_s: float) -> Sign:
        head = state.tracks.head
        episode = state.episodes.get(series)
        if episode is None or episode.cool_bin is not None:
            episode = state.episodes[series] = Episode(first_bin=head, score=score, peak=score, loud_bin=head)
        else:
            episode.step += 1
            episode.score = score
        # A straggler decides about now, not about the time that it comes from.
        return self._sign(state, series, "open", at_s=max(at_s, float(head * self._bin_s)), score=score)

    def _listen(self, state: VolumeState, series: str, episode: Episode) -> Sequence[Sign]:
        """The bin that time is in is complete: has it been quiet long enough since the last loud one?"""
        completed = state.tracks.bin
        score = self._tracker.completed(state.tracks, series)
        episode.peak = max(episode.peak, score)
        if score >= self._params.quiet_score:
            episode.loud_bin = max(episode.loud_bin, completed)
        if (completed - episode.loud_bin) * self._bin_s < self._params.quiet_s:
            return ()
        episode.step += 1
        episode.cool_bin = completed + 1 + self._params.cooldown_s // self._bin_s
        return (self._sign(state, series, "over", at_s=self.due_s(state), score=score),)

    def _sign(
        self, state: VolumeState, series: str, stands: Literal["open", "over"], *, at_s: float, score: float
    ) -> Sign:
        last_bin = state.tracks.head if stands == "open" else state.tracks.bin
        observed, expected = self._tracker.shown(state.tracks, series, last_bin)
        episode = state.episodes[series]
        return Sign(
            series=series,
            episode_s=episode.first_bin * self._bin_s,
            step=episode.step,
            state=stands,
            at_s=at_s,
            observed=float(observed),
            expected=expected,
            score=score,
            window_s=self._window_s,
        )


def _open(state: VolumeState) -> list[str]:
    return [series for series, episode in state.episodes.items() if episode.cool_bin is None]

"""Volume: more mentions than this brand, or one of its issues, usually has at this hour.

Sees campaigns, outages and storms. An onset of a few per cent of a busy brand's volume drowns in
its noise: that is for other detectors. Every mention is judged as it comes, so the page leaves
with the deciding one; only completed bins decide that an episode is over.

A storm is "praise" where clearly more of it than usual is positive, and not more negative; "flood" where less than
half would be left of its score without copies, reposts, accounts made lately and people who repeat themselves; "trouble"
where clearly more of it is negative. A storm in the usual mood is "notable", and trouble once it is twice as loud, or
where moods are hardly ever known. So an outage told in neutral words is trouble, and a busy half hour is not.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

from streams.core.detectors.counting import Counting, CountingParams, Storms
from streams.core.detectors.interface import NO_PLAN
from streams.core.detectors.mood import Mood, started

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.core.detectors.interface import Heard, Nature, Parameter, Plan, Sign
    from streams.records import Expected

MOST_ISSUES = 16
"""The first so many issues that a brand is heard of with; each takes half a kilobyte."""

LOUD = 2.0
"""Times the threshold: so loud is trouble even in the usual mood."""


class VolumeState(Struct, array_like=True):
    """One brand."""

    storms: Storms
    mood: Mood


class VolumeDetector:
    """Follows a brand's series and speaks when there is far more than usual.

    A sign's `observed` is the plain number of mentions in the last half hour, the running bin
    included; `expected` is the bar that they were judged by, which at night is the level of the
    whole day.
    """

    name = "volume"
    version = "3"
    state_type = VolumeState
    watched: Mapping[str, str] = MappingProxyType({"volume": "all"})

    def __init__(self, allowed_lateness_s: int = 900, params: CountingParams | None = None) -> None:
        """`allowed_lateness_s` is how far behind time a mention may come without being marked late."""
        self._counting = Counting(params or CountingParams(), allowed_lateness_s=allowed_lateness_s)
        self.parameters: Mapping[str, Parameter] = self._counting.parameters

    def start(self, now_s: float) -> VolumeState:
        """A brand first heard of at `now_s`."""
        return VolumeState(self._counting.start(now_s), started(now_s))

    def due_s(self, state: VolumeState) -> float:
        """The end of the bin that time is in."""
        return self._counting.due_s(state.storms)

    def learning_until_s(self, state: VolumeState) -> float:
        """A few days after the brand was first heard of, for all its series alike."""
        return state.storms.learning_until_s

    def expects(self, state: VolumeState, now_s: float) -> Sequence[Expected]:
        """See `Counting.expects`."""
        return self._counting.expects(state.storms, now_s, self.name)

    def heard(self, state: VolumeState, mention: Heard, plan: Plan = NO_PLAN) -> Sequence[Sign]:
        """Count one mention and judge. In a bin already sealed it is too late to count."""
        storms, signs = state.storms, []
        bin_ = self._counting.place(storms, mention.at_s, plan)
        if bin_ is None:
            return ()
        state.mood.hear(mention, counts=True)
        for series in _series_of(mention, storms):
            self._counting.count(storms, series, bin_)
            bar = self._counting.bar(storms, series)
            if self._counting.reaches(storms, series, bar):
                score = self._counting.score(storms, series)
                if nature := self._nature(state, series, score, bar):
                    signs.append(self._counting.speak(storms, series, score, mention.at_s, nature))
        return signs

    def passed(self, state: VolumeState, now_s: float, plan: Plan = NO_PLAN, *, deaf: bool = False) -> Sequence[Sign]:
        """Complete and seal, bin by bin, up to `now_s`: silence is learned from too, unless it is deafness."""
        return self._counting.passed(state.storms, now_s, plan, deaf=deaf)

    def _nature(self, state: VolumeState, series: str, score: float, bar: float) -> Nature | None:
        """None where copies alone lift it over the bar, but do not make up most of it: wait for what comes next."""
        mood = state.mood
        genuine = self._counting.without(state.storms, series, mood.unusual_echoes())
        if genuine < score / 2:
            return "flood"
        if genuine < bar:
            return None
        if mood.share_between("negative")[0] > mood.usual_share("negative"):
            return "trouble"
        if mood.share_between("positive")[0] > mood.usual_share("positive"):
            return "praise"
        return "notable" if mood.is_known() and score < LOUD * self._counting.threshold else "trouble"


def _series_of(mention: Heard, storms: Storms) -> list[str]:
    """The series a mention counts in. One never heard of before has been silent as long as its brand is known."""
    known = storms.tracks.by_series
    series = ["all"]
    for issue in dict.fromkeys(mention.issues):
        name = f"issue:{issue}"
        if name in known or len(known) + len(series) <= MOST_ISSUES + 1:
            series.append(name)
    return series

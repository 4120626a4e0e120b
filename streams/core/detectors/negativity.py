"""Negativity: more negative mentions than this brand usually has at this hour, or a larger share of them.

The count sees a storm; the share sees a brand that is spoken of no more than usual, but suddenly badly. A brand that
is always spoken of badly has such counts and such a share for usual.

More negative mentions are "trouble" where their share is clearly higher too. If everything else rose with them, they are
merely "notable": a contest brings its grumblers. Until either is clear, nothing is said. They are "flood" where less
than half would be left, of the score or of those that are too many, without copies, reposts, accounts made lately and
people who repeat themselves.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from streams.core.detectors.counting import Counting, CountingParams, Storms
from streams.core.detectors.interface import NO_PLAN
from streams.core.detectors.mood import Mood, started
from streams.core.detectors.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.core.detectors.interface import Heard, Nature, Parameter, Plan, Sign
    from streams.records import Expected

SERIES = "negative"
FEWEST_SCORED = 30.0
"""Of about the last hour: a share of fewer says nothing."""

CLEARLY = 0.12
"""So much more of the mentions than usual, at the lower end of what the share may be."""

WORSE = 0.2
"""So much of what usually is not negative may now be: else all rose alike."""


class NegativityState(Struct, array_like=True):
    """One brand. `tail` is of the evidence that the share is higher than usual, learned in `bins` bins."""

    storms: Storms
    mood: Mood
    tail: Tail = msgspec.field(default_factory=Tail)
    bins: int = 0


class NegativityDetector:
    """Speaks of one series, whichever of count and share is the more surprising.

    A sign's `observed` is the plain number of negative mentions in the last half hour, the running bin included;
    `expected` is the bar for them, or, where the share decides, how many of as many mentions usually are.
    """

    name = "negativity"
    version = "2"
    state_type = NegativityState
    watched: Mapping[str, str] = MappingProxyType({"negativity": SERIES})

    def __init__(self, allowed_lateness_s: int = 900, params: CountingParams | None = None) -> None:
        """`allowed_lateness_s` is how far behind time a mention may come without being marked late."""
        self._counting = Counting(params or CountingParams(), allowed_lateness_s=allowed_lateness_s)
        self.parameters: Mapping[str, Parameter] = {**self._counting.parameters, "share_above_usual": CLEARLY}

    def start(self, now_s: float) -> NegativityState:
        """A brand first heard of at `now_s`."""
        return NegativityState(self._counting.start(now_s), started(now_s))

    def due_s(self, state: NegativityState) -> float:
        """The end of the bin that time is in."""
        return self._counting.due_s(state.storms)

    def learning_until_s(self, state: NegativityState) -> float:
        """A few days after the brand was first heard of."""
        return state.storms.learning_until_s

    def expects(self, state: NegativityState, now_s: float) -> Sequence[Expected]:
        """See `Counting.expects`: of the count, as if the share were as usual."""
        return self._counting.expects(state.storms, now_s, self.name)

    def heard(self, state: NegativityState, mention: Heard, plan: Plan = NO_PLAN) -> Sequence[Sign]:
        """Count one mention and judge, if it is negative. In a bin already sealed it is too late to count."""
        storms, mood, negative = state.storms, state.mood, mention.label == "negative"
        bin_ = self._counting.place(storms, mention.at_s, plan)
        if bin_ is None:
            return ()
        mood.hear(mention, counts=negative)
        if not negative:
            return ()
        self._counting.count(storms, SERIES, bin_)
        share, bar = self._share(state, mood.at_s), self._counting.bar(storms, SERIES)
        if share < bar and not self._counting.reaches(storms, SERIES, bar):
            return ()
        many = self._counting.score(storms, SERIES)
        score, nature = max(many, share), self._nature(state, many, share, bar)
        if nature is None:
            return ()
        usual, now = mood.usual_share(SERIES), mood.now
        expected = None if many >= share else usual * now.scored / now.negative
        return (self._counting.speak(storms, SERIES, score, mention.at_s, nature, usual_part=expected),)

    def passed(
        self, state: NegativityState, now_s: float, plan: Plan = NO_PLAN, *, deaf: bool = False
    ) -> Sequence[Sign]:
        """Complete and seal, bin by bin, up to `now_s`: silence is learned from too, unless it is deafness."""

        def share(at_s: float, calm: bool) -> float:
            score = self._share(state, at_s)
            if calm:
                tails = self._counting.tails
                tails.learn(state.tail, state.mood.lopsided(SERIES, at_s), tails.rate(state.bins))
            state.bins += 1
            return score

        return self._counting.passed(state.storms, now_s, plan, deaf=deaf, beside=share)

    def _share(self, state: NegativityState, at_s: float, without: float = 0.0) -> float:
        """How surprising the share is, about -ln(probability); 0 where it is not clearly higher than usual."""
        mood = state.mood
        if mood.now.scored < FEWEST_SCORED:
            return 0.0
        if mood.share_between(SERIES)[0] < mood.usual_share(SERIES) + CLEARLY:
            return 0.0
        return self._counting.tails.surprise(state.tail, mood.lopsided(SERIES, at_s, without))

    def _nature(self, state: NegativityState, many: float, share: float, bar: float) -> Nature | None:
        """None where that is not clear yet, or copies alone lift it over the bar, but do not make up most of it."""
        mood = state.mood
        usual, echoes = mood.usual_share(SERIES), mood.unusual_echoes()
        genuine = max(self._counting.without(state.storms, SERIES, echoes), self._share(state, mood.at_s, echoes))
        too_many = mood.now.negative - usual * mood.now.scored
        if genuine < max(many, share) / 2 or (share > many and echoes > too_many / 2):
            return "flood"
        if genuine < bar:
            return None
        low, high = mood.share_between(SERIES)
        if high < usual + WORSE * (1 - usual):
            return "notable"
        return "trouble" if low > usual + CLEARLY * (1 - usual) else None

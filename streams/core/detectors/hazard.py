"""Hazard: a few different people on something dangerous, whatever the sentiment and however few.

The handful of posts that precede a recall drown in every count. Works from the first mention; nothing
is learned before it speaks. How many people within how long suffice, the rules say for each issue. A
copy of what was heard before is nobody's own observation and is not counted.

Who stood behind an episode does not count for the next one while that is remembered, so that a trickle
at the threshold does not page again and again.
"""

from __future__ import annotations

from math import inf, lgamma, log
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from streams.core.detectors.interface import NO_PLAN, Sign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.core.detectors.interface import Heard, Plan
    from streams.records import Expected

MOST_AUTHORS = 200
"""Remembered of an issue, the latest; of those behind an earlier episode as many again."""

MOST_MENTIONS, MOST_ID = 12, 200
BUCKET_S = 60
DAY_S = 86_400
USUAL_HALF_LIFE_DAYS = 28.0
USUAL_AT_FIRST = 0.1, 1.5
"""People in days: half a person a week is taken for usual before anything is known."""


class Episode(Struct, array_like=True):
    """The latest of an issue. `said` is the number of people last told of; from `over_s` on too few are left."""

    first_s: int
    step: int
    said: int
    over_s: float
    within_s: int
    open: bool = True


class Told(Struct, array_like=True):
    """What is known of one hazard issue: when each author last spoke, and how many usually do.

    `people` in `days` are decayed counts of all that were ever counted, as of `known_s`.
    """

    known_s: float
    authors: dict[int, float] = {}
    before: dict[int, float] = {}
    mentions: list[str] = []
    people: float = 0.0
    days: float = 0.0
    episode: Episode | None = None


class HazardState(Struct, array_like=True):
    """One brand, by hazard issue."""

    issues: dict[str, Told] = {}


class HazardDetector:
    """Counts distinct people on each hazard issue of a brand.

    A sign's `observed` is people, not mentions; `expected` is how many speak of it in such a time usually. It
    takes a further step each time they are twice as many. An episode is over when fewer than needed are left within
    the window.
    """

    name = "hazard"
    version = "1"
    state_type = HazardState
    watched: Mapping[str, str] = MappingProxyType({"hazard": "issue:*"})
    parameters: Mapping[str, float] = MappingProxyType({"baseline_s": int(USUAL_HALF_LIFE_DAYS * DAY_S)})

    def __init__(self, allowed_lateness_s: int = 900) -> None:
        """Needs to know nothing of lateness: who spoke when is remembered."""

    def start(self, now_s: float) -> HazardState:  # noqa: ARG002
        """Nothing is known, and nothing needs to be."""
        return HazardState({})

    def due_s(self, state: HazardState) -> float:
        """When the first open episode will be over."""
        return min(map(_over_s, state.issues.values()), default=inf)

    def learning_until_s(self, state: HazardState) -> float:  # noqa: ARG002
        """It never learns before it speaks."""
        return 0.0

    def expects(self, state: HazardState, now_s: float) -> Sequence[Expected]:  # noqa: ARG002
        """Nothing: the rules say what suffices, not the past."""
        return ()

    def heard(self, state: HazardState, mention: Heard, plan: Plan = NO_PLAN) -> Sequence[Sign]:
        """Count its author on each hazard issue that it is about."""
        if mention.voice.copy or plan.hazards.keys().isdisjoint(mention.issues):
            return ()
        for issue in [
            issue for issue, told in state.issues.items() if issue not in plan.hazards and _over_s(told) == inf
        ]:
            del state.issues[issue]
        signs = []
        for issue in mention.issues:
            if issue in plan.hazards:
                told = state.issues.setdefault(issue, Told(mention.at_s))
                sign = _count(issue, told, mention, *plan.hazards[issue])
                if sign is not None:
                    signs.append(sign)
        return signs

    def passed(
        self,
        state: HazardState,
        now_s: float,
        plan: Plan = NO_PLAN,  # noqa: ARG002
        *,
        deaf: bool = False,  # noqa: ARG002
    ) -> Sequence[Sign]:
        """End the episodes in which too few are left."""
        ending = sorted((_over_s(told), issue) for issue, told in state.issues.items() if inf > _over_s(told) <= now_s)
        return [_end(issue, state.issues[issue]) for _, issue in ending]


def _over_s(told: Told) -> float:
    """When the open episode of an issue will be over, if there is one."""
    return told.episode.over_s if told.episode is not None and told.episode.open else inf


def _count(issue: str, told: Told, mention: Heard, at_least: int, within_s: int) -> Sign | None:
    author, at_s = mention.author, mention.at_s
    if (spoke_s := told.before.get(author)) is not None:
        if abs(at_s - spoke_s) < within_s:
            _note(told.before, author, at_s)
            return None
        del told.before[author]
    if author not in told.authors:
        _learn(told, at_s)
    _note(told.authors, author, at_s)
    if mention.id not in told.mentions and len(mention.id) <= MOST_ID:
        told.mentions = [*told.mentions, mention.id][-MOST_MENTIONS:]

    people, end_s = _most_together(sorted(told.authors.values()), at_s, within_s)
    episode = told.episode
    if not (episode and episode.open):
        if people < at_least:
            return None
        first_s = int(at_s // BUCKET_S) * BUCKET_S
        if episode is not None:
            first_s = max(first_s, episode.first_s + BUCKET_S)
        episode = told.episode = Episode(first_s, 0, 0, 0.0, within_s)
    times = sorted(told.authors.values(), reverse=True)
    episode.over_s = max(episode.over_s, times[min(at_least, len(times)) - 1] + within_s)
    if people < 2 * episode.said:
        return None
    episode.step += 1
    episode.said = people
    return _sign(issue, told, episode, "open", at_s=end_s, people=people)


def _end(issue: str, told: Told) -> Sign:
    """Who was counted so far does not count again soon."""
    episode = told.episode
    assert episode is not None
    left = sum(episode.over_s - episode.within_s < at_s <= episode.over_s for at_s in told.authors.values())
    episode.step += 1
    episode.open = False
    for author, at_s in [(author, at_s) for author, at_s in told.authors.items() if at_s <= episode.over_s]:
        _note(told.before, author, at_s)
        del told.authors[author]
    return _sign(issue, told, episode, "over", at_s=episode.over_s, people=left)


def _sign(
    issue: str, told: Told, episode: Episode, stands: Literal["open", "over"], *, at_s: float, people: int
) -> Sign:
    expected = _expected(told, episode)
    return Sign(
        series=f"issue:{issue}",
        episode_s=episode.first_s,
        step=episode.step,
        state=stands,
        at_s=at_s,
        observed=float(people),
        expected=expected,
        score=_surprise(people, expected),
        window_s=episode.within_s,
        mentions=tuple(told.mentions),
        authors=people,
    )


def _most_together(times: Sequence[float], at_s: float, within_s: int) -> tuple[int, float]:
    """The most people in any window that holds `at_s`, and the latest of them. A straggler may complete an earlier one."""
    most, latest_s, first = 0, at_s, 0
    for number, end_s in enumerate(times):
        while times[first] <= end_s - within_s:
            first += 1
        if times[first] <= at_s <= end_s and number - first + 1 > most:
            most, latest_s = number - first + 1, end_s
    return most, latest_s


def _note(authors: dict[int, float], author: int, at_s: float) -> None:
    authors[author] = max(authors.get(author, at_s), at_s)
    if len(authors) > MOST_AUTHORS:
        del authors[min(authors, key=authors.__getitem__)]


def _learn(told: Told, at_s: float) -> None:
    """One more, in so many days more; both fade, so that what is usual may change."""
    gap_days = max(0.0, at_s - told.known_s) / DAY_S
    kept = 0.5 ** (gap_days / USUAL_HALF_LIFE_DAYS)
    told.people, told.days = told.people * kept + 1, (told.days + gap_days) * kept
    told.known_s = max(told.known_s, at_s)


def _expected(told: Told, episode: Episode) -> float:
    """People in such a window, by what came before those who are there now."""
    people, days = USUAL_AT_FIRST
    before = max(0.0, told.people - episode.said)
    return (before + people) / (told.days + days) * episode.within_s / DAY_S


def _surprise(people: int, expected: float) -> float:
    """-ln(probability) of at least so many where `expected` is the mean of a Poisson count."""
    if people <= expected:
        return 0.0
    term, total, k = 1.0, 1.0, people
    while term > 1e-9 * total:
        k += 1
        term *= expected / k
        total += term
    return max(0.0, expected - people * log(expected) + lgamma(people + 1) - log(total))

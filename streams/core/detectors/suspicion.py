"""How likely it is that a rise is news, bad news, and told by many: pure functions of what was counted.

Evidence is in nats, about -ln(the probability that chance alone brings so much).
"""

from __future__ import annotations

from math import log, sqrt
from typing import TYPE_CHECKING, NamedTuple

from streams.core.detectors.termtable import UNIT
from streams.core.detectors.witnesses import ALTERED, BAD, COPY, DATED, GOOD, YOUNG

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.core.detectors.termtable import Scale, Term, TermTable
    from streams.core.detectors.witnesses import Witness, Witnesses

UNEVEN = 0.25
"""Variance beyond Poisson's, as a share of the squared mean: people take up each other's words."""
LEAST_EXPECTED = 0.05
UNKNOWN = 500
"""Mentions that a brand is thought to have had before the first one: a word said once in ten is no usual word yet."""
PRIOR = 20
"""Mentions in the brand's usual mood that each term is thought to have had before."""
STOP_SHARE = 0.15
"""What is in so large a share of all mentions is about no topic; above all, the brand's own name."""
BAD_SHARE, BAD_ODDS = 0.7, 7.0
"""Share of negative mentions in trouble, sentiment being scored wrongly now and then; and how many times worse than usual
the odds are, where little is ever scored as negative. Where much is, half of what usually is not."""
YOUNG_SHARE, LEAST_YOUNG = 0.6, 0.05
"""Share of young accounts among those made for a flood, and the least that is thought usual."""
ALTERED_SHARE, LEAST_ALTERED = 0.3, 0.02
"""The same of copies with a word changed, among a flood's texts: people repost, machines vary."""
CERTAIN = 0.95


class Rise(NamedTuple):
    """One term that is said more than usual: `observed` against `expected` mentions, faded.

    `background` is how many of the last hours' mentions with it come as usual. `usual_bad` is what share of them is
    usually negative, `bad` what share is now, and `mood` what share of all the brand's mentions usually is.
    """

    term: str
    evidence: float
    observed: float
    expected: float
    background: float
    usual_bad: float
    bad: float
    mood: float

    @property
    def sours(self) -> bool:
        """Whether its mentions are nearer to trouble's mood than to their usual one."""
        return self.bad >= (self.usual_bad + max(_trouble(self.mood), self.usual_bad + 0.1)) / 2


def excess(observed: float, expected: float) -> float:
    """Evidence that a faded count is more than was expected: half the deviance of a negative binomial.

    The variance of an exponentially faded Poisson count is half its mean, so twice the count is like a plain one.
    """
    count, mean, shape = 2 * observed, 2 * max(expected, LEAST_EXPECTED), 1 / UNEVEN
    if count <= 2 * mean:
        return 0.0
    return count * log(count / mean) - (count + shape) * log((count + shape) / (mean + shape))


def rise_of(term: str, table: TermTable, scale: Scale, least: float = 0.0) -> Rise | None:
    """How a term rises, by the stronger of its two memories; None if by less evidence than `least`, or it is no topic's.

    What was said lately does not count as usual: neither for how often a term is said, nor in which mood.
    """
    one, whole = table.terms.get(term), table.whole
    if one is None:
        return None
    lately = UNIT / scale.recent
    usual = max(one.usual - one.recent * lately, 0.0)
    share = (usual + UNIT) / (whole.usual + UNKNOWN * UNIT)
    if share > STOP_SHARE:
        return None
    fresh, recent = one.fresh / scale.fresh, one.recent / scale.recent
    fresh_of, recent_of = whole.fresh / scale.fresh, whole.recent / scale.recent
    evidence, observed, expected = max(
        (excess(fresh, share * fresh_of), fresh, share * fresh_of),
        (excess(recent, share * recent_of), recent, share * recent_of),
    )
    if evidence <= 0 or evidence < least:
        return None
    mood, usual_bad = usual_mood(whole), max(one.usual_bad - one.bad * lately, 0.0)
    own_mood = (usual_bad + PRIOR * UNIT * mood) / (usual + PRIOR * UNIT)
    return Rise(
        term,
        evidence,
        observed,
        max(expected, LEAST_EXPECTED),
        share * recent_of,
        min(max(own_mood, mood), CERTAIN),
        one.bad / max(one.recent, 1),
        mood,
    )


def usual_mood(whole: Term) -> float:
    """The usual share of negative mentions; a quarter, until some hundred were heard."""
    return (whole.usual_bad + 25 * UNIT) / (whole.usual + 100 * UNIT)


def together(rises: Sequence[Rise], mentions: Sequence[Witness], doubt: float) -> float:
    """Evidence of several rises, the strongest first. Each mention counts for one term only.

    `doubt` is taken off each further term's: there are many to choose from.
    """
    places = {rise.term: place for place, rise in enumerate(rises)}
    all_of, own = [0] * len(rises), [0] * len(rises)
    for one in mentions:
        held = [places[term] for term in one.terms if term in places]
        for place in held:
            all_of[place] += one.weight
        own[min(held)] += one.weight
    return rises[0].evidence + sum(
        max(0.0, excess(rise.observed * own[place] / max(all_of[place], 1), rise.expected) - doubt)
        for place, rise in enumerate(rises)
        if place
    )


def at_most(rises: Sequence[Rise], doubt: float) -> float:
    """What `together` can come to, whoever is behind it."""
    return rises[0].evidence + sum(max(0.0, rise.evidence - doubt) for rise in rises[1:])


def mood(rises: Sequence[Rise], mentions: Sequence[Witness]) -> float:
    """Evidence that these mentions come in a worse mood than those with such terms usually do, one of each author.

    Some would have come anyway, in the usual mood. A word that is always negative says nothing.
    """
    usual_bad = {rise.term: rise.usual_bad for rise in rises}
    anyway = min(0.8, sum(rise.background for rise in rises) * UNIT / max(sum(one.weight for one in mentions), 1))
    then = _trouble(rises[0].mood) * (1 - anyway) + rises[0].usual_bad * anyway
    voices = originals(mentions)
    usual = (max(usual_bad[term] for term in one.terms if term in usual_bad) for one in voices)
    return _sequential(zip((bool(one.flags & BAD) for one in voices), usual, strict=True), then)


def youth(mentions: Sequence[Witness], known: Witnesses) -> float:
    """Evidence that the accounts were made for it: so many are younger than this brand's speakers usually are."""
    usual = max(LEAST_YOUNG, (known.young + 1) / (known.dated + 20))
    voices = {one.author: one for one in mentions if one.flags & DATED}
    return _sequential(((bool(one.flags & YOUNG), usual) for one in voices.values()), YOUNG_SHARE)


def variation(mentions: Sequence[Witness], known: Witnesses) -> float:
    """Evidence that the texts were made for it: so many are an earlier one with a word changed, and usually are not."""
    usual = max(LEAST_ALTERED, (known.altered + 1) / (known.heard + 20))
    return _sequential(((bool(one.flags & ALTERED), usual) for one in mentions), ALTERED_SHARE)


def originals(mentions: Sequence[Witness]) -> list[Witness]:
    """The latest of each author that is nobody's copy."""
    return list({one.author: one for one in mentions if not one.flags & COPY}.values())


def is_applauded(mentions: Sequence[Witness]) -> bool:
    """Whether clearly more than half of the authors are pleased (two standard deviations)."""
    voices = {one.author: one for one in mentions}
    return sum(bool(one.flags & GOOD) for one in voices.values()) > len(voices) / 2 + sqrt(len(voices))


def _trouble(usual_bad: float) -> float:
    """The share of negative mentions in trouble, of a brand where usually it is so large."""
    odds = BAD_ODDS * usual_bad / (1 - usual_bad)
    return max(min(BAD_SHARE, odds / (1 + odds)), (1 + usual_bad) / 2)


def _sequential(draws: Iterable[tuple[bool, float]], then: float) -> float:
    """Log likelihood ratio of draws with a probability of `then`, against each one's usual (Wald, Sequential Tests, 1945)."""
    total = 0.0
    for drawn, usual in draws:
        often = max(then, min(usual + 0.02, 0.99))
        total += log(often / usual) if drawn else log((1 - often) / (1 - usual))
    return total

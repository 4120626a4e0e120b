"""Emerging terms: words that a brand's people suddenly say, nothing configured.

"Battery" and "flames" are heard after some ten mentions, long before the volume moves. Each term's recent counts
are held against its own usual share, and terms that rise together are one matter. It is trouble if enough
independent people say it, in a worse mood than such terms are usually said in; praise, if they are pleased; a
flood, if few voices, copies or accounts made for it pretend to be many; and otherwise notable.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import log
from types import MappingProxyType
from typing import TYPE_CHECKING

from streams.core.detectors import suspicion
from streams.core.detectors.interface import NO_PLAN
from streams.core.detectors.matters import OVER_S, Told
from streams.core.detectors.termstate import TermsState
from streams.core.detectors.termtable import UNIT, USUAL_S, TermTable
from streams.core.detectors.witnesses import BAD
from streams.core.detectors.wording import terms_in, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.core.detectors.interface import Heard, Nature, Parameter, Plan, Sign
    from streams.core.detectors.suspicion import Rise
    from streams.core.detectors.termtable import Scale
    from streams.core.detectors.witnesses import Witness
    from streams.records import Expected

HOUR_S, DAY_S = 3600, 86_400
WORDS_A_MENTION, FEWEST_WORDS = 8, 50
MOST_RISING, MOST_TOGETHER = 32, 12
WEIGHED_S = 180
ECHO = 0.5
"""So little of its own has a copy or a repetition to say, at most."""


@dataclass(frozen=True, slots=True)
class TermsParams:
    """When to speak. Evidence is in nats; it must exceed what the choice among all terms lately said would bring."""

    rise: float = 5.5
    part: float = 0.5  # of that bar: from there on a term counts at all
    mood: float = 0.4  # of that bar: the more there is to choose from, the more often the mood is bad by chance
    made: float = 3.0
    authors: int = 6  # who say it in their own words
    independent: float = 0.5  # the least weight of a mention's voice, on average
    many: int = 40  # authors, of whom that is not asked
    again: float = 1.5  # times as loud: a term that paged pages again within the day
    learning_s: int = 4 * DAY_S


class TermsDetector:
    """Counts every term of every mention, and speaks when some rise together.

    A sign's `observed` is the number of mentions in the last three hours that hold a rising term, `expected` how many
    come anyway, `score` the evidence of the rise. Mentions are judged as they come; a straggler counts as now.
    """

    name = "emerging_terms"
    version = "2"
    state_type = TermsState
    watched: Mapping[str, str] = MappingProxyType({"emerging_terms": "terms"})

    def __init__(self, allowed_lateness_s: int = 900, params: TermsParams | None = None) -> None:  # noqa: ARG002
        """Lateness makes no difference to it."""
        self._params = params or TermsParams()
        self.parameters: Mapping[str, Parameter] = MappingProxyType({**asdict(self._params), "baseline_s": USUAL_S})

    def start(self, now_s: float) -> TermsState:
        """A brand first heard of at `now_s`."""
        return TermsState(now_s + self._params.learning_s, now_s, TermTable(now_s, now_s))

    def due_s(self, state: TermsState) -> float:
        """When the next matter may be over, but at the latest at the end of the hour."""
        hour_s = (state.now_s // HOUR_S + 1) * HOUR_S
        return min(hour_s, *[one.at_s + OVER_S for one in state.matters]) if state.matters else hour_s

    def learning_until_s(self, state: TermsState) -> float:
        """A few days after the brand was first heard of."""
        return state.learning_until_s

    def expects(self, state: TermsState, now_s: float) -> Sequence[Expected]:  # noqa: ARG002
        """Nothing: thousands of terms have each their own."""
        return ()

    def passed(
        self,
        state: TermsState,
        now_s: float,
        plan: Plan = NO_PLAN,  # noqa: ARG002
        *,
        deaf: bool = False,  # noqa: ARG002
    ) -> Sequence[Sign]:
        """End what nobody adds to any more. Silence teaches nothing: a term's usual is a share of what is said."""
        if now_s < self.due_s(state):
            return ()
        ended = [one for one in state.matters if one.at_s + OVER_S <= now_s]
        state.matters = [one for one in state.matters if one.at_s + OVER_S > now_s]
        state.now_s = max(state.now_s, now_s // HOUR_S * HOUR_S)
        return [one.over() for one in ended]

    def heard(self, state: TermsState, mention: Heard, plan: Plan = NO_PLAN) -> Sequence[Sign]:
        """Count a mention's terms, and judge those that rise."""
        at_s = max(mention.at_s, state.now_s)
        signs = self.passed(state, at_s, plan) if state.matters else ()
        state.now_s = at_s
        scale = state.scale(at_s)
        lively, rare = state.count(mention, scale)
        state.witnesses.add(mention, at_s, rare, state.rising)
        state.prominence, echoes = 0.0, mention.label == "negative" and mention.voice.weight <= ECHO
        if not lively and not echoes:
            return signs
        bar = self._params.rise + log(max(FEWEST_WORDS, WORDS_A_MENTION * state.table.whole.recent / scale.recent))
        least = self._params.part * bar
        adds = {term: rise for term in lively if (rise := suspicion.rise_of(term, state.table, scale, least))}
        state.prominence = max([rise.evidence for rise in adds.values()], default=0.0)
        if at_s < state.learning_until_s:
            return signs
        told = self._judge(state, mention, scale, adds, bar) if adds else None
        if told is None and echoes:
            told = self._unmask(state, mention, scale, bar)
        return [*signs, *state.tell(told)] if told else signs

    def _judge(
        self, state: TermsState, mention: Heard, scale: Scale, adds: Mapping[str, Rise], bar: float
    ) -> Told | None:
        """Weigh all terms that rise, once this mention `adds` to them. Bad news is weighed with bad mentions only."""
        least = self._params.part * bar
        rising = list(dict.fromkeys((*state.rising, *adds)))[-MOST_RISING:]
        known = [adds.get(term) or suspicion.rise_of(term, state.table, scale, least) for term in rising]
        rises = [rise for rise in known if rise]
        state.rising = [rise.term for rise in rises]
        rises.sort(key=lambda rise: (-rise.evidence, rise.term))
        bad = mention.label == "negative"
        group = [rise for rise in rises if rise.sours == bad][:MOST_TOGETHER]
        if not group or _was_just_weighed(state, group[0], bad=bad) or (bad and self._is_old_news(state, group)):
            return None
        if suspicion.at_most(group, least) < bar:
            return None
        mentions = state.witnesses.holding((rise.term for rise in group), state.now_s)
        if len(suspicion.originals(mentions)) < self._params.authors:
            return None
        score = suspicion.together(group, mentions, least)
        if score < bar:
            return None
        if not bad:
            nature: Nature = "praise" if suspicion.is_applauded(mentions) else "notable"
            return Told(nature, group, mentions, score, state.now_s)
        if suspicion.mood(group, mentions) < self._params.mood * bar:
            return None
        known_trouble = state.terms_of("trouble")
        genuine = self._is_independent(state, mentions) or any(rise.term in known_trouble for rise in group)
        return Told("trouble" if genuine else "flood", group, mentions, score, state.now_s)

    def _is_independent(self, state: TermsState, mentions: Sequence[Witness]) -> bool:
        """Whether many speak for themselves. So many that they cannot be one hand may copy each other."""
        params, voices = self._params, len(suspicion.originals(mentions))
        own = sum(one.weight for one in mentions) >= params.independent * UNIT * len(mentions)
        many = voices >= params.many and voices >= len(mentions) / 2
        made = max(suspicion.youth(mentions, state.witnesses), suspicion.variation(mentions, state.witnesses))
        return (own or many) and made < params.made

    def _is_old_news(self, state: TermsState, rises: Sequence[Rise]) -> bool:
        """Whether most of it paged within the day, was over, and is hardly louder now."""
        if not state.terms_of("trouble").isdisjoint(rise.term for rise in rises):
            return False
        old = 0.0
        for rise in rises:
            until_s, peak = state.paged.get(rise.term, (0, 0.0))
            if state.now_s < until_s and rise.observed < self._params.again * peak:
                old += rise.evidence
        return 2 * old > sum(rise.evidence for rise in rises)

    def _unmask(self, state: TermsState, mention: Heard, scale: Scale, bar: float) -> Told | None:
        """Far more copies and repetitions in a bad mood than usual are a flood, whatever the terms of this one of them."""
        whole = state.table.whole
        usual = state.usual_echo / max(whole.usual, 1) * whole.recent / scale.recent
        score = suspicion.excess(state.echo / scale.recent, usual)
        if score < bar:
            return None
        latest = state.witnesses.holding(terms_in(words_of(mention.text)), state.now_s)
        echoes = [one for one in latest if one.flags & BAD and one.weight <= ECHO * UNIT]
        if len(echoes) < self._params.authors:
            return None
        terms = dict.fromkeys(term for one in echoes[-self._params.authors :] for term in one.terms)
        rises = [rise for term in terms if (rise := suspicion.rise_of(term, state.table, scale))]
        rises.sort(key=lambda rise: (-rise.evidence, rise.term))
        return Told("flood", rises, echoes, score, state.now_s) if rises else None


def _was_just_weighed(state: TermsState, strongest: Rise, *, bad: bool) -> bool:
    """Once a matter is open, its further mentions are weighed every few minutes."""
    return any(
        state.now_s - one.at_s < WEIGHED_S
        and (one.nature in {"trouble", "flood"}) == bad
        and strongest.term in one.terms
        for one in state.matters
    )

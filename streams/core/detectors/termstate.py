"""What is kept of one brand to hear its emerging terms, and how a mention is counted."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from streams.core.detectors.matters import Matter, Told, begin
from streams.core.detectors.termtable import MOST, UNIT, Scale, TermTable
from streams.core.detectors.witnesses import Witnesses
from streams.core.detectors.wording import terms_in, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.core.detectors.interface import Heard, Rising, Sign

RARE_SHARE = 0.02
"""Only rarer terms are remembered of a mention: the others are what this brand is always about."""
LEARNED = 10
"""The terms of open trouble are learned this many times more slowly: it is not to become usual."""
OLD_S, MOST_PAGED = 86_400, 64
LEAST_SAID, LEAST_LIFT, MOST_PROMINENT = 1.8, 2.0, 5


class TermsState(Struct, array_like=True):
    """One brand. `rising` holds the terms that rise, `paged` until when and how loud each was that paged."""

    learning_until_s: float
    now_s: float
    table: TermTable
    witnesses: Witnesses = msgspec.field(default_factory=Witnesses)
    echo: int = 0
    usual_echo: int = 0
    """Negative mentions' lack of a voice of their own, counted like a term."""
    rising: list[str] = []
    matters: list[Matter] = []
    paged: dict[str, tuple[int, float]] = {}
    latest_episode_s: int = 0
    prominence: float = 0.0
    """The evidence that the latest mention's most unusual term rises."""

    def scale(self, at_s: float) -> Scale:
        """What one mention is written as now. Once in a while, makes room and lets the past fade."""
        table = self.table
        if len(table.terms) > MOST:
            table.make_room()
        if table.fades(at_s):
            halved_s = table.halved_s
            self.echo = int(self.echo * table.rebase(at_s))
            if table.halved_s != halved_s:
                self.usual_echo >>= 1
                self.witnesses.halve()
        return table.scale(at_s)

    def count(self, mention: Heard, scale: Scale) -> tuple[list[str], list[str]]:
        """Count a mention's terms: which of them are lively, and which are rare? The path of every mention."""
        table, weight, bad = self.table, mention.voice.weight, mention.label == "negative"
        usual, fresh, recent = int(weight * UNIT), int(weight * scale.fresh), int(weight * scale.recent)
        whole = table.whole
        whole.usual += usual
        whole.fresh += fresh
        whole.recent += recent
        if bad:
            whole.usual_bad += usual
            whole.bad += recent
            self.usual_echo += UNIT - usual
            self.echo += int(scale.recent) - recent
        trouble = self.terms_of("trouble", "flood") if self.matters else ()
        terms, rare_from = table.terms, int(whole.usual * RARE_SHARE)
        least, twice, all_usual = int(LEAST_SAID * scale.recent), 2 * whole.recent, whole.usual
        lively, rare = [], []
        for term in terms_in(words_of(mention.text)):
            one = terms.get(term) or table.admit(term)
            learned = usual // LEARNED if term in trouble else usual
            often = one.usual = one.usual + learned
            lately = one.recent = one.recent + recent
            one.fresh += fresh
            if bad:
                one.usual_bad += learned
                one.bad += recent
            if often <= rare_from:
                rare.append(term)
                if lately > least and lately * all_usual > often * twice:
                    lively.append(term)
        return lively, rare

    def prominent(self, at_s: float) -> tuple[Rising, ...]:
        """The few terms that say most of what is unusual at a time: said often, and far more than usual."""
        table, scale = self.table, self.table.scale(at_s)
        least = LEAST_SAID * scale.recent
        rising = [table.rising(term, scale) for term, one in table.terms.items() if one.recent >= least]
        rising = [one for one in rising if one.lift >= LEAST_LIFT]
        return tuple(sorted(rising, key=lambda one: (-one.observed * log(one.lift), one.term))[:MOST_PROMINENT])

    def terms_of(self, *natures: str) -> frozenset[str]:
        """The terms of all that is open and of such a nature."""
        return frozenset(term for one in self.matters if one.nature in natures for term in one.terms)

    def tell(self, told: Told) -> Sequence[Sign]:
        """Say it, unless it was said already. Each second has one episode at most."""
        if told.nature == "trouble":
            self._remember(told)
        for matter in self.matters:
            if matter.takes(told):
                return (matter.sign(told),) if matter.louder(told) else ()
        self.latest_episode_s = max(int(told.at_s), self.latest_episode_s + 1)
        matter = begin(told, self.latest_episode_s)
        self.matters.append(matter)
        return (matter.sign(told),)

    def _remember(self, told: Told) -> None:
        """What paged is old news for a day."""
        for rise in told.rises:
            _, peak = self.paged.pop(rise.term, (0, 0.0))
            self.paged[rise.term] = (int(told.at_s) + OLD_S, max(peak, round(rise.observed, 2)))
        for term in list(self.paged)[:-MOST_PAGED]:
            del self.paged[term]

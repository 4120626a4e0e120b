"""How often each term of a brand is said: lately, and usually.

A term is counted exactly while it is among the few thousand that were said last; when it must go, its
usual count is left in a count-min sketch (Cormode, Muthukrishnan 2005; with a table in front of it, as in
Roy, Khan, Alonso, Augmented Sketch, 2016), where it is found again. Recent counts decay
exponentially: new ones are written ever larger (Cormode et al., Forward Decay, 2009), until all are scaled back.
Counts are integers, so that they take few bytes and rest as they are.
"""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

import msgspec
from msgspec import Struct

from streams.core.detectors.interface import Rising

UNIT = 64
"""One mention by an independent voice."""
DOUBT = 50
"""As many mentions stand for what is not known of a term that is new, when its lift is told."""
CELL_UNIT, MOST_IN_CELL = 8, 65_535
WIDTH = 8192  # of each of the sketch's two rows

FRESH_S, RECENT_S, USUAL_S = 20 * 60, 2 * 3600, 7 * 86_400
"""Half-lives of the three memories; what is usual is halved as a whole each time so long has passed."""
KEPT, MOST = 1_000, 1_600
"""Terms: as soon as there are more than MOST, only those KEPT that were said most lately stay."""
LARGEST_SCALE = 16
"""Half-lives of the freshest memory, after which all is scaled back."""


class Term(Struct, array_like=True):
    """Weighted counts in UNITs: usual ones and how many of them were negative; fresh, recent and recent negative ones, scaled."""

    usual: int = 0
    usual_bad: int = 0
    fresh: int = 0
    recent: int = 0
    bad: int = 0


class TermTable(Struct, array_like=True):
    """One brand's terms. `whole` counts mentions as if each held one and the same term. No sketch until a term had to go."""

    origin_s: float
    halved_s: float
    whole: Term = msgspec.field(default_factory=Term)
    terms: dict[str, Term] = {}
    sketch: bytearray = msgspec.field(default_factory=bytearray)

    def scale(self, at_s: float) -> Scale:
        """What one mention is written as now."""
        since_s = at_s - self.origin_s
        return Scale(UNIT * 2 ** (since_s / FRESH_S), UNIT * 2 ** (since_s / RECENT_S))

    def rising(self, term: str, scale: Scale) -> Rising:
        """How often a term is said lately, and how many times as often as usual."""
        one = self.terms[term]
        lately, all_lately = one.recent / scale.recent, max(self.whole.recent / scale.recent, 1.0)
        before, all_before = one.usual / UNIT - lately, self.whole.usual / UNIT - all_lately
        lift = lately * (max(all_before, 0.0) + DOUBT) / (all_lately * (max(before, 0.0) + 1))
        return Rising(term, lately, lift)

    def admit(self, term: str) -> Term:
        """A term that is not in the table: with what the sketch remembers of it."""
        one = self.terms[term] = Term()
        if self.sketch:
            cells, (first, second) = memoryview(self.sketch).cast("H"), _places(term)
            if cell := min(cells[first], cells[second]):
                one.usual = cell * UNIT // CELL_UNIT
                one.usual_bad = one.usual * self.whole.usual_bad // max(self.whole.usual, 1)
        return one

    def make_room(self) -> None:
        """Let the terms go that were said least lately: there are more than MOST."""
        terms, self.sketch = self.terms, self.sketch or bytearray(4 * WIDTH)
        cells, many = memoryview(self.sketch).cast("H"), len(terms) - KEPT
        most = sorted([one.recent for one in terms.values()])[many - 1]
        for term in [term for term, one in terms.items() if one.recent <= most][:many]:
            count = min(terms.pop(term).usual * CELL_UNIT // UNIT, MOST_IN_CELL)
            for place in _places(term):
                cells[place] = max(cells[place], count)

    def fades(self, at_s: float) -> bool:
        """Whether what would be counted now is written too large."""
        return at_s - self.origin_s >= LARGEST_SCALE * FRESH_S

    def rebase(self, at_s: float) -> float:
        """Scale recent counts back; returns by what, for those kept elsewhere.

        Once in a long while half of what is usual is forgotten as well.
        """
        since_s = at_s - self.origin_s
        fresh, recent = 2.0 ** (-since_s / FRESH_S), 2.0 ** (-since_s / RECENT_S)
        halve = at_s - self.halved_s >= USUAL_S
        for one in (self.whole, *self.terms.values()):
            one.fresh, one.recent, one.bad = int(one.fresh * fresh), int(one.recent * recent), int(one.bad * recent)
            if halve:
                one.usual, one.usual_bad = one.usual >> 1, one.usual_bad >> 1
        self.origin_s = at_s
        if halve:
            self.halved_s = at_s
            cells = memoryview(self.sketch).cast("H")
            for place, count in enumerate(cells):
                cells[place] = count >> 1
        return recent


class Scale(NamedTuple):
    """What one mention by an independent voice is written as, in the two memories that decay."""

    fresh: float
    recent: float


def _places(term: str) -> tuple[int, int]:
    value = crc32(term.encode())
    return value % WIDTH, WIDTH + (value >> 13) % WIDTH

"""VADER's compound score, bit for bit, in a fraction of its time.

Stock VADER looks at every word of a text many times over. Here what can be said of a word alone (its
valence, whether it boosts or negates) is worked out once and remembered, and only the few words that
carry a valence are looked at in their surroundings. The arithmetic, its order and its oddities are stock
VADER's: scores of one are comparable with scores of the other.
"""

from __future__ import annotations

import math
import string
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, NamedTuple

from vaderSentiment.vaderSentiment import (
    BOOSTER_DICT,
    C_INCR,
    N_SCALAR,
    NEGATE,
    SPECIAL_CASES,
    SentimentIntensityAnalyzer,
)

from streams.core.chunks import ChunkMemory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ALPHA: Final = 15
"""The sum at which the compound score is 0.71."""
DAMPED: Final = (1.0, 0.95, 0.9)
"""How much of a booster's strength is left one, two and three words on."""
_NEGATE: Final = frozenset(NEGATE)
_EXCITED, _MOST_EXCITED = 0.292, 4
_PUZZLED, _MOST_PUZZLED, _PUZZLED_AT_MOST = 0.18, 3, 0.96
_IDIOMS: Final = {*SPECIAL_CASES, *(phrase for phrase in BOOSTER_DICT if " " in phrase)}
_IDIOM_WORDS: Final = frozenset(
    # The rarest word of each: no idiom is without one of these.
    {"shit", "bomb", "ass", "stop", "yeah", "kiss", "die", "beating", "enough", "kind", "sort"}
)
_SPECIAL: Final = frozenset(
    {"no", "but", "least", "never", "so", "this", "without", "doubt", "or", "nor", "at", "very"}
)

_NEXT: Final = frozenset({"this", "least"})
"""They act on the next word only."""


class Fact:
    """What is to be said of one word, wherever it stands.

    A class with slots, and everything worked out beforehand: it is read far more often than made.
    """

    __slots__ = ("acts", "boost", "counts", "idiom", "lower", "marked", "negates", "reach", "upper", "valence")

    def __init__(self, lower: str, *, upper: bool, valence: float | None) -> None:
        self.lower = lower
        self.upper = upper
        self.valence = valence
        """In the lexicon; None: not in it."""
        self.boost: float = BOOSTER_DICT.get(lower, 0.0)
        self.negates = lower in _NEGATE or "n't" in lower
        self.idiom = lower in _IDIOM_WORDS
        self.counts = valence is not None and not self.boost
        """It has a valence and is no booster."""
        self.reach = 3 if self.negates or self.boost or lower == "no" else int(lower in _NEXT)
        """How many words further on it may change a valence."""
        self.acts = self.reach > 0 or self.idiom or lower == "but"
        """It may change the valences of words around it, or what it is itself depends on where it stands."""
        self.marked = upper or self.counts or self.acts
        """There is something to look at in it."""

    def felt_as(self, valence: float | None) -> Fact:
        """The same word with another valence; a word that boosts or negates has none."""
        return Fact(self.lower, upper=self.upper, valence=None if self.boost or self.negates else valence)


PLAIN: Final = Fact("", upper=False, valence=None)
PLAIN_UPPER: Final = Fact("", upper=True, valence=None)


class Facts(ChunkMemory[Fact]):
    """The facts of each chunk."""

    def __init__(self, lexicon: Mapping[str, float]) -> None:
        super().__init__()
        self._lexicon = lexicon

    def work_out(self, chunk: str) -> Fact:
        """Of the word that a chunk is, without the punctuation around it."""
        bare = chunk.strip(string.punctuation)
        return self.of(chunk if len(bare) <= 2 else bare)

    def of(self, word: str) -> Fact:
        """Work out what is to be said of a word."""
        lower = word.lower()
        fact = Fact(lower, upper=word.isupper(), valence=self._lexicon.get(lower))
        if fact.valence is None and not fact.acts and lower not in _LOOKED_AT:
            return PLAIN_UPPER if fact.upper else PLAIN
        return fact


_LOOKED_AT: Final = _SPECIAL.union(word for phrase in _IDIOMS for word in phrase.split())


class Explained(NamedTuple):
    """A compound score, the sums of the valences on either side, and what each word adds to the score."""

    compound: float
    good: float
    bad: float
    contributions: tuple[tuple[str, float], ...]


class Vader:
    """VADER with its lexicon, which takes a tenth of a second to read: build it once."""

    def __init__(self) -> None:
        stock = SentimentIntensityAnalyzer()
        self.lexicon: dict[str, float] = stock.lexicon
        self.emojis: dict[str, str] = stock.emojis
        self._emoji_chars = frozenset(self.emojis)
        self.facts = Facts(self.lexicon)

    def compound(self, text: str) -> float:
        """Return what stock VADER calls `compound`, from -1 to 1."""
        text = self.spelt_out(text)
        facts = list(map(self.facts.__getitem__, text.split()))
        return compound(valences(facts), text)

    def explain(self, text: str) -> Explained:
        """Return the same score with what it is made of."""
        text = self.spelt_out(text)
        chunks = text.split()
        found = valences(list(map(self.facts.__getitem__, chunks)))
        score = compound(found, text)
        told = [(chunks[at], valence) for at, valence in found]
        good = sum(valence for _, valence in found if valence > 0)
        bad = sum(valence for _, valence in found if valence < 0)
        total = float(sum(valence for _, valence in found))
        if total and (stress := math.copysign(emphasis(text), total)):
            told.append(("! ?", stress))
        return Explained(score, good, bad, tuple(shares(told, score)))

    def spelt_out(self, text: str) -> str:
        """Put words in the place of emoji."""
        if text.isascii() or self._emoji_chars.isdisjoint(text):
            return text
        out: list[str] = []
        spaced = True
        for char in text:
            words = self.emojis.get(char)
            if words is None:
                out.append(char)
                spaced = char == " "
            else:
                out.append(words if spaced else f" {words}")
                spaced = False
        return "".join(out)


def compound(found: Sequence[tuple[int, float]], text: str) -> float:
    """Add valences up, with the exclamation and question marks, on a scale from -1 to 1."""
    total = float(sum(valence for _, valence in found))
    if total > 0:
        total += emphasis(text)
    elif total < 0:
        total -= emphasis(text)
    return round(normal(total), 4)


def shares(told: Sequence[tuple[str, float]], score: float) -> list[tuple[str, float]]:
    """Share a score out to the words in proportion to their valences, so that the shares add up to it."""
    total = sum(valence for _, valence in told)
    return [(words, valence * score / total if total else 0.0) for words, valence in told if valence]


def normal(total: float) -> float:
    """Bring a sum of valences on a scale from -1 to 1."""
    return max(-1.0, min(1.0, total / math.sqrt(total * total + ALPHA)))


def emphasis(text: str) -> float:
    """What exclamation and question marks add to whatever is felt."""
    puzzled = text.count("?")
    questions = 0.0
    if puzzled > 1:
        questions = puzzled * _PUZZLED if puzzled <= _MOST_PUZZLED else _PUZZLED_AT_MOST
    return min(text.count("!"), _MOST_EXCITED) * _EXCITED + questions


def valences(facts: Sequence[Fact]) -> list[tuple[int, float]]:
    """The words that count, by place, each with its valence where it stands; those that come to 0 may be left out."""
    marked = [(at, fact) for at, fact in enumerate(facts) if fact.marked]
    felt = [(at, fact) for at, fact in marked if fact.counts]
    if not felt:
        return []
    shouts = len([1 for _, fact in marked if fact.upper])
    some_shout = 0 < shouts < len(facts)
    acting = [(at, fact) for at, fact in marked if fact.acts]
    if not acting:
        return [(at, _alone(fact, some_shout)) for at, fact in felt]
    idioms = bool([1 for _, fact in acting if fact.idiom])
    reached: set[int] = set()
    for there, fact in acting:
        reached.update(range(there, there + fact.reach + 1))
    found: list[tuple[int, float]] = []
    for at, fact in felt:
        if not idioms and at not in reached:
            found.append((at, _alone(fact, some_shout)))
        elif not (idioms and _is_kind_of(facts, at)):
            found.append((at, _valence(facts, at, some_shout, idioms)))
    but = [at for at, fact in acting if fact.lower == "but"]
    return _turned(found, but[0]) if but else found


def _is_kind_of(facts: Sequence[Fact], at: int) -> bool:
    return facts[at].lower == "kind" and at + 1 < len(facts) and facts[at + 1].lower == "of"


def _alone(fact: Fact, some_shout: bool) -> float:
    """The valence of a word with nothing around it that changes it."""
    valence = fact.valence or 0.0
    if fact.upper and some_shout:
        valence += C_INCR if valence > 0 else -C_INCR
    return valence


def _valence(facts: Sequence[Fact], at: int, some_shout: bool, idioms: bool) -> float:
    fact = facts[at]
    assert fact.valence is not None
    valence = fact.valence
    if fact.lower == "no" and at + 1 < len(facts) and facts[at + 1].valence is not None:
        valence = 0.0
    before = facts[at - 3 : at][::-1] if at >= 3 else facts[:at][::-1]
    if _is_denied(before):
        valence = fact.valence * N_SCALAR
    if fact.upper and some_shout:
        valence += C_INCR if valence > 0 else -C_INCR
    for back, one in enumerate(before):
        if one.valence is None and (one.acts or back == 2):
            if one.boost:
                valence += _boost(one, valence, some_shout, back)
            valence = _negated(before, back, valence)
            if back == 2 and idioms:
                valence = _in_idiom(facts, at, valence)
    # "at least" and "the very least" take nothing back
    if before and before[0].lower == "least" and before[0].valence is None:
        valence *= 1 if before[1:] and before[1].lower in ("at", "very") else N_SCALAR
    return valence


def _is_denied(before: Sequence[Fact]) -> bool:
    no = [back for back, one in enumerate(before) if one.lower == "no"]
    return bool(no) and (no[0] < 2 or before[0].lower in ("or", "nor"))


def _boost(one: Fact, valence: float, some_shout: bool, back: int) -> float:
    boost = one.boost if valence >= 0 else -one.boost
    if one.upper and some_shout:
        boost += C_INCR if valence > 0 else -C_INCR
    return boost * DAMPED[back] if back else boost


def _negated(before: Sequence[Fact], back: int, valence: float) -> float:
    """What is left of a valence after the word `back` + 1 places before."""
    one = before[back]
    if back == 0:
        return valence * N_SCALAR if one.negates else valence
    nearer = before[back - 1].lower
    nearest = before[0].lower
    # "never so good"; stock VADER takes any "so" or "this" just before the word as well, three words on.
    if (one.lower == "never" and nearer in ("so", "this")) or (back == 2 and nearest in ("so", "this")):
        return valence * 1.25
    if one.lower == "without" and "doubt" in (nearer, nearest):
        return valence
    return valence * N_SCALAR if one.negates else valence


def _in_idiom(facts: Sequence[Fact], at: int, valence: float) -> float:
    words = [fact.lower for fact in facts[at - 3 : at + 3]]
    three, two, one, here = words[:4]
    triples = f"{three} {two} {one}"
    for phrase in (f"{one} {here}", f"{two} {one} {here}", f"{two} {one}", triples, f"{three} {two}"):
        if phrase in SPECIAL_CASES:
            valence = SPECIAL_CASES[phrase]
            break
    for after in (5, 6):
        if len(words) >= after:
            valence = SPECIAL_CASES.get(" ".join(words[3:after]), valence)
    for phrase in (triples, f"{three} {two}", f"{two} {one}"):
        valence += BOOSTER_DICT.get(phrase, 0.0)
    return valence


def _turned(found: Sequence[tuple[int, float]], but: int) -> list[tuple[int, float]]:
    """What stands before "but" counts half, what stands after it half as much again.

    Stock VADER finds each valence by its value, so of two equal ones the first is changed, perhaps
    twice. That is kept: the scores are meant to be the same.
    """
    values = [valence for _, valence in found]
    where: dict[float, list[int]] = {}
    for n, value in enumerate(values):
        where.setdefault(value, []).append(n)
    for n in range(len(values)):
        value = values[n]
        if value == 0:
            continue
        first = where[value][0]
        place = found[first][0]
        if place == but:
            continue
        values[first] = value * (0.5 if place < but else 1.5)
        heappop(where[value])
        heappush(where.setdefault(values[first], []), first)
    return [(at, value) for (at, _), value in zip(found, values, strict=True)]

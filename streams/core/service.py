"""The service score: how a text feels towards a brand, and which words say so.

VADER's way of counting (negation, boosters, capitals, "but") over other words: names are masked, tags are
split, and the phrases of the service lexicon count as one word each.
"""

# ruff: noqa: SIM905  lists of words are read and changed as running text

from __future__ import annotations

from functools import lru_cache
from math import copysign
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from streams.core.chunks import REMEMBERED_CHUNKS
from streams.core.servicelexicon import service_lexicon
from streams.core.servicewords import Word, Words, key_of
from streams.core.vader import PLAIN, Fact, emphasis, normal, shares, valences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.core.vader import Vader

About = Literal["sentences", "text"]

REMEMBERED_NAMES = 4096
STRESSED_FROM = 1.0
"""A sum of valences as large as this is made larger by exclamation marks: what is hardly felt cannot be shouted."""
ASKED: Final = 2.0
"""How much praise a question takes back: who thanks and asks, asks."""
DENIED: Final = -0.3
"""What is left of a complaint that is denied: "no delay" is less good than a delay is bad."""
# Words that tags are cut at and that no lexicon holds.
_SMALL_WORDS: Final = frozenset(
    "a again airline airlines all am an and any are at bank be been big by can care company customer day do ever fly "
    "flight flights for from get go had has have home how i if im in is it its just let like line lost made me money "
    "more my need never no not now of off on one online only out over phone shop so still store team than that the "
    "their them they this time to today up us was we were what when where why will with you your".split()
)


_BEGIN: Final = ("word", "handle")


class Contribution(NamedTuple):
    """What one word or phrase adds to the compound score."""

    words: str
    adds: float


class Felt(NamedTuple):
    """What is felt in some words: the places that count, with their valences, and where a phrase ends.

    `asked` is taken back by a question, `stress` is put on by exclamation marks.
    """

    words: Sequence[Word]
    valences: list[tuple[int, float]]
    ends: dict[int, int]
    asked: float
    stress: float


class ServiceScore(NamedTuple):
    """A score from -1 to 1, where it was heard, and the sums of what speaks for and against."""

    compound: float
    about: About
    good: float
    bad: float
    felt: Felt

    def contributions(self) -> tuple[Contribution, ...]:
        """What each word, phrase and mark adds; together they are the compound score."""
        words, found, ends, asked, stress = self.felt
        told = [(" ".join(word.text for word in words[at : ends.get(at, at + 1)]), value) for at, value in found]
        told += [("?", -asked), ("! ?", stress)]
        return tuple(Contribution(*one) for one in shares(told, self.compound))


class _Names(dict[str, str]):
    """What a word's key is to one brand: "name", "handle", "begins" (a name of several words), or "" for nothing."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        keys = [tuple(filter(None, map(key_of, name.lstrip("@#").split()))) for name in names]
        self.longer = [key for key in keys if len(key) > 1]
        self._whole = tuple({"".join(key) for key in keys if key})
        self._begin = {key[0] for key in self.longer}

    def is_whole(self, key: str) -> bool:
        """Whether a word is a name by itself."""
        return key in self._whole

    def __missing__(self, key: str) -> str:
        if key.startswith("@"):
            what = "handle" if key[1:].startswith(self._whole) else ""
        else:
            what = "begins" if key in self._begin else "name" if key in self._whole else ""
        if len(self) < REMEMBERED_CHUNKS:
            self[key] = what
        return what


class Service:
    """Scores towards brands. Built once."""

    def __init__(self, vader: Vader) -> None:
        self.lexicon = service_lexicon()
        self._emojis = vader.emojis
        self._facts = vader.facts
        strong = frozenset(key for key, one in self.lexicon.words.items() if abs(one.valence) >= 1 and len(key) > 3)
        known = strong | _SMALL_WORDS | {word for word in vader.lexicon if word.isalpha() and len(word) > 3}
        self._words = Words(self._fact_of, self.lexicon.trie, vader.emojis, known, strong)
        self._names = lru_cache(REMEMBERED_NAMES)(_Names)

    def score(self, text: str, names: tuple[str, ...]) -> ServiceScore:
        """Score a text towards whoever has these names."""
        known = self._words
        words: list[Word] = []
        for chunk in text.split():
            words += known[chunk]
        chosen, otherwise = _towards(words, _masked(words, self._names(names)))
        about: About = "text" if chosen is words else "sentences"
        felt = self._feel(chosen, text)
        if otherwise is not chosen and not felt.valences:
            about = "text"
            felt = self._feel(otherwise, text)
        good, bad = -felt.asked, 0.0
        for _, value in felt.valences:
            if value > 0:
                good += value
            else:
                bad += value
        return ServiceScore(round(normal(good + bad + felt.stress), 4), about, good, bad, felt)

    def _fact_of(self, word: str, key: str) -> Fact:
        """VADER's facts, where the service lexicon does not know better."""
        spelt = self._emojis.get(word)
        if spelt:  # an emoji is one word, that counts as all the words it stands for
            valence = sum(self._facts[one].valence or 0.0 for one in spelt.split()) or None
            fact = PLAIN._replace(valence=valence, counts=valence is not None)
        elif key == "no":  # VADER's own "no" has a valence as well, and takes back too much
            fact = self._facts["not"]
        else:
            fact = self._facts[word]
        entry = self.lexicon.words.get(key)
        if entry is None:
            return fact
        valence = None if fact.boost or fact.negates else entry.valence or None
        return fact._replace(valence=valence, counts=valence is not None)

    def _feel(self, words: Sequence[Word], text: str) -> Felt:
        facts = [word.fact for word in words]
        places: Sequence[int] = range(len(words))
        ends: dict[int, int] = {}
        hints: list[tuple[int, float]] = []
        past, last, fillers = 0, len(words) - 1, self.lexicon.fillers
        for at in [at for at, word in enumerate(words) if word.speaks]:
            if at < past:
                continue
            word = words[at]
            if word.node and at < last and ((key := words[at + 1].key) in word.node or key in fillers):
                found = self.lexicon.find(words, at)
                if found:
                    past, phrase = found
                    ends[at] = past
                    shouted = word.fact.upper and all(one.fact.upper for one in words[at:past])
                    facts[at] = phrase.shouted if shouted else phrase.fact
                    continue
            if word.hint:
                hints.append((at, word.hint))
        if ends:
            places = _outside(ends, len(words))
            facts = [facts[at] for at in places]
        told = [(places[n], _stood(facts, n, value) if value > 0 else value) for n, value in valences(facts)]
        if hints:
            told = sorted([*told, *hints])
        total = sum([value for _, value in told])
        asked = min(total, ASKED) if total > 0 and [word for word in words if word.asks] else 0.0
        total -= asked
        stress = copysign(emphasis(text), total) if abs(total) >= STRESSED_FROM else 0.0
        return Felt(words, told, ends, asked, stress)


def _outside(phrases: dict[int, int], count: int) -> list[int]:
    """The places left if of each phrase, from start to end, only the start is."""
    places: list[int] = []
    past = 0
    for start, end in phrases.items():
        places += range(past, start + 1)
        past = end
    places += range(past, count)
    return places


def _stood(facts: Sequence[Fact], at: int, value: float) -> float:
    """VADER takes back what stands up to three words after a negation; of a complaint only the next word is.

    People who complain say "not" a lot: "you don't answer my issue" takes no issue back.
    """
    valence = facts[at].valence
    if valence is None or valence >= 0:
        return value
    return valence * DENIED if at and facts[at - 1].negates else valence


def _masked(words: list[Word], names: _Names) -> list[int]:
    """Make nothing of the names; return where they stand."""
    named = []
    for at in [at for at, word in enumerate(words) if names[word.key]]:
        what = names[words[at].key]
        if what == "name":
            words[at] = _mask(words[at])
        elif what == "begins":
            begins = [n for n in names.longer if n == tuple([word.key for word in words[at : at + len(n)]])]
            end = at + max(map(len, begins), default=names.is_whole(words[at].key))
            if end == at:
                continue
            words[at:end] = map(_mask, words[at:end])
        named.append(at)
    return named


def _mask(word: Word) -> Word:
    return _MASKS[word.ends, word.asks]


_MASKS: Final = {
    (ends, asks): Word("", "", PLAIN, ends=ends, asks=asks) for ends in (False, True) for asks in (False, True)
}


def _towards(words: list[Word], named: Sequence[int]) -> tuple[list[Word], list[Word]]:
    """The words of the sentences that hold a name, and those to listen to where these say nothing.

    Addressed to the brand (its handle comes first), all of a text is for it, but for what is addressed to others.
    """
    if not named:
        return words, words
    last = len(words) - 1
    # What follows a sentence as a tag or an emoji still belongs to it.
    starts = [at + 1 for at, word in enumerate(words) if word.ends and at < last and words[at + 1].kind in _BEGIN]
    head = 0
    while head < last and words[head].kind == "handle":
        head += 1
    addressed = named[0] < head
    others = addressed and [at for at in range(head, len(words)) if words[at].kind == "handle" and at not in named]
    if not starts:
        return (words if addressed else list(words)), words
    if addressed and not others:
        return words, words
    sentences = list(zip([0, *starts], [*starts, len(words)], strict=True))
    theirs = [(a, b) for a, b in sentences if any(a <= at < b for at in named)]
    if others:
        theirs = [(a, b) for a, b in sentences if (a, b) in theirs or not any(a <= at < b for at in others)]
    chosen = _those(words, theirs)
    return chosen, chosen if addressed else words


def _those(words: list[Word], sentences: Sequence[tuple[int, int]]) -> list[Word]:
    return [word for start, end in sentences for word in words[start:end]]

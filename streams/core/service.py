"""The service score: how a text feels towards a brand, and which words say so.

VADER's way of counting (negation, boosters, capitals, "but") over other words: names are masked, tags are
split, and the phrases of the service lexicon count as one word each.
"""

# ruff: noqa: SIM905  lists of words are read and changed as running text

from __future__ import annotations

from functools import lru_cache
from math import copysign
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from streams.core.servicelexicon import MOST_SKIPPED, service_lexicon
from streams.core.servicewords import NUMBER, TIME, Word, Words, key_of
from streams.core.vader import PLAIN, emphasis, normal, shares, valences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.core.vader import Fact, Vader

About = Literal["sentences", "text"]

END: Final = "\n"
"""A key that no word has: behind the last one."""
REACH = MOST_SKIPPED + 2
REMEMBERED_NAMES = 4096
COMPLAINT, PRAISE = -2.0, 0.75
"""Where complaints come to as much as this, only this share of the praise counts: who complains and thanks, complains."""
STRESSED_FROM = 1.0
"""A sum of valences as large as this is made larger by exclamation marks: what is hardly felt cannot be shouted."""
EXCLAIMED: Final = 4
"""Words: an exclamation as short as this goes with the sentence before it."""
LITTLE: Final = 0.3
"""A brand's sentences that say no more than this leave the word to the whole text."""
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


class ServiceScore(NamedTuple):
    """A score from -1 to 1, where it was heard, the sums of what speaks for and against, and what explains them."""

    compound: float
    about: About
    good: float
    bad: float
    felt: Felt

    def contributions(self) -> tuple[Contribution, ...]:
        """What each word, phrase and mark adds; together they are the compound score."""
        words, facts, found, phrases, hints, praise, asked, stress = self.felt
        places = list(range(len(words)))
        for start, end in reversed(phrases):
            del places[start + 1 : end]
        ends = dict(phrases)
        felt = [*hints, *((places[n], _stood(facts, n, value)) for n, value in found)]
        told = [
            (" ".join(word.text for word in words[at : ends.get(at, at + 1)]), value if value < 0 else value * praise)
            for at, value in sorted(felt)
        ]
        told += [("?", -asked), ("! ?", stress)]
        return tuple(Contribution(*one) for one in shares(told, self.compound))


class Felt(NamedTuple):
    """What is felt in some words: all of what a score is made of.

    `facts` holds one for each word, and one for each of the `phrases` (from where to where among the words);
    `found` are VADER's valences of those that count, `hints` are words that count though VADER only knows them to
    deny. `praise` is the share of praise that counts, `asked` is taken back by a question, `stress` is put on by
    exclamation marks.
    """

    words: Sequence[Word]
    facts: Sequence[Fact]
    found: Sequence[tuple[int, float]]
    phrases: Sequence[tuple[int, int]]
    hints: Sequence[tuple[int, float]]
    praise: float
    asked: float
    stress: float


class _Names:
    """What one brand is called."""

    def __init__(self, names: tuple[str, ...]) -> None:
        keys = [tuple(filter(None, map(key_of, name.lstrip("@#").split()))) for name in names]
        keys = [key for key in keys if key not in ((NUMBER,), (TIME,))]  # or every number were a brand called 3
        self.longer = [key for key in keys if len(key) > 1]
        self.whole = frozenset("".join(key) for key in keys if key)
        self.first = self.whole | {key[0] for key in self.longer}
        """Words that are a name, or begin one of several words."""
        self._start = tuple(self.whole)

    def is_handle(self, key: str) -> bool:
        """Whether a handle is the brand's: it begins with a name."""
        return key[1:].startswith(self._start)

    def length(self, words: Sequence[Word], at: int) -> int:
        """How many of the words from this one on are a name."""
        longer = [len(name) for name in self.longer if tuple([one.key for one in words[at : at + len(name)]]) == name]
        return max(longer, default=int(words[at].key in self.whole))


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
        called = self._names(names)
        first = called.first
        marks = [at for at, word in enumerate(words) if word.marks or word.key in first]
        chosen, otherwise = _towards(words, marks, _masked(words, marks, called))
        scored = self._feel(chosen, text, "text" if chosen is words else "sentences")
        if otherwise is not chosen and abs(scored.compound) < LITTLE:
            return self._feel(otherwise, text, "text")
        return scored

    def _fact_of(self, word: str, key: str) -> Fact:
        """VADER's facts, where the service lexicon does not know better."""
        spelt = self._emojis.get(word)
        if spelt:  # an emoji is one word, that counts as all the words it stands for
            valence = sum(self._facts[one].valence or 0.0 for one in spelt.split()) or None
            fact = PLAIN.felt_as(valence)
        elif key == "no":  # VADER's own "no" has a valence as well, and takes back too much
            fact = self._facts["not"]
        else:
            fact = self._facts[word]
        entry = self.lexicon.words.get(key)
        return fact.felt_as(entry.valence or None) if entry else fact

    def _feel(self, words: Sequence[Word], text: str, about: About) -> ServiceScore:
        facts, phrases, hints = self._heard(words)
        found = valences(facts)
        felt = [value if value <= 0 else _stood(facts, n, value) for n, value in found]
        felt += [value for _, value in hints]
        good = bad = 0.0
        for value in felt:
            if value > 0:
                good += value
            else:
                bad += value
        praise = PRAISE if bad <= COMPLAINT else 1.0
        good *= praise
        asked = stress = 0.0
        total = good + bad
        if total > 0 and "?" in text and [word for word in words if word.ends == "?"]:
            asked = min(total, ASKED)
            total -= asked
        if abs(total) >= STRESSED_FROM:
            stress = copysign(emphasis(text), total)
        parts = Felt(words, facts, found, phrases, hints, praise, asked, stress)
        return ServiceScore(round(normal(total + stress), 4), about, good - asked, bad, parts)

    def _heard(self, words: Sequence[Word]) -> tuple[list[Fact], list[tuple[int, int]], list[tuple[int, float]]]:
        """The facts with each phrase as one, where the phrases are, and the hints."""
        facts, keys = [word.fact for word in words], [word.key for word in words]
        phrases: list[tuple[int, int]] = []
        hints: list[tuple[int, float]] = []
        keys.append(END)
        past, fillers, find = 0, self.lexicon.fillers, self.lexicon.find
        for at in [at for at, word in enumerate(words) if word.speaks]:
            if at < past:
                continue
            word = words[at]
            node = word.node
            if (
                node
                and (
                    (key := keys[at + 1]) in node
                    or (key in fillers and not node.keys().isdisjoint(keys[at : at + REACH]))
                )
                and (found := find(node, keys, at + 1))
                and not [one for one in words[at : found[0] - 1] if one.ends]
            ):
                past, phrase = found
                phrases.append((at, past))
                shouted = word.fact.upper and all(one.fact.upper for one in words[at:past])
                facts[at] = phrase.shouted if shouted else phrase.fact
            elif word.hint:
                hints.append((at, word.hint))
        for start, end in reversed(phrases):
            del facts[start + 1 : end]
        return facts, phrases, hints


def _stood(facts: Sequence[Fact], at: int, value: float) -> float:
    """VADER takes back what stands up to three words after a negation; of a complaint only the next word is.

    People who complain say "not" a lot: "you don't answer my issue" takes no issue back.
    """
    valence = facts[at].valence
    if value <= 0 or valence is None or valence >= 0:
        return value
    return valence * DENIED if at and facts[at - 1].negates else valence


def _masked(words: list[Word], marks: Sequence[int], names: _Names) -> list[int]:
    """Make nothing of the names; return where they stand. `marks`: where they may, and handles, and where sentences end."""
    named: list[int] = []
    for at in marks:
        if words[at].kind == "handle":
            if names.is_handle(words[at].key):
                named.append(at)
        elif words[at].key in names.first and (length := names.length(words, at)):
            named.append(at)
            words[at : at + length] = map(_mask, words[at : at + length])
    return named


def _mask(word: Word) -> Word:
    return _MASKS[word.ends]


_MASKS: Final = {ends: Word("", "", PLAIN, ends=ends) for ends in ("", ".", "!", "?")}


def _towards(words: list[Word], marks: Sequence[int], named: Sequence[int]) -> tuple[list[Word], list[Word]]:
    """The words of the sentences that hold a name, and those to listen to where these say nothing.

    Addressed to the brand (its handle comes first), all of a text is for it, but for what is addressed to others.
    """
    if not named:
        return words, words
    last = len(words) - 1
    # What follows a sentence as a tag or an emoji still belongs to it.
    starts = [at + 1 for at in marks if words[at].ends and at < last and words[at + 1].kind in _BEGIN]
    head = 0
    while head < last and words[head].kind == "handle":
        head += 1
    addressed = named[0] < head
    others = addressed and [at for at in marks if at >= head and words[at].kind == "handle" and at not in named]
    if not starts:
        return (words if addressed else list(words)), words
    if addressed and not others:
        return words, words
    sentences: list[tuple[int, int]] = []
    for start, end in zip([0, *starts], [*starts, len(words)], strict=True):
        if sentences and _is_afterthought(words[start:end]):
            sentences[-1] = (sentences[-1][0], end)
        else:
            sentences.append((start, end))
    theirs = [(a, b) for a, b in sentences if any(a <= at < b for at in named)]
    if others:
        theirs = [(a, b) for a, b in sentences if (a, b) in theirs or not any(a <= at < b for at in others)]
    chosen = _those(words, theirs)
    return chosen, chosen if addressed else words


def _is_afterthought(sentence: Sequence[Word]) -> bool:
    """Whether a sentence says of whom the one before told how it feels: "Well done!", "Shameful."."""
    if any(word.kind == "handle" for word in sentence):
        return False
    return len(sentence) == 1 or (len(sentence) <= EXCLAIMED and sentence[-1].ends == "!")


def _those(words: list[Word], sentences: Sequence[tuple[int, int]]) -> list[Word]:
    return [word for start, end in sentences for word in words[start:end]]

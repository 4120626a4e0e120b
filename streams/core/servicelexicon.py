"""The service lexicon: what people say to companies, read from `lexicon/service.tsv`."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.core.servicewords import NUMBER, TIME, key_of
from streams.core.vader import PLAIN, Fact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


STRONGEST: Final = 4.0
"""Valences run from minus to plus this, as VADER's do."""
MOST_SKIPPED = 3
"""Fillers that may stand between two words of a phrase."""


class LexiconError(ValueError):
    """A line that cannot be read: which, and why."""


class Entry(NamedTuple):
    """One line: a word, a phrase or an emoji, how it counts, why, and a sentence in which it does."""

    phrase: str
    valence: float
    reason: str
    test: str


class Node(dict[str, "Node"]):
    """A place in the trie of phrases; if a phrase ends here, its `entry` and what it counts as, said or SHOUTED."""

    entry: Entry | None = None
    fact: Fact = PLAIN
    shouted: Fact = PLAIN

    def mean(self, entry: Entry) -> None:
        """Let a phrase end here."""
        self.entry = entry
        self.fact = Fact("", upper=False, valence=entry.valence or None)
        self.shouted = Fact("", upper=True, valence=entry.valence or None)


class Lexicon(NamedTuple):
    """All entries, ready to be found."""

    version: str
    entries: tuple[Entry, ...]
    words: Mapping[str, Entry]
    fillers: frozenset[str]
    """What may stand inside a phrase; "" is a name that was masked."""
    trie: Node

    def find(self, node: Node, keys: Sequence[str], at: int) -> tuple[int, Node] | None:
        """The longest phrase that goes on from a node with the word at a place: where it ends (exclusive), and its node."""
        for key in keys[at : at + MOST_SKIPPED + 1]:
            at += 1
            if key in node:
                deeper = node[key]
                further = self.find(deeper, keys, at) if deeper else None
                if further or deeper.entry:
                    return further or (at, deeper)
            if key not in self.fillers:
                break
        return None


@cache
def service_lexicon() -> Lexicon:
    """The lexicon that comes with Groundswell."""
    return read((files("streams.core") / "lexicon" / "service.tsv").read_text(encoding="utf-8"))


def read(text: str) -> Lexicon:
    """Read a lexicon.

    Raises:
        LexiconError: a line is not as the head of the file says.
    """
    groups: dict[str, list[str]] = {}
    entries: list[Entry] = []
    version = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("# ") or line == "#":
            continue
        cells = line.split("\t")
        if cells[0] == "version" and len(cells) == 2:
            version = cells[1]
        elif cells[0].startswith("$") and len(cells) == 2:
            groups[cells[0]] = cells[1].split()
        else:
            entries.append(_entry(cells, number))
    trie = Node()
    for entry in entries:
        for keys in _spelt(entry, groups):
            node = trie
            for key in keys:
                node = node.setdefault(key, Node())
            node.mean(entry)
    words = {key: node.entry for key, node in trie.items() if node.entry}
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Lexicon(f"{version}-{digest}", tuple(entries), words, frozenset(["", *groups.get("$fillers", ())]), trie)


def _entry(cells: Sequence[str], number: int) -> Entry:
    try:
        phrase, valence, reason, test = cells
        entry = Entry(phrase, float(valence), reason, test)
    except ValueError as wrong:
        raise LexiconError(
            f"line {number}: expected phrase, valence, reason, test with tabs between: {wrong}"
        ) from wrong
    if not -STRONGEST <= entry.valence <= STRONGEST or not all(map(str.strip, cells)):
        raise LexiconError(f"line {number}: a valence runs from -4 to 4, and nothing may be empty")
    return entry


def _spelt(entry: Entry, groups: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Every way to write an entry: `lost|lose $thing` is one way for each word of both."""

    def ways(token: str) -> Iterable[str]:
        for way in token.split("|"):
            if way.startswith("$"):
                if way not in groups:
                    raise LexiconError(f"{entry.phrase}: there is no group {way}")
                yield from (key_of(word) or word for word in groups[way])
            else:
                yield way if way in (TIME, NUMBER) else key_of(way) or way

    return product(*map(ways, entry.phrase.split()))

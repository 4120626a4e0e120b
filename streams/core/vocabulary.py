"""Which literals of the rules a chunk of text satisfies, worked out once and remembered.

Usual chunks cost one look-up. Of those never seen before (handles, links, numbers, slips) most hold no
literal at all: an Aho-Corasick automaton of all literals says so in one pass over their letters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import ahocorasick

from streams.core.chunks import ChunkMemory
from streams.core.text import fold, pieces, tokens_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.core.tree import Atom


class Touch(NamedTuple):
    """Where in a chunk an atom is satisfied: code points and token positions."""

    chunk: str
    start: int
    end: int
    first: int
    last: int


Touches = dict[int, tuple[Touch, ...]]
"""What a chunk satisfies, by atom. Shared by all who look it up: never changed."""
NOTHING: Touches = {}


class TokenCounts(ChunkMemory[int]):
    """How many token positions a chunk has."""

    def work_out(self, chunk: str) -> int:
        """Count them."""
        return tokens_in(chunk)


class Vocabulary(ChunkMemory[Touches]):
    """All atoms of all rules by number, and what each chunk satisfies."""

    def __init__(self, atoms: Iterable[Atom]) -> None:
        super().__init__()
        self.number: dict[Atom, int] = {}
        self._words: dict[tuple[str, str], int] = {}
        self._prefixes: dict[str, list[tuple[str, int]]] = {}
        self.tokens_in = TokenCounts()
        self._literals = ahocorasick.Automaton()
        self._literals.add_word("\0", "")  # an automaton of nothing cannot be asked
        for number, atom in enumerate(dict.fromkeys(atoms)):
            self.number[atom] = number
            self._words[atom.kind, atom.key] = number
            if atom.kind == "prefix":
                self._prefixes.setdefault(atom.key[:4], []).append((atom.key, number))
            if atom.kind != "from":
                self._literals.add_word(atom.key.lower(), "")
        self._literals.make_automaton()

    def known(self, kind: str, key: str) -> int | None:
        """The number of an atom, if a rule uses it."""
        return self._words.get((kind, key))

    def uses(self, kind: str) -> bool:
        """Whether any rule has an atom of this kind."""
        return any(k == kind for k, _ in self._words)

    def work_out(self, chunk: str) -> Touches:
        """Look a chunk's pieces up among the atoms."""
        return NOTHING if self._means_nothing(chunk) else self._touches(chunk)

    def _means_nothing(self, chunk: str) -> bool:
        """Whether no literal is in a chunk. Folding may join letters beyond ASCII, so those are always looked at."""
        return chunk.isascii() and next(self._literals.iter(chunk.lower()), None) is None

    def _touches(self, chunk: str) -> Touches:
        touches: Touches = {}
        for piece in pieces(chunk):
            touch = Touch(chunk, piece.start, piece.end, piece.first, piece.last)
            for atom in self._atoms(piece.kind, piece.text):
                touches[atom] = (*touches.get(atom, ()), touch)
        return touches or NOTHING

    def _atoms(self, kind: str, text: str) -> Iterable[int]:
        key = fold(text)
        if kind in ("tag", "handle"):
            names = [(kind, key[1:])]
        elif kind == "host":
            names = [("word", key)]
        else:
            names = [("word", key), ("exact", text)]
            yield from (n for prefix, n in self._prefixes.get(key[:4], ()) if key.startswith(prefix))
        yield from (n for name in names if (n := self._words.get(name)) is not None)

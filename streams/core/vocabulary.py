"""Which literals of the rules a chunk of text satisfies, worked out once and remembered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from streams.core.text import AROUND, fold, pieces

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.core.expression import Atom

REMEMBERED_CHUNKS = 50_000
LONGEST_REMEMBERED = 40
_LINK = re.compile(r"(https?://[a-z0-9][a-z0-9.-]{0,99})([/?#][!-~]*)?")


class Touch(NamedTuple):
    """An atom that a chunk satisfies: code points and token positions within it; `ends` if no token follows."""

    atom: int
    start: int
    end: int
    first: int
    last: int
    ends: bool


class Vocabulary(dict[str, tuple[Touch, ...]]):
    """All atoms of all rules by number, and, as a bounded memory, what each chunk satisfies."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[Atom, int] = {}
        self._words: dict[tuple[str, str], int] = {}
        self._plain: set[str] = set()
        self._prefixes: dict[str, list[tuple[str, int]]] = {}

    def number(self, atom: Atom) -> int:
        """The atom's number; the first time it is asked for, a new one."""
        if atom not in self._numbers:
            number = self._numbers[atom] = len(self._numbers)
            if atom.kind == "prefix":
                self._prefixes.setdefault(atom.key[:4], []).append((atom.key, number))
            self._words[atom.kind, atom.key] = number
            self._plain.add(f"@{atom.key}" if atom.kind == "handle" else atom.key.lower())
        return self._numbers[atom]

    def known(self, kind: str, key: str) -> int | None:
        """The number of an atom, if a rule uses it."""
        return self._words.get((kind, key))

    def uses(self, kind: str) -> bool:
        """Whether any rule has an atom of this kind."""
        return any(k == kind for k, _ in self._words)

    def __missing__(self, chunk: str) -> tuple[Touch, ...]:
        if link := _LINK.fullmatch(chunk):
            # Every link is new; its host is not.
            return self[link[1]] if link[2] else self._learn(chunk, tuple(self._touches(chunk)))
        return self._learn(chunk, () if self._means_nothing(chunk) else tuple(self._touches(chunk)))

    def _learn(self, chunk: str, touches: tuple[Touch, ...]) -> tuple[Touch, ...]:
        if len(chunk) <= LONGEST_REMEMBERED:
            if len(self) >= REMEMBERED_CHUNKS:
                self.clear()
            self[chunk] = touches
        return touches

    def _means_nothing(self, chunk: str) -> bool:
        """Whether a chunk is one plain word or handle that no rule asks for: most new chunks are."""
        key = chunk.strip(AROUND).lower()
        if not key.isascii() or not key.removeprefix("@").isalnum():
            return False
        return key not in self._plain and key[:4] not in self._prefixes

    def _touches(self, chunk: str) -> Iterable[Touch]:
        found = pieces(chunk)
        end = max((p.last for p in found), default=0)
        for piece in found:
            for atom in self._atoms(piece.kind, piece.text):
                yield Touch(atom, piece.start, piece.end, piece.first, piece.last, piece.last == end)

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

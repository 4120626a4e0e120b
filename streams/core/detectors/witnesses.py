"""The latest mentions of a brand, as far as it takes to say who is behind a rise.

When there are too many, the older half goes, except what holds a term that is rising: a slow start is not forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from streams.core.detectors.termtable import UNIT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from streams.core.detectors.interface import Heard

MOST, MOST_BYTES = 512, 64_000
MOST_TERMS = 10
LONGEST_ID = 200
LOOK_BACK_S = 3 * 3600

BAD, GOOD, COPY, DATED, YOUNG, ALTERED = 1, 2, 4, 8, 16, 32
"""Negative; positive; a copy; the account's age is known; it was made lately; a copy with a word changed."""
MOODS = {"negative": BAD, "positive": GOOD}


class Witness(Struct, array_like=True):
    """One mention. `author` is 32 bits of the hash, `weight` its voice's in UNITs, `terms` its rarer ones."""

    at_s: int
    id: str
    author: int
    flags: int
    weight: int
    terms: list[str]


class Witnesses(Struct, array_like=True):
    """One brand's, the latest last.

    Of all ever heard and not yet half forgotten: how many there were, with accounts dated, and young, and altered copies.
    """

    latest: list[Witness] = []
    bytes: int = 0
    dated: int = 0
    young: int = 0
    heard: int = 0
    altered: int = 0

    def add(self, mention: Heard, at_s: float, terms: list[str], rising: Collection[str]) -> None:
        """Remember a mention by its rarer terms. One with an absurdly long id cannot be shown, and is not."""
        if len(mention.id) > LONGEST_ID:
            return
        witness = Witness(
            int(at_s),
            mention.id,
            mention.author & 0xFFFFFFFF,
            _flags(mention),
            int(mention.voice.weight * UNIT),
            terms[:MOST_TERMS],
        )
        self.dated += bool(witness.flags & DATED)
        self.young += bool(witness.flags & YOUNG)
        self.heard += 1
        self.altered += mention.voice.altered
        self.latest.append(witness)
        self.bytes += _size(witness)
        if len(self.latest) > MOST or self.bytes > MOST_BYTES:
            self._forget(at_s, rising)

    def holding(self, terms: Iterable[str], at_s: float) -> list[Witness]:
        """Those of the last hours with any of these terms."""
        since_s, sought = at_s - LOOK_BACK_S, frozenset(terms)
        return [one for one in self.latest if one.at_s >= since_s and not sought.isdisjoint(one.terms)]

    def halve(self) -> None:
        """Half of what is usual is forgotten."""
        self.dated, self.young = self.dated >> 1, self.young >> 1
        self.heard, self.altered = self.heard >> 1, self.altered >> 1

    def _forget(self, at_s: float, rising: Collection[str]) -> None:
        half, since_s, sought = len(self.latest) // 2, at_s - LOOK_BACK_S, frozenset(rising)
        kept = [one for one in self.latest[:half] if one.at_s >= since_s and not sought.isdisjoint(one.terms)]
        self.latest = kept[len(kept) // 2 if len(kept) > half // 2 else 0 :] + self.latest[half:]
        self.bytes = sum(map(_size, self.latest))


def _flags(mention: Heard) -> int:
    return (
        MOODS.get(mention.label, 0)
        + COPY * mention.voice.copy
        + DATED * (mention.author_age_s is not None)
        + YOUNG * mention.young
        + ALTERED * mention.voice.altered
    )


def _size(witness: Witness) -> int:
    """At most so many bytes, serialised."""
    written = witness.id + "".join(witness.terms)
    return 24 + 2 * len(witness.terms) + (len(written) if written.isascii() else len(written.encode()))

"""A mention as the rules hear it: its texts, what they hold and where, and the way back to what was written."""

from __future__ import annotations

from itertools import accumulate
from operator import add
from typing import TYPE_CHECKING

from msgspec import Struct

from streams.core.text import original_span
from streams.records import Hit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.core.vocabulary import Touches, Vocabulary
    from streams.records import Mention


Spot = tuple[int, int, int, int, int]
"""A literal where its place matters: its first and last token, counted through its part; that part's number; where it
starts and ends in the part's text. A plain tuple, since many are made."""

Place = int | Spot
"""An atom, for wherever it comes first; or a spot. Most rules ask only whether, so where is worked out at the end."""


class Part(Struct, gc=False):
    """One field's text: as written, normalised, split, and what its chunks satisfy."""

    number: int
    field: str
    original: str
    text: str
    chunks: list[str]
    found: Touches
    vocabulary: Vocabulary
    walked: dict[int, list[Spot]] | None = None

    @property
    def spots(self) -> dict[int, list[Spot]]:
        """Where each atom is, every time, in order of their first tokens. Worked out for the rules that ask."""
        if self.walked is None:
            self.walked = {}
            self._walk(self.walked)
        return self.walked

    def _walk(self, spots: dict[int, list[Spot]]) -> None:
        chunks, vocabulary = self.chunks, self.vocabulary
        tokens = [*accumulate(map(vocabulary.tokens_in.__getitem__, chunks), initial=0)]
        offsets = self._offsets()
        for at, touches in enumerate(map(vocabulary.__getitem__, chunks)):
            if touches:
                token, offset = tokens[at], offsets[at]
                for atom, several in touches.items():
                    for _, start, end, first, last in several:
                        spot = (token + first, token + last, self.number, offset + start, offset + end)
                        spots.setdefault(atom, []).append(spot)
        for found in spots.values():
            if len(found) > 1:
                found.sort()

    def _offsets(self) -> Sequence[int]:
        """Where each chunk starts."""
        chunks, text = self.chunks, self.text
        before = [*accumulate(map(len, chunks), initial=0)]
        if before[-1] + len(chunks) - 1 == len(text):  # one blank between any two, as nearly always
            return list(map(add, before, range(len(chunks))))
        offsets, at = [], 0
        for chunk in chunks:
            offsets.append(text.index(chunk, at))
            at = offsets[-1] + len(chunk)
        return offsets


class Heard(Struct, gc=False):
    """A mention, its parts, and all the atoms in them."""

    mention: Mention
    parts: list[Part]
    found: Touches


def hits(heard: Heard, places: list[Place], rule: str) -> list[Hit]:
    """The places as offsets into what was written, in the order of the text."""
    if len(places) == 1:
        part, start, end = _span(heard, places[0])
        return [Hit(rule, start, end, part.field)]
    told = []
    for place in dict.fromkeys(places):
        part, start, end = _span(heard, place)
        told.append((part.number, start, end))
    told.sort()
    return [Hit(rule, start, end, heard.parts[number].field) for number, start, end in told]


def _span(heard: Heard, place: Place) -> tuple[Part, int, int]:
    if isinstance(place, int):
        for part in heard.parts:
            if place in part.found:
                break
        chunk, start, end, _, _ = part.found[place][0]
        offset = _offset(part, chunk)
        start, end = offset + start, offset + end
    else:
        _, _, number, start, end = place
        part = heard.parts[number]
    if not part.original.isascii():
        start, end = original_span(part.original, start, end)
    return part, start, end


def _offset(part: Part, chunk: str) -> int:
    """Where a chunk comes first. Only one whose letters occur elsewhere as well needs the walk."""
    text = part.text
    at = text.find(chunk)
    if text.find(chunk, at + 1) < 0:
        return at
    at = 0
    for before in part.chunks[: part.chunks.index(chunk)]:
        at = text.index(before, at) + len(before)
    return text.index(chunk, at)

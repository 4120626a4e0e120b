"""What `mentions.scored` and `dead-letters` say of each raw record. Made for millions: each telling is one number."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SET_ASIDE, REMOVED, TOLD = range(3)
BRAND_BITS, KIND_BITS = 22, 2

Lane = tuple[int, int]
"""Epoch and partition of the raw log."""


def what_is(code: int) -> tuple[int, int, int]:
    """Return a telling's raw offset, its brand's number, and its kind."""
    return code >> (BRAND_BITS + KIND_BITS), code >> KIND_BITS & (1 << BRAND_BITS) - 1, code & (1 << KIND_BITS) - 1


class Tellings:
    """Everything that was told of each raw record, each told thing once; what was told again is counted in `again`."""

    def __init__(self) -> None:
        self.brands: list[str | None] = []
        self.again = 0
        self._numbers: dict[str | None, int] = {}
        self._codes: dict[Lane, array[int]] = {}

    def note(self, lane: Lane, offset: int, kind: int, brand: str | None = None) -> None:
        """Note one record of `mentions.scored` or `dead-letters`."""
        number = self._numbers.get(brand)
        if number is None:
            number = self._numbers[brand] = len(self.brands)
            self.brands.append(brand)
        if lane not in self._codes:
            self._codes[lane] = array("Q")
        self._codes[lane].append((offset << BRAND_BITS | number) << KIND_BITS | kind)

    def settle(self) -> None:
        """Sort, and drop what was told again. Call it once, when everything is noted."""
        for lane, codes in self._codes.items():
            once, last = array("Q"), -1
            for code in sorted(codes):
                if code != last:
                    once.append(code)
                last = code
            self.again += len(codes) - len(once)
            self._codes[lane] = once

    def of(self, lane: Lane) -> array[int]:
        """All tellings of a lane, ascending."""
        return self._codes.get(lane, array("Q"))

    def lanes(self) -> Iterable[Lane]:
        """Those of which anything was told."""
        return self._codes.keys()

    def mentions(self, lane: Lane) -> Iterator[tuple[str, int]]:
        """Brand and offset of each mention told."""
        for offset, number, kind in map(what_is, self.of(lane)):
            if kind == TOLD:
                yield str(self.brands[number]), offset

"""Where literals stand to each other: on adjacent tokens, near each other, in one sentence."""

from __future__ import annotations

from bisect import bisect_right
from itertools import chain
from typing import TYPE_CHECKING

from streams.core.text import sentence_ends
from streams.core.tree import Atom, Phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streams.core.heard import Heard, Part, Place, Spot
    from streams.core.tree import Near, Side

    Test = Callable[[Heard], list[Place] | None]

Numbered = tuple[frozenset[int], list[tuple[int, ...]]]
"""A side: the atoms that are words, tags or handles, and the atoms of each phrase."""

FAR = 1 << 60


def numbered(side: Side, number: Mapping[Atom, int]) -> Numbered:
    """A side's literals, as numbers."""
    words = frozenset(number[one] for one in side if isinstance(one, Atom))
    return words, [tuple(number[atom] for atom in one.atoms) for one in side if isinstance(one, Phrase)]


def compile_near(near: Near, number: Mapping[Atom, int]) -> Test:
    """A test of two sides near each other: where both stand if they are, None if not."""
    left, right = numbered(near.left, number), numbered(near.right, number)
    most, ordered = near.most, near.ordered

    def test(heard: Heard) -> list[Place] | None:
        if not (_present(heard, left) and _present(heard, right)):
            return None
        for part in heard.parts:
            lefts = _stand(part, left)
            rights = _stand(part, right) if lefts else []
            if rights:
                pairs = [_after(lefts, rights, most), None if ordered else _after(rights, lefts, most)]
                if found := [pair for pair in pairs if pair]:
                    return [*min(found)]
        return None

    return test


def _present(heard: Heard, side: Numbered) -> bool:
    words, phrases = side
    if not words.isdisjoint(heard.found):
        return True
    return any(all(atom in heard.found for atom in numbers) for numbers in phrases)


def _stand(part: Part, side: Numbered) -> list[Spot]:
    """Where any literal of a side stands in a part, in order."""
    words, phrases = side
    spots = part.spots
    found = [spots[atom] for atom in spots if atom in words]
    if phrases:
        found += [runs for numbers in phrases if (runs := _runs(part, numbers))]
    return found[0] if len(found) == 1 else sorted(chain.from_iterable(found))


def _runs(part: Part, numbers: Sequence[int]) -> list[Spot]:
    """Where the atoms stand on adjacent tokens."""
    runs = part.spots.get(numbers[0], [])
    for atom in numbers[1:]:
        ending: dict[int, list[Spot]] = {}
        for run in runs:
            ending.setdefault(run[1] + 1, []).append(run)
        runs = [
            (began, last, number, start, end)
            for first, last, number, _, end in part.spots.get(atom, ())
            for began, _, _, start, _ in ending.get(first, ())
        ]
    return runs


def _after(lefts: list[Spot], rights: list[Spot], most: int) -> tuple[Spot, Spot] | None:
    """The first left that has a right behind it, with at most so many tokens between."""
    for left in lefts:
        behind = bisect_right(rights, (left[1], FAR))
        if behind < len(rights) and rights[behind][0] - left[1] - 1 <= most:
            return left, rights[behind]
    return None


def phrase(heard: Heard, numbers: Sequence[int]) -> list[Place] | None:
    """Where the atoms first stand on adjacent tokens of one part."""
    for atom in numbers:
        if atom not in heard.found:
            return None
    for part in heard.parts:
        if found := _runs(part, numbers):
            return [found[0]]
    return None


def sentence(heard: Heard, sides: list[Numbered]) -> list[Place] | None:
    """Where all sides first stand in one sentence."""
    if not all(_present(heard, side) for side in sides):
        return None
    for part in heard.parts:
        stand = [_stand(part, side) for side in sides]
        if not all(stand):
            continue
        ends = sentence_ends(part.text)
        held: list[dict[int, Spot]] = []
        for spots in stand:
            held.append({})
            for spot in spots:
                sentence = bisect_right(ends, spot[3])
                if sentence == bisect_right(ends, spot[4] - 1):
                    held[-1].setdefault(sentence, spot)
        if common := set(held[0]).intersection(*held[1:]):
            return [spots[min(common)] for spots in held]
    return None

"""Which rules are worth evaluating: each is filed under the rarest literals that it cannot match without.

The method of search engines that run stored queries. A rule that wants two things at once is filed under pairs,
one literal of each, so that a word which a hundred rules share calls none of them on its own.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from streams.core.tree import Atom, Group, Near, Phrase, Sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streams.core.tree import Node

MOST_PAIRS = 400
"""Of one rule; a rule with more is filed under single literals."""

FEW = 16
"""Of so few, asking one by one is faster than an intersection."""

Call = tuple[Atom, ...]
"""One literal, or two that both must be there, the rarer one first."""


def calls(node: Node) -> frozenset[Call]:
    """Of every match at least one of these is all there. Empty: it could match without any literal."""
    match node:
        case Atom():
            return frozenset({(node,)})
        case Phrase(atoms):
            return _both([frozenset({(atom,)}) for atom in set(atoms)])
        case Near(left, right):
            return _both([_either(left), _either(right)])
        case Sentence(sides):
            return _both([_either(side) for side in sides])
        case Group("or", of):
            return _either(of)
        case Group("and", of):
            return _both([found for member in of if (found := calls(member))])
    return frozenset()


def _either(of: Sequence[Node]) -> frozenset[Call]:
    found = [calls(member) for member in of]
    return frozenset().union(*found) if all(found) else frozenset()


def _both(wanted: Iterable[frozenset[Call]]) -> frozenset[Call]:
    """The two rarest of what must all be there, joined."""
    rarest = sorted(wanted, key=_rarity, reverse=True)[:2]
    if not rarest:
        return frozenset()
    if len(rarest) == 1 or len(rarest[0]) * len(rarest[1]) > MOST_PAIRS:
        return rarest[0]
    return frozenset(_pair(a[0], b[0]) for a, b in product(*rarest))


def _pair(a: Atom, b: Atom) -> Call:
    if a == b:
        return (a,)
    return (a, b) if (len(a.key), a.key, a.kind) >= (len(b.key), b.key, b.kind) else (b, a)


def _rarity(found: frozenset[Call]) -> tuple[int, int, list[str]]:
    """Long is rare, and few are rarer than many; the rest only makes the order certain."""
    return min(len(call[0].key) for call in found), -len(found), sorted(call[0].key for call in found)


class Candidates:
    """The rules filed."""

    def __init__(self, filed: Sequence[frozenset[Call]], number: Mapping[Atom, int]) -> None:
        """`filed`: the calls of each rule, in their order."""
        alone: dict[int, list[int]] = {}
        paired: dict[int, dict[int, list[int]]] = {}
        for rule, called in enumerate(filed):
            for first, *second in called:
                if second:
                    paired.setdefault(number[first], {}).setdefault(number[second[0]], []).append(rule)
                else:
                    alone.setdefault(number[first], []).append(rule)
        self._alone, self._paired = alone, paired

    def called(self, found: Mapping[int, object]) -> list[int]:
        """The rules that may match where these atoms were found, in their order."""
        rules: set[int] = set()
        alone, paired = self._alone, self._paired
        for atom in found:
            if atom in alone:
                rules.update(alone[atom])
            if atom in paired:
                there = paired[atom]
                for other in found if len(found) < FEW else there.keys() & found.keys():
                    if other in there:
                        rules.update(there[other])
        return sorted(rules) if len(rules) > 1 else list(rules)

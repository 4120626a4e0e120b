"""The tree of an expression: literals, what must be true beside them, and how they are joined."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["word", "exact", "prefix", "tag", "handle", "from"]


@dataclass(frozen=True, slots=True)
class Atom:
    """What one token can satisfy. `key` is folded, except for `exact`; `tag` and `handle` come without # and @."""

    kind: Kind
    key: str
    leaves: int = field(default=1, init=False)
    depth: int = field(default=0, init=False)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Atoms on adjacent tokens, in this order."""

    atoms: tuple[Atom, ...]
    leaves: int = field(default=1, init=False)
    depth: int = field(default=0, init=False)


class ExpressionError(Exception):
    """An expression is wrong at code point `at`; the text says what was found and expected, with a hint."""

    def __init__(self, at: int, message: str, hint: str) -> None:
        super().__init__(f"{message} (hint: {hint})")
        self.at = at


@dataclass(frozen=True, slots=True)
class Condition:
    """What must be true of the mention itself: lang, source, channel, followers (at least), place."""

    name: str
    value: str | int
    leaves: int = field(default=1, init=False)
    depth: int = field(default=0, init=False)


Side = tuple[Atom | Phrase, ...]
"""One of these."""


@dataclass(frozen=True, slots=True)
class Near:
    """Two sides with at most `most` tokens between; `ordered`: the left one first."""

    left: Side
    right: Side
    most: int
    ordered: bool
    depth: int = field(default=1, init=False)

    @property
    def leaves(self) -> int:
        """How many literals it holds."""
        return len(self.left) + len(self.right)


@dataclass(frozen=True, slots=True)
class Sentence:
    """All sides in one sentence."""

    sides: tuple[Side, ...]
    depth: int = field(default=1, init=False)

    @property
    def leaves(self) -> int:
        """How many literals it holds."""
        return sum(map(len, self.sides))


@dataclass(frozen=True, slots=True)
class Group:
    """A bracket level. A `not` has one member, an `and` at least one that is no `not`."""

    op: Literal["and", "or", "not"]
    of: tuple[Node, ...]
    leaves: int
    depth: int


Node = Atom | Phrase | Condition | Near | Sentence | Group


def conditions(node: Node) -> set[str]:
    """The names of the conditions that a tree asks for."""
    match node:
        case Condition(name):
            return {name}
        case Group(_, of):
            return set().union(*map(conditions, of))
    return set()


def atoms_of(node: Node) -> Iterator[Atom]:
    """Every atom in a tree."""
    match node:
        case Atom():
            yield node
        case Phrase(atoms):
            yield from atoms
        case Near(left, right):
            for one in (*left, *right):
                yield from atoms_of(one)
        case Sentence(sides):
            for side in sides:
                for one in side:
                    yield from atoms_of(one)
        case Group(_, of):
            for member in of:
                yield from atoms_of(member)

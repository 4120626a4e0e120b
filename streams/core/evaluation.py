"""Evaluation: whether a rule's tree holds for a mention that has been heard, and where."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from streams.core.expression import Atom, Group, Phrase
from streams.core.text import has_token, original_span
from streams.records import Hit

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.core.expression import Node
    from streams.core.vocabulary import Touch

    Test = Callable[["Heard"], "list[Place] | None"]


# Where a literal was found: part, chunk, offset in that chunk, last chunk, end in that one. A plain
# tuple, because several are made for each mention.
Place = tuple[int, int, int, int, int]


class Part(NamedTuple):
    """One field's text: as written, normalised, split, and the chunks that satisfy anything."""

    field: str
    original: str
    text: str
    chunks: list[str]
    touched: list[tuple[int, tuple[Touch, ...]]]


class Heard(NamedTuple):
    """A mention's parts, and where each atom comes first."""

    parts: list[Part]
    found: dict[int, Place]


def compile_node(node: Node, number: Callable[[Atom], int]) -> Test:
    """A test of one tree: where its literals are if it holds (a NOT adds none), None if not."""
    match node:
        case Atom():
            atom = number(node)
            return lambda heard: [heard.found[atom]] if atom in heard.found else None
        case Phrase(atoms):
            numbers = [number(atom) for atom in atoms]
            return lambda heard: _adjacent(heard, numbers)
        case Group("not", (inner,)):
            negated = compile_node(inner, number)
            return lambda heard: [] if negated(heard) is None else None
        case Group("or", of) if all(isinstance(member, Atom) for member in of):
            any_of = frozenset(number(member) for member in of if isinstance(member, Atom))
            return lambda heard: [place for atom, place in heard.found.items() if atom in any_of] or None
        case Group("or", of):
            tests = [compile_node(member, number) for member in of]
            return lambda heard: _any(heard, tests)
        case Group(_, of):
            tests = [compile_node(member, number) for member in of]
            return lambda heard: _all(heard, tests)


def _any(heard: Heard, tests: list[Test]) -> list[Place] | None:
    places = [found for test in tests if (found := test(heard)) is not None]
    return list(chain.from_iterable(places)) if places else None


def _all(heard: Heard, tests: list[Test]) -> list[Place] | None:
    places: list[Place] = []
    for test in tests:
        found = test(heard)
        if found is None:
            return None
        places += found
    return places


def _adjacent(heard: Heard, atoms: list[int]) -> list[Place] | None:
    """Where the atoms first stand on adjacent tokens of one part."""
    if any(atom not in heard.found for atom in atoms):
        return None
    for number, part in enumerate(heard.parts):
        # Open runs: the (chunk, token) that must come next -> where the run began. None: begin anywhere.
        runs: dict[tuple[int, int], tuple[int, int]] | None = None
        ended: list[Place] = []
        for atom in atoms:
            following: dict[tuple[int, int], tuple[int, int]] = {}
            ended = []
            for at, touches in part.touched:
                for touch in touches:
                    if touch.atom != atom:
                        continue
                    begun = (at, touch.start) if runs is None else runs.get((at, touch.first))
                    if begun is not None:
                        after = (_next_chunk(part.chunks, at), 0) if touch.ends else (at, touch.last + 1)
                        following.setdefault(after, begun)
                        ended.append((number, *begun, at, touch.end))
            runs = following
        if ended:
            return ended[:1]
    return None


def _next_chunk(chunks: list[str], at: int) -> int:
    at += 1
    while at < len(chunks) and not has_token(chunks[at]):
        at += 1
    return at


def hits(heard: Heard, places: list[Place], rule: str) -> list[Hit]:
    """The places as offsets into what was written."""
    told = []
    for part, chunk, begin, last_chunk, stop in dict.fromkeys(places):
        field, original, text, chunks, _ = heard.parts[part]
        offset = _offset(text, chunks, chunk)
        start = offset + begin
        end = stop + (offset if last_chunk == chunk else _offset(text, chunks, last_chunk))
        if not original.isascii():
            start, end = original_span(original, start, end)
        told.append(Hit(rule, start, end, field))
    return told


def _offset(text: str, chunks: list[str], number: int) -> int:
    """Where a chunk starts. Only a chunk whose letters occur elsewhere as well needs the walk."""
    at = text.find(chunks[number])
    if text.find(chunks[number], at + 1) < 0:
        return at
    at = 0
    for chunk in chunks[:number]:
        at = text.find(chunk, at) + len(chunk)
    return text.find(chunks[number], at)


def needed(node: Node) -> set[Atom]:
    """Atoms of which every match has at least one, and as rare ones as can be told: long is rare."""
    match node:
        case Atom():
            return {node}
        case Phrase(atoms):
            return {max(atoms, key=lambda atom: len(atom.key))}
        case Group("or", of):
            return set().union(*map(needed, of))
        case Group("and", of):
            choices = [needed(member) for member in of if not (isinstance(member, Group) and member.op == "not")]
            return max(choices, key=lambda atoms: min(len(atom.key) for atom in atoms))
    raise AssertionError(f"{node} has no positive literal")

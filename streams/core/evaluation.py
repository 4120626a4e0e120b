"""Evaluation: whether a rule's tree holds for a mention that has been heard, and where."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from streams.core.conditions import holds
from streams.core.proximity import compile_near, numbered, phrase, sentence
from streams.core.tree import Atom, Condition, Group, Near, Phrase, Sentence, atoms_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.core.heard import Heard, Place
    from streams.core.proximity import Test
    from streams.core.tree import Node


def compile_node(node: Node, number: Mapping[Atom, int]) -> Test:
    """A test of one tree: where its literals are if it holds (a NOT or a condition adds none), None if not."""
    match node:
        case Atom():
            atom = number[node]
            return lambda heard: [atom] if atom in heard.found else None
        case Phrase(atoms):
            numbers = [number[atom] for atom in atoms]
            return lambda heard: phrase(heard, numbers)
        case Condition(name, value):
            return lambda heard: [] if holds(name, value, heard.mention) else None
        case Near():
            return compile_near(node, number)
        case Sentence(sides):
            tables = [numbered(side, number) for side in sides]
            return lambda heard: sentence(heard, tables)
        case Group("not", (inner,)):
            negated = compile_node(inner, number)
            return lambda heard: [] if negated(heard) is None else None
        case Group("and", of) if all(map(_is_list, of)):
            lists = [frozenset(map(number.__getitem__, atoms_of(member))) for member in of]
            return lambda heard: _from_each(heard, lists)
        case Group("or") if _is_list(node):
            any_of = frozenset(map(number.__getitem__, atoms_of(node)))
            return lambda heard: [atom for atom in heard.found if atom in any_of] or None
    tests = [compile_node(member, number) for member in node.of]
    return (lambda heard: _any(heard, tests)) if node.op == "or" else (lambda heard: _all(heard, tests))


def _is_list(node: Node) -> bool:
    match node:
        case Group("or", of):
            return all(isinstance(member, Atom) for member in of)
    return isinstance(node, Atom)


def _from_each(heard: Heard, lists: list[frozenset[int]]) -> list[Place] | None:
    """Nearly all issues are a thing and a trouble, so these are spared a call for each of their lists."""
    places: list[Place] = []
    for any_of in lists:
        found = [atom for atom in heard.found if atom in any_of]
        if not found:
            return None
        places += found
    return places


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

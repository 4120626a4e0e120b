"""Only rules that may match are evaluated, and never too few of them."""

from __future__ import annotations

from streams.core.candidates import Candidates, calls
from streams.core.expression import parse
from streams.core.tree import atoms_of


def called(rules: list[str], words: str) -> list[int]:
    """Which rules these words call."""
    trees = [parse(rule, lambda _: None) for rule in rules]
    atoms = dict.fromkeys(atom for tree in trees for atom in atoms_of(tree))
    number = {atom: n for n, atom in enumerate(atoms)}
    found = {n: None for atom, n in number.items() if atom.key in words.split()}
    return Candidates([calls(tree) for tree in trees], number).called(found)


def test_a_word_that_many_rules_share_calls_none_of_them_on_its_own():
    rules = [f"battery AND trouble{n}" for n in range(100)]
    assert called(rules, "battery") == []
    assert called(rules, "battery trouble7") == [7]


def test_of_an_or_each_side_calls():
    assert called(['(a AND b) OR c OR "d e"'], "c") == [0]
    assert called(['(a AND b) OR c OR "d e"'], "a") == []
    assert called(['(a AND b) OR c OR "d e"'], "d e") == [0]


def test_what_is_negated_or_a_condition_calls_nothing():
    assert called(["a NOT b"], "b") == []
    assert called(["a AND lang:en"], "a") == [0]


def test_a_rule_with_too_many_pairs_is_called_by_its_rarest_words_alone():
    short, long = (" OR ".join(f"{letter}{n}" for n in range(40)) for letter in ("x", "muchlonger"))
    assert called([f"({short}) NEAR/3 ({long})"], "muchlonger7") == [0]
    assert called([f"({short}) NEAR/3 ({long})"], "x7") == []


def test_where_many_words_are_found_the_same_rules_are_called():
    rules = [f"a{n} AND b{n}" for n in range(40)]
    assert called(rules, " ".join(f"a{n} b{n + 1}" for n in range(0, 38, 2))) == []
    assert called(rules, " ".join(f"a{n} b{n}" for n in range(30))) == list(range(30))

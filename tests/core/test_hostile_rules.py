"""A rule file that means harm, or was made by a broken script, is refused or read at once, never hung on."""

from __future__ import annotations

from datetime import UTC, datetime
from time import thread_time

import pytest

from streams.core.rules import RulesError, load_rules
from streams.records import Mention

BRAND = "brands: [{id: b, match: a}]\n"
WORST_S = 1.0


def brands(*matches: str) -> str:
    return "ruleset: r\nbrands:\n" + "".join(f"  - {{id: b{n}, match: '{match}'}}\n" for n, match in enumerate(matches))


def terms(*written: str) -> str:
    return "ruleset: r\nterms:\n" + "".join(f"  t{n}: '{one}'\n" for n, one in enumerate(written)) + BRAND


def any_of(count: int, letter: str = "w") -> str:
    return " OR ".join(f"{letter}{n}" for n in range(count))


REFUSED = {
    "ten thousand words in a rule": (brands(any_of(10_000)), "characters, at most 4096"),
    "ten thousand terms": (terms(*["w"] * 10_000), "terms: found 10000, at most 1000"),
    "a megabyte": ("ruleset: r\n" + BRAND + "# " + "x" * 1_000_000, "at most 163840"),
    "lists in lists": ("[" * 100_000, "more than 20 deep"),
    "brackets never closed": (brands("(" * 4000), "found the end"),
    "brackets in brackets": (brands("(" * 2000 + "a" + ")" * 2000), "more than 30 brackets"),
    "a bomb of aliases": ("a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(60)), "alias"),
    "a list that holds itself": ("ruleset: &a [*a]", "alias"),
    "thousands of problems": ("".join(f"key{n}: x\n" for n in range(10_000)), "50 problems so far"),
    "thousands of unknown names": (
        brands(*[f"w{n}" for n in range(900)]) + "issues:\n" + "".join(f"  - {{id: i{n}, brands: [b{n}x], match: a}}\n" for n in range(1500)),
        "50 problems so far",
    ),
    "a wildcard of one letter, a thousand times": (brands(*["a*"] * 900), "a wildcard needs 4 letters"),
}  # fmt: skip
READ = {
    "as many words as fit": terms(*[any_of(25)] * 870),
    "all in twenty-nine brackets": brands(*["(" * 29 + f"w{n}" + ")" * 29 for n in range(900)]),
    "wildcards of each other's beginnings": brands(*["aaaa" + "a" * (n % 200) + "*" for n in range(900)]),
    "lists near lists": brands(*[f"({any_of(95)}) NEAR/20 ({any_of(95, 'v')})"] * 120),
    "marks upon a letter": brands("a" + "\u0301" * 4000),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused_within_a_second(name):
    text, says = REFUSED[name]
    began_s = thread_time()
    with pytest.raises(RulesError) as refused:
        load_rules(text)
    assert thread_time() - began_s < WORST_S
    assert says in str(refused.value)


@pytest.mark.parametrize("name", READ)
def test_a_heavy_file_is_read_within_a_second_and_matches_at_once(name):
    began_s = thread_time()
    rules = load_rules(READ[name])
    assert thread_time() - began_s < WORST_S
    text = "w1 v2 aaaaaaaa w3. " * 700
    began_s = thread_time()
    rules.match_many([Mention(id="x", source="x", observed_at=datetime(2026, 1, 1, tzinfo=UTC), text=text)])
    assert thread_time() - began_s < WORST_S

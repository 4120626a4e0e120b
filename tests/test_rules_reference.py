"""The reference of the rule language, deploy/docs/rules.md: each of its examples does what it says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streams.core.rulefile import MAX_CHARS, RulesError
from streams.core.rules import MOST, load_expression, load_rules
from streams.records import Mention
from streams.records import Place as Somewhere

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parent.parent / "deploy" / "docs" / "rules.md").read_text(encoding="utf-8")


def mention(text: str, **more: object) -> Mention:
    return Mention(id="x:1", source="x", observed_at=datetime(2026, 1, 1, tzinfo=UTC), text=text, **more)


def hears(expression: str, said: Mention) -> bool:
    return bool(load_expression(expression).match_many([said])[0].brands)


def rows(heading: str, cells: int) -> Iterator[list[list[str]]]:
    """The code in each cell of the tables below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    for line in section.splitlines():
        found = [re.findall(r"`([^`]+)`", cell) for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(found) == cells:
            yield found


def examples(column: int) -> list[tuple[str, str]]:
    found = [*rows("What it sees of a text", 3), *rows("Joining", 3)]
    return [(row[0][0], text) for row in found for text in row[column]]


@pytest.mark.parametrize(("expression", "text"), examples(1))
def test_what_the_page_says_is_heard_is_heard(expression, text):
    assert hears(expression, mention(text))


@pytest.mark.parametrize(("expression", "text"), examples(2))
def test_what_the_page_says_is_not_heard_is_not(expression, text):
    assert not hears(expression, mention(text))


@pytest.mark.parametrize(("written", "told"), [(row[0][0], row[1][0]) for row in rows("What is refused", 2)])
def test_what_the_page_says_is_refused_is_told_so(written, told):
    with pytest.raises(RulesError) as refused:
        load_expression(written)
    assert str(refused.value) == f"expression:1:{told}"


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("lang:en", {"lang": "en-GB"}),
        ("lang:pt-br", {"lang": "pt_BR"}),
        ("source:x", {}),
        ("channel:email", {"channel": "email"}),
        ("followers>=10000", {"author_followers": 10000}),
        ("place:US", {"place": Somewhere(country="us")}),
        ('place:"New York"', {"place": Somewhere(city="New York")}),
    ],
)
def test_a_condition_is_true_of_what_a_mention_says_of_itself(condition, said):
    assert hears(f"dell AND {condition}", mention("dell", **said))
    assert not hears(f"dell AND NOT {condition}", mention("dell", **said))


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("lang:en", {}),
        ("lang:en", {"lang": "eng"}),
        ("lang:en-gb", {"lang": "en"}),
        ("source:reddit", {}),
        ("channel:email", {}),
        ("followers>=0", {}),
        ("followers>=10000", {"author_followers": 9999}),
        ("place:US", {}),
        ("place:York", {"place": Somewhere(city="New York")}),
    ],
)
def test_what_a_mention_does_not_say_of_itself_is_not_so(condition, said):
    assert not hears(f"dell AND {condition}", mention("dell", **said))


@pytest.mark.parametrize("file", re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
def test_the_page_s_files_load_and_their_tests_pass(file):
    assert load_rules(file).brands


def test_a_known_false_hit_of_near_is_gone_with_sent():
    file = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]
    said = mention("Dell sales are on fire. Battery life ok")
    mended = file.replace("'$battery NEAR/8 $danger'", "SENT($battery $danger)").replace(
        'brand: [dell], issue: [battery_fire], note: "known', 'brand: [dell], issue: [], note: "known'
    )
    assert [rules.match_many([said])[0].brands[0].issues for rules in map(load_rules, (file, mended))] == [
        ("battery_fire",),
        (),
    ]


def test_the_page_names_the_limits_that_there_are():
    names = {"terms": "terms", "brands": "brands", "issues": "issues", "watch": "watch lines", "tests": "tests"}
    names["calendar"] = "calendar entries"
    told = PAGE.replace("\n", " ")
    assert all(f"{most:,} {names[name]}" in told for name, most in MOST.items())
    assert f"{MAX_CHARS // 1024} KiB" in told

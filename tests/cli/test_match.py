from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from agents.cli import main
from streams.core.rules import load_rules

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
ruleset: r
brands: [{id: dell, match: Dell, exclude: '"Dell Street"', own_accounts: ["x:DellCares"]}]
issues: [{id: fire, match: fire OR smoke}]
"""


def matched(tmp_path: Path, *lines: str) -> tuple[int, list[dict[str, object]]]:
    file = tmp_path / "r.yaml"
    file.write_text(RULES)
    result = CliRunner().invoke(main, ["match", "--rules", str(file)], input="\n".join(lines))
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


def test_a_line_says_what_a_mention_matches_and_why(tmp_path: Path) -> None:
    code, [said] = matched(tmp_path, '{"id": "x:1", "text": "Ａ Dell on fire"}')
    assert code == 0
    assert said == {
        "id": "x:1",
        "rules_version": load_rules(RULES).version,
        "brands": [
            {
                "brand": "dell",
                "author_role": "public",
                "issues": ["fire"],
                "hits": [
                    {"rule": "dell.match", "field": "text", "start": 2, "end": 6, "words": "Dell"},
                    {"rule": "issue:fire", "field": "text", "start": 10, "end": 14, "words": "fire"},
                ],
            }
        ],
        "excluded_by": [],
    }


def test_what_is_excluded_names_the_rule_and_the_own_account_its_role(tmp_path: Path) -> None:
    own = (
        '{"text": "hi", "source": "x", "author_name": "DellCares", "id": "x:2", "observed_at": "2026-01-01T00:00:00Z"}'
    )
    _, [excluded, spoken] = matched(tmp_path, '{"text": "Dell Street"}', own)
    assert (excluded["brands"], excluded["excluded_by"]) == ([], ["dell.exclude"])
    assert spoken["brands"][0]["author_role"] == "own"


def test_a_line_that_is_no_mention_is_answered_with_the_reason_and_the_others_still_are(tmp_path: Path) -> None:
    code, [broken, wrong, list_, right] = matched(tmp_path, "{", '{"text": 1}', "[]", '{"text": "dell"}')
    assert code == 1
    assert (broken["line"], broken["rejected"]) == (1, "not_json")
    assert wrong["rejected"] == list_["rejected"] == "invalid_field"
    assert right["brands"]

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner

from agents.cli import main
from agents.simulator.events import Truth
from agents.sources.scenario import Scenario
from streams.core.rules import load_rules
from streams.records import Mention

if TYPE_CHECKING:
    from pathlib import Path

END = "2026-01-31T12:00:00Z"


def test_a_world_is_written_with_its_truth_and_its_rules_and_what_to_do_next(tmp_path: Path) -> None:
    out, truth, rules = tmp_path / "m.jsonl", tmp_path / "truth.json", tmp_path / "rules.yaml"
    asked = ["--out", str(out), "--truth", str(truth), "--rules-out", str(rules), "--brands", "1", "--seed", "20"]
    result = CliRunner().invoke(main, ["simulate", *asked])
    assert result.exit_code == 0
    happened = msgspec.json.decode(truth.read_bytes(), type=Truth)
    assert (happened.seed, happened.hard, len(happened.events)) == (20, False, 6)
    assert f"{happened.mentions:,} mentions" in result.stdout
    assert f"groundswell backtest --rules {rules} --input {out}" in result.stdout
    [brand] = load_rules(rules.read_text()).brands
    assert {event.brand for event in happened.events} == {brand.id}


def test_the_bundled_story_is_written_the_same_each_time_with_its_crisis_named(tmp_path: Path) -> None:
    written = []
    for name in ("once", "again"):
        out, truth, rules = tmp_path / f"{name}.jsonl", tmp_path / f"{name}.json", tmp_path / f"{name}.yaml"
        asked = ["--out", str(out), "--truth", str(truth), "--rules-out", str(rules), "--end", END]
        assert CliRunner().invoke(main, ["simulate", "dell-batteries", *asked]).exit_code == 0
        written.append([path.read_bytes() for path in (out, truth, rules)])
    assert written[0] == written[1]
    mentions = {one.id: one for one in (msgspec.json.decode(line, type=Mention) for line in written[0][0].splitlines())}
    happened = msgspec.json.decode(truth.read_bytes(), type=Truth)
    assert [(event.kind, event.brand) for event in happened.events] == [("incident", "dell"), ("campaign", "hp")]
    fires = [mentions[one] for one in happened.events[0].mentions]
    assert all("Dell" in mention.text or "laptop" in mention.text for mention in fires)
    assert max(mention.observed_at for mention in mentions.values()) <= happened.end
    assert load_rules(rules.read_text()).ruleset == Scenario.load("dell-batteries").name


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["--weeks", "2"], "need --out FILE"),
        (["--out", "m.csv"], "must end in .jsonl or .ndjson"),
        (["dell-batteries", "--out", "m.jsonl", "--hard"], "are of the world"),
        (["--out", "m.jsonl", "--end", END], "the world has times of its own"),
        (["--out", "m.jsonl", "--at-once"], "is for Kafka"),
        (["--out", "no/such/folder/m.jsonl", "--brands", "1"], "No such file or directory"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, asked: list[str], says: str) -> None:
    with CliRunner().isolated_filesystem(tmp_path):
        result = CliRunner().invoke(main, ["simulate", *asked])
        assert result.exit_code in (1, 2)
        assert says in result.stderr.replace("\n", " ")

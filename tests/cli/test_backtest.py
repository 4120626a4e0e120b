"""`groundswell backtest` and `groundswell explain`: the same agents, the same numbers, over what was recorded."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from click.testing import CliRunner

from agents import intake
from agents.cli import main
from agents.cli import recorded as recorded_module
from agents.cli.publish import listeners_of
from agents.cli.read import reading
from agents.sources.listening import listen_to_all
from agents.sources.replay import Replay
from streams.core.sentiment import Scorer
from streams.records import Alert, encode
from streams.topics import ALERTS
from tests.cli.conftest import Terminal
from tests.cli.recorded import FIRE, RULES, recorded, ruled, story
from tests.faults.harness import Flow

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from streams.settings import Settings

NOTHING_WATCHED = RULES.partition("watch:")[0]
GRAVER = RULES.replace("severity: warning", "severity: critical")


@pytest.fixture(scope="module", autouse=True)
def one_scorer():
    """It takes a second to read, and remembers nothing that matters."""
    scorer = Scorer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "Scorer", lambda: scorer)
        yield


@dataclass(frozen=True)
class Told:
    """The story, the rules, and what they gave."""

    rules: Path
    file: Path
    result: Result


@pytest.fixture(scope="module")
def told(tmp_path_factory, one_scorer) -> Told:
    folder = tmp_path_factory.mktemp("told")
    rules, file = ruled(folder), recorded(folder)
    return Told(rules, file, backtest("--rules", rules, "--input", file))


def backtest(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["backtest", *map(str, arguments)])


def lines_of(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def at(said: str) -> datetime:
    return datetime.fromisoformat(said)


def test_the_fire_is_one_page_with_its_evidence_and_its_end(told):
    [page] = lines_of(told.result)
    assert (page["brand"], page["urgency"]) == ("acme", "page")
    assert FIRE < at(page["fired_at"]) == at(page["paged_at"]) < FIRE + timedelta(minutes=20)
    assert at(page["paged_at"]) < at(page["resolved_at"])
    before = [one for one in story() if "Acme" in (one.text or "") and one.observed_at <= at(page["at"])]
    assert page["heard"] == len(before)
    assert page["steps"] >= 2
    assert all("Acme" in sample["text"] for sample in page["evidence"]["samples"])
    total = sum(1 for _ in story())
    assert f"{total:,} mentions read, {total:,} matched" in told.result.stderr
    assert "1 pages, 0 tickets" in told.result.stderr


def test_the_same_file_gives_the_same_bytes_however_it_is_cut_into_batches(told, monkeypatch):
    monkeypatch.setattr(recorded_module, "BATCH", 7)
    assert backtest("--rules", told.rules, "--input", told.file).stdout == told.result.stdout


def test_a_file_out_of_order_is_sorted_said_so_and_gives_the_same(told, tmp_path):
    shuffled = sorted(map(encode, story()), key=lambda line: line[-9:])
    result = backtest("--rules", told.rules, "--input", recorded(tmp_path, shuffled))

    assert "story.jsonl is not in order of time: sorted in memory" in result.stderr
    assert lines_of(result) == lines_of(told.result)


def test_the_columns_of_a_csv_are_found_and_said(told, tmp_path):
    file = tmp_path / "story.csv"
    rows = [f'{one.id[2:]},{one.observed_at.isoformat()},{one.author_id},"{one.text}"' for one in story()]
    file.write_text("\n".join(["id,created_at,who,text", *rows]))
    result = backtest("--rules", told.rules, "--input", file, "--map", "author_id=who,source='shop'")

    [page] = lines_of(result)
    assert list(page["evidence"]["sources"]) == ["shop"]
    assert "guessed: observed_at from column 'created_at'" in result.stderr


def test_what_cannot_be_read_is_left_out_and_named_by_its_line(told, tmp_path):
    good = list(map(encode, story()))
    lines = [good[0], b'{"id": "x:', b'{"id":"x:a","source":"x","text":"Acme, no time"}', *good[1:]]
    result = backtest("--rules", told.rules, "--input", recorded(tmp_path, lines))

    assert "story.jsonl, line 2: left out: not_json" in result.stderr
    assert "story.jsonl, line 3: left out: invalid_field: Object missing required field `observed_at`" in result.stderr
    assert "2 left out" in result.stderr
    assert len(lines_of(result)) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"id":"x:1","source":"x","text":"Acme"}', "each needs observed_at, such as 2026-01-31T12:00:00Z"),
        (b"", "there is no record in it"),
        (b'{"source":"x","observed_at":"2026-01-01T00:00Z","channel":"smoke signals"}', "no record could be read"),
    ],
)
def test_a_file_with_nothing_to_judge_is_refused_in_words(told, tmp_path, content, said):
    result = backtest("--rules", told.rules, "--input", recorded(tmp_path, [content]))

    assert result.exit_code == 1
    assert said in result.stderr


def test_over_a_file_the_rules_are_a_file_too(told, monkeypatch):
    monkeypatch.delenv("GROUNDSWELL_RULES", raising=False)
    assert "Name them with --rules, or set GROUNDSWELL_RULES" in backtest("--input", told.file).stderr
    monkeypatch.setenv("GROUNDSWELL_RULES", str(told.rules))
    assert backtest("--input", told.file).stdout == told.result.stdout


def test_only_what_fired_in_the_span_is_told(told):
    asked = ["--rules", told.rules, "--input", told.file]

    assert lines_of(backtest(*asked, "--from", (FIRE + timedelta(hours=1)).isoformat())) == []
    assert lines_of(backtest(*asked, "--until", FIRE.isoformat())) == []


def test_against_other_rules_only_what_differs_is_told(told, tmp_path):
    [line] = lines_of(
        backtest("--rules", ruled(tmp_path, NOTHING_WATCHED), "--against", told.rules, "--input", told.file)
    )
    assert (line["change"], line["now"]) == ("removed", None)
    assert [line["was"]] == lines_of(told.result)


# -- beside a real run -------------------------------------------------------------------------------


async def alerts_of(settings: Settings) -> list[Alert]:
    async with reading(settings, ALERTS) as reader:
        said = [record.value async for record in reader.to_end() if record.value is not None]
    return [msgspec.json.decode(one, type=Alert) for one in said]


def parts(file: Path, *shares: float) -> list[Replay]:
    """A recorded file, cut into several."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    ends = [0, *(int(share * len(lines)) for share in shares), len(lines)]
    cut = [file.with_stem(f"{file.stem}-{number}") for number in range(len(ends) - 1)]
    for one, begin, end in zip(cut, ends, ends[1:], strict=False):
        one.write_text("".join(lines[begin:end]), encoding="utf-8")
    return [Replay(one) for one in cut]


@pytest.mark.timeout(180)
async def test_real_workers_that_come_and_die_say_the_same_and_explain_comes_to_the_published_numbers(
    kafka, prefix, tmp_path, capsys
):
    """Four raw partitions: they move to a second worker on the way, and then the first one is killed."""
    rules, file = ruled(tmp_path, name="tested.yaml"), recorded(tmp_path)
    first, second, third = parts(file, 0.5, 0.8)
    [page] = lines_of(await asyncio.to_thread(backtest, "--rules", rules, "--input", file))
    async with Flow(kafka, prefix, tmp_path, rules=RULES, session_timeout_s=3) as flow:
        worker = flow.start_worker("a")
        await flow.shared()
        await listen_to_all(await listeners_of(flow.settings, [first]))
        flow.start_worker("b")
        await flow.shared()
        await listen_to_all(await listeners_of(flow.settings, [second]))
        await flow.kill(worker)
        await listen_to_all(await listeners_of(flow.settings, [third]))
        await flow.settled()
        terminal = Terminal(flow.settings)
        live = await alerts_of(flow.settings)
        [again] = lines_of(await asyncio.to_thread(terminal.run, "backtest"))
        other = ruled(tmp_path, GRAVER, "graver.yaml")
        await asyncio.to_thread(terminal.run, "rules", "publish", str(other))
        explained = await asyncio.to_thread(terminal.run, "explain", page["id"])
        differs = await asyncio.to_thread(terminal.run, "explain", page["id"], "--rules", str(other), "--json")

    fired = next(one for one in live if one.change == "fired")
    early_s = (fired.at - at(page["fired_at"])).total_seconds()
    with capsys.disabled():
        print(
            f"\n  live {early_s:+.3f} s and {fired.evidence.observed - page['evidence']['observed']:+g} mentions from backtest.",
            end="",
        )
    assert {one.id for one in live} == {page["id"]} == {again["id"]}
    assert abs(fired.at - at(page["fired_at"])) < timedelta(seconds=60)
    assert abs(fired.evidence.observed - page["evidence"]["observed"]) <= 3
    assert again == page
    assert explained.exit_code == 0, explained.output
    assert "Identical." in explained.stdout
    assert differs.exit_code == 1
    said = json.loads(differs.stdout)
    assert "rules_version" in {one["field"] for one in said["differences"]}
    assert any("it was judged by rules" in caveat for caveat in said["caveats"])

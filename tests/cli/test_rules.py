from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from agents.cli import main
from agents.sources.scenario import BUNDLED
from streams.core.rules import load_rules
from streams.outbox import Out
from streams.records import Mention, encode
from streams.topics import ALERTS, RAW
from tests.cli.test_alerts import alert

if TYPE_CHECKING:
    from click.testing import Result

    from streams.records import Op
    from tests.cli.conftest import Terminal


def check(file: Path) -> Result:
    return CliRunner().invoke(main, ["rules", "check", str(file)])


def test_a_right_file_is_told_back() -> None:
    result = check(BUNDLED / "dell-batteries.rules.yaml")
    assert result.exit_code == 0
    assert "ruleset dell-batteries, version " in result.stdout
    assert "brands: dell (own), hp (competitor), lenovo (competitor)\n" in result.stdout
    assert "issues: battery_fire" in result.stdout
    assert "tests:  6 passed\n" in result.stdout


def test_a_file_with_neither_issues_nor_tests_is_right_too(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text("ruleset: small\nbrands: [{id: dell, match: dell}]\n")
    result = check(file)
    assert "issues: none\n" in result.stdout
    assert "tests:  0 passed\n" in result.stdout


def test_each_problem_is_a_line_that_an_editor_can_jump_to(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text('ruleset: x\nbrands:\n  - {id: a, match: "a OR"}\n  - {id: b, match: b, colour: red}\n')
    result = check(file)
    assert (result.exit_code, result.stdout) == (1, "")
    first, line, mark, second, *_ = result.stderr.splitlines()
    assert first.startswith(f"{file}:3:25: brand a: match: found the end, expected a word")
    assert line.index('"}') == mark.index("^")
    assert second.startswith(f"{file}:4:")


def test_a_test_that_fails_refuses_the_file(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text("ruleset: x\nbrands: [{id: a, match: apple}]\ntests: [{text: a pear, brand: [a]}]\n")
    result = check(file)
    assert result.exit_code == 1
    assert "a pear" in result.stderr


def test_a_file_that_is_not_utf_8_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_bytes(b"ruleset: caf\xe9\n")
    result = check(file)
    assert result.exit_code == 1
    assert result.stderr == f"error: {file}: not UTF-8 at byte 12: save it as UTF-8\n"


def tried(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["rules", "try", *arguments])


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    file = tmp_path / "said.csv"
    file.write_text('text,date\n"My Dell caught fire",2026-01-01\n"Dell, again",2026-01-02\n"fire",2026-01-03\n')
    return file


def test_an_expression_is_tried_on_recorded_mentions_and_what_it_hits_is_marked(recorded: Path) -> None:
    result = tried("!Dell NEAR/3 (fire OR smoke)", "--input", str(recorded))
    assert result.exit_code == 0
    assert result.stdout.endswith(": My [Dell] caught [fire]\n")
    assert result.stderr == "1 of 3 mentions match\n"


def test_only_so_many_are_shown_and_all_are_counted(recorded: Path) -> None:
    result = tried("dell OR fire", "--input", str(recorded), "--limit", "1")
    assert result.stdout.count("\n") == 1
    assert result.stderr == "3 of 3 mentions match; the first 1 are shown\n"


def test_an_expression_may_use_the_terms_of_a_rule_file(recorded: Path, tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text("ruleset: x\nterms: {danger: (fire OR smoke)}\nbrands: [{id: a, match: a}]\n")
    result = tried("dell NEAR/3 $danger", "--rules", str(file), "--input", str(recorded))
    assert result.stderr == "1 of 3 mentions match\n"


def test_a_wrong_expression_is_told_with_a_mark_below_its_place(recorded: Path) -> None:
    result = tried("a AND b OR c", "--input", str(recorded))
    assert result.exit_code == 1
    assert result.stderr == (
        "expression:1:9: AND and OR are mixed without brackets (hint: add brackets: (a OR b) AND c)\n"
        "  a AND b OR c\n"
        "          ^\n"
    )
    assert "could match without any word" in tried("lang:en", "--input", str(recorded)).stderr


def test_an_expression_is_tried_on_what_was_heard_lately_without_what_was_deleted_since(terminal: Terminal) -> None:
    raw = RAW.full_name(terminal.settings)

    def said(name: str, op: Op = "create", **more: str) -> Out:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        mention = Mention(id=f"x:{name}", source="x", observed_at=at, op=op, **more)
        return Out(raw, 0, mention.id.encode(), encode(mention), ())

    terminal.write(
        [
            said("1", text="a Dell"),
            said("2", text="Dell too"),
            said("2", "delete"),
            said("3", text="Dell", author_id="ann"),
            said("gone", "account_removed", author_id="ann"),
        ]
    )
    result = terminal.run("rules", "try", "dell")
    assert (result.stdout, result.stderr) == ("x:1: a [Dell]\n", "1 of 1 mentions match\n")


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    assert check(tmp_path / "none.yaml").exit_code == 2


# -- rules in the log ------------------------------------------------------------------------------------------


def written(folder: Path, brand: str) -> str:
    file = folder / f"{brand}.yaml"
    file.write_text(f"# by hand\nruleset: small\nbrands: [{{id: {brand}, match: {brand}}}]\n")
    return str(file)


def test_a_published_file_is_in_force_and_shown_as_it_was_written(terminal: Terminal, tmp_path: Path) -> None:
    dell, hp = written(tmp_path, "dell"), written(tmp_path, "hp")
    assert "no rules were published yet" in terminal.run("rules", "show").stderr

    first, second = terminal.run("rules", "publish", dell), terminal.run("rules", "publish", hp)

    assert (first.exit_code, second.exit_code) == (0, 0)
    version = load_rules(Path(dell).read_text()).version
    assert first.stdout == f"{dell}: ruleset small, version {version[:12]} is in force\n  before: none\n"
    assert second.stdout.endswith(f"  before: {version[:12]}\n")
    assert terminal.run("rules", "show").stdout == Path(hp).read_text()
    assert terminal.run("rules", "show", version[:8]).stdout == Path(dell).read_text()
    assert terminal.run("rules", "show", "nothing").exit_code == 1

    again = terminal.run("rules", "publish", hp)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "in force already" in again.stderr
    assert terminal.run("rules", "publish", dell).exit_code == 0, "back to the first"
    assert terminal.run("rules", "show").stdout == Path(dell).read_text()


def test_a_file_that_is_refused_is_not_published_and_says_where_it_is_wrong(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("rules", "publish", written(tmp_path, "dell"))
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("ruleset: x\nbrands: [{id: a, match: apple}]\ntests: [{text: a pear, brand: [a]}]\n")

    result = terminal.run("rules", "publish", str(wrong))

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"{wrong}:3:9: the test 'a pear' failed")
    assert terminal.run("rules", "show").stdout == (tmp_path / "dell.yaml").read_text()


def test_commands_on_the_broker_judge_by_what_was_published_and_say_what_to_do_where_it_is_not_there(
    terminal: Terminal, tmp_path: Path
) -> None:
    asked = (("backtest",), ("warm", "hp", "--from", "raw"))
    for words in asked:
        assert "no rules were published yet: `groundswell rules publish FILE`" in terminal.run(*words).stderr
    terminal.run("rules", "publish", written(tmp_path, "dell"))
    terminal.write([Out(ALERTS.full_name(terminal.settings), 0, b"a1", encode(alert(rules_version="f00d" * 16)), ())])

    empty, unknown = (terminal.run(*words) for words in asked)
    gone = terminal.run("explain", "a1")

    assert "holds nothing: give a file with --input" in empty.stderr
    assert "what is in force has no brand hp, only dell: name a file that has, with --rules" in unknown.stderr
    assert gone.exit_code == 1
    assert "does not hold version f00df00df00d" in gone.stderr
    assert gone.stderr.endswith("restore it; or name its file with --rules\n")

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from agents.cli import main
from agents.sources.scenario import BUNDLED

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


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
    first, second = result.stderr.splitlines()
    assert first.startswith(f"{file}:3:")
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


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    assert check(tmp_path / "none.yaml").exit_code == 2

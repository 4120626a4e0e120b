from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from agents.cli import COMMANDS, main
from agents.cli.errors import EXPECTED, CommandError
from agents.cli.group import CommandLine, Lazy

SLOW = ("aiokafka", "faust", "pydantic", "rich", "yaml")


@click.group(cls=CommandLine)
@click.option("-v", "--verbose", is_flag=True)
def line(verbose: bool) -> None: ...


line.commands_by_name = {name: Lazy(f"{__name__}:{name}", "") for name in ("refuses", "interrupted", "breaks", "asks")}
line.commands_by_name["missing"] = Lazy("agents.cli.no_such_module:command", "")


@click.command()
def refuses() -> None:
    raise CommandError("the door is locked: bring a key")


@click.command()
def interrupted() -> None:
    raise KeyboardInterrupt


@click.command()
def breaks() -> None:
    raise ZeroDivisionError


@click.command()
def asks() -> None:
    click.confirm("Really?")


def test_help_is_fast_because_it_loads_nothing() -> None:
    code = (
        "import sys; from agents.cli import main; main(['--help'], standalone_mode=False);"
        f"print('LOADED', [name for name in {SLOW} if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "LOADED []" in said


def test_help_names_every_command() -> None:
    said = CliRunner().invoke(main, ["--help"]).stdout
    assert [name for name in COMMANDS if f"  {name} " not in said] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_own_help_begins_as_the_list_says(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"], terminal_width=200)
    assert result.exit_code == 0
    assert f"\n  {COMMANDS[name].help}" in result.stdout


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_expected_error_exists(name: str) -> None:
    module, _, kind = name.rpartition(".")
    assert issubclass(getattr(import_module(module), kind), Exception)


def test_an_expected_error_is_one_line_on_stderr_and_exit_code_1() -> None:
    result = CliRunner().invoke(line, ["refuses"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: the door is locked: bring a key\n"


def test_with_verbose_an_expected_error_keeps_its_traceback() -> None:
    assert isinstance(CliRunner().invoke(line, ["-v", "refuses"]).exception, CommandError)


def test_a_mistake_of_ours_is_never_dressed_up() -> None:
    assert isinstance(CliRunner().invoke(line, ["breaks"]).exception, ZeroDivisionError)


def test_a_broken_command_is_an_error_and_not_just_absent() -> None:
    assert isinstance(CliRunner().invoke(line, ["missing"]).exception, ModuleNotFoundError)


def test_a_broken_command_does_not_matter_for_the_others() -> None:
    assert CliRunner().invoke(line, ["refuses"]).exit_code == 1
    assert CliRunner().invoke(line, ["--help"]).exit_code == 0


def test_ctrl_c_is_exit_code_130_without_a_word() -> None:
    result = CliRunner().invoke(line, ["interrupted"])
    assert (result.exit_code, result.output) == (130, "")


def test_a_question_that_nobody_answers_is_a_no() -> None:
    assert CliRunner().invoke(line, ["asks"], input="").exit_code == 130


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["alertz"])
    assert result.exit_code == 2
    assert "alertz" in result.stderr

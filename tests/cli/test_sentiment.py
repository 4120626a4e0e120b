from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from agents.cli import main


def ask(said: str | bytes, *flags: str) -> list[dict]:
    result = CliRunner().invoke(main, ["sentiment", *flags], input=said)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_text_gets_one_line_in_its_order() -> None:
    found = ask("I love it\n\nI hate it\nIch finde das alles ganz furchtbar\n")
    assert [one["label"] for one in found] == ["positive", "neutral", "negative", "unscored"]
    assert all(set(one) == {"label", "unsure", "compound", "vader_compound", "about", "lexicon"} for one in found)


def test_without_names_plain_vader_decides() -> None:
    [found] = ask("Great, another update that breaks everything\n")
    assert (found["label"], found["compound"], found["about"]) == ("positive", found["vader_compound"], None)


def test_with_names_the_service_score_decides_and_says_where_it_was_heard() -> None:
    dell, update = ask("Dell is great. HP is terrible\nGreat, another update\n", "--about", "Dell, @DellCares")
    assert (dell["label"], dell["about"]) == ("positive", "sentences")
    assert (update["label"], update["about"]) == ("negative", "text")
    assert update["vader_compound"] > 0


def test_what_each_word_adds_is_shown_and_adds_up() -> None:
    [found] = ask("#DellFail again!\n", "--about", "Dell", "--explain")
    assert [one["words"] for one in found["contributions"]] == ["Fail", "again", "! ?"]
    assert sum(one["adds"] for one in found["contributions"]) == pytest.approx(found["compound"], abs=1e-5)


def test_bytes_that_are_no_utf_8_stop_nobody() -> None:
    assert [one["label"] for one in ask(b"I hate it \xff\nlove\n")] == ["negative", "positive"]


def test_names_that_name_nobody_are_refused() -> None:
    result = CliRunner().invoke(main, ["sentiment", "--about", " , "], input="x\n")
    assert result.exit_code != 0
    assert "names nobody" in result.output

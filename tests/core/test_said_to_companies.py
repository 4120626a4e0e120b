"""Sentences of our own, said to companies of many kinds, and what anyone would take them for.

They were labelled before the lexicon met them. Not each must be right: a lexicon made to fit each of them would say
little about the next. What is asked is that nearly all are, and that those who do not complain are left in peace.
"""

from pathlib import Path

import pytest

from streams.core.sentiment import Scorer

LINES = (Path(__file__).parent / "said_to_companies.tsv").read_text(encoding="utf-8").splitlines()
SAID = [tuple(line.split("\t")) for line in LINES]
LABELS = ("negative", "neutral", "positive")


@pytest.fixture(scope="module")
def heard():
    texts, names = [text for _, _, text in SAID], [(name,) for _, name, _ in SAID]
    found = Scorer().score_many(texts, ["en"] * len(SAID), names)
    return [(truth, one, text) for (truth, _, text), one in zip(SAID, found, strict=True)]


@pytest.mark.parametrize(("label", "share"), [("negative", 0.85), ("neutral", 0.85), ("positive", 0.75)])
def test_nearly_all_that_is_said_to_companies_is_understood(heard, label, share):
    right = [one.label == label for truth, one, _ in heard if truth == label]
    wrong = [f"{one.label} {text}" for truth, one, text in heard if truth == label != one.label]
    assert sum(right) / len(right) >= share, wrong


def test_few_who_do_not_complain_are_called_negative(heard):
    others = [(one.label, text) for truth, one, text in heard if truth != "negative"]
    wrong = [text for label, text in others if label == "negative"]
    assert len(wrong) / len(others) <= 0.08, wrong


def test_what_is_not_unsure_is_right_nine_times_in_ten(heard):
    sure = [truth == one.label for truth, one, _ in heard if not one.unsure]
    assert len(sure) >= 0.7 * len(heard)
    assert sum(sure) / len(sure) >= 0.9


def test_every_label_and_many_companies_are_there():
    assert {truth for truth, _, _ in SAID} == set(LABELS)
    assert len({name for _, name, _ in SAID}) >= 35

"""Strangers' words in a fixed number of cells."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from agents.cli.view.cells import cut, figure, fit, gauge, sparkline, words
from tests.cli.view.stories import HOSTILE


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07 a\x9b31m b", "a b"),
        ("one\r\ntwo\u2028three", "one two three"),
        ("\u202eback\u202c \u200bzero\ufeff", "back zero"),
        ("👩‍👩‍👧 👍🏽 ❤️ 🇯🇵 1️⃣", "👩👩👧 👍 ❤ JP 1"),
        ("Z̸̡̢̛̗a", "Z̸̡a"),
        ("e\u0301", "é"),
        ("\u0378", "□"),
    ],
)
def test_what_a_terminal_may_misunderstand_is_taken_apart(hostile, shown):
    assert words(hostile) == unicodedata.normalize("NFC", shown)


@given(text=st.one_of(st.text(), st.sampled_from(HOSTILE)), cells=st.integers(0, 40))
def test_whatever_is_said_it_fills_exactly_its_cells_and_holds_nothing_that_moves_anything(text, cells):
    shown = fit(text, cells)
    assert cell_len(shown) == cells
    assert cell_len(cut(text, cells)) <= cells
    assert not [one for one in shown if unicodedata.category(one) in {"Cc", "Co", "Cs", "Zl", "Zp"}]
    assert "\u202e" not in shown


def test_a_cut_is_marked_and_never_in_the_middle_of_a_wide_character():
    assert cut("日本電産", 8) == "日本電産"
    assert cut("日本電産", 7) == "日本電…"
    assert cut("日本電産", 6) == "日本…"


def test_a_sparkline_has_a_dot_for_nothing_and_the_full_block_for_the_most():
    assert sparkline([0, 1, 4, 8, 2], 5) == "·▁▄█▂"
    assert sparkline([0, 0, 1, 1, 6, 2], 3) == "·▂█"
    assert sparkline([0] * 60, 20) == "·" * 20


def test_a_lone_mention_is_no_tower():
    assert sparkline([0, 1, 0], 3) == "·▂·"


def test_a_gauge_shows_what_came_what_is_usual_and_where_it_speaks():
    assert gauge(5, 5, 10, 11) == "█████┼────┃"
    assert gauge(0, 5, 10, 11) == "─────┼────┃"
    assert gauge(20, 5, 10, 11) == "██┼██┃█████"


@given(seen=st.floats(0, 1e6), usual=st.floats(0, 1e6), high=st.floats(0, 1e6), cells=st.integers(5, 40))
def test_a_gauge_has_always_its_width_and_its_mark(seen, usual, high, cells):
    drawn = gauge(seen, usual, high, cells)
    assert len(drawn) == cells
    assert "┃" in drawn


@pytest.mark.parametrize(
    ("count", "decimals", "said"),
    [
        (0, 0, "0"),
        (5.44, 1, "5.4"),
        (15, 1, "15.0"),
        (2345.6, 1, "2,346"),
        (99_999, 0, "99,999"),
        (123_456, 0, "123k"),
        (1_234_567, 0, "1.23M"),
    ],
)
def test_a_figure_is_short(count, decimals, said):
    assert figure(count, decimals) == said

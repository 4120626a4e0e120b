from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.sanitise import one_line


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("fine\nERROR all data lost", "fine ERROR all data lost"),
        ("a\r\n\tb\u2028c\u2029d\x85e", "a b c d e"),
        ("\x1b[31;1mred\x1b[0m", "red"),
        ("\x9b2Jgone", "gone"),
        ("\x1b]0;my title\x07text", "text"),
        ("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("pay \u202eevil\u202c \u2066now\u2069", "pay evil now"),
        ("nul\x00 bell\x07 back\x08", "nul bell back"),
        ("lone \ud800 surrogate", "lone  surrogate"),
    ],
)
def test_what_could_forge_a_line_or_steer_a_terminal_is_gone(hostile, shown):
    assert one_line(hostile, 100) == shown


def test_emoji_families_persian_and_accents_stay_as_written():
    text = "👨‍👩‍👧 می‌خواهم café ❤️"
    assert one_line(text, 100) == text


def test_what_is_too_long_is_cut_and_says_so():
    assert one_line("x" * 50, 10) == "x" * 9 + "…"
    assert one_line("x" * 10, 10) == "x" * 10


@given(st.text(alphabet=st.characters(), max_size=300), st.integers(1, 80))
def test_whatever_comes_in_one_short_printable_line_comes_out(text, limit):
    shown = one_line(text, limit)

    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in shown)


def test_a_megabyte_of_unfinished_escape_sequences_is_no_more_work_than_other_text():
    assert one_line("\x1b]" * 500_000, 10) == ""

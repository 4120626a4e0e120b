"""Strangers' words in a fixed number of terminal cells.

`one_line` makes them harmless. On a screen of columns it also matters that everybody agrees on how many cells they
take: terminals do not, for what is composed of several code points. So that is taken apart here.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from streams.core.sanitise import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_MARKS = 2
"""Accents upon one letter: a tower of them is drawn over the lines above."""

_COMPOSERS = re.compile("[\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef\U0001f3fb-\U0001f3ff]")
"""Joiners of emoji, choices of their form, tones of skin."""

_FLAG = {0x1F1E6 + number: chr(ord("A") + number) for number in range(26)}
_UNKNOWN = "□"
BARS = "▁▂▃▄▅▆▇█"
LEAST_SCALE = 4
"""A lone mention is no tower."""


def words(text: str, limit: int = 500) -> str:
    """Return `text` as one harmless line of at most `limit` code points, whose width no two terminals dispute."""
    composed = unicodedata.normalize("NFC", _COMPOSERS.sub("", one_line(text, limit)).translate(_FLAG))
    shown: list[str] = []
    marks = 0
    for character in composed:
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if marks <= MOST_MARKS and category != "Me":
            shown.append(_UNKNOWN if category == "Cn" else character)
    return "".join(shown)


def cut(text: str, cells: int) -> str:
    """Return `text`, made safe, in at most so many cells; an ellipsis marks a cut."""
    shown = words(text)
    if cell_len(shown) <= cells:
        return shown
    return set_cell_size(shown, cells - 1).rstrip() + "…" if cells > 0 else ""


def fit(text: str, cells: int) -> str:
    """As `cut`, filled up with blanks."""
    return set_cell_size(cut(text, cells), cells)


def sparkline(counts: Sequence[int], cells: int) -> str:
    """Draw counts as bars, several to a cell where there are too many; nothing at all is a dot."""
    each = -(-len(counts) // cells) if counts else 1
    sums = [sum(counts[start : start + each]) for start in range(0, len(counts), each)]
    most = max([LEAST_SCALE, *sums])
    return "".join("·" if not one else BARS[-(-one * len(BARS) // most) - 1] for one in sums)


def gauge(seen: float, usual: float, high: float, cells: int) -> str:
    """Draw a count as a bar, with a mark at what is usual and one where the detector would speak."""
    scale = max(seen, high, usual, 1.0) / (cells - 1)
    drawn = ["█" if seen > 0 and number <= round(seen / scale) else "─" for number in range(cells)]
    for at, mark in ((usual, "┼"), (high, "┃")):
        drawn[round(at / scale)] = mark
    return "".join(drawn)


def figure(count: float, decimals: int = 0) -> str:
    """Say a count in about six cells; a large one in thousands or millions."""
    if count >= 1_000_000:
        return f"{count / 1_000_000:,.2f}M"
    if count >= 100_000:
        return f"{count / 1000:,.0f}k"
    return f"{count:,.{decimals if count < 1000 else 0}f}"

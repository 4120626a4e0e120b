"""Tables for people: narrow on a terminal, one line a row in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PIPED_WIDTH = 1000
"""Nobody reads a pipe by its width: one line a row."""


def console() -> Console:
    """Where commands print what is not JSON."""
    made = Console(highlight=False)
    if not made.is_terminal:
        made.width = PIPED_WIDTH
    return made


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, words: int = 1) -> Table:
    """Lay rows out; the first `words` columns hold words, the others figures. Nothing in a cell is taken for markup."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        made.add_column(column, justify="left" if number < words else "right", header_style="dim")
    for row in rows:
        made.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in row))
    return made


def say_while(seconds: float) -> str:
    """Say how long something takes, in one unit that fits."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"

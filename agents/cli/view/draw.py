"""The live view's lines: what there is to see, laid out for a window. Pure; strangers' words pass through `cells`."""

from __future__ import annotations

from datetime import UTC, timedelta
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.cells import set_cell_size
from rich.text import Text

from agents.cli.shown import say_while
from agents.cli.view import sections
from agents.cli.view.cells import cut, figure, words
from agents.cli.view.sections import QUIET, Choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.cli.view.model import Shown
    from agents.cli.view.sections import Block

LEAST_WIDTH, LEAST_HEIGHT = 78, 20
KEYS = "q quit   ↑ ↓ choose   Enter evidence   ? help"
MOST_SAMPLES = 5
ASIDE = timedelta(minutes=3)
"""A brand's figures come once a minute: event time that is so far behind ours is worth a word."""


def choices(shown: Shown) -> list[Choice]:
    """What can be chosen, in the order in which it is shown."""
    alerts = [Choice("alert", row.alert.id) for row in shown.alerts]
    return alerts + [Choice("brand", row.stats.brand) for row in shown.brands]


def dashboard(shown: Shown, where: str, width: int, height: int, chosen: Choice | None = None) -> list[Text]:
    """Lay everything out in at most `height` lines of at most `width` cells."""
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return [Text(cut(f"This needs {LEAST_WIDTH}x{LEAST_HEIGHT} or more; 80x24 is fine.", width))]
    notice = _notice(shown, width)
    rows = height - len(notice) - 5
    brands, sources = sections.brands(shown, width, chosen), sections.sources(shown, width)
    for most in range(MOST_SAMPLES, -1, -1):
        alerts = sections.alerts(shown, width, chosen, most)
        if sum(map(_size, (alerts, brands, sources))) <= rows:
            break
    space = _share(rows, [_size(alerts), _size(brands), _size(sources)])
    headings = (
        sections.alerts_heading(shown, width),
        sections.brands_heading(shown, width),
        sections.sources_heading(shown, width),
    )
    lines = [_headline(shown, where, width), *notice]
    for heading, blocks, room in zip(headings, (alerts, brands, sources), space, strict=True):
        lines += [heading, *_window(blocks, room, chosen)]
    return [*lines, *[Text()] * (height - 1 - len(lines)), Text(KEYS, style=QUIET)]


# -- the whole ---------------------------------------------------------------------------------------------


def _headline(shown: Shown, where: str, width: int) -> Text:
    if not shown.connected:
        return _bold_start("Groundswell", f"   {cut(where, width - 14)}")
    said = [
        "counting ..." if shown.rate is None else f"{figure(shown.rate, 1)} mentions/s",
        f"lag {_seconds(shown.lag_s)}",
        f"{shown.workers} worker{'' if shown.workers == 1 else 's'}" if shown.workers else "NO WORKER",
    ]
    if shown.heard is not None:
        said.append(f"counted up to {shown.heard.astimezone(UTC):%H:%M} UTC")
    left = f"   {', '.join(said)}"
    right = f"   {where}" if len(left) + len(where) + 14 <= width else ""
    return _bold_start("Groundswell", set_cell_size(left, width - 11 - len(right)) + right)


def _bold_start(start: str, rest: str) -> Text:
    return Text.assemble((start, "bold"), rest)


def _seconds(lag_s: float | None) -> str:
    if lag_s is None:
        return "?"
    return f"{lag_s:.1f} s" if lag_s < 10 else say_while(lag_s)


def _notice(shown: Shown, width: int) -> list[Text]:
    if shown.away is not None:
        said = f"WAITING: {shown.away}{'; below is how it stood' if choices(shown) else ''}"
    else:
        said = shown.note or ("" if shown.connected else "connecting ...") or _behind(shown)
    style = "bold yellow" if shown.away is not None else QUIET
    return [Text(cut(line, width), style=style) for line in wrap(words(said), width)[:2] or [""]]


def _size(blocks: Sequence[Block]) -> int:
    return sum(block.size for block in blocks)


def _share(rows: int, wanted: Sequence[int]) -> list[int]:
    """Alerts first, but each section some lines; what one does not need, the others have. A spare one parts sections."""
    alerts, brands, sources = wanted
    for_sources = min(sources, max(2, rows // 5, rows - alerts - brands))
    for_alerts = min(alerts, max(rows // 2, rows - brands - for_sources))
    for_brands = min(brands, rows - for_alerts - for_sources)
    spare = rows - for_alerts - for_brands - for_sources
    return [for_alerts + (spare > 1), for_brands + (spare > 1), for_sources]


def _window(blocks: Sequence[Block], rows: int, chosen: Choice | None) -> list[Text]:
    """As many blocks as fit, the chosen one among them; where some are left out, the last line says so."""
    if _size(blocks) <= rows:
        return [*(line for block in blocks for line in block.draw()), *[Text()] * (rows - _size(blocks))]
    place = next((number for number, block in enumerate(blocks) if block.choice == chosen), 0)
    first = place
    while first > 0 and _size(blocks[first - 1 : place + 1]) <= rows - 1:
        first -= 1
    last = first + 1
    while last < len(blocks) and _size(blocks[first : last + 1]) <= rows - 1:
        last += 1
    lines = [line for block in blocks[first:last] for line in block.draw()][: rows - 1]
    more = Text(f"  {first + 1} to {last} of {len(blocks)}; the arrows lead to the others", style=QUIET)
    return [*lines, *[Text()] * (rows - 1 - len(lines)), more]


def _behind(shown: Shown) -> str:
    if shown.heard is None or shown.at - shown.heard <= ASIDE:
        return ""
    ago, at = say_while((shown.at - shown.heard).total_seconds()), shown.heard.astimezone(UTC)
    return f"What was counted last was witnessed {ago} ago: {at:%a %Y-%m-%d %H:%M} UTC."

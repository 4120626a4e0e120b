"""The live view's sections, block by block: alerts, brands, sources. Pure; strangers' words pass through `cells`."""

from __future__ import annotations

from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from agents.cli.shown import say_while
from agents.cli.view.cells import cut, figure, fit, gauge, sparkline, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agents.cli.view.model import AlertRow, BrandRow, Shown, SourceRow
    from streams.records import Alert, Expected, Sample

STYLES = {"critical": "bold red", "warning": "bold yellow", "info": "bold cyan", "ticket": "cyan"}
SOURCE_STYLES = {"listening": "green", "waiting": "bold yellow", "failed": "bold red"}
HEADING, QUIET = "reverse", "dim"
WIDE = 100
NAME_CELLS = (16, 24)
"""At most, in a narrow window and in a wide one."""

SPARK_CELLS = (60, 30, 20, 15, 12)
GAUGE_CELLS = (14, 40)
FIGURES_CELLS = 48
"""What stands beside a brand's name, its sparkline and its gauge."""


class Choice(NamedTuple):
    """An alert by its id, or a brand by its name."""

    kind: str
    key: str


class Block(NamedTuple):
    """Lines that stay together, how many, and what is chosen with them. Few of hundreds are in sight: only those are drawn."""

    size: int
    draw: Callable[[], list[Text]]
    choice: Choice | None = None


class Columns(NamedTuple):
    """Cells for a brand's name, its sparkline and its gauge."""

    name: int
    spark: int
    gauge: int

    @classmethod
    def of(cls, shown: Shown, width: int) -> Columns:
        """Fill the window: names first, then bars for as few minutes as there is room for."""
        longest = max((cell_len(words(row.stats.brand)) for row in shown.brands), default=0)
        name = max(8, min(longest, NAME_CELLS[width >= WIDE]))
        spark = next(cells for cells in SPARK_CELLS if cells <= width - name - FIGURES_CELLS)
        left = width - name - spark - FIGURES_CELLS
        return cls(name, spark, min(GAUGE_CELLS[1], left) if left >= GAUGE_CELLS[0] else 0)


def _marked(line: Text, choice: Choice, chosen: Choice | None) -> Text:
    """Two cells in front, with an arrow where it is chosen."""
    return Text.assemble(("▸ ", "bold") if choice == chosen else "  ", line)


# -- alerts ------------------------------------------------------------------------------------------------


def alerts_heading(shown: Shown, width: int) -> Text:
    """How many are open."""
    firing = [row.alert.urgency for row in shown.alerts if row.alert.status == "firing"]
    pages, tickets = firing.count("page"), firing.count("ticket")
    said = f"  Alerts: {pages or 'none'} open" + (f", {tickets} ticket{'s'[: tickets != 1]}" if tickets else "")
    return Text(set_cell_size(said, width), style=HEADING)


def alerts(shown: Shown, width: int, chosen: Choice | None, most_samples: int) -> list[Block]:
    """A block an alert, with at most so many posts."""
    blocks = []
    for row in shown.alerts:
        firing = row.alert.status == "firing"
        samples = row.alert.evidence.samples[:most_samples] if firing else ()
        draw = partial(_alert, row, samples, width, chosen)
        blocks.append(Block(2 + len(samples) if firing else 1, draw, Choice("alert", row.alert.id)))
    return blocks


def state_of(alert: Alert) -> str:
    """In one word: how grave a page is, or that it is none."""
    if alert.status != "firing":
        return "resolved"
    return alert.severity if alert.urgency == "page" else "ticket"


def said_first(alert: Alert) -> str:
    """Before a title: what a ticket is about, or that it does not page."""
    if alert.urgency == "page":
        return ""
    return "muted: " if alert.nature == "trouble" else f"{alert.nature}: "


def _alert(row: AlertRow, samples: Sequence[Sample], width: int, chosen: Choice | None) -> list[Text]:
    state = state_of(row.alert)
    age = say_while(row.age.total_seconds())
    said = Text.assemble(
        (f"{state:<8}", STYLES.get(state, "green")),
        f"  {f'{age} old' if state in STYLES else f'after {age}':<13}",
        cut(f"{said_first(row.alert)}{row.alert.title}", width - 25),
    )
    lines = [_marked(said, Choice("alert", row.alert.id), chosen)]
    if state in STYLES:
        lines.append(Text(f"    {_facts(row, width - 4)}"))
        lines += [Text(f"    {cut(said_by(one), width - 4)}") for one in samples]
    return lines


def _facts(row: AlertRow, width: int) -> str:
    """As many names as there is room for."""
    said = ["; ".join(facts(row, most)) for most in (5, 3, 2, 1, 0)]
    return cut(next((one for one in said if cell_len(words(one)) <= width), said[-1]), width)


def facts(row: AlertRow, most: int) -> Iterator[str]:
    """What an alert rests on, in a few words; of issues and sources the `most` frequent."""
    seen = row.alert.evidence
    yield f"{seen.authors:,} author{'' if seen.authors == 1 else 's'}"
    if seen.reach:
        yield f"{figure(seen.reach)} followers"
    if seen.negative_share is not None:
        usual = "" if seen.usual_negative_share is None else f" (usually {seen.usual_negative_share:.0%})"
        yield f"{seen.negative_share:.0%} negative{usual}"
    if seen.doubling_min is not None:
        yield f"doubles in {seen.doubling_min:g} min"
    if seen.copies:
        yield f"{seen.copies:.0%} copies"
    for word, of in (("about", seen.issues), ("on", seen.sources)):
        ranked = sorted(of.items(), key=lambda one: (-one[1], one[0]))[:most]
        if ranked:
            yield f"{word} {', '.join(f'{name} {count:,}' for name, count in ranked)}"


def said_by(sample: Sample) -> str:
    """One post in one line."""
    return f"{sample.observed_at.astimezone(UTC):%H:%M} {cut(sample.author_name or 'somebody', 20)}: {sample.text}"


# -- brands ------------------------------------------------------------------------------------------------


def brands_heading(shown: Shown, width: int) -> Text:
    """What the columns are."""
    to = Columns.of(shown, width)
    windows = [band.window_s for row in shown.brands for band in row.stats.expected]
    seen = say_while(windows[0]) if windows else ""
    bar = f"last hour by {60 // to.spark} min"
    titles = f"  {'Brands':<{to.name}} {bar:<{to.spark + 8}}"
    if windows:
        titles += f" {f'in {seen}':>16}{'usual':>8}{'speaks at':>10}"
    return Text(set_cell_size(titles, width), style=HEADING)


def brands(shown: Shown, width: int, chosen: Choice | None) -> list[Block]:
    """A block of two lines a brand: all mentions, and negative ones."""
    if not shown.brands:
        hint = "None has been heard of yet. `groundswell listen` brings mentions."
        return [Block(1, lambda: [Text(f"  {cut(hint, width - 2)}")])]
    to = Columns.of(shown, width)
    return [Block(2, partial(_brand, row, to, chosen), Choice("brand", row.stats.brand)) for row in shown.brands]


def _brand(row: BrandRow, to: Columns, chosen: Choice | None) -> list[Text]:
    stats = row.stats
    total, negative = sum(stats.minutes), sum(stats.negative_minutes)
    share = f"{negative / total:.0%}" if total else "-"
    bands = {band.series: band for band in reversed(stats.expected)}
    style = STYLES[state_of(row.alerts[0])] if row.alerts else "bold"
    first = Text.assemble(
        (fit(stats.brand, to.name), style),
        f" {sparkline(stats.minutes, to.spark):<{to.spark}}{figure(total):>7}  mentions",
    )
    second = Text(f"  {'':<{to.name}} {sparkline(stats.negative_minutes, to.spark):<{to.spark}}{share:>7}  negative")
    if row.learning is not None:
        left = say_while(row.learning.total_seconds())
        first.append(f"   learns for {left} more", style=QUIET)
    for line, series in ((first, "all"), (second, "negative")):
        if series in bands:
            line.append_text(_band(bands[series], to))
    return [_marked(first, Choice("brand", stats.brand), chosen), second]


def _band(band: Expected, to: Columns) -> Text:
    unusual = band.observed >= band.high
    drawn = f"  {gauge(band.observed, band.expected, band.high, to.gauge - 2)}" if to.gauge else ""
    figures = f"{figure(band.observed):>8}{figure(band.expected, 1):>8}{figure(band.high):>10}"
    return Text(f"{figures} {'▲' if unusual else ' '}{drawn}", style="bold" if unusual else "")


# -- sources -----------------------------------------------------------------------------------------------


def sources_heading(shown: Shown, width: int) -> Text:
    """What the columns are."""
    titles = f"{'state':<11}{'published':>10}{'latest':>8}{'reconnects':>12}{'gaps':>5}"
    return Text(set_cell_size(f"  {'Sources':<{_keys(shown, width)}} {titles}", width), style=HEADING)


def _keys(shown: Shown, width: int) -> int:
    """Cells for what is listened to."""
    longest = max((cell_len(words(row.state.key)) for row in shown.sources), default=0)
    return max(12, min(longest, width - 49))


def sources(shown: Shown, width: int) -> list[Block]:
    """A block a source."""
    if not shown.sources:
        return [Block(1, lambda: [Text("  No source has told of itself.")])]
    cells = _keys(shown, width)
    return [
        Block(2 if row.unheard or row.state.says else 1, partial(_source, row, cells, width)) for row in shown.sources
    ]


def _source(row: SourceRow, cells: int, width: int) -> list[Text]:
    state = row.state
    style = "bold red" if row.unheard else SOURCE_STYLES.get(state.state, "")
    latest = "-" if row.latest is None else say_while(row.latest.total_seconds())
    line = Text.assemble(
        f"  {fit(state.key, cells)} ",
        (f"{'unheard' if row.unheard else state.state:<11}", style),
        f"{figure(state.published):>10}{latest:>8}{state.reconnects:>12,}{state.gaps:>5,}",
    )
    says = f"its process has said nothing for {say_while(row.unheard.total_seconds())}" if row.unheard else state.says
    return [line, Text(f"    {cut(says, width - 4)}", style=QUIET)] if says else [line]

"""The live view's lines: what there is to see, laid out for a window. Pure; strangers' words pass through `cells`."""

from __future__ import annotations

from datetime import UTC, timedelta
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from agents.cli.shown import say_while
from agents.cli.view.cells import cut, figure, fit, gauge, sparkline, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.cli.view.model import AlertRow, BrandRow, Shown, SourceRow
    from streams.records import Expected, Sample

LEAST_WIDTH, LEAST_HEIGHT, WIDE = 78, 20, 100
KEYS = "q quit   ↑ ↓ choose   Enter evidence   ? help"
STYLES = {"critical": "bold red", "warning": "bold yellow", "info": "bold cyan"}
SOURCE_STYLES = {"listening": "green", "waiting": "bold yellow", "failed": "bold red"}
HEADING, QUIET = "reverse", "dim"
MOST_SAMPLES = 5
NAME_CELLS = (16, 24)
"""At most, in a narrow window and in a wide one."""

SPARK_CELLS = (60, 30, 20, 15, 12)
GAUGE_CELLS = (14, 40)
FIGURES_CELLS = 48
"""What stands beside a brand's name, its sparkline and its gauge."""

ASIDE = timedelta(minutes=3)
"""A brand's figures come once a minute: event time that is so far behind ours is worth a word."""


class Choice(NamedTuple):
    """An alert by its id, or a brand by its name."""

    kind: str
    key: str


class Block(NamedTuple):
    """Lines that stay together, and what is chosen with them."""

    lines: list[Text]
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
    brands, sources = _brands(shown, width, chosen), _sources(shown, width)
    for most in range(MOST_SAMPLES, -1, -1):
        alerts = _alerts(shown, width, chosen, most)
        if sum(map(_size, (alerts, brands, sources))) <= rows:
            break
    space = _share(rows, [_size(alerts), _size(brands), _size(sources)])
    headings = (_alerts_heading(shown, width), _brands_heading(shown, width), _sources_heading(shown, width))
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
    return sum(len(block.lines) for block in blocks)


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
        return [*(line for block in blocks for line in block.lines), *[Text()] * (rows - _size(blocks))]
    place = next((number for number, block in enumerate(blocks) if block.choice == chosen), 0)
    first = 0
    while first < place and _size(blocks[first : place + 1]) > rows - 1:
        first += 1
    last = first + 1
    while last < len(blocks) and _size(blocks[first : last + 1]) <= rows - 1:
        last += 1
    lines = [line for block in blocks[first:last] for line in block.lines][: rows - 1]
    more = Text(f"  {first + 1} to {last} of {len(blocks)}; the arrows lead to the others", style=QUIET)
    return [*lines, *[Text()] * (rows - 1 - len(lines)), more]


def _marked(line: Text, choice: Choice, chosen: Choice | None) -> Text:
    """Two cells in front, with an arrow where it is chosen."""
    return Text.assemble(("▸ ", "bold") if choice == chosen else "  ", line)


def _behind(shown: Shown) -> str:
    if shown.heard is None or shown.at - shown.heard <= ASIDE:
        return ""
    ago, at = say_while((shown.at - shown.heard).total_seconds()), shown.heard.astimezone(UTC)
    return f"What was counted last was witnessed {ago} ago: {at:%a %Y-%m-%d %H:%M} UTC."


# -- alerts ------------------------------------------------------------------------------------------------


def _alerts_heading(shown: Shown, width: int) -> Text:
    count = sum(row.alert.status == "firing" for row in shown.alerts)
    return Text(set_cell_size(f"  Alerts: {count or 'none'} open", width), style=HEADING)


def _alerts(shown: Shown, width: int, chosen: Choice | None, most_samples: int) -> list[Block]:
    blocks = []
    for row in shown.alerts:
        choice, alert = Choice("alert", row.alert.id), row.alert
        state = alert.severity if alert.status == "firing" else "resolved"
        age = say_while(row.age.total_seconds())
        said = Text.assemble(
            (f"{state:<8}", STYLES.get(state, "green")),
            f"  {f'{age} old' if state in STYLES else f'after {age}':<13}",
            cut(alert.title, width - 25),
        )
        lines = [_marked(said, choice, chosen)]
        if state in STYLES:
            lines.append(Text(f"    {_facts(row, width - 4)}"))
            lines += [Text(f"    {cut(said_by(one), width - 4)}") for one in alert.evidence.samples[:most_samples]]
        blocks.append(Block(lines, choice))
    return blocks


def _facts(row: AlertRow, width: int) -> str:
    """As many names as there is room for."""
    said = ["; ".join(facts(row, most)) for most in (5, 3, 2, 1, 0)]
    return cut(next((one for one in said if cell_len(words(one)) <= width), said[-1]), width)


def facts(row: AlertRow, most: int) -> Iterator[str]:
    """What an alert rests on, in a few words; of issues and sources the `most` frequent."""
    seen = row.alert.evidence
    yield f"{seen.authors:,} author{'' if seen.authors == 1 else 's'}"
    if seen.negative_share is not None:
        usual = "" if seen.usual_negative_share is None else f" (usually {seen.usual_negative_share:.0%})"
        yield f"{seen.negative_share:.0%} negative{usual}"
    for word, of in (("about", seen.issues), ("on", seen.sources)):
        ranked = sorted(of.items(), key=lambda one: (-one[1], one[0]))[:most]
        if ranked:
            yield f"{word} {', '.join(f'{name} {count:,}' for name, count in ranked)}"


def said_by(sample: Sample) -> str:
    """One post in one line."""
    return f"{sample.observed_at.astimezone(UTC):%H:%M} {cut(sample.author_name or 'somebody', 20)}: {sample.text}"


# -- brands ------------------------------------------------------------------------------------------------


def _brands_heading(shown: Shown, width: int) -> Text:
    to = Columns.of(shown, width)
    windows = [band.window_s for row in shown.brands for band in row.stats.expected]
    seen = say_while(windows[0]) if windows else ""
    bar = f"last hour by {60 // to.spark} min"
    titles = f"  {'Brands':<{to.name}} {bar:<{to.spark + 8}}"
    if windows:
        titles += f" {f'in {seen}':>16}{'usual':>8}{'speaks at':>10}"
    return Text(set_cell_size(titles, width), style=HEADING)


def _brands(shown: Shown, width: int, chosen: Choice | None) -> list[Block]:
    if not shown.brands:
        hint = "None has been heard of yet. `groundswell listen` brings mentions."
        return [Block([Text(f"  {cut(hint, width - 2)}")])]
    return [_brand(row, Columns.of(shown, width), chosen) for row in shown.brands]


def _brand(row: BrandRow, to: Columns, chosen: Choice | None) -> Block:
    stats, choice = row.stats, Choice("brand", row.stats.brand)
    total, negative = sum(stats.minutes), sum(stats.negative_minutes)
    share = f"{negative / total:.0%}" if total else "-"
    bands = {band.series: band for band in reversed(stats.expected)}
    style = STYLES[row.alerts[0].severity] if row.alerts else "bold"
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
    return Block([_marked(first, choice, chosen), second], choice)


def _band(band: Expected, to: Columns) -> Text:
    unusual = band.observed >= band.high
    drawn = f"  {gauge(band.observed, band.expected, band.high, to.gauge - 2)}" if to.gauge else ""
    figures = f"{figure(band.observed):>8}{figure(band.expected, 1):>8}{figure(band.high):>10}"
    return Text(f"{figures} {'▲' if unusual else ' '}{drawn}", style="bold" if unusual else "")


# -- sources -----------------------------------------------------------------------------------------------


def _sources_heading(shown: Shown, width: int) -> Text:
    titles = f"{'state':<11}{'published':>10}{'latest':>8}{'reconnects':>12}{'gaps':>5}"
    return Text(set_cell_size(f"  {'Sources':<{_keys(shown, width)}} {titles}", width), style=HEADING)


def _keys(shown: Shown, width: int) -> int:
    """Cells for what is listened to."""
    longest = max((cell_len(words(row.state.key)) for row in shown.sources), default=0)
    return max(12, min(longest, width - 49))


def _sources(shown: Shown, width: int) -> list[Block]:
    if not shown.sources:
        return [Block([Text("  No source has told of itself.")])]
    return [_source(row, _keys(shown, width), width) for row in shown.sources]


def _source(row: SourceRow, cells: int, width: int) -> Block:
    state = row.state
    style = "bold red" if row.unheard else SOURCE_STYLES.get(state.state, "")
    latest = "-" if row.latest is None else say_while(row.latest.total_seconds())
    line = Text.assemble(
        f"  {fit(state.key, cells)} ",
        (f"{'unheard' if row.unheard else state.state:<11}", style),
        f"{figure(state.published):>10}{latest:>8}{state.reconnects:>12,}{state.gaps:>5,}",
    )
    says = f"its process has said nothing for {say_while(row.unheard.total_seconds())}" if row.unheard else state.says
    return Block([line, Text(f"    {cut(says, width - 4)}", style=QUIET)] if says else [line])

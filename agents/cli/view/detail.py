"""One alert or brand, and everything that is known of it. Pure; strangers' words pass through `cells`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.text import Text

from agents.cli.shown import say_while
from agents.cli.view.cells import figure, fit, words
from agents.cli.view.sections import STYLES, facts, said_first, state_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agents.cli.view.model import AlertRow, BrandRow, Shown
    from agents.cli.view.sections import Choice

LABELS = ("mentions", "negative", "neutral", "positive", "unscored")

HELP = """\
Keys
  q, Ctrl-C     quit
  ↑ ↓  or k j   choose an alert or a brand
  Enter         the evidence; Enter or Esc leads back
  ?             this page

The first line
  mentions/s    what sources have written to Kafka, over the last ten seconds
  lag           how long what waits for a worker has waited
  counted up to event time: when what was counted last was witnessed

Alerts
  What is wrong now, the worst first, then tickets, for which nobody is
  paged: praise, a flood of copies, something notable, or trouble muted by
  a known event or a cool-down. Ages are in event time. What was resolved
  stays for an hour.

Brands
  The bars are the last hour, each line to its own scale; · is none at all.
  Beside them are the hour's mentions, and the share of negative ones. Then
  what came in the detector's window, what is usual at this time, and the
  count at which it speaks; ▲ marks what is there already. A wide window
  draws the same: █ what came, ┼ the usual, ┃ where it speaks.
  What is usual for a new brand has to be learned first, for three days.

Sources
  latest is how long ago its newest mention was witnessed; gaps are what it
  could not have any more. `unheard`: its process has said nothing for a
  while, so it may be gone.
"""


def detail(shown: Shown, choice: Choice) -> list[Text]:
    """Everything about what was chosen; it may be gone meanwhile."""
    if choice.kind == "alert":
        found = [row for row in shown.alerts if row.alert.id == choice.key]
        return list(_alert(found[0])) if found else [Text("This alert is over, and shown no more.")]
    brands = [row for row in shown.brands if row.stats.brand == choice.key]
    if not brands:
        return [Text("This brand is not there any more.")]
    lines = list(_brand(brands[0]))
    for row in shown.alerts:
        if row.alert.brand == choice.key:
            lines += [Text(), *_alert(row)]
    return lines


def _alert(row: AlertRow) -> Iterator[Text]:
    alert, seen = row.alert, row.alert.evidence
    firing, state = alert.status == "firing", state_of(alert)
    said = words(f"{said_first(alert)}{alert.title}")
    yield Text.assemble((f"{state.upper()}  {said}", STYLES.get(state, "green")))
    if alert.muted_by:
        yield Text(f"does not page: {words(alert.muted_by)}")
    age, since = say_while(row.age.total_seconds()), f"{_time(alert.started_at)} UTC"
    yield Text(f"{'open' if firing else 'was open'} for {age}, since {since}; step {alert.step}; {words(alert.id)}")
    by = words(", ".join(alert.detectors))
    yield Text(f"seen by {by}, score {seen.score:.1f}, gravity {alert.gravity:g} of 10")
    window = say_while(seen.window_s)
    yield Text(f"{figure(seen.observed)} in {window}, {figure(seen.expected, 1)} expected; {'; '.join(facts(row, 0))}")
    if seen.first_seen is not None:
        yield Text(f"first seen {_time(seen.first_seen)} UTC")
    if seen.terms:
        yield Text(f"said more than usual: {', '.join(words(f'{one.term} ({one.lift:g}x)', 80) for one in seen.terms)}")
    for name, of in (("issues", seen.issues), ("sources", seen.sources), ("places", seen.places)):
        if of:
            yield Text(f"{name}: {_counts(of)}")
    for sample in seen.samples:
        yield Text()
        who, at = words(sample.author_name or "somebody", 80), _time(sample.observed_at)
        followers = f"  {figure(sample.followers)} followers" if sample.followers else ""
        yield Text.assemble((f"{at}  {who}", "bold"), f"  {sample.sentiment}{followers}")
        yield Text(words(sample.text))
        if sample.url:
            yield Text(words(sample.url), style="dim")


def _brand(row: BrandRow) -> Iterator[Text]:
    stats = row.stats
    yield Text(words(stats.brand), style="bold")
    if row.learning is not None:
        until = f"{_time(stats.learning_until)} UTC" if stats.learning_until else ""
        left = say_while(row.learning.total_seconds())
        yield Text(f"learns what is usual until {until}, {left} left; until then nobody is paged")
    yield Text(f"counted {stats.applied:,} mentions in all, {stats.late:,} more came too late")
    yield Text()
    spans = (stats.minute, stats.hour, stats.day)
    titles = (
        "last minute",
        f"since {stats.hour.start.astimezone(UTC):%H:%M}",
        f"since {stats.day.start.astimezone(UTC):%a %H:%M}",
    )
    yield Text(f"{'':<10}" + "".join(f"{title:>20}" for title in titles), style="dim")
    for label in LABELS:
        yield Text(f"{label:<10}" + "".join(f"{getattr(span, label):>20,}" for span in spans))
    if stats.expected:
        yield Text()
        yield Text(f"{'what is usual':<24}{'in':>8}{'seen':>8}{'usual':>8}{'speaks at':>11}", style="dim")
    for band in stats.expected:
        name = fit(f"{band.detector}/{band.series}", 24)
        counts = f"{figure(band.observed):>8}{figure(band.expected, 1):>8}{figure(band.high):>11}"
        mark = " ▲" if band.observed >= band.high else ""
        yield Text(f"{name}{say_while(band.window_s):>8}{counts}{mark}", style="bold" if mark else "")


def _counts(of: Mapping[str, int]) -> str:
    return ", ".join(f"{words(name, 80)} {of[name]:,}" for name in sorted(of, key=lambda name: (-of[name], name)))


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"

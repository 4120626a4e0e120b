"""`groundswell backtest`: what would have paged us last week?"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from agents.cli.errors import CommandError
from agents.cli.incidents import differences
from agents.cli.logs import printable
from agents.cli.rules import given_file, load_file
from agents.sources.csvmap import parse_mapping
from agents.sources.recording import Recording
from agents.sources.times import read_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.cli.chosen import Chosen
    from agents.cli.incidents import Incident
    from agents.cli.recorded import Recorded
    from agents.cli.rehearsed import Rehearsed
    from streams.settings import Settings

RULES = click.Path(exists=True, dir_okay=False, path_type=Path)
LISTED = 10


class Moment(click.ParamType):
    """A time, RFC 3339; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it."""
        if isinstance(value, datetime):
            return value
        return read_time(value) or self.fail(f"{value!r}: expected a time such as 2026-01-31T12:00:00Z", param, ctx)


@click.command()
@click.option(
    "--rules",
    type=RULES,
    metavar="FILE",
    help="The tracking rules to judge by. Otherwise those in force; with --input, GROUNDSWELL_RULES.",
)
@click.option(
    "--input",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Recorded mentions: .jsonl, .csv, .tsv. Otherwise the raw topic.",
)
@click.option("--map", "mapping", metavar="SPEC", help="Columns of a CSV, as `groundswell replay` takes them.")
@click.option("--against", type=RULES, metavar="FILE", help="Print what differs from what these rules would have said.")
@click.option(
    "--from",
    "begin",
    type=Moment(),
    metavar="TIME",
    help="Only what fired then or later; what came before is learned from.",
)
@click.option("--until", type=Moment(), metavar="TIME", help="Stop before mentions observed then or later.")
@click.pass_obj
def backtest(
    chosen: Chosen,
    rules: Path | None,
    file: Path | None,
    mapping: str | None,
    against: Path | None,
    begin: datetime | None,
    until: datetime | None,
) -> None:
    """Say which alerts recorded mentions would have given, and what other rules change.

    One JSON line an incident, in the order in which they fired: the alert as it stood when it became a page (a
    ticket: when it fired), and `resolved_at`, `highest_severity`, `steps`, and `heard`, how many mentions of the brand
    had come by then. `urgency` says page or ticket. Nobody is notified. The agents are the worker's own, on
    event time alone, so the same input gives the same bytes.

    Without --input it reads mentions.raw, all that is still there. Detectors learn before they speak: give them a
    week or more. With --against each line is a difference: added, removed, or moved (the same incident at
    another time, or otherwise urgent or severe), with `now` and `was`.

    \b
    Examples:
      groundswell backtest --rules rules.yaml --input tweets.csv | jq -r '[.at, .urgency, .title] | @tsv'
      groundswell backtest --from 2026-03-02 | jq .title
      groundswell backtest --rules new.yaml --against rules.yaml --from 2026-03-02

    Next: `groundswell rules check`, then `groundswell rules publish`.
    """  # noqa: D301
    from agents.cli.inforce import published_rules  # noqa: PLC0415  loads a Kafka client
    from agents.cli.recorded import FromTopic  # noqa: PLC0415  loads Faust and all agents
    from agents.cli.rehearsed import Rehearsed, rehearse  # noqa: PLC0415

    if mapping and not file:
        raise click.UsageError("--map is for a file: say which with --input")
    settings, began = chosen.settings(), monotonic()
    from_file = rules or file
    judged_by = load_file(given_file(rules, settings)) if from_file else asyncio.run(published_rules(settings))
    runs = [Rehearsed(settings, one) for one in (judged_by, load_file(against) if against else None) if one]
    recorded: Recorded = opened(file, mapping, settings) if file else FromTopic(settings)
    asyncio.run(rehearse(recorded, runs, until))
    told = []
    for run in runs:
        run.end()
        told.append([one for one in run.incidents.told() if begin is None or one.fired.at >= begin])
    for line in _differing(*told) if against else (one.as_record() for one in told[0]):
        click.echo(json.dumps(line))
    say_refused(runs[0], recorded)
    click.echo(_summary(runs[0], told[0], monotonic() - began), err=True)


def opened(file: Path, mapping: str | None, settings: Settings) -> Recorded:
    """Open a recorded file, and say what was taken for what, and what has to be sorted.

    Raises:
        CommandError: nothing in it can be judged.
        SourceError: it cannot be read, or the mapping does not fit.
    """
    from agents.cli.recorded import FromFile  # noqa: PLC0415  as above

    recording = Recording(file, parse_mapping(mapping or ""))
    for guess in recording.guessed:
        click.echo(f"guessed: {guess}", err=True)
    recorded = FromFile(recording, settings)
    if not recorded.survey().in_order:
        click.echo(f"{file.name} is not in order of time: sorted in memory", err=True)
    return recorded


def say_refused(run: Rehearsed, recorded: Recorded) -> None:
    """List the first few records that are no mentions, each with its place and reason.

    Raises:
        CommandError: nothing else was in the input.
    """
    for one in run.refused[:LISTED]:
        place = recorded.place(one.partition, one.offset)
        click.echo(printable(f"{place}: left out: {one.reason}: {one.detail}"), err=True)
    if len(run.refused) > LISTED:
        click.echo(f"... and {len(run.refused) - LISTED:,} more", err=True)
    if run.refused and len(run.refused) == run.read:
        raise CommandError("no record could be read as a mention")


def _differing(now: Sequence[Incident], was: Sequence[Incident]) -> Iterator[dict[str, Any]]:
    return (one.as_record() for one in differences(now, was))


def _summary(run: Rehearsed, told: Sequence[Incident], seconds: float) -> str:
    pages = sum(one.shown.urgency == "page" for one in told)
    last = datetime.fromtimestamp(run.at_s, UTC)
    late = f", {run.late:,} late" if run.late else ""
    refused = f", {len(run.refused):,} left out" if run.refused else ""
    return (
        f"{run.read:,} mentions read{refused}, {run.matched:,} matched{late}, up to {last:%Y-%m-%d %H:%M} UTC, in "
        f"{seconds:.1f} s ({run.read / seconds:,.0f}/s): {pages} pages, {len(told) - pages} tickets"
    )

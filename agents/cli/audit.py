"""`groundswell audit`: whether the accounts add up, from the topics and tables themselves."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

import click

from agents.cli.errors import CommandError
from agents.cli.examination import Examination, Span
from agents.cli.problems import COLUMNS
from agents.cli.shown import console, table
from agents.sources.times import read_time
from streams.core.sanitise import one_line

if TYPE_CHECKING:
    from agents.cli.chosen import Chosen
    from agents.cli.identities import Findings

EPOCH = datetime.fromtimestamp(0, UTC)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.command()
@click.option("--since", metavar="TIME", help="Only raw records that came in this last while, such as 90s, 1h, 7d.")
@click.option("--from", "begin", metavar="TIME", help="Only those that came in at this time or later, RFC 3339.")
@click.option("--to", "end", metavar="TIME", help="Only those that came in before this time, RFC 3339.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, in ASCII; its keys are only ever added to.")
@click.pass_obj
def audit(chosen: Chosen, since: str | None, begin: str | None, end: str | None, as_json: bool) -> None:
    """Check that the accounts add up, from the topics and tables themselves.

    Each raw record that intake has written down must be in one class, with what belongs to it: a record on
    mentions.scored for each brand, a removal, or a dead letter. And each brand's row must have counted what it was
    told, once. It may run while everything runs, joins no consumer group, and changes nothing.

    With a span of time only the records that came in then are looked at, and totals since the beginning are left out.

    Exit code 0: it adds up. 1: it does not; the first record that is not accounted for is named. Use the workers'
    settings: GROUNDSWELL_MAX_FUTURE_S decides what has to be a dead letter, and with another GROUNDSWELL_AUTHOR_KEY
    than theirs it refuses to look.

    \b
    Examples:
      groundswell audit
      groundswell audit --since 1h
      groundswell audit --from 2026-03-02T09:00Z --to 2026-03-02T10:00Z --json | jq .problems

    Next: if it does not add up, keep the topics and this command's output, and report it.
    """  # noqa: D301
    span = _span(since, begin, end)
    began = monotonic()
    found = asyncio.run(Examination(chosen.settings(), span).run())
    if as_json:
        click.echo(json.dumps(_as_record(found, span)))
    else:
        _show(found, span, monotonic() - began)
    if found.problems:
        others = len(found.problems) - 1 + found.unnamed
        raise CommandError(f"it does not add up: {found.problems[0]}{f' (and {others:,} more)' if others else ''}")


def _span(since: str | None, begin: str | None, end: str | None) -> Span | None:
    if since is None and begin is None and end is None:
        return None
    if since is not None and begin is not None:
        raise click.UsageError("--since and --from both say where to begin: use one of them")
    now = datetime.now(UTC)
    until = now if end is None else _time("--to", end)
    start = EPOCH if begin is None else _time("--from", begin)
    if since is not None:
        start = _before(now, since)
    if not start < min(now, until):
        raise click.UsageError("a span of time has to begin before it ends, and before now")
    return Span(max(start, EPOCH), until)


def _before(now: datetime, said: str) -> datetime:
    number, unit = said[:-1], said[-1:]
    try:
        return now - timedelta(seconds=float(number) * UNITS[unit])
    except (KeyError, ValueError, OverflowError):
        raise click.BadParameter(
            f"{said!r}: expected a while such as 90s, 30m, 1h or 7d", param_hint="--since"
        ) from None


def _time(option: str, said: str) -> datetime:
    if time := read_time(said):
        return time
    raise click.BadParameter(f"{said!r}: expected a time such as 2026-03-02T09:00Z", param_hint=option)


def _as_record(found: Findings, span: Span | None) -> dict[str, object]:
    return {
        "adds_up": not found.problems,
        "since": span and span.since.isoformat(),
        "until": span and span.until.isoformat(),
        "records": found.records,
        "expired": found.expired,
        "resent": found.resent,
        "partitions": [
            {"partition": number, "records": walk.records, "waiting": found.waiting[number], **walk.by_class()}
            for number, walk in found.walks.items()
        ],
        "sources": [
            {"source": source, **{name: counts[name] for name in COLUMNS}}
            for source, counts in found.by_source().items()
        ],
        "brands": [one._asdict() for one in found.brands],
        "problems": [problem._asdict() | {"at": problem.at and problem.at.isoformat()} for problem in found.problems],
        "problems_not_named": found.unnamed,
    }


def _show(found: Findings, span: Span | None, seconds: float) -> None:
    out = console()
    rows = [
        (number, walk.records, *walk.by_class().values(), found.waiting[number]) for number, walk in found.walks.items()
    ]
    out.print(table("Raw records", ("partition", "records", *COLUMNS, "waiting"), rows))
    sources = [
        (one_line(source, 20), counts.total(), *(counts[name] for name in COLUMNS))
        for source, counts in found.by_source().items()
    ]
    out.print(table("By source", ("source", "records", *COLUMNS), sources))
    brands = [
        (one_line(one.brand, 30), *("-" if figure is None else figure for figure in one[1:])) for one in found.brands
    ]
    out.print(table("Brands", ("brand", "scored", "applied", "late", "under way"), brands))
    if span is not None:
        out.print(
            f"Raw records of {span.since:%Y-%m-%d %H:%M:%S} to {span.until:%Y-%m-%d %H:%M:%S} UTC; totals are left out."
        )
    if found.expired:
        out.print(f"{found.expired:,} records could not be looked at: they, or what was told of them, have expired.")
    for problem in found.problems[:20]:
        out.print(f"WRONG {problem}", style="red", markup=False)
    if not found.problems:
        out.print(f"It adds up: {found.records:,} records, {found.resent:,} re-sends ignored; {seconds:.1f} s.")

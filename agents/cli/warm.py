"""`groundswell warm`: what is usual for a new brand, learned from what was said before anybody listened for it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from agents.cli.backtest import RULES, opened, say_refused
from agents.cli.errors import CommandError
from agents.cli.rules import load_file
from agents.cli.shown import say_while

if TYPE_CHECKING:
    from agents.cli.chosen import Chosen
    from agents.cli.recorded import Recorded
    from agents.cli.rehearsed import Rehearsed
    from streams.core.rules import Rules
    from streams.settings import Settings


class Warmed(NamedTuple):
    """The rehearsal that a brand's row was taken from, and how far time has come in the log it goes on with."""

    run: Rehearsed
    heard: int
    time: datetime | None


@click.command()
@click.argument("brand")
@click.option(
    "--from", "history", required=True, metavar="FILE|raw", help="Recorded mentions (.jsonl, .csv, .tsv), or `raw`."
)
@click.option("--rules", type=RULES, metavar="FILE", help="Rules that have the brand. Otherwise those in force.")
@click.option("--map", "mapping", metavar="SPEC", help="Columns of a CSV, as `groundswell replay` takes them.")
@click.pass_obj
def warm(chosen: Chosen, brand: str, history: str, rules: Path | None, mapping: str | None) -> None:
    """Teach the detectors a new brand's past, so that they need not learn for days.

    The worker's own agents run over the past in memory, and what they know of BRAND then becomes its row. Nothing is
    found, told or counted: the accounts count what was told to the brand, and that begins with the workers.
    `raw` is mentions.raw as far as workers have handled it, while they did not listen for the brand yet.

    Stop all workers first, as its row may have one writer only; then publish rules that have the brand, or name
    their file. A brand that was heard of already is refused.

    \b
    Examples:
      groundswell warm dell --from raw
      groundswell warm dell --from archive.csv --rules rules.yaml

    Next: `groundswell rules publish` the file, if you named one, and start the workers.
    """  # noqa: D301
    from agents.cli.inforce import published_rules  # noqa: PLC0415  loads a Kafka client

    settings = chosen.settings()
    judged_by = load_file(rules) if rules else asyncio.run(published_rules(settings))
    brands = [one.id for one in judged_by.brands]
    if brand not in brands:
        which = rules or "what is in force"
        raise CommandError(
            f"{which} has no brand {brand}, only {', '.join(brands)}: name a file that has, with --rules"
        )
    run, heard, time = asyncio.run(_warm(settings, judged_by, brand, history, mapping))
    ended = datetime.fromtimestamp(run.at_s, UTC)
    click.echo(f"{brand} has learned from {heard:,} of {run.read:,} mentions, up to {ended:%Y-%m-%d %H:%M} UTC")
    if time is not None and time > ended:
        click.echo(
            f"What lies between that and the log's own time, {say_while((time - ended).total_seconds())}, counts as silence",
            err=True,
        )


async def _warm(settings: Settings, rules: Rules, brand: str, history: str, mapping: str | None) -> Warmed:
    from agents.cli.accounts import read_tables  # noqa: PLC0415  loads Faust and all agents
    from agents.cli.recorded import FromTopic  # noqa: PLC0415
    from agents.cli.rehearsed import Rehearsed, rehearse  # noqa: PLC0415
    from streams.broker import check_topics, group_members  # noqa: PLC0415
    from streams.outbox import Outbox  # noqa: PLC0415

    await check_topics(settings)
    if members := await group_members(settings):
        raise CommandError(f"workers of the group {settings.group} still run ({members}): stop them all first")
    tables = await read_tables(settings)
    if brand in tables.brands:
        raise CommandError(f"{brand} has been heard of already: it is learning, or has learned, from what it hears")
    times = [time for books in tables.books.values() if (time := books.time()) is not None]
    time = max(times, default=None)
    run = Rehearsed(settings, rules)
    if history == "raw":
        recorded: Recorded = FromTopic(
            settings, {partition: books.offset + 1 for partition, books in tables.books.items()}
        )
        await rehearse(recorded, [run])
    else:
        recorded = opened(Path(history), mapping, settings)
        await rehearse(recorded, [run], time)
    run.end()
    say_refused(run, recorded)
    marks = {partition: (books.epoch, books.offset) for partition, books in tables.books.items() if books.offset >= 0}
    seed = run.seed(brand, marks)
    if seed is None:
        raise CommandError(f"{history} holds no mention of {brand}: nothing was changed")
    outbox = Outbox(settings)
    await outbox.on_start()
    try:
        await outbox.deliver([seed])
    finally:
        await outbox.on_stop()
    return Warmed(run, run.incidents.heard(brand), time)

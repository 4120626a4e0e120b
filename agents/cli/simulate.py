"""`groundswell simulate`: a made-up story into Kafka, or a made-up world into files, with the truth about it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agents.cli.errors import CommandError
from agents.cli.publish import given, publish_all
from agents.simulator import World
from agents.simulator.written import Files, write_story, write_world
from agents.sources.options import Options
from agents.sources.recording import JSON_LINES
from agents.sources.scenario import Scenario
from agents.sources.simulate import Simulate

if TYPE_CHECKING:
    from agents.cli.chosen import Chosen
    from agents.simulator import Truth

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("scenario", required=False)
@click.option("--at-once", is_flag=True, help="The whole story as fast as Kafka takes it, then stop.")
@click.option("--end", metavar="TIME", help="When the story ends, such as 2026-01-31T12:00:00Z. Otherwise now.")
@click.option("--out", type=_FILE, metavar="FILE", help="Write mentions to this file (.jsonl), and nothing to Kafka.")
@click.option(
    "--truth", type=_FILE, metavar="FILE", help="With --out: what happened when, with the ids of its mentions."
)
@click.option("--rules-out", type=_FILE, metavar="FILE", help="With --out: a rules file for its brands.")
@click.option("--brands", type=click.IntRange(1, 1000), metavar="N", help="Of the world: how many brands (10).")
@click.option("--weeks", type=click.IntRange(1, 520), metavar="N", help="Of the world: weeks after the quiet one (1).")
@click.option(
    "--seed", type=click.IntRange(0), metavar="N", help="Of the world: the same one gives the same bytes (1)."
)
@click.option("--hard", is_flag=True, help="Of the world: vaguer words, blurred feelings, larger floods of bots.")
@click.pass_obj
def simulate(
    chosen: Chosen,
    scenario: str | None,
    at_once: bool,
    end: str | None,
    out: Path | None,
    truth: Path | None,
    rules_out: Path | None,
    brands: int | None,
    weeks: int | None,
    seed: int | None,
    hard: bool,
) -> None:
    """Tell a made-up story, such as a product that catches fire.

    SCENARIO is a bundled one, or a .yaml file; without it, dell-batteries. Its past goes out at once, then the
    story itself faster than life, then ordinary chatter in real time until Ctrl-C. It tells the same ids
    every time: to tell it again, use another GROUNDSWELL_TOPIC_PREFIX, or all of it is taken for redelivered.

    With --out a story is written to a file instead. Without SCENARIO that is a whole world: brands with 15 to 600
    mentions an hour, a quiet week in which detectors learn, and then, in each week and for each brand, two incidents, a
    campaign, a joke that everybody repeats, a flood of bots, and a steady rise to twice the volume. --truth says
    what happened, so that detection can be measured.

    \b
    Examples:
      groundswell simulate
      groundswell simulate --at-once
      groundswell simulate --out mentions.jsonl --truth truth.json --rules-out rules.yaml --weeks 4 --hard
      groundswell simulate dell-batteries --out dell.jsonl

    Next: `groundswell alerts --follow` in another terminal; of a file, `groundswell backtest`.
    """  # noqa: D301
    world: dict[str, Any] = given(brands=brands, weeks=weeks, seed=seed, hard=hard or None)
    if out is None:
        if truth or rules_out or world:
            raise click.UsageError("--truth, --rules-out, --brands, --weeks, --seed and --hard need --out FILE")
        options = given(scenario=scenario, end=end, pace="no" if at_once else None)
        publish_all(chosen.settings(), Simulate.open(options))
        return
    if out.suffix not in JSON_LINES:
        raise click.UsageError(f"--out {out}: the name must end in {' or '.join(JSON_LINES)}")
    if at_once:
        raise click.UsageError("--at-once is for Kafka: a file holds it all")
    files = Files(out, truth, rules_out)
    try:
        told = _write_world(files, world, end) if scenario is None else _write_story(files, scenario, end, world)
    except OSError as wrong:
        raise CommandError(f"{wrong.filename}: {wrong.strerror}") from None
    click.echo(_summary(told, files))


def _write_world(files: Files, world: dict[str, Any], end: str | None) -> Truth:
    if end is not None:
        raise click.UsageError("--end is of a SCENARIO: the world has times of its own")
    return write_world(World(**{"seed": 1, **world}), files)


def _write_story(files: Files, scenario: str, end: str | None, world: dict[str, Any]) -> Truth:
    if world:
        raise click.UsageError("--brands, --weeks, --seed and --hard are of the world, not of a SCENARIO")
    ends = Options("simulate", given(end=end), Simulate.options).time("end")
    return write_story(Scenario.load(scenario), ends or datetime.now(UTC), files)


def _summary(told: Truth, files: Files) -> str:
    lines = [f"{told.mentions:,} mentions, {told.start:%Y-%m-%d} to {told.end:%Y-%m-%d}: {files.mentions}"]
    if files.truth:
        lines += [f"{len(told.events)} events, the first on {told.quiet_until:%Y-%m-%d}: {files.truth}"]
    if files.rules:
        lines += [
            f"rules: {files.rules}",
            "",
            f"Next: groundswell backtest --rules {files.rules} --input {files.mentions}",
        ]
    return "\n".join(lines)

"""`groundswell up`: everything on this machine, from one command, with a story or a person's own posts."""

from __future__ import annotations

import asyncio
import shlex
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agents.cli.publish import open_sources
from agents.cli.run import Run
from agents.cli.screen import Screen
from agents.cli.watch import is_a_terminal
from agents.sources.csvmap import parse_mapping
from agents.sources.interface import SourceDownError, SourceError
from agents.sources.replay import Replay
from agents.sources.scenario import Scenario
from agents.sources.simulate import Simulate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.cli.chosen import Chosen
    from agents.sources.interface import Source

LIVE = "groundswell-live."
"""Topics of real sources: kept from one run to the next."""

INSTEAD = "Without a network: `make run` tells a story, `make run INPUT=posts.csv RULES=my.yaml` says your own posts."

OWN_POSTS_MAX_AGE_S = 10 * 365 * 86_400


@click.command()
@click.option("--for", "duration", metavar="TIME", help="Stop after this long, such as 300s or 5m.")
@click.option("--scenario", default="dell-batteries", show_default=True, help="A bundled story, or a .yaml file.")
@click.option(
    "--input",
    "recorded",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Your own recorded posts instead: CSV or JSONL.",
)
@click.option(
    "--map",
    "mapping",
    metavar="SPEC",
    default="",
    help="The file's columns: text=body,observed_at=created_at,source='x'. Usual names are guessed.",
)
@click.option(
    "--rules",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What to listen for; the story brings its own.",
)
@click.option(
    "--source", metavar="NAME", default="", help="Real sources instead: 'bluesky', or 'rss feeds=https://... mastodon'."
)
@click.option("--plain", is_flag=True, help="Lines instead of the live view, as in a pipe.")
@click.pass_obj
def up(
    chosen: Chosen,
    duration: str | None,
    scenario: str,
    recorded: Path | None,
    mapping: str,
    rules: Path | None,
    source: str,
    plain: bool,
) -> None:
    """Start Kafka, topics and a worker, tell a story into them, and show what is found.

    \b
    groundswell up                     the Dell batteries of 2006, 60 times faster than life
    groundswell up --for 300s          the same, and an exit code that says whether the alert came
    groundswell up --input posts.csv --rules my.yaml
    groundswell up --source bluesky --rules my.yaml

    Real sources go on where the last run stopped, with all that was learned; a story and a file have a run of
    their own each time. `groundswell listen` names the sources.

    Kafka is Apache's own, run from its jars in the data folder (Java 17 and Maven); with --kafka or
    KAFKA_BOOTSTRAP, any other. On a terminal it shows the live view of `groundswell watch`. q or Ctrl-C stops
    everything that was started.
    """  # noqa: D301
    if rules is None and (recorded is not None or source):
        option = "--source" if source else "--input"
        raise click.UsageError(f"{option} needs --rules: the YAML file that says what to listen for.")
    if recorded is not None and source:
        raise click.UsageError("--input or --source, not both.")
    screen = Screen(live=is_a_terminal() and not plain)
    if source and rules is not None:
        sources = open_sources(shlex.split(source))
        asyncio.run(answer_all(sources))
        run = Run(chosen, screen, sources, rules, prefix=LIVE)
    elif recorded is not None and rules is not None:
        run = Run(
            chosen,
            screen,
            [Replay(recorded, mapping=parse_mapping(mapping), times="shifted")],
            rules,
            max_age_s=OWN_POSTS_MAX_AGE_S,
        )
    else:
        story = Scenario.load(scenario)
        run = Run(
            chosen,
            screen,
            [Simulate(story)],
            rules or Path(story.rules),
            expects_alert=bool(story.incidents),
            max_age_s=story.notify_max_age_s,
            play_s=story.play_s,
        )
    seconds = _seconds(duration) if duration else None if sys.stdout.isatty() else run.play_s
    sys.exit(asyncio.run(run.until(seconds)))


def _seconds(duration: str) -> float:
    number, unit = duration[:-1], duration[-1:]
    if unit.isdigit():
        number, unit = duration, "s"
    try:
        return float(number) * {"s": 1, "m": 60, "h": 3600}[unit]
    except (KeyError, ValueError):
        raise click.BadParameter(f"{duration!r}: expected a time such as 300s, 5m or 1h", param_hint="--for") from None


async def answer_all(sources: Sequence[Source]) -> None:
    """Ask each source once, before anything is started.

    Raises:
        SourceError: one does not answer; the message says what to try instead.
    """
    for source in sources:
        try:
            async with aclosing(source.listen()) as events:  # type: ignore[type-var]
                async for _ in events:
                    break
        except SourceDownError as down:
            raise SourceError(f"{down}\n{INSTEAD}") from None

"""`groundswell topics` and `groundswell topology`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from agents.cli.errors import CommandError
from agents.cli.shown import console, table
from streams.topics import DAY_S

if TYPE_CHECKING:
    from agents.cli.chosen import Chosen
    from streams.settings import Settings
    from streams.topics import Topic


@click.group()
def topics() -> None:
    """Make the Kafka topics; go on with a log made anew."""


@topics.command()
@click.pass_obj
def create(chosen: Chosen) -> None:
    """Create the topics that are missing, and check the others.

    Safe to run again: what is there is left as it is. Partition counts are fixed from then on, so set
    GROUNDSWELL_RAW_PARTITIONS, GROUNDSWELL_KEYED_PARTITIONS and GROUNDSWELL_REPLICATION first.

    \b
    Example:
      groundswell --kafka broker:9092 topics create

    Next: `groundswell worker --rules rules.yaml`.
    """  # noqa: D301
    from streams.broker import create_topics  # noqa: PLC0415  loads Faust

    created = asyncio.run(create_topics(chosen.settings()))
    for name in created:
        click.echo(name)
    click.echo(f"{len(created)} topics created." if created else "All topics are there.", err=True)


@topics.command("new-epoch")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def new_epoch(chosen: Chosen, yes: bool) -> None:
    """Go on with a mentions.raw that was deleted and made anew, or cut off.

    Workers refuse such a log: its offsets start over. This begins a new epoch for each raw partition whose log
    is another than the one that was read; the others stay as they are. Counts stay and go on; what was told
    before and is delivered again counts as a duplicate. What the old log held and no worker had read is lost.
    Of a log that was cut off and went on, what stands before the cut was counted already and is not read again.
    Stop all workers first. Safe to run again.

    \b
    Example:
      groundswell topics new-epoch

    Next: start the workers again.
    """  # noqa: D301
    from streams.epoch import begin_new_epochs  # noqa: PLC0415  loads Faust
    from streams.topics import RAW  # noqa: PLC0415

    settings = chosen.settings()
    raw = RAW.full_name(settings)
    if not yes and not click.confirm(f"Was {raw} replaced, and is the old one lost for good?"):
        raise CommandError("nothing was changed")
    begun = asyncio.run(begin_new_epochs(settings))
    for partition, epoch, begin in begun:
        click.echo(f"{raw}-{partition}: epoch {epoch} begins at offset {begin}")
    if not begun:
        click.echo(f"{raw} is the log that was read: nothing was changed.", err=True)


@click.command()
@click.pass_obj
def topology(chosen: Chosen) -> None:
    """Print every topic and table: who writes it, who reads it.

    Needs no broker: it says what the settings ask for.

    \b
    Example:
      groundswell topology

    Next: `groundswell topics create` makes it so.
    """  # noqa: D301
    from streams.tables import STATE  # noqa: PLC0415  loads Faust
    from streams.topics import TOPOLOGY  # noqa: PLC0415

    settings = chosen.settings()
    flow = (
        (
            topic.full_name(settings),
            topic.key,
            topic.value.replace("|", " | "),
            topic.written_by,
            ", ".join(topic.read_by),
            topic.partitions(settings),
            _kept(topic, settings),
        )
        for topic in TOPOLOGY
    )
    state = (
        (
            t.name,
            t.key,
            t.value,
            t.owner,
            settings.topic_prefix + t.follows,
            t.partitions(settings),
            t.full_name(settings),
        )
        for t in STATE
    )
    out = console()
    columns = ("topic", "key", "value", "written by", "read by", "partitions", "kept")
    out.print(table("Topics", columns, flow, words=len(columns)))
    columns = ("table", "key", "value", "owner", "follows", "partitions", "changelog")
    out.print(table("State", columns, state, words=len(columns)))


def _kept(topic: Topic, settings: Settings) -> str:
    if topic.compacted:
        return "latest of each key"
    return f"{topic.kept_s(settings) / DAY_S:g} days"

"""`groundswell forget`: take a person's words and name out of everything, and look whether they are gone."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

import click

from agents.cli.errors import CommandError
from agents.cli.read import administering, connected, reading
from agents.cli.traces import cut_off, take_away, traces_in
from agents.sources.publisher import make_producer
from streams.metrics import AGENTS
from streams.records import Mention, encode
from streams.topics import RAW, TOPOLOGY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiokafka.admin import AIOKafkaAdminClient

    from agents.cli.chosen import Chosen
    from agents.cli.read import Ends
    from agents.cli.traces import Traces
    from streams.settings import Settings

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.2
EPOCH = datetime.fromtimestamp(0, UTC)


@click.command()
@click.argument("author")
@click.option(
    "--purge",
    is_flag=True,
    help="Also delete them, and all that stands before them, from mentions.raw, mentions.scored and spikes.",
)
@click.option("--yes", is_flag=True, help="Do not ask, not even before a purge.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a topic.")
@click.pass_obj
def forget(chosen: Chosen, author: str, purge: bool, yes: bool, as_json: bool) -> None:
    """Take a person's words and name out of everything, and look whether they are gone.

    AUTHOR is the author_id of their mentions. Text, name and ids go, from tables, alerts and dead letters; counts
    are history and stay. What they say later is heard again: tell the source to leave them out.

    Workers must run. Then every topic and changelog is searched, and what still names them is listed, with the
    time by which Kafka drops it. The logs mentions.raw, mentions.scored and spikes keep it until their retention
    ends. --purge deletes it there at once, but only with everything before it, other people's words included:
    whoever subscribes to those logs and has not read that far never will.

    \b
    Examples:
      groundswell forget did:plc:ewvi7nxzyoun6zhxrhs64oiz
      groundswell forget https://mastodon.example/users/ann --purge

    Exit code 1: they still stand somewhere where nothing expires.
    Next: delete the data folders of workers that no longer run.
    """  # noqa: D301
    settings = chosen.settings()
    if not author.strip():
        raise click.UsageError("AUTHOR is the author_id of somebody's mentions; this is empty")
    if not yes and not click.confirm(f"Forget {author!r}? Nothing brings their words back.", err=True):
        raise CommandError("nothing was done")
    asyncio.run(_tell_workers(settings, author))
    found = asyncio.run(_search(settings, author))
    asyncio.run(take_away(settings, found))
    if purge and (logs := [one for one in found if one.is_log and one.standing]):
        others = ", ".join(f"{one.others:,} of {one.name}" for one in logs)
        if yes or click.confirm(
            f"Purge deletes whatever stands before their last record too: {others}. Whoever subscribes and has not read "
            "them never will. Go on?",
            err=True,
        ):
            asyncio.run(cut_off(settings, found))
    _report(asyncio.run(_search(settings, author)), as_json=as_json)


async def _tell_workers(settings: Settings, author: str) -> None:
    """Write the account's removal into each raw partition, and wait until it has gone through the flow.

    Raises:
        CommandError: no worker runs, or none gets on.
        BrokerError: the topics are not as the settings say.
    """
    from streams.broker import check_topics, group_is_ready  # noqa: PLC0415  loads Faust

    await check_topics(settings)
    if not await group_is_ready(settings):
        raise CommandError(
            f"no worker of group {settings.group} runs, or they are just sharing the partitions out: "
            "only workers can take out what is in their tables. Start one, or wait a moment, and run this again; nothing was "
            "done."
        )
    producer = make_producer(settings)

    async def remove(partition: int, at: datetime) -> datetime:
        gone = Mention(
            id=f"forget:{at.isoformat()}", source="forget", op="account_removed", author_id=author, observed_at=at
        )
        sent = await producer.send_and_wait(
            RAW.full_name(settings), encode(gone), gone.id.encode(), partition=partition
        )
        return datetime.fromtimestamp(sent.timestamp / 1000, UTC)

    async with connected(producer, settings):
        # Our clock may be wrong: ahead of the broker's the removal would be a dead letter, behind it too little would go.
        now = await remove(0, EPOCH)
        for partition in range(settings.raw_partitions):
            await remove(partition, now)
    await _applied(settings)


async def _applied(settings: Settings) -> None:
    """Return once the workers have handled what each topic of the flow holds by now, one after the other."""
    async with administering(settings) as admin:
        for topic in TOPOLOGY:
            if topic.read_by[0] in AGENTS:
                async with reading(settings, topic) as reader:
                    begins, ends = await reader.starts(), reader.ends
                await _handled(admin, settings.group, begins, ends)


async def _handled(admin: AIOKafkaAdminClient, group: str, begins: Ends, ends: Ends) -> None:
    behind, since = -1, monotonic()
    while behind != 0:
        committed = await admin.list_consumer_group_offsets(group)
        handled = begins | {tp: max(begins[tp], committed[tp].offset) for tp in ends if tp in committed}
        left = sum(max(0, end - handled[tp]) for tp, end in ends.items())
        if left != behind:
            behind, since = left, monotonic()
        elif monotonic() - since > PATIENCE_S:
            topic = next(iter(ends)).topic
            raise CommandError(
                f"{topic}: {behind:,} records wait, and no worker has handled one for {PATIENCE_S:.0f} s. The removal is "
                "written and will be applied; mend the workers, then run this again to see that it was."
            )
        if left:
            await asyncio.sleep(LOOK_EVERY_S)


async def _search(settings: Settings, author: str) -> list[Traces]:
    from streams.tables import STATE  # noqa: PLC0415  loads Faust

    return [await traces_in(settings, topic, author) for topic in (*TOPOLOGY, *STATE)]


def _report(found: Iterable[Traces], *, as_json: bool) -> None:
    """Say what is left, and leave with 1 if some of it would stay."""
    stay = []
    for one in found:
        gone_by = f"{one.gone_by:%Y-%m-%d %H:%M} UTC" if one.gone_by else None
        if as_json:
            counts = {"standing": one.standing, "replaced": one.replaced, "alike": one.alike}
            click.echo(json.dumps({"topic": one.name, **counts, "gone_by": gone_by}))
        else:
            click.echo(f"{one.name}: {_said(one)}{f', gone by {gone_by}' if gone_by else ''}")
        if one.standing and not one.is_log:
            stay.append(f"{one.name} ({one.standing})")
    if stay:
        click.echo(f"They still stand in {', '.join(stay)}.", err=True)
        sys.exit(1)
    click.echo("Nothing of them stands but what expires.", err=True)


def _said(one: Traces) -> str:
    if not one.standing and not one.replaced and not one.alike:
        return "nothing"
    replaced = f"{one.replaced:,} replaced" if one.replaced else ""
    standing = f"{one.standing:,} standing" if one.standing else ""
    alike = f"{one.alike:,} that may name them" if one.alike else ""
    return ", ".join(filter(None, (standing, replaced, alike)))

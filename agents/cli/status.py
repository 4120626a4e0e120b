"""`groundswell status`: whether everything runs, and how far behind it is, at a glance."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from agents.cli.cluster import look, peek
from agents.cli.condition import Condition, add_books, add_brands, of_cluster
from agents.cli.errors import CommandError
from agents.cli.problems import append_time
from agents.cli.read import reading
from agents.cli.shown import console, say_while, table
from streams.core.books import BOOKS_KEY, Books
from streams.core.sanitise import one_line
from streams.records import Alert, BrandStats
from streams.tables import SEEN, STATE
from streams.topics import ALERTS, BRAND_STATS

if TYPE_CHECKING:
    from rich.console import Console

    from agents.cli.chosen import Chosen
    from agents.cli.condition import Progress
    from streams.settings import Settings
    from streams.tables import Table
    from streams.topics import Topic

TAIL = 5000
"""Records of a compacted topic's partition that are looked at: brands and open alerts say each minute how they stand."""
TAIL_OF_BOOKS = 64
"""Rows: books are written at the end of each checkpoint."""
MOST_PARTITIONS, MOST_NAMES = 24, 12


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, in ASCII; its keys are only ever added to.")
@click.pass_obj
def status(chosen: Chosen, as_json: bool) -> None:
    """Show at a glance whether everything runs, and how far behind it is.

    Brokers, topics, workers and what each partition waits for; sources, rules, brands that still learn, dead letters
    and open alerts. It joins no consumer group, makes no topic and needs no data folder.

    Exit code 0: all is well. 1: no broker answers, a topic is missing or has other partition counts than the settings
    say, or records wait in a partition that no worker owns; each is said on stderr.

    \b
    Examples:
      groundswell status
      groundswell status --json | jq '.progress[] | select(.lag_s > 60)'
      until groundswell status >/dev/null 2>&1; do sleep 5; done

    Next: `groundswell audit` says whether what was counted is right.
    """  # noqa: D301
    settings = chosen.settings()
    try:
        condition = asyncio.run(_condition(settings, datetime.now(UTC)))
    except (CommandError, KafkaError) as error:
        condition = Condition(datetime.now(UTC), settings.kafka_bootstrap, well=False, wrong=[str(error)])
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(condition)))
    elif condition.brokers:
        _show(condition, settings.topic_prefix)
    if condition.wrong:
        raise CommandError("\nerror: ".join(condition.wrong))


async def _condition(settings: Settings, at: datetime) -> Condition:
    cluster = await look(settings)
    condition = of_cluster(settings, at, cluster)
    waiting = {
        TopicPartition(one.topic, one.partition): max(one.committed or 0, one.end - one.lag)
        for one in condition.progress
        if one.lag
    }
    changelogs = {table.follows: table.full_name(settings) for table in STATE}
    rows = {
        tp: log.end - 1
        for tp, log in cluster.extents.items()
        if tp.topic in changelogs.values() and log.end > log.begin
    }
    found = await peek(settings, waiting | rows)
    for one in condition.progress:
        if first := found.get(TopicPartition(one.topic, one.partition)):
            one.lag_s = round(max(0.0, (at - append_time(first)).total_seconds()), 1)
        changelog = changelogs[one.topic.removeprefix(settings.topic_prefix)]
        if row := found.get(TopicPartition(changelog, one.partition)):
            one.checkpoint_at = append_time(row)
    there = cluster.partitions
    if SEEN.full_name(settings) in there:
        add_books(condition, await _books(settings))
    if BRAND_STATS.full_name(settings) in there and ALERTS.full_name(settings) in there:
        stats, alerts = await _latest(settings, BRAND_STATS), await _latest(settings, ALERTS)
        add_brands(
            condition,
            {key: msgspec.json.decode(value, type=BrandStats) for key, value in stats.items()},
            {key: msgspec.json.decode(value, type=Alert) for key, value in alerts.items()},
        )
    return condition


async def _books(settings: Settings) -> dict[int, Books]:
    async with reading(settings, SEEN) as reader:
        rows = {row.partition: row.value async for row in reader.tail(TAIL_OF_BOOKS) if row.key == BOOKS_KEY}
        if any(end and tp.partition not in rows for tp, end in reader.ends.items()):
            rows = {row.partition: row.value for row in await reader.latest() if row.key == BOOKS_KEY}
    return {partition: msgspec.msgpack.decode(row, type=Books) for partition, row in rows.items()}


async def _latest(settings: Settings, topic: Topic | Table) -> dict[str, bytes]:
    latest: dict[str, bytes | None] = {}
    async with reading(settings, topic) as reader:
        async for record in reader.tail(TAIL):
            latest[record.key.decode()] = record.value
    return {key: value for key, value in latest.items() if value is not None}


def _show(condition: Condition, prefix: str) -> None:
    out = console()
    brokers = ", ".join(
        f"{one.id} at {one.host}:{one.port}{' (controller)' if one.controller else ''}" for one in condition.brokers
    )
    out.print(f"Kafka at {condition.bootstrap}: broker {brokers}", markup=False)
    here = [one for one in condition.topics if one.partitions]
    records = ", ".join(
        f"{one.name.removeprefix(prefix)} {one.records:,}" for one in here if "changelog" not in one.name
    )
    out.print(f"Topics: {len(here)} of {len(condition.topics)}; records: {records}", markup=False)
    out.print(
        f"Group {condition.group}: {condition.group_state}, {_many(len(condition.workers), 'worker')}", markup=False
    )
    names = {one.id: str(number) for number, one in enumerate(condition.workers, 1)}
    for one in condition.workers:
        out.print(f"  {names[one.id]}  {one.host}, {_many(one.partitions, 'partition')}, {one.id}", markup=False)
    _show_progress(out, condition, prefix, names)
    for name, figure in _figures(condition):
        out.print(f"{name:<20} {figure}", markup=False)
    if condition.well:
        out.print("All is well.")


def _show_progress(out: Console, condition: Condition, prefix: str, names: dict[str, str]) -> None:
    """The partitions that are furthest behind, where there are too many for a screen."""
    shown = condition.progress
    if len(shown) > MOST_PARTITIONS:
        worst = sorted(shown, key=lambda one: one.lag, reverse=True)[:MOST_PARTITIONS]
        shown = [one for one in shown if one in worst]
    columns = ("partition", "worker", "committed", "end", "lag", "behind", "checkpoint")
    out.print(table("Partitions", columns, (_row(one, condition, prefix, names) for one in shown), words=2))
    if len(shown) < len(condition.progress):
        out.print(f"  and {len(condition.progress) - len(shown)} more, none of them further behind: --json has all")


def _row(one: Progress, condition: Condition, prefix: str, names: dict[str, str]) -> tuple[object, ...]:
    return (
        f"{one.topic.removeprefix(prefix)}/{one.partition}",
        names[one.worker] if one.worker else "nobody",
        "-" if one.committed is None else one.committed,
        one.end,
        one.lag,
        "?" if one.lag_s is None else say_while(one.lag_s),
        "-" if one.checkpoint_at is None else f"{_ago(condition, one.checkpoint_at)} ago",
    )


def _figures(condition: Condition) -> list[tuple[str, str]]:
    letters = condition.dead_letters
    sources = [f"{one_line(one.source, 20)} {say_while(one.ago_s)} ago" for one in condition.sources]
    learning = [f"{one_line(one.brand, 20)} until {one.until:%Y-%m-%d %H:%M}" for one in condition.learning]
    return [
        ("sources, last heard", _some(sources)),
        ("rules", _some([version[:12] for version in condition.rules])),
        ("brands", f"{condition.brands:,}; still learning: {_some(learning)}"),
        (
            "open alerts",
            f"{condition.open_alerts:,}, critical {condition.open_critical:,}; tickets {condition.open_tickets:,}",
        ),
        ("dead letters", f"{letters.total:,}, {_share(letters.share)} of all, {_share(letters.recent_share)} of late"),
        ("lost to us", f"{condition.expired:,} expired before they were read; {condition.forgotten:,} forgotten early"),
    ]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return (", ".join(names[:MOST_NAMES]) or "none") + more


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _ago(condition: Condition, at: datetime) -> str:
    return say_while(max(0.0, (condition.at - at).total_seconds()))

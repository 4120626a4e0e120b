"""How a system is doing: figures for `groundswell status`, and what is plainly wrong. Pure.

The structs are the JSON that `groundswell status --json` prints: keys are only ever added.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  a field's type
from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from msgspec import Struct

from streams.broker import wanted_topics
from streams.tables import STATE
from streams.topics import TOPOLOGY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agents.cli.cluster import Cluster
    from streams.core.books import Books
    from streams.records import Alert, BrandStats
    from streams.settings import Settings

AT_REST = ("Empty", "Dead", "Stable")
"""States of a group in which its partitions are not just being shared out."""


class Broker(Struct):
    """One broker."""

    id: int
    host: str
    port: int
    controller: bool


class TopicState(Struct):
    """One topic. `partitions` is 0 where it is missing; a compacted one holds fewer records than `records` offsets."""

    name: str
    partitions: int
    wanted_partitions: int
    records: int


class WorkerState(Struct):
    """One member of the workers' group."""

    id: str
    client: str
    host: str
    partitions: int


class Progress(Struct):
    """One partition that workers read. `lag_s` is the age of the first record that is not committed; 0: caught up.

    `worker` is the owner's id, `checkpoint_at` when the newest row of the table that follows it was written.
    """

    topic: str
    partition: int
    agent: str
    worker: str | None
    committed: int | None
    end: int
    lag: int
    lag_s: float | None
    checkpoint_at: datetime | None


class SourceState(Struct):
    """One source, and the latest time at which anything of it was witnessed."""

    source: str
    heard_at: datetime
    ago_s: float


class Learner(Struct):
    """A brand of which no detector says anything yet."""

    brand: str
    until: datetime


class DeadLetters(Struct, frozen=True):
    """Records set aside, of all and (about) of those handled last; shares are None where there are no records."""

    total: int
    share: float | None
    recent_share: float | None


class Condition(Struct):
    """Everything that `groundswell status` says. `forgotten` and `expired` count mentions since the beginning."""

    at: datetime
    bootstrap: str
    well: bool = True
    wrong: list[str] = []
    brokers: list[Broker] = []
    topics: list[TopicState] = []
    group: str = ""
    group_state: str = ""
    workers: list[WorkerState] = []
    progress: list[Progress] = []
    sources: list[SourceState] = []
    rules: list[str] = []
    brands: int = 0
    learning: list[Learner] = []
    dead_letters: DeadLetters = DeadLetters(0, None, None)
    open_alerts: int = 0
    open_critical: int = 0
    open_tickets: int = 0
    forgotten: int = 0
    expired: int = 0


def of_cluster(settings: Settings, at: datetime, cluster: Cluster) -> Condition:
    """Return what Kafka knows; times are still missing from `progress`."""
    wanted = {name: partitions for name, (partitions, _) in wanted_topics(settings).items()}
    owners = {tp: worker.id for worker in cluster.group.workers for tp in worker.owns}
    condition = Condition(
        at,
        settings.kafka_bootstrap,
        brokers=cluster.brokers,
        topics=[
            TopicState(
                name,
                cluster.partitions.get(name, 0),
                count,
                sum(one.end - one.begin for tp, one in cluster.extents.items() if tp.topic == name),
            )
            for name, count in wanted.items()
        ],
        group=cluster.group.name,
        group_state=cluster.group.state,
        progress=list(_progress(settings, cluster, owners)),
    )
    read = {(one.topic, one.partition) for one in condition.progress}
    condition.workers = [
        WorkerState(one.id, one.client, one.host, sum((tp.topic, tp.partition) in read for tp in one.owns))
        for one in cluster.group.workers
    ]
    condition.wrong = [*_wrong_topics(condition.topics), *_wrong_partitions(condition)]
    condition.well = not condition.wrong
    return condition


def _progress(settings: Settings, cluster: Cluster, owners: Mapping[TopicPartition, str]) -> Iterator[Progress]:
    tables = {table.follows: table for table in STATE}
    for topic in TOPOLOGY:
        name, table = topic.full_name(settings), tables.get(topic.name)
        if table is None:
            continue
        for number in range(cluster.partitions.get(name, 0)):
            tp = TopicPartition(name, number)
            log, committed = cluster.extents[tp], cluster.group.committed.get(tp)
            lag = max(0, log.end - max(log.begin, committed or 0))
            yield Progress(
                name,
                number,
                agent=table.owner,
                worker=owners.get(tp),
                committed=committed,
                end=log.end,
                lag=lag,
                lag_s=None if lag else 0.0,
                checkpoint_at=None,
            )


def _wrong_topics(topics: Sequence[TopicState]) -> Iterator[str]:
    missing = [topic.name for topic in topics if not topic.partitions]
    if missing:
        others = f" (nor do {len(missing) - 1} others)" if missing[1:] else ""
        remedy = "run `groundswell topics create`, or check GROUNDSWELL_TOPIC_PREFIX"
        yield f"topic {missing[0]} does not exist{others}: {remedy}"
    for topic in topics:
        if topic.partitions and topic.partitions != topic.wanted_partitions:
            yield f"topic {topic.name} has {topic.partitions} partitions, the settings say {topic.wanted_partitions}"


def _wrong_partitions(condition: Condition) -> Iterator[str]:
    """Records wait and nobody owns the partition, although the group is not just sharing its partitions out."""
    if condition.group_state not in AT_REST:
        return
    waiting = [one for one in condition.progress if one.worker is None and one.lag]
    if waiting and not condition.workers:
        yield f"no worker runs in group {condition.group}, and {sum(one.lag for one in waiting):,} records wait"
        return
    for one in waiting:
        yield f"{one.topic}/{one.partition}: {one.lag:,} records wait, and no worker owns it"


def add_books(condition: Condition, books: Mapping[int, Books]) -> None:
    """Add what intake has written down."""
    heard: dict[str, datetime] = {}
    total = dead = expired = 0
    recent = rejected = 0.0
    for one in books.values():
        for source, at in one.heard.items():
            heard[source] = max(heard.get(source, at), at)
        counts = [count for classes in one.classes.values() for count in classes.values()]
        total += sum(counts)
        dead += sum(classes.get("dead", 0) for classes in one.classes.values())
        expired += max(0, one.before + one.offset + 1 - sum(counts))
        recent, rejected = recent + one.recent, rejected + one.recent_rejected
    condition.sources = [
        SourceState(source, at, round((condition.at - at).total_seconds(), 1)) for source, at in sorted(heard.items())
    ]
    condition.rules = sorted({one.rules for one in books.values() if one.rules})
    condition.dead_letters = DeadLetters(
        dead, round(dead / total, 4) if total else None, round(rejected / recent, 4) if recent else None
    )
    condition.forgotten, condition.expired = sum(one.forgotten for one in books.values()), expired


def add_brands(condition: Condition, stats: Mapping[str, BrandStats], alerts: Mapping[str, Alert]) -> None:
    """Add what subscribers are told. A brand learns until its own time, not ours, has come to `learning_until`."""
    condition.brands = len(stats)
    condition.learning = [
        Learner(one.brand, one.learning_until)
        for _, one in sorted(stats.items())
        if one.learning_until is not None and one.at < one.learning_until
    ]
    firing = [one for one in alerts.values() if one.status == "firing"]
    pages = [one.severity for one in firing if one.urgency == "page"]
    condition.open_alerts, condition.open_critical = len(pages), pages.count("critical")
    condition.open_tickets = len(firing) - len(pages)

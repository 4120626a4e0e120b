"""mentions.raw -> intake -> detect -> alerts, with the topics between them in memory: what would be said of recorded mentions.

The agents are the worker's own: they register here as they register with the app, their desks are opened on no rows,
and each is handed what the ones before it have told, as bytes, by topic and partition. Nobody is notified.
"""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from aiokafka.structs import ConsumerRecord

from agents import alerts, detect, intake
from streams.core.versions import Versions
from streams.outbox import Out
from streams.tables import BRANDS
from streams.topics import RAW, SCORED, partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from streams.core.rules import Rules
    from streams.keyed import Watermark
    from streams.pages import Desk
    from streams.settings import Settings
    from streams.tables import Table
    from streams.topics import Topic

Records = list[ConsumerRecord]


class Spoken(NamedTuple):
    """One raw record, and how far its partition's time has come with it, seconds since 1970 UTC."""

    at_s: float
    record: ConsumerRecord


class Rehearsal:
    """One run of the agents over raw records. The clock is event time, so the same records give the same bytes."""

    def __init__(self, settings: Settings, rules: Rules) -> None:
        """Whatever share of the input cannot be read is set aside: it is the caller who looks at it."""
        self.groundswell = settings.model_copy(update={"dead_letter_share": 1.0})
        self._desks: dict[str, list[Any]] = {}
        self._ends: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.rulebook = SimpleNamespace(versions=Versions(rules), prepare=None)
        self.consumer = SimpleNamespace(ends=defaultdict(int))
        app: Any = self
        intake.register(app)
        detect.register(app, figures=False)  # they take a third of the time, and nobody reads them here
        alerts.register(app)
        self._intake = self._desks[RAW.full_name(settings)]
        for desk in self._intake:
            desk.adopt(0, -1)

    def keep_ledger(
        self,
        *,
        reads: Topic,
        table: Table,  # noqa: ARG002  nothing is written down
        open_desk: Callable[[int, Iterator[tuple[bytes, bytes]]], Desk],
        prepare: object,  # noqa: ARG002  there is one version of the rules
    ) -> None:
        """Open an agent's desks, as the app does for a worker that has all partitions."""
        partitions = range(reads.partitions(self.groundswell))
        self._desks[reads.full_name(self.groundswell)] = [open_desk(partition, iter(())) for partition in partitions]

    def hear(self, spoken: Sequence[Spoken]) -> Iterator[Out]:
        """Take the next raw records, each partition's in its order; yield all that is told, between the agents too."""
        by_partition: dict[int, list[Spoken]] = {}
        for one in spoken:
            by_partition.setdefault(one.record.partition, []).append(one)
        for partition, said in by_partition.items():
            records = [one.record for one in said]
            yield from self._tell(self._intake[partition].handle(records, said[-1].at_s))

    def end(self, at_s: float) -> Iterator[Out]:
        """Nothing more is said, and time goes on to `at_s` everywhere; yield all that is told."""
        for desk in self._intake:
            yield from self._tell(desk.idle(at_s))

    def seed(self, brand: str, marks: Mapping[int, Watermark]) -> Out | None:
        """What detection has learned of a brand, as a row of its table in which nothing is counted yet; None: it never heard of it.

        `marks` are the origins up to which the row is to take everything for applied.
        """
        partition = partition_of(brand.encode(), SCORED.partitions(self.groundswell))
        desk: Any = self._desks[SCORED.full_name(self.groundswell)][partition]
        for key, state in desk.states():
            if key == brand:
                state.tally.applied = state.tally.late = 0
        row = dict(desk.changed_rows()).get(brand.encode())
        if row is None:
            return None
        number, _, state = msgspec.msgpack.decode(row)
        return Out(
            BRANDS.full_name(self.groundswell),
            partition,
            brand.encode(),
            msgspec.msgpack.encode((number, marks, state)),
        )

    def _tell(self, outs: Iterable[Out]) -> Iterator[Out]:
        """Hand on what was told to whoever reads it, and so on until nothing is left that somebody reads."""
        read: dict[tuple[str, int], Records] = {}
        for out in outs:
            yield out
            if out.topic in self._desks:
                read.setdefault((out.topic, out.partition), []).append(self._written(out))
        for (topic, partition), records in read.items():
            yield from self._tell(self._desks[topic][partition].handle(records, 0.0))

    def _written(self, out: Out) -> ConsumerRecord:
        place = (out.topic, out.partition)
        offset = self._ends[place]
        self._ends[place] = offset + 1
        return record_of(*place, offset, 0, out.key, out.value, out.headers)


def record_of(
    topic: str,
    partition: int,
    offset: int,
    timestamp_ms: int,
    key: bytes | None,
    value: bytes | None,
    headers: tuple[tuple[str, bytes], ...] = (),
) -> ConsumerRecord:
    """A record as a consumer would have it."""
    sizes = -1 if key is None else len(key), -1 if value is None else len(value)
    return ConsumerRecord(topic, partition, offset, timestamp_ms, 1, key, value, None, *sizes, headers)

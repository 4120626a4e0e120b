"""Stops a worker in which something that ought to move does not, and says what: its supervisor starts it again.

Streams have been seen to stop without a word, recoveries never to end, producers to stay stuck after the
broker was away; nothing fails then, and lag grows. What the worker believes may be just what is wrong, so where
the logs end, and whether a broker answers at all, is asked over a connection of our own. While none answers,
nobody is to blame, and a restart would help nothing: the worker waits, and the metric says for how long.
"""

from __future__ import annotations

import asyncio
import faulthandler
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted
from mode import Service

from streams import metrics
from streams.broker import unbroken
from streams.consumer import now_s
from streams.topics import RAW

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from streams.app import GroundswellApp

LOOK_EVERY_S = 2.0
ANSWER_WITHIN_S = 5.0
STDERR = 2
"""The file, not `sys.stderr`, which `faust worker` replaces by something that is none."""

PAUSE_S = LOOK_EVERY_S + 2 * ANSWER_WITHIN_S
"""Between two looks, and more: the worker itself stood still."""


class StalledError(Exception):
    """Something that ought to move does not; the message says what, for how long, and what waits."""


class Thing(NamedTuple):
    """What ought to move, as it is now: `mark` differs once it has moved; `at_rest`, it has nothing left to do."""

    mark: Hashable
    at_rest: bool
    waits: str
    ingest: bool = False


class Verdict(NamedTuple):
    """`stalled_s`: for how long nothing has come in that should. `hung`: a sentence for each thing that patience is over for."""

    stalled_s: float
    hung: list[str]


class Still(NamedTuple):
    """For how long a thing has stood still although a broker answers, seconds (0: it moves, or is at rest), and what waits."""

    for_s: float
    waits: str


class Judge:
    """Since when things stand still. Looks and the time go in, a verdict comes out: it asks nobody."""

    def __init__(self, patience_s: float, now_s: float) -> None:
        self._patience_s = patience_s
        self._answered_at = self._silent_until = now_s
        self._before: Mapping[str, Thing] = {}
        self._well_at: dict[str, float] = {}
        self.still: Mapping[str, Still] = {}

    def look(self, now_s: float, things: Mapping[str, Thing], *, answered: bool) -> Verdict:
        """Compare with the look before. `answered`: a broker answered when it was asked for this look."""
        if answered:
            self._answered_at = now_s
        else:
            self._silent_until = now_s  # patience begins anew: what stood still meanwhile had a reason
        self._well_at = {
            name: now_s if self._is_well(name, thing, answered=answered) else self._well_at[name]
            for name, thing in things.items()
        }
        self._before = things
        still_s = {name: now_s - well_at for name, well_at in self._well_at.items()}
        blamed_for_s = now_s - self._silent_until
        self.still = {name: Still(min(still_s[name], blamed_for_s), thing.waits) for name, thing in things.items()}
        return Verdict(
            stalled_s=max(
                now_s - self._answered_at, *(still_s[name] for name, thing in things.items() if thing.ingest), 0
            ),
            hung=[
                f"{name} has stood still for {still_s[name]:.0f} s, though the broker answers: {thing.waits}"
                for name, thing in things.items()
                if self.still[name].for_s >= self._patience_s
            ],
        )

    def _is_well(self, name: str, thing: Thing, *, answered: bool) -> bool:
        if name not in self._before or self._before[name].mark != thing.mark:
            return True
        return thing.at_rest and answered


class Watchdog(Service):
    """Looks at one worker, from its start to its end."""

    abstract = False

    def __init__(self, app: GroundswellApp) -> None:
        super().__init__()
        self._app, self._patience_s = app, app.groundswell.stall_timeout_s
        self._raw = RAW.full_name(app.groundswell)
        self._asking: AIOKafkaConsumer | None = None
        self.still: Mapping[str, Still] = {}
        """As of the last look, what ought to move."""

    @Service.task
    async def _look(self) -> None:
        looked_at = now_s()
        judge = Judge(self._patience_s, looked_at)
        while not (self.should_stop or self._app.should_stop):
            ends = await self._ask()
            before, looked_at = looked_at, now_s()
            slept = (
                looked_at - before > PAUSE_S
            )  # the worker was frozen, or the machine: nobody moved, we did not either
            verdict = judge.look(looked_at, dict(self._things(ends or {})), answered=ends is not None and not slept)
            metrics.INGEST_STALLED.set(verdict.stalled_s)
            self.still = judge.still
            if verdict.hung and not self._app.should_stop:
                others = f"; so have {len(verdict.hung) - 1} other things" if len(verdict.hung) > 1 else ""
                error = StalledError(verdict.hung[0] + others)
                self.log.error("%s", error)
                await self._app.give_up(error)
                return
            await self.sleep(LOOK_EVERY_S)

    @Service.task
    async def _turn(self) -> None:
        """Where the event loop itself no longer turns, the interpreter ends the process and says where each thread stands.

        A process that was stopped for so long (SIGSTOP) is ended when it goes on; a machine that slept costs nothing.
        """
        while not self.should_stop:
            faulthandler.dump_traceback_later(2 * self._patience_s, exit=True, file=STDERR)
            await self.sleep(LOOK_EVERY_S)
        faulthandler.cancel_dump_traceback_later()  # whoever stops the worker has a deadline of its own

    async def on_stop(self) -> None:
        """Ask no more."""
        await self._hang_up()

    def _things(self, ends: Mapping[TopicPartition, int]) -> Iterator[tuple[str, Thing]]:
        consumer = self._app.consumer
        try:
            partitions = sorted(consumer.source_partitions())
        except ConsumerNotStarted:
            partitions = []
        for tp in partitions:
            ingest = tp.topic == self._raw
            if tp not in consumer.ready_partitions(tp.topic):
                thing = self._recovery(ingest=ingest)
            else:
                position, released = consumer.positions[tp], consumer.released[tp]
                end = ends.get(tp, position)
                at_rest = (position >= end or consumer.caught_up(tp, end)) and released >= position
                waits = f"{end - position:,} records wait, from offset {position:,} on"
                thing = Thing((position, released), at_rest, waits, ingest)
            yield f"{tp.topic}-{tp.partition}", thing
        yield "the worker's membership", Thing(consumer.heartbeat_at, at_rest=False, waits="heartbeats go unanswered")

    def _recovery(self, *, ingest: bool) -> Thing:
        """A partition whose tables are being read moves as they do: a long recovery is fine while it goes on."""
        left = self._app.tables.recovery.active_remaining_total()
        waits = f"its tables are not recovered, {left:,} changelog records are to be read"
        return Thing((self._app.consumer_generation_id, left), at_rest=False, waits=waits, ingest=ingest)

    async def _ask(self) -> Mapping[TopicPartition, int] | None:
        """Where the logs end; None: no broker says so. Then it is asked over a new connection the next time."""
        ours: set[TopicPartition] = set()
        with suppress(ConsumerNotStarted):
            ours |= self._app.consumer.source_partitions()
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                with unbroken():
                    return await self._ends(ours)
        except (KafkaError, OSError):  # a timeout is one of the latter
            await self._hang_up()
            return None

    async def _ends(self, ours: set[TopicPartition]) -> Mapping[TopicPartition, int]:
        if self._asking is None:
            self._asking = AIOKafkaConsumer(bootstrap_servers=self._app.groundswell.kafka_bootstrap)
            await self._asking.start()
        ends: Mapping[TopicPartition, int] = await self._asking.end_offsets(ours or {TopicPartition(self._raw, 0)})
        return ends

    async def _hang_up(self) -> None:
        if self._asking is not None:
            asking, self._asking = self._asking, None
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    await asking.stop()

"""Nothing lost, nothing counted twice: the one place where the order of writes is kept.

An agent's work on one partition is a `Desk`: plain, synchronous, in memory. It is opened with the
rows that the partition's table holds, gets every record once and in order, says what to send, and at
each checkpoint which rows have changed. The ledger does the rest, always in this order:

1. outputs delivered, as soon as the desk has spoken (at most one unacknowledged batch per partition);
2. rows delivered to the changelog, then applied locally (`RowTable.write`), every `checkpoint_s`;
3. the source offset released for the commit.

Immediately before 1 and before 2 it checks that the group generation in which the records were
fetched is still this worker's own, and that a heartbeat was answered within the session timeout;
if not, everything in memory is dropped and read again by whoever owns the partition now. After
any failed delivery the worker stops: nothing more is sent before it has restarted from its
committed offset, or a later batch could overtake the failed one and make its retry look applied.
"""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec
from mode import Service

from streams import metrics
from streams.consumer import LogReplacedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from aiokafka.structs import ConsumerRecord
    from faust.types import TP, StreamT

    from streams.app import GroundswellApp
    from streams.consumer import Bundle, BundleConsumer
    from streams.outbox import Out
    from streams.settings import Settings
    from streams.tables import Row, RowTable
    from streams.topics import Topic

LOG_KEY = b"\0log"
"""The row that says up to which record the others go: its offset and when it was appended, ms since 1970. Written last."""

NOTHING_KNOWN = msgspec.msgpack.encode((-1, -1))

CLOCK_SLACK_MS = 5_000
"""A broker's clock may be set back by so much without a log being taken for another."""

TICK_S = 1.0
"""How often a partition that has been read to its end is told so."""


class Desk(Protocol):
    """An agent's work on one source partition: synchronous, and all of it in its own memory."""

    def handle(self, records: Sequence[ConsumerRecord], now_s: float) -> Iterable[Out]:
        """Take the next records, in order, and say what to send. `now_s` is monotonic seconds."""

    def idle(self, now_s: float) -> Iterable[Out]:
        """The partition has been read to its end, and nothing is waiting."""

    def changed_rows(self) -> Sequence[Row]:
        """Return the rows changed since the last call, the one that says how far we are last."""


D = TypeVar("D", bound=Desk)


class _Page(Generic[D]):
    """One assigned partition: its desk, how far it has got, and what that rests on."""

    __slots__ = ("appended_ms", "desk", "generation", "known", "position", "tp")

    def __init__(self, tp: TP, desk: D, generation: int, position: int, known: tuple[int, int]) -> None:
        self.tp, self.desk, self.generation, self.position = tp, desk, generation, position
        self.known, self.appended_ms = known, known[1]

    def check_log(self, records: Sequence[ConsumerRecord]) -> None:
        """Refuse a log in which offsets that the rows cover hold younger records: it was deleted and made anew."""
        offset, appended_ms = self.known
        if any(one.offset <= offset and one.timestamp > appended_ms + CLOCK_SLACK_MS for one in records):
            raise LogReplacedError(
                f"{self.tp.topic}-{self.tp.partition} holds records up to offset {offset} that are younger than those that "
                f"were handled"
            )


class Ledger(Service, Generic[D]):
    """The books of one agent on one worker."""

    abstract = False

    def __init__(
        self,
        app: GroundswellApp,
        settings: Settings,
        *,
        reads: Topic,
        table: RowTable,
        open_desk: Callable[[int, Iterator[tuple[bytes, bytes]]], D],
    ) -> None:
        super().__init__()
        self._app, self._settings = app, settings
        self.agent = reads.read_by[0]
        self._topic = reads.full_name(settings)
        self._table, self._open_desk = table, open_desk
        self._pages: dict[int, _Page[D]] = {}
        self._lock = asyncio.Lock()

    @property
    def _consumer(self) -> BundleConsumer:
        return self._app.consumer

    def desks(self) -> Iterator[tuple[int, D]]:
        """The desks open on this worker, by partition."""
        return (
            (partition, page.desk)
            for partition, page in self._pages.items()
            if self._app.gave_up is None and self._consumer.owns(page.tp, page.generation)
        )

    async def keep(self, bundles: StreamT[Bundle]) -> None:
        """Work through an agent's stream. Whatever goes wrong stops the worker, which is what saves the data."""
        async for bundle in bundles:
            if not await self._guarded(partial(self._receive, bundle)):
                return

    async def _receive(self, bundle: Bundle) -> None:
        async with self._lock:
            await self._handle(bundle)

    async def _handle(self, bundle: Bundle) -> None:
        records = self._consumer.accept(bundle)
        if not records:
            return
        page = self._page(bundle.tp, bundle.generation)
        page.check_log(records)
        started = monotonic()
        outs = page.desk.handle(records, started)
        if not await self._deliver(page, outs) or self._pages.get(bundle.tp.partition) is not page:
            return  # handed over meanwhile: whoever owns it now reads these records again
        page.position, page.appended_ms = records[-1].offset + 1, records[-1].timestamp
        self._consumer.positions[bundle.tp] = page.position
        metrics.BUNDLE_SECONDS.labels(self.agent).observe(monotonic() - started)

    def _page(self, tp: TP, generation: int) -> _Page[D]:
        page = self._pages.get(tp.partition)
        if page is None or page.generation != generation:
            rows = dict(self._table.rows(tp.partition))
            known = msgspec.msgpack.decode(rows.pop(LOG_KEY, NOTHING_KNOWN), type=tuple[int, int])
            desk = self._open_desk(tp.partition, iter(rows.items()))
            page = self._pages[tp.partition] = _Page(tp, desk, generation, self._consumer.positions[tp], known)
        return page

    async def _deliver(self, page: _Page[D], outs: Iterable[Out]) -> bool:
        if not self._still_ours(page):
            return False
        await self._app.outbox.deliver(outs)
        return True

    def _still_ours(self, page: _Page[D]) -> bool:
        if self._app.gave_up is None and self._consumer.owns(page.tp, page.generation):
            return True
        self.log.warning("%s: %s is no longer ours; dropping what was not written", self.agent, page.tp)
        self._pages.pop(page.tp.partition, None)
        self._consumer.start_over(page.tp)
        return False

    async def _write_down(self, page: _Page[D]) -> None:
        position = page.position
        if rows := page.desk.changed_rows():
            if not self._still_ours(page):
                return
            log = msgspec.msgpack.encode((position - 1, page.appended_ms))
            await self._table.write(self._app.outbox, page.tp.partition, [*rows, (LOG_KEY, log)])
            metrics.ROWS_WRITTEN.labels(self.agent).inc(len(rows))
        if self._still_ours(page):
            self._consumer.released[page.tp] = position

    async def checkpoint(self) -> None:
        """Write every changed row, then release the offsets that they cover."""
        async with self._lock:
            for page in list(self._pages.values()):
                await self._write_down(page)

    def forget(self) -> None:
        """Partitions have changed hands: what is in memory belongs to the assignment that is over."""
        self._pages.clear()

    @Service.task
    async def _checkpoints(self) -> None:
        while not self.should_stop:
            await self.sleep(self._settings.checkpoint_s)
            await self._guarded(self.checkpoint)

    @Service.task
    async def _ticks(self) -> None:
        while not self.should_stop:
            await self.sleep(TICK_S)
            await self._guarded(self._tick)

    async def _tick(self) -> None:
        async with self._lock:
            for tp in self._consumer.ready_partitions(self._topic):
                if tp not in self._consumer.positions:
                    return  # handed over while we were telling another's
                page = self._page(tp, self._app.consumer_generation_id)
                if self._consumer.caught_up(tp):
                    await self._deliver(page, page.desk.idle(monotonic()))

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> bool:
        """Take a step; False: it failed, and the worker is stopping."""
        try:
            await step()
        except Exception as error:
            self.log.exception("%s: stopping before anything is skipped", self.agent)
            await self._app.give_up(error)
            return False
        return True

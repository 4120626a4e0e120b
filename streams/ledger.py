"""Nothing lost, nothing counted twice: the one place where the order of writes is kept.

An agent's work on one partition is a `Desk`: plain, synchronous, in memory. It is opened with the
rows that the partition's table holds, gets every record once and in order, says what to send, and at
each checkpoint which rows have changed. The ledger does the rest, always in this order:

0. rows, as in 2, where the desk has made up its mind by what it will judge the next records;
1. outputs delivered, as soon as the desk has spoken (at most one unacknowledged batch per partition);
2. rows delivered to the changelog, then applied locally (`RowTable.write`), every `checkpoint_s`, big ones less often;
3. the source offset released for the commit, as far as the desk has `covered` what it was given.

Immediately before 1 and before 2 it checks that the group generation in which the records were
fetched is still this worker's own, and that a heartbeat was answered within the session timeout;
if not, everything in memory is dropped and read again by whoever owns the partition now. After
any failed delivery the worker stops: nothing more is sent before it has restarted from its
committed offset, or a later batch could overtake the failed one and make its retry look applied.
"""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import chain, repeat
from time import monotonic
from typing import TYPE_CHECKING, Generic, NamedTuple

import msgspec
from mode import Service

from streams import metrics
from streams.logs import Handled, LogReplacedError
from streams.outbox import Out
from streams.pages import LOG_KEY, D, Page, read_handled
from streams.topics import TOPOLOGY
from streams.tracing import bundle_span

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from aiokafka.structs import ConsumerRecord
    from faust.types import TP, StreamT

    from streams.app import GroundswellApp
    from streams.consumer import Bundle, BundleConsumer
    from streams.settings import Settings
    from streams.tables import RowTable
    from streams.topics import Topic

TIDY_KEY = b"\0tidy"
"""The key of a tombstone that says nothing; see `Ledger.tidy`."""

TIDY_EVERY_S = 3600.0
"""How often what was replaced is let go of."""

SETTLING_S = 300.0
"""After a start, until it is let go of for the first time, and from then until the second: not each start lasts an hour."""

ROW_BYTES_PER_S = 2 * 1024**2
LONGEST_PAUSE_S = 30.0
"""Rows that are big are written less often: a busy table may not fill the changelog. After a crash so much is read again."""

TICK_S = 1.0
"""How often a partition that has been read to its end is told so."""


class Standing(NamedTuple):
    """Of all partitions of one agent on this worker: how long the oldest record waits, seconds; and what its table holds here."""

    lag_s: float
    rows: int
    bytes: int


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
        prepare: Callable[[D, int, Sequence[ConsumerRecord]], Awaitable[bool]] | None = None,
    ) -> None:
        super().__init__()
        self._prepare = prepare
        self._app, self._settings = app, settings
        self.agent = reads.read_by[0]
        self.topic = reads.full_name(settings)
        self._table, self._open_desk = table, open_desk
        self.table = table.name
        for counter in (metrics.REREAD, metrics.MISSING):
            counter.labels(self.topic)  # 0 is said as well: what appears with its first count has not increased
        self._compacted = [
            topic.full_name(settings)
            for topic in TOPOLOGY
            if topic.written_by == self.agent and (topic.compacted or topic.erasable)
        ]
        self._pages: dict[int, Page[D]] = {}
        self._lock = asyncio.Lock()
        self._row_bytes = 0

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

    def standing(self, now_s: float) -> Standing | None:
        """How this agent stands; None: no partition of its own is recovered. `now_s` is compared with the broker's clock."""
        pages = [page for page in self._pages.values() if self._consumer.owns(page.tp, page.generation)]
        if not pages:
            return None
        lags = (0.0 if self._consumer.caught_up(page.tp) else page.lag_s(now_s, monotonic()) for page in pages)
        sizes = [page.sizes for page in pages]
        return Standing(max(lags), sum(map(len, sizes)), sum(sum(one.values()) for one in sizes))

    def last_handled(self, partition: int) -> Handled:
        """The last record that the rows of a partition cover, as they stand in the table."""
        return read_handled(self._table.row(partition, LOG_KEY))

    async def keep(self, bundles: StreamT[Bundle]) -> None:
        """Work through an agent's stream. Whatever goes wrong stops the worker, which is what saves the data."""
        async for bundle in bundles:
            if not await self._guarded(partial(self._receive, bundle)):
                return

    async def _receive(self, bundle: Bundle) -> None:
        async with self._lock:
            await self._handle(bundle)

    async def _handle(self, bundle: Bundle) -> None:
        try:
            records = self._consumer.accept(bundle)
        except LogReplacedError:
            await self._write_down_all(at_any_rate=False)  # what was told of the old log cannot be read again
            raise
        if not records:
            return
        page = self._page(bundle.tp, bundle.generation)
        if not await self._is_prepared(page, records[0].offset, records):
            return
        started = monotonic()
        with bundle_span(self.agent, bundle.tp, records):
            delivered = await self._deliver(page, page.desk.handle(records, started))
        if not delivered or self._pages.get(bundle.tp.partition) is not page:
            return  # handed over meanwhile: whoever owns it now reads these records again
        page.note(records)
        self._consumer.positions[bundle.tp] = page.position
        metrics.BUNDLE_SECONDS.labels(self.agent).observe(monotonic() - started)

    def _page(self, tp: TP, generation: int) -> Page[D]:
        page = self._pages.get(tp.partition)
        if page is None or page.generation != generation:
            rows = dict(self._table.rows(tp.partition))
            log = rows.pop(LOG_KEY, None)
            handled = read_handled(log)
            desk = self._open_desk(tp.partition, iter(rows.items()))
            page = self._pages[tp.partition] = Page(tp, desk, generation, self._consumer.positions[tp], handled)
            page.measure([*rows.items(), (LOG_KEY, log)])
            if handled.offset < 0:
                page.rested_at = monotonic()  # nobody knows what waits here, but we have just begun
        return page

    async def _is_prepared(self, page: Page[D], offset: int, records: Sequence[ConsumerRecord] = ()) -> bool:
        """Let the desk make up its mind, and write that down; False: handed over meanwhile."""
        if self._prepare is not None and await self._prepare(page.desk, offset, records):
            await self._write_down(page, at_any_rate=True)
        return self._pages.get(page.tp.partition) is page

    async def _deliver(self, page: Page[D], outs: Iterable[Out]) -> bool:
        if not self._still_ours(page):
            return False
        await self._app.outbox.deliver(outs)
        return True

    def _still_ours(self, page: Page[D]) -> bool:
        if self._app.gave_up is None and self._consumer.owns(page.tp, page.generation):
            return True
        self.log.warning("%s: %s is no longer ours; dropping what was not written", self.agent, page.tp)
        self._pages.pop(page.tp.partition, None)
        self._consumer.start_over(page.tp)
        return False

    async def _write_down(self, page: Page[D], *, at_any_rate: bool) -> None:
        covered, now = page.desk.covered(page.position), monotonic()
        rows = page.desk.changed_rows()
        # What a worker that was cut off had on its way is noticed by the next write, so there is one now and then.
        if rows or at_any_rate or now - page.written_at >= self._settings.session_timeout_s:
            if not self._still_ours(page):
                return
            log = msgspec.msgpack.encode(page.covered(covered))
            written = [*rows, (LOG_KEY, log)]
            await self._table.write(self._app.outbox, page.tp.partition, written)
            page.measure(written)
            page.written_at = now
            self._row_bytes += sum(len(row or b"") for _, row in rows)
            metrics.ROWS_WRITTEN.labels(self.agent).inc(len(rows))
        if self._still_ours(page):
            self._consumer.released[page.tp] = covered

    async def checkpoint(self, *, at_any_rate: bool = False) -> None:
        """Write every changed row, then release the offsets that they cover. `at_any_rate`: write where none has changed, too."""
        async with self._lock:
            await self._write_down_all(at_any_rate=at_any_rate)

    async def _write_down_all(self, *, at_any_rate: bool) -> None:
        for page in list(self._pages.values()):
            await self._write_down(page, at_any_rate=at_any_rate)

    def forget(self) -> None:
        """Partitions have changed hands: what is in memory belongs to the assignment that is over."""
        self._pages.clear()

    @Service.task
    async def _checkpoints(self) -> None:
        while await self._waits(_pause_s(self._settings.checkpoint_s, self._row_bytes)):
            self._row_bytes = 0
            await self._guarded(self.checkpoint)

    async def tidy(self) -> None:
        """Let what was replaced go: from the topics that only keep the latest, and from the local copies.

        Kafka compacts no segment that is written to, and begins another only when something is written. So something is:
        a tombstone for a key that nobody has.
        """
        async with self._lock:
            for page in list(self._pages.values()):
                partition = page.tp.partition
                if self._still_ours(page):
                    await self._app.outbox.deliver(Out(topic, partition, TIDY_KEY, None) for topic in self._compacted)
                if self._still_ours(page):
                    await self._table.write(self._app.outbox, partition, [(TIDY_KEY, None)])
        await self._table.scrub()

    @Service.task
    async def _tidies(self) -> None:
        pauses = chain((SETTLING_S, SETTLING_S), repeat(TIDY_EVERY_S))  # a copy goes only at the second look
        while await self._waits(next(pauses)):
            await self._guarded(self.tidy)

    @Service.task
    async def _ticks(self) -> None:
        while await self._waits(TICK_S):
            await self._guarded(self._tick)

    async def _waits(self, seconds: float) -> bool:
        """Whether there is anything left to do after so long: a stop cuts it short, and everything is settled then."""
        await self.sleep(seconds)
        return not self.should_stop

    async def _tick(self) -> None:
        async with self._lock:
            for tp in self._consumer.ready_partitions(self.topic):
                if not self._consumer.owns(tp, self._app.consumer_generation_id):
                    return  # handed over while we were telling another's; or nobody has answered for long
                page = self._page(tp, self._app.consumer_generation_id)
                if self._consumer.caught_up(tp):
                    page.rested_at = monotonic()
                    if await self._is_prepared(page, page.position):
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


def _pause_s(checkpoint_s: float, row_bytes: int) -> float:
    """Until rows are written again, where the last time so many bytes were."""
    return max(checkpoint_s, min(row_bytes / ROW_BYTES_PER_S, LONGEST_PAUSE_S))

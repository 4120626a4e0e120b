"""A Faust consumer that reads bundles, in order, and never commits past a hole.

Plain Faust 0.15.3 hands an agent one record at a time, and after a clean restart of an app with
tables it drops records and commits past them: `Recovery.on_recovery_completed` opens the source
partitions, then seeks, then clears the queues, while the fetcher is already running. Here instead:

* **Bundles.** All records of one fetch and partition (at most `bundle_records`) are one Faust event.
* **A gate.** No source partition is fetched until Recovery has sought and the queues are cleared.
* **Go-back-N.** `positions` says which offset each partition's ledger wants next. A bundle that does
  not follow on is not processed: the partition is sought back and read again. Whatever loses
  a bundle between here and the agent, nothing is skipped, and a seek to `positions` is always safe.
* **Released offsets.** What is committed is what the ledger has released, and nothing else; Faust's
  own bookkeeping of acknowledgements and gaps is not used.

All of this leans on private methods: Faust and aiokafka are pinned, and a test shows plain Faust
losing records on the real broker where this does not.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import faust
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams import metrics
from streams.logs import Extent, LogReplacedError, check_same, start_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

    from aiokafka.structs import ConsumerRecord

    from streams.logs import Handled
    from streams.outbox import Outbox


# Where the system can tell (Linux), a clock that goes on while the machine sleeps: a woken machine has lost its lease.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now_s() -> float:
    """Seconds since some fixed moment."""
    return time.clock_gettime(_CLOCK)


FETCH_WAIT_MS = 250
"""How long the broker may hold a fetch when it has nothing; Faust's 1,500 delays newly opened partitions."""


class Bundle:
    """Consecutive records of one partition. `after` is where the bundle before it ended."""

    __slots__ = ("after", "generation", "records", "tp")

    def __init__(self, tp: TP, records: Sequence[ConsumerRecord], generation: int, after: int) -> None:
        self.tp, self.records, self.generation, self.after = tp, records, generation, after


class BundleSchema(faust.Schema):
    """Hands the bundle through: agents decode bytes themselves, so no bad record can hurt a stream."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        """Bundles have no key."""

    def loads_value(self, app: Any, message: Any, **_: Any) -> Bundle:
        """Return the bundle as it is."""
        return message.value


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Knows when the broker last answered a heartbeat: a worker that was frozen must not believe it still owns anything."""

    heartbeat_at = float("-inf")

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def on_start(self) -> None:
        """Connect, and listen in on the heartbeats."""
        await super().on_start()
        coordinator = self._ensure_consumer()._coordinator
        beat = coordinator._do_heartbeat

        async def do_heartbeat() -> bool:
            asked_at = now_s()
            answered: bool = await beat()
            if answered:
                self.heartbeat_at = asked_at
            return answered

        coordinator._do_heartbeat = do_heartbeat

    def fetch_state(self, tp: TP) -> Any:
        """Where the fetcher is in a partition and where its log ends; None if it is not assigned (any more)."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        return None if assignment is None else assignment.state_value(tp)

    async def has_topic(self, topic: str) -> bool:
        """Whether the broker has a topic."""
        has: bool = await self.call_thread(self._has_topic, topic)
        return has

    async def _has_topic(self, topic: str) -> bool:
        client = self._ensure_consumer()._client
        if not client.cluster.partitions_for_topic(topic):
            await client.force_metadata_update()
        return bool(client.cluster.partitions_for_topic(topic))


class BundleConsumer(driver.Consumer):
    """See the module's docstring."""

    _thread: ConsumerThread

    def __init__(
        self,
        *args: Any,
        outbox: Outbox,
        write_down: Callable[[], Awaitable[None]],
        forget: Callable[[], None],
        bundle_records: int,
        bundle_wait_s: float,
        **kwargs: Any,
    ) -> None:
        self.positions: dict[TP, int] = {}
        self.released: dict[TP, int] = {}
        self.ends: dict[TP, int] = {}
        """Where each log ended when its partition was given to this worker: before that somebody else may have told anything."""
        self._write_down, self._tell_to_forget = write_down, forget
        self._bundle_records = bundle_records
        self._bundle_wait_s = bundle_wait_s
        self._fetched_up_to: dict[TP, int] = {}
        self._rewind: set[TP] = set()
        self._read_twice: set[tuple[TP, int]] = set()
        self._to_compare: dict[TP, Handled] = {}
        self._open = self._sought = False
        self._behind = False  # the last fetch brought a full bundle: there is no need to wait for the next to fill
        self._fetched_in = (0, 0)  # turn and group generation
        self._turn = 0  # moves whenever positions are reset or partitions change hands
        super().__init__(*args, **kwargs)
        self._seeking = asyncio.Lock()
        self.add_dependency(outbox)  # starts before the first record, stops after the last commit

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # -- who owns what ---------------------------------------------------------------------------

    def owns(self, tp: TP, generation: int) -> bool:
        """Whether this worker may still write for `tp`, as of the group generation `generation`."""
        session_s = self.app.conf.broker_session_timeout
        return (
            tp in self.positions
            and self.app.consumer_generation_id == generation
            and now_s() - self._thread.heartbeat_at < session_s
        )

    def source_partitions(self) -> set[TP]:
        """The partitions it reads for agents (not the changelogs)."""
        return {tp for tp in self.assignment() if not self._is_changelog_tp(tp)}

    def ready_partitions(self, topic: str) -> list[TP]:
        """The partitions of `topic` that this worker owns and whose tables are recovered."""
        return [tp for tp in self.positions if tp.topic == topic] if self._open else []

    @property
    def heartbeat_at(self) -> float:
        """When the heartbeat was asked for that the group's coordinator answered last, by `now_s`."""
        return self._thread.heartbeat_at

    def caught_up(self, tp: TP, end: int = 0) -> bool:
        """Whether everything that the broker had at the last fetch has been handled; and everything before `end`.

        The fetcher's position counts, not the last record's: a log may end with what is no record (a
        transaction's marker), or hold nothing at all any more.
        """
        if tp not in self.positions or self._fetched_up_to.get(tp) != self.positions[tp]:
            return False
        state = self._thread.fetch_state(tp)
        return state is not None and state.highwater is not None and state.position >= max(state.highwater, end)

    def _close_gate(self) -> None:
        self._open = self._sought = False
        self._turn += 1

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Write down what is done while the partitions are still ours, then forget them."""
        await self.settle()
        self._forget()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Nothing is read before Recovery has sought."""
        self._close_gate()
        self._forget()
        self._thread.heartbeat_at = now_s()  # the broker has just answered our joining
        await super().on_partitions_assigned(assigned, generation_id)

    def _forget(self) -> None:
        self.positions.clear()
        self.released.clear()
        self._tell_to_forget()

    async def settle(self) -> None:
        """Read no more; write down what is done and commit it, while the partitions are still ours."""
        self._close_gate()
        if self.positions:
            await self._write_down()
            if not await self.commit():  # another commit was under way, of what was released before
                await self.commit()

    def start_over(self, tp: TP) -> None:
        """Read `tp` again from what is written down: what was in memory has been dropped."""
        if tp in self.released:
            self.positions[tp] = self.released[tp]
            self._rewind.add(tp)

    # -- where to read ---------------------------------------------------------------------------

    async def perform_seek(self) -> None:
        """Recovery's last step: every source partition to its committed offset, or to its log's start."""
        await self.app.rulebook.read_to_end()  # rows may name any version that was ever in force
        try:
            await self._seek_sources()
        except LogReplacedError as error:
            await self.app.give_up(error)
            raise

    async def _seek_sources(self) -> None:
        async with self._seeking:
            turn = self._turn
            for ledger in self.app.ledgers:
                if not await self._thread.has_topic(ledger.topic):
                    # Faust shares out the others, and goes on without it.
                    raise LogReplacedError(ledger.topic, "is not there any more")
            sources = self.source_partitions()
            committed: Mapping[TP, int | None] = await self.seek_to_committed()
            begins, ends = await self.earliest_offsets(*sources), await self.highwaters(*sources)
            handled = {tp: self.app.last_handled(tp) for tp in sources}
            starts = {
                tp: start_of(
                    tp, Extent(begins[tp], ends[tp]), committed.get(tp), handled[tp], compacted=self._is_compacted(tp)
                )
                for tp in sorted(sources)
            }
            await self.seek_wait({tp: start.read_from for tp, start in starts.items()})
            if turn != self._turn:
                return  # handed over meanwhile: that assignment's own recovery will seek
            self.positions = {TP(tp.topic, tp.partition): start.position for tp, start in starts.items()}
            self.released = dict(self.positions)
            self.ends = {tp: ends[tp] for tp in self.positions}
            self._fetched_up_to = {tp: starts[tp].read_from for tp in self.positions}
            self._to_compare = handled
            for tp, start in starts.items():
                self._note_missing(tp, start.missing, start.position - start.missing)
            self._committed_offset.update({tp: offset for tp, offset in committed.items() if offset})
            self._rewind.clear()
            self._read_twice.clear()
            self._sought = True
            self._turn += 1

    def resume_flow(self) -> None:
        """Recovery says so for the changelogs, and again, after it has sought, for the sources."""
        self._open = self._sought
        super().resume_flow()

    async def _go_back(self) -> None:
        async with self._seeking:
            targets = {tp: self.positions[tp] for tp in self._rewind if tp in self.positions}
            self._rewind.clear()
            if targets:
                self._fetched_up_to |= targets
                try:
                    await self.seek_wait(targets)
                except (KafkaError, TimeoutError) as error:  # a rebalance has begun: Recovery will seek
                    self.log.warning("could not go back to %r: %r", targets, error)

    def accept(self, bundle: Bundle) -> Sequence[ConsumerRecord]:
        """Return the records of `bundle` that are next, in order, none twice; or none, and read again from the right place.

        Raises:
            LogReplacedError: they are of another log than those that were handled.
        """
        tp, records = bundle.tp, bundle.records
        if bundle.generation != self.app.consumer_generation_id or tp not in self.positions:
            return ()
        self._check_log(bundle)
        position = self.positions[tp]
        if records[-1].offset < position:
            return ()
        if bundle.after > position or self._has_hole(tp, records, position):
            metrics.REREAD.labels(tp.topic).inc()
            self._rewind.add(tp)
            return ()
        if records[0].offset < position:
            return [record for record in records if record.offset >= position]
        return records

    def _check_log(self, bundle: Bundle) -> None:
        """Notice a log made anew: at once where it is shorter than our position, else only at the next assignment."""
        tp, records = bundle.tp, bundle.records
        if records[0].offset < bundle.after:  # we asked for what follows `after`, and the broker had to start over
            raise LogReplacedError(
                tp.topic,
                f"starts over at {records[0].offset} in partition {tp.partition}, where {bundle.after} came next",
            )
        if handled := self._to_compare.get(tp):
            check_same(tp, handled, records, compacted=self._is_compacted(tp))
            if records[-1].offset >= handled.offset:
                del self._to_compare[tp]

    def _has_hole(self, tp: TP, records: Sequence[ConsumerRecord], position: int) -> bool:
        """Whether offsets are missing that may come on a second reading. If not, they are missing from the log itself."""
        wanted = records[-1].offset + 1 - position
        missing = wanted - sum(record.offset >= position for record in records)
        again = (tp, position) in self._read_twice
        self._read_twice.discard((tp, position))
        if not missing or self._is_compacted(tp):
            return False
        if not again:
            self._read_twice.add((tp, position))
            return True
        self._note_missing(tp, missing, position)
        return False

    def _note_missing(self, tp: TP, missing: int, position: int) -> None:
        if missing:
            metrics.MISSING.labels(tp.topic).inc(missing)
            self.log.warning(
                "%s-%d: %d records from offset %d on expired before they were read",
                tp.topic,
                tp.partition,
                missing,
                position,
            )

    def _is_compacted(self, tp: TP) -> bool:
        return tp.topic in self.app.compacted_topics

    # -- reading ---------------------------------------------------------------------------------

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109  Faust's name
        # A copy: Faust mutates the set meanwhile, and aiokafka takes an empty one for "all".
        wanted = {tp for tp in active_partitions or () if self._open or self._is_changelog_tp(tp)}
        if not wanted:
            await self.sleep(0.02)
            return {}
        # Noted here, not before: Faust may have waited long, through a rebalance, until it came to fetch.
        self._fetched_in = self._turn, self.app.consumer_generation_id
        return await super()._getmany(wanted, timeout)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109  Faust's name
        """Yield one message per bundle of a source partition, and one per record of a changelog."""
        if self._rewind and self._open:
            await self._go_back()
        if self._open and not self._behind:
            await asyncio.sleep(self._bundle_wait_s)  # so that bundles fill at a moderate load
        fetched, _ = await self._wait_next_records(min(timeout, 0.2))
        self._behind = bool(fetched) and sum(map(len, fetched.values())) >= self._bundle_records
        if not fetched or self.should_stop:
            return
        turn, generation = self._fetched_in
        for tp, records in fetched.items():
            for start in range(0, len(records), self._bundle_records):
                if turn != self._turn:
                    self._rewind.update(fetched)  # taken from the fetcher's buffer, but not told to anybody
                    return
                chunk = records[start : start + self._bundle_records]
                if self._is_changelog_tp(tp):
                    for record in chunk:
                        yield tp, self._to_message(tp, record)
                else:
                    message = self._to_message(tp, chunk[-1])
                    message.key = None
                    message.value = Bundle(tp, chunk, generation, self._fetched_up_to.get(tp, chunk[0].offset))
                    self._fetched_up_to[tp] = chunk[-1].offset + 1
                    yield tp, message

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Say nothing: Faust does not see bundles pass, and reported healthy streams as hanging. The watchdog does look."""

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Not used: see `accept`."""

    # -- committing ------------------------------------------------------------------------------

    def ack(self, message: Any) -> bool:
        """Faust is done with the event; what may be committed is the ledger's word alone."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    def _filter_tps_with_pending_acks(self, topics: Iterable[Any] | None = None) -> Iterable[TP]:
        return [tp for tp in self.released if topics is None or tp in topics or tp.topic in topics]

    def _new_offset(self, tp: TP) -> int | None:
        return self.released.get(tp)

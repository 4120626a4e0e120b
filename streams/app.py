"""The Faust app: settings that were measured, our consumer, our tables. It starts nothing and registers nothing."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import faust

from streams.consumer import BundleConsumer, BundleSchema
from streams.ledger import Ledger
from streams.memory import Memory
from streams.outbox import Outbox
from streams.recovery import Tables
from streams.rulebook import RuleBook
from streams.tables import STATE, RowTable
from streams.topics import TOPOLOGY
from streams.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from aiokafka.structs import ConsumerRecord
    from faust.types import TP
    from mode import Service, ServiceT

    from streams.core.rules import Rules
    from streams.logs import Handled
    from streams.pages import D
    from streams.settings import Settings
    from streams.tables import Table
    from streams.topics import Topic


END_WITHIN_S = 9.0
"""A worker that was told to stop, or that gave up, is gone by then."""


class Boot(faust.App.BootStrategy):
    """Without Faust's own pages, which `faust worker` switches on whatever the settings say."""

    enable_web = False


class GroundswellApp(faust.App):
    """A Faust app whose agents keep a ledger."""

    BootStrategy = Boot

    def __init__(self, settings: Settings, rules: tuple[Rules, str] | None = None) -> None:
        """`rules` are a file's, with its text, for a topic `rules` that holds none."""
        super().__init__(
            settings.group,
            broker=[f"kafka://{broker}" for broker in settings.kafka_bootstrap.split(",")],
            store="rocksdb://",
            TableManager=Tables,
            datadir=settings.data_dir / "tables",
            processing_guarantee="at_least_once",
            consumer_auto_offset_reset="earliest",
            broker_commit_interval=0.5,
            broker_session_timeout=settings.session_timeout_s,
            broker_request_timeout=settings.request_timeout_s,
            broker_rebalance_timeout=settings.request_timeout_s - 5,  # joining is answered when all have joined
            broker_heartbeat_interval=min(3.0, settings.session_timeout_s / 3),
            broker_max_poll_records=settings.bundle_records * 8,  # of all partitions together
            stream_buffer_maxsize=8,  # bundles; backpressure reaches the fetcher soon
            stream_wait_empty=False,
            table_standby_replicas=0,
            topic_disable_leader=True,
            topic_allow_declare=False,
            canonical_url=settings.advertised_url,  # the group's leader tells every worker who has what, by this
        )
        self.groundswell = settings
        self.outbox = Outbox(settings, topics=[one.full_name(settings) for one in (*TOPOLOGY, *STATE)])
        self.ledgers: list[Ledger[Any]] = []
        self._beside: list[Service] = []
        self._from_the_start: list[Service] = []
        self.watchdog = Watchdog(self)
        self.rulebook = RuleBook(settings, rules, give_up=self.give_up)
        self.compacted_topics = frozenset(topic.full_name(settings) for topic in TOPOLOGY if topic.compacted)
        self.gave_up: BaseException | None = None

    def keep_ledger(
        self,
        *,
        reads: Topic,
        table: Table,
        open_desk: Callable[[int, Iterator[tuple[bytes, bytes]]], D],
        prepare: Callable[[D, int, Sequence[ConsumerRecord]], Awaitable[bool]] | None = None,
    ) -> Ledger[D]:
        """Give an agent its topic, its table and its books. Call it once an agent, before the worker starts.

        `prepare` gets a desk, the next offset and the records from there on before the desk does: True if its rows must
        stand before any of them is handled.
        """
        rows = self.tables.add(
            RowTable(
                self,
                name=table.name,
                key_type=bytes,
                value_type=bytes,
                partitions=table.partitions(self.groundswell),
                beacon=self.tables.beacon,
            )
        )
        ledger = Ledger(self, self.groundswell, reads=reads, table=rows, open_desk=open_desk, prepare=prepare)
        channel = self.topic(reads.full_name(self.groundswell), schema=BundleSchema())
        self.agent(channel, name=ledger.agent)(ledger.keep)
        self.ledgers.append(ledger)
        return ledger

    def on_init_dependencies(self) -> Iterable[ServiceT]:
        """Watched from the start, so that a recovery that never ends is noticed as well."""
        return [self.watchdog, Memory(), self.rulebook, *self._from_the_start, *super().on_init_dependencies()]

    def keep_running(self, service: Service) -> None:
        """Run a service beside the agents, from the moment that tables are recovered."""
        self._beside.append(service)

    def keep_running_from_the_start(self, service: Service) -> None:
        """Run a service for as long as the worker runs, also while tables are recovered. Call it before the worker starts."""
        self._from_the_start.append(service)

    async def on_started_init_extra_services(self) -> None:
        """Ledgers tick, and what stands beside them runs, once tables are recovered."""
        await super().on_started_init_extra_services()
        for service in (*self.ledgers, *self._beside):
            await self.add_runtime_dependency(service)

    async def write_down(self) -> None:
        """Checkpoint every ledger: partitions are about to change hands, or the worker to stop."""
        try:
            for ledger in self.ledgers:
                await ledger.checkpoint(at_any_rate=True)
        except Exception as error:  # noqa: BLE001  whatever it is, nothing more may be written
            await self.give_up(error)

    async def give_up(self, error: BaseException) -> None:
        """Stop the worker, non-zero, writing nothing more: its supervisor restarts it from the committed offsets."""
        if self.gave_up is None:
            await self.crash(error)

    def _crash(self, reason: BaseException, end_within_s: float = END_WITHIN_S) -> None:
        """Whoever crashed: what is durable is written, the rest must not be; and no thread may keep the process alive."""
        if self.gave_up is None:
            self.gave_up = reason
            self._end_within(end_within_s)
        super()._crash(reason)

    def _end_within(self, seconds: float) -> None:
        last_resort = threading.Timer(seconds, self.end)
        last_resort.daemon = True
        last_resort.start()

    def end(self) -> NoReturn:
        """End the process, whatever still runs in it; if it gave up, with 1, and the reason as its last line."""
        if self.gave_up is None:
            os._exit(0)
        sys.stderr.write(f"groundswell worker stopped: {self.gave_up}\n")
        sys.stderr.flush()
        os._exit(1)

    async def on_stop(self) -> None:
        """Write down what is done and commit it before Faust closes the tables."""
        try:
            async with asyncio.timeout(END_WITHIN_S / 2):
                await self.consumer.settle()
        except TimeoutError:
            reason = TimeoutError(
                "no broker took its last rows and offsets: what they cover is read again at the next start"
            )
            self._crash(reason, end_within_s=END_WITHIN_S / 2)
        else:  # all is written and committed: whatever Faust still closes may take its time, but not ours
            self._end_within(END_WITHIN_S / 2)
        await super().on_stop()

    def _create_directories(self) -> None:
        self.conf.datadir.mkdir(parents=True, exist_ok=True)
        super()._create_directories()

    def _new_consumer(self) -> BundleConsumer:
        return BundleConsumer(
            self.transport,
            callback=self.topics.on_message,
            on_partitions_revoked=self._on_partitions_revoked,
            on_partitions_assigned=self._on_partitions_assigned,
            outbox=self.outbox,
            write_down=self.write_down,
            forget=self._forget,
            bundle_records=self.groundswell.bundle_records,
            bundle_wait_s=self.groundswell.bundle_wait_s,
            beacon=self.beacon,
        )

    def last_handled(self, tp: TP) -> Handled:
        """The last record of a source partition that its agent's rows cover."""
        return next(ledger.last_handled(tp.partition) for ledger in self.ledgers if ledger.topic == tp.topic)

    def _forget(self) -> None:
        for ledger in self.ledgers:
            ledger.forget()

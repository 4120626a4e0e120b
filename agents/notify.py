"""alerts -> Alertmanager, pagers, chat, webhooks: whoever is registered in `agents.notifiers`.

Reading never waits for the other side: a delivery is a row, written down before the alert's offset is
committed, and a task of its own works the rows off. After a crash or a hand-over the partition's next
owner takes them up; a delivery that was under way is repeated under the same idempotency key.
"""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from mode import Service
from msgspec.structs import replace

from agents.notifiers import build
from streams import metrics
from streams.core import deliveries
from streams.core.deliveries import Delivered, Delivery
from streams.records import Alert
from streams.tables import DELIVERIES
from streams.topics import ALERTS
from streams.tracing import delivery_span, note_outcome

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from aiokafka.structs import ConsumerRecord

    from agents.notifiers.interface import Notifier, Outcome
    from streams.app import GroundswellApp
    from streams.ledger import Ledger
    from streams.outbox import Out
    from streams.tables import Row

LOOK_EVERY_S = 0.25
OUTCOMES = ("delivered", "retry", "refused")
AT_ONCE = 8
"""Attempts under way at the same time, per notifier."""

_decode = msgspec.json.Decoder(Alert).decode
_decode_row = msgspec.msgpack.Decoder(tuple[int, Delivery]).decode
FORMAT = 1
READABLE = (1,)


def register(app: GroundswellApp) -> None:
    """Let the worker notify."""
    settings = app.groundswell
    notifiers = {notifier.name: notifier for notifier in build(settings)}
    for name in notifiers:
        metrics.NOTIFIER_FAILURES.labels(name)
        for outcome in OUTCOMES:
            metrics.DELIVERIES.labels(name, outcome)
    max_age, tickets = timedelta(seconds=settings.notify_max_age_s), frozenset(settings.notify_tickets)

    def open_desk(partition: int, rows: Iterator[tuple[bytes, bytes]]) -> DeliveryDesk:  # noqa: ARG001
        return DeliveryDesk(tuple(notifiers), max_age, rows, tickets=tickets)

    ledger = app.keep_ledger(reads=ALERTS, table=DELIVERIES, open_desk=open_desk)
    app.keep_running(Courier(ledger, notifiers))


class DeliveryDesk:
    """One partition's deliveries, by (alert id, notifier). Only those in `tickets` are told of tickets."""

    def __init__(
        self,
        sinks: tuple[str, ...],
        max_age: timedelta,
        rows: Iterable[tuple[bytes, bytes]] = (),
        *,
        tickets: Container[str] = (),
    ) -> None:
        self._sinks, self._max_age, self._tickets = sinks, max_age, tickets
        self.rows: dict[str, Delivery] = {key.decode(): _read(row) for key, row in rows}
        self._changed: set[str] = set()
        self.under_way: set[str] = set()

    def handle(self, records: Sequence[ConsumerRecord], now_s: float) -> Iterable[Out]:  # noqa: ARG002
        """Note what each notifier has to be told. A tombstone takes the deliveries with it."""
        now = datetime.now(UTC)
        for record in records:
            alert = _decode(record.value) if self._sinks and record.value is not None else None
            for sink in self._sinks:
                key = f"{record.key.decode()}/{sink}"
                if alert is None:
                    self.put(key, None)
                elif alert.urgency == "page" or sink in self._tickets:
                    self.put(key, deliveries.on_alert(self.rows.get(key), alert, now, max_age=self._max_age))
        return ()

    def covered(self, position: int) -> int:
        """Nothing waits: the rows say all."""
        return position

    def idle(self, now_s: float) -> Iterable[Out]:  # noqa: ARG002
        """Deliveries have a task of their own."""
        return ()

    def put(self, key: str, row: Delivery | None) -> None:
        """Change a row; it is written at the next checkpoint."""
        if row is self.rows.get(key):
            return
        if row is None:
            del self.rows[key]
        else:
            self.rows[key] = row
        self._changed.add(key)

    def due(self, now: datetime) -> Iterator[str]:
        """Keys of rows to be tried now."""
        for key, row in self.rows.items():
            ready = row.state == "pending" and row.next_at is not None and row.next_at <= now
            if ready and key not in self.under_way and key.rpartition("/")[2] in self._sinks:
                yield key

    def waiting(self) -> int:
        """How many have not been told yet."""
        return sum(row.state == "pending" and key.rpartition("/")[2] in self._sinks for key, row in self.rows.items())

    def changed_rows(self) -> list[Row]:
        """Return the rows changed since the last call."""
        changed, self._changed = self._changed, set()
        return [
            (key.encode(), msgspec.msgpack.encode((FORMAT, self.rows[key])) if key in self.rows else None)
            for key in sorted(changed)
        ]


def _count(sink: str, alert: Alert, outcome: Outcome) -> None:
    metrics.DELIVERIES.labels(sink, type(outcome).__name__.lower()).inc()
    if isinstance(outcome, Delivered):
        metrics.observe_since(metrics.ALERT_DELAY.labels("delivered"), alert.at, datetime.now(UTC))
    else:
        metrics.NOTIFIER_FAILURES.labels(sink).inc()


def _read(content: bytes) -> Delivery:
    """Return a row as its next owner finds it: an attempt may have been under way, so the other side may have heard."""
    number, row = _decode_row(content)
    if number not in READABLE:
        raise ValueError(f"a delivery has format {number}; this version reads {READABLE}")
    return replace(row, heard="maybe") if row.state == "pending" and row.heard == "nothing" else row


class Courier(Service):
    """Works the rows off, in the background."""

    abstract = False

    def __init__(self, ledger: Ledger[DeliveryDesk], notifiers: dict[str, Notifier]) -> None:
        super().__init__()
        self._ledger, self._notifiers = ledger, notifiers
        self._slots = {name: asyncio.Semaphore(AT_ONCE) for name in notifiers}

    async def on_stop(self) -> None:
        """Let go of connections."""
        for notifier in self._notifiers.values():
            await notifier.close()

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            now, waiting = datetime.now(UTC), 0
            for _, desk in self._ledger.desks():
                for key in list(desk.due(now)):
                    desk.under_way.add(key)
                    self.add_future(self._deliver(desk, key))
                waiting += desk.waiting()
            metrics.PENDING_DELIVERIES.set(waiting)
            await self.sleep(LOOK_EVERY_S)

    async def _deliver(self, desk: DeliveryDesk, key: str) -> None:
        sink = key.rpartition("/")[2]
        try:
            async with self._slots[sink]:
                row = desk.rows.get(key)  # it may have moved on while we waited for a slot
                if row is None or row.state != "pending" or not self._owned(desk):
                    return
                alert = deliveries.to_send(row)
                key_of_step = deliveries.key_of(alert, sink)
                with delivery_span(sink, key_of_step) as span:
                    outcome = await self._notifiers[sink].deliver(alert, key_of_step)
                    note_outcome(span, type(outcome).__name__.lower())
            _count(sink, alert, outcome)
            if (row := desk.rows.get(key)) is not None:
                desk.put(key, deliveries.on_outcome(row, alert, outcome, datetime.now(UTC), random.random()))
        finally:
            desk.under_way.discard(key)

    def _owned(self, desk: DeliveryDesk) -> bool:
        """A desk whose partition has moved on has a new owner, who tells instead."""
        return any(one is desk for _, one in self._ledger.desks())

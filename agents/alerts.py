"""spikes -> alerts.

Findings become incidents with a life: fired, updated, resolved, and published again each minute while
open, so that whatever was missed heals. What an incident is, `streams.core.alerting` decides.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from streams import metrics
from streams.core import alerting
from streams.core.alerting import BrandAlerts
from streams.core.policy import Policy, policy_of
from streams.events import headers_of
from streams.keyed import KeyedDesk
from streams.outbox import Out
from streams.records import ON_SPIKES, Alert, Finding, Mark, Origin, Removal, RulesChanged, encode
from streams.tables import INCIDENTS
from streams.topics import ALERTS, SPIKES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from aiokafka.structs import ConsumerRecord

    from streams.app import GroundswellApp
    from streams.core.versions import Versions
    from streams.settings import Settings

TOMBSTONE_AFTER = timedelta(days=30)
"""A resolved alert stays readable in the compacted topic for so long."""

_decode = msgspec.json.Decoder(ON_SPIKES).decode


def register(app: GroundswellApp) -> None:
    """Let the worker keep alerts."""
    settings, versions = app.groundswell, app.rulebook.versions

    def open_desk(partition: int, rows: Iterator[tuple[bytes, bytes]]) -> KeyedDesk[Incidents]:
        work = KeepAlerts(settings, versions, partition)
        return KeyedDesk(work, agent="alerts", lanes=1, decode=_decode, origin_of=_origin, rows=rows)

    app.keep_ledger(reads=SPIKES, table=INCIDENTS, open_desk=open_desk, prepare=app.rulebook.prepare)


def _origin(value: Finding | Removal | Mark | RulesChanged, record: ConsumerRecord) -> Origin:  # noqa: ARG001
    """Findings meet here from many mentions, so the row keeps this topic's own offset."""
    return Origin(0, record.partition, record.offset)


class Incidents(Struct):
    """What is kept of one brand: its incidents, and which resolved alerts still stand in the topic."""

    alerts: BrandAlerts
    resolved: list[tuple[str, datetime]] = []


class KeepAlerts:
    """One partition's work; see `streams.keyed.Work`."""

    def __init__(self, settings: Settings, versions: Versions, partition: int) -> None:
        self._topic, self._versions, self._partition = ALERTS.full_name(settings), versions, partition
        self._policy = Policy(())

    def begin(self) -> Incidents:
        """No incident yet."""
        return Incidents(BrandAlerts())

    def apply(self, key: str, state: Incidents, value: Finding | Removal) -> Iterator[Out]:  # noqa: ARG002
        """A finding opens, joins or ends an incident; a removal takes away what is shown."""
        if isinstance(value, Finding):
            return self._publish(state, alerting.on_finding(state.alerts, value, self._policy))
        return self._publish(state, alerting.on_removal(state.alerts, value))

    def concerns(self, state: Incidents, value: Removal) -> bool:
        """Whether an open alert shows what must vanish."""
        return alerting.shows(state.alerts, value)

    def adopt(self, version: str) -> Collection[str]:
        """Whoever is watched from now on; brands are the keys."""
        rules = self._versions.of(version)
        self._policy = policy_of(rules)
        return {brand.id for brand in rules.brands}

    def leave(self, key: str, state: Incidents, now: datetime | None) -> Iterable[Out]:  # noqa: ARG002
        """What is open of it is over."""
        return self._publish(state, alerting.on_rule_removed(state.alerts, now))

    def relay(self, value: Removal | RulesChanged) -> Iterable[Out]:  # noqa: ARG002
        """Whoever reads alerts reads their corrections."""
        return ()

    def pass_time(self, key: str, state: Incidents, now: datetime, silent: Collection[str] = ()) -> Iterator[Out]:  # noqa: ARG002
        """Resolve, publish again, clear away what was resolved long ago."""
        yield from self._publish(state, alerting.on_time(state.alerts, now))
        while state.resolved and state.resolved[0][1] + TOMBSTONE_AFTER <= now:
            alert_id, _ = state.resolved.pop(0)
            yield Out(self._topic, self._partition, alert_id.encode(), None)

    def due(self, state: Incidents) -> datetime | None:
        """The alert's own next time, or the next tombstone's."""
        times = [time for time in (alerting.due(state.alerts),) if time is not None]
        times += [at + TOMBSTONE_AFTER for _, at in state.resolved[:1]]
        return min(times, default=None)

    def time_of(self, value: Finding | Removal | Mark) -> datetime | None:
        """Detection's marks are the time here."""
        return value.time if isinstance(value, Mark) else None

    def pass_on(self, mark: Mark) -> Iterable[Out]:  # noqa: ARG002
        """Nobody behind us waits for time: deliveries run by the clock."""
        return ()

    def dump(self, state: Incidents) -> bytes:
        """Return the row."""
        return msgspec.msgpack.encode(state)

    def load(self, row: bytes) -> Incidents:
        """Read the row."""
        return msgspec.msgpack.decode(row, type=Incidents)

    def _publish(self, state: Incidents, alerts: Iterable[Alert]) -> Iterator[Out]:
        for alert in alerts:
            metrics.ALERT_STEPS.labels(alert.change).inc()
            if alert.change != "refreshed":
                metrics.observe_since(metrics.ALERT_DELAY.labels("published"), alert.at, datetime.now(UTC))
            if alert.status == "resolved":
                state.resolved.append((alert.id, alert.at))
            yield Out(self._topic, self._partition, alert.id.encode(), encode(alert), headers_of(alert))

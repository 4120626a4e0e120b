"""What the live view shows: events in, and what there is to see at a moment out. Pure; drawing makes it safe."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from streams.records import Alert, BrandStats, SourceState

if TYPE_CHECKING:
    from collections.abc import Iterable

RATE_OVER_S = 10.0
RESOLVED_SHOWN = timedelta(hours=1)
UNHEARD = timedelta(seconds=90)
"""A source's process says every half minute that it is alive."""

SEVERITIES = ("critical", "warning", "info")
RUNNING = ("connecting", "listening", "waiting")
NEVER = timedelta(0)


class Gone(NamedTuple):
    """What is known no more."""

    kind: type[Alert | BrandStats | SourceState]
    key: str


class Pulse(NamedTuple):
    """How the flow moves. `at_s` is a clock that only runs forward; `received` counts records in `mentions.raw` ever.

    `lag_s` is the age of the oldest record that no worker has handled yet.
    """

    at_s: float
    received: int
    lag_s: float
    workers: int


class Away(NamedTuple):
    """Kafka does not answer, or has no such topics; it is asked again."""

    says: str


class Unreadable(NamedTuple):
    """A record that is not what its topic holds."""

    where: str


Event = Alert | BrandStats | SourceState | Gone | Pulse | Away | Unreadable


@dataclass(frozen=True, slots=True)
class BrandRow:
    """One brand; `learning` is how much event time is left of it."""

    stats: BrandStats
    alerts: tuple[Alert, ...] = ()
    learning: timedelta | None = None


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert, and for how long it has been open, or was, in event time."""

    alert: Alert
    age: timedelta


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source.

    `latest` is the age of its latest mention; `unheard` is for how long its process has said nothing, if too long.
    """

    state: SourceState
    latest: timedelta | None = None
    unheard: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything at one moment; None is not known.

    `rate` is in mentions per second, and `heard` is event time: up to there everything is counted. `away` says what the
    matter is with Kafka, `note` what else there is to say.
    """

    at: datetime
    connected: bool = False
    rate: float | None = None
    lag_s: float | None = None
    workers: int | None = None
    heard: datetime | None = None
    alerts: tuple[AlertRow, ...] = ()
    brands: tuple[BrandRow, ...] = ()
    sources: tuple[SourceRow, ...] = ()
    away: str | None = None
    note: str | None = None


class View:
    """What has been heard so far."""

    def __init__(self) -> None:
        self._brands: dict[str, BrandStats] = {}
        self._alerts: dict[str, Alert] = {}
        self._sources: dict[str, SourceState] = {}
        self._known: dict[type, dict[str, Any]] = {
            BrandStats: self._brands,
            Alert: self._alerts,
            SourceState: self._sources,
        }
        self._pulses: deque[Pulse] = deque()
        self._away: str | None = None
        self.note: str | None = None

    def take(self, event: Event) -> None:
        """Take what the feed tells; the same twice changes nothing."""
        match event:
            case BrandStats():
                self._brands[event.brand] = event
            case Alert():
                self._alerts[event.id] = event
            case SourceState():
                self._sources[event.key] = event
            case Gone(kind, key):
                self._known[kind].pop(key, None)
            case Unreadable(where):
                self.note = f"this cannot be read: {where}. Does something else write to this topic?"
            case Away(says):
                self._away = says
                self._pulses.clear()
            case Pulse():
                self._away = None
                self._pulses.append(event)
                while event.at_s - self._pulses[0].at_s > RATE_OVER_S:
                    self._pulses.popleft()

    def shown(self, now: datetime) -> Shown:
        """What there is to see at `now`: the worst and the newest alerts first, then brands that have any."""
        heard = max((one.at for one in self._brands.values()), default=None)
        latest = self._pulses[-1] if self._pulses else None
        alerts = [AlertRow(one, _open_for(one, heard)) for one in self._alerts.values() if _is_news(one, heard)]
        alerts.sort(key=lambda row: (_rank(row.alert), row.age, row.alert.id))
        open_of: dict[str, list[Alert]] = {}
        for one in filter(_is_firing, self._alerts.values()):
            open_of.setdefault(one.brand, []).append(one)
        brands = [_brand(stats, open_of.get(stats.brand, ())) for stats in self._brands.values()]
        brands.sort(key=lambda row: (min(map(_rank, row.alerts), default=len(SEVERITIES) + 1), row.stats.brand))
        return Shown(
            at=now,
            connected=latest is not None,
            rate=self._rate(),
            lag_s=latest.lag_s if latest else None,
            workers=latest.workers if latest else None,
            heard=heard,
            alerts=tuple(alerts),
            brands=tuple(brands),
            sources=tuple(_source(self._sources[key], now) for key in sorted(self._sources)),
            away=self._away,
            note=self.note,
        )

    def _rate(self) -> float | None:
        if len(self._pulses) < 2:
            return None
        first, last = self._pulses[0], self._pulses[-1]
        return max(0, last.received - first.received) / (last.at_s - first.at_s)


def _brand(stats: BrandStats, alerts: Iterable[Alert]) -> BrandRow:
    until = stats.learning_until
    learning = until - stats.at if until is not None and until > stats.at else None
    return BrandRow(stats, tuple(sorted(alerts, key=_rank)), learning)


def _is_firing(alert: Alert) -> bool:
    return alert.status == "firing"


def _rank(alert: Alert) -> int:
    if alert.status != "firing":
        return len(SEVERITIES) + 1
    return SEVERITIES.index(alert.severity) if alert.urgency == "page" else len(SEVERITIES)


def _is_news(alert: Alert, heard: datetime | None) -> bool:
    if _is_firing(alert):
        return True
    return alert.resolved_at is not None and heard is not None and heard - alert.resolved_at < RESOLVED_SHOWN


def _open_for(alert: Alert, heard: datetime | None) -> timedelta:
    until = alert.resolved_at if alert.status == "resolved" else heard
    return max(NEVER, (until or alert.at) - alert.started_at)


def _source(state: SourceState, now: datetime) -> SourceRow:
    silent = now - state.at
    return SourceRow(
        state,
        latest=None if state.observed_at is None else max(NEVER, now - state.observed_at),
        unheard=silent if state.state in RUNNING and silent > UNHEARD else None,
    )

"""Rows by key, each with its watermarks, and the partition's time: what every agent behind intake stands on.

Each row holds, beside its state and in the same changelog record, the highest origin offset applied
for each *lane* that fed it (for rows fed by `mentions.scored` a lane is a raw partition; for others it
is the topic's own partition). What is at or below has been applied and is skipped, so a re-send changes
nothing. This holds because origins only grow along raw -> intake -> scored -> row.

Lanes are merged by event time (`streams.merge`), and time moves with what is applied, record by record, so
the same log gives the same outputs however it is cut into bundles. What waits is in memory only: `covered`
says from where the log has to be read again. The clock's row is written last: after a crash it is never
ahead of a row, and rows that are ahead of it have nothing left to do.

Another version of the rules is acted on once all lanes are judged by it: then rows that it does not name are let go.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import Struct

from streams import metrics
from streams.merge import Merge
from streams.records import Mark, Origin, RulesChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from aiokafka.structs import ConsumerRecord

    from streams.merge import Said
    from streams.outbox import Out
    from streams.tables import Row

State = TypeVar("State")
Value = Any

FORMAT = 2
READABLE = (2,)
"""The last two formats, once there are two."""

PASS_ON_EVERY = timedelta(seconds=1)
CLOCK_KEY = b"\0clock"
"""No brand is named so: it sorts first and no JSON key can hold it."""

RULES_LANE = -1
"""In a row's watermarks, the number of the latest change of the rules that it has seen: no partition is numbered so."""

Watermark = tuple[int, int]
"""(epoch, offset), compared in this order."""


class Work(Protocol[State]):
    """What an agent does with one key, as functions of values and time. It never sees offsets, rows or batches."""

    def begin(self) -> State:
        """A key never heard of."""

    def apply(self, key: str, state: State, value: Value) -> Iterable[Out]:
        """One value that concerns this key, once."""

    def concerns(self, state: State, value: Value) -> bool:
        """Whether a value addressed to everybody changes anything here."""

    def relay(self, value: Value) -> Iterable[Out]:
        """Hand on a value that is addressed to everybody."""

    def pass_time(self, key: str, state: State, now: datetime, silent: Collection[str]) -> Iterable[Out]:
        """Time has reached `now`, and these sources have fallen silent. Saying so twice changes nothing."""

    def due(self, state: State) -> datetime | None:
        """When `pass_time` has something to do; None: never."""

    def time_of(self, value: Value) -> datetime | None:
        """How far a value says that its lane has come."""

    def pass_on(self, mark: Mark) -> Iterable[Out]:
        """Tell those behind us how far time has come."""

    def adopt(self, version: str) -> Collection[str]:
        """Act by this version of the rules from now on, and return the keys that it names."""

    def leave(self, key: str, state: State, now: datetime | None) -> Iterable[Out]:
        """The rules name this key no more: tell whoever shows it, and keep nothing but what was counted. Twice changes nothing."""

    def dump(self, state: State) -> bytes:
        """Return the state as a row."""

    def load(self, row: bytes) -> State:
        """Return the state that `dump` wrote."""


class _Row(Generic[State]):
    __slots__ = ("changed", "due", "marks", "state")

    def __init__(self, state: State, marks: dict[int, Watermark]) -> None:
        self.state, self.marks, self.changed = state, marks, False
        self.due: datetime | None = None


class Clock(Struct):
    """How far time has come, and each lane by what was applied of it; a lane that holds nothing is None and holds nobody back.

    `turns` holds the number and version of each lane's latest change of the rules, `rules` the version that is acted on,
    `turned` how often that changed, `silent` the sources that each lane calls silent.
    """

    lanes: dict[int, datetime | None] = {}
    passed_on: datetime | None = None
    time: datetime | None = None
    turns: dict[int, tuple[int, str]] = {}
    rules: str = ""
    turned: int = 0
    silent: dict[int, tuple[str, ...]] = {}

    def silent_sources(self) -> frozenset[str]:
        """The sources of which at least half of the lanes that hold anything say that they are silent."""
        named = Counter(source for sources in self.silent.values() for source in sources)
        lanes = sum(time is not None for time in self.lanes.values())
        return frozenset(source for source, times in named.items() if 2 * times >= lanes)

    def reached(self) -> dict[int, datetime | None]:
        """From where each lane goes on: never behind time."""
        now = self.time
        return {lane: at if at is None or now is None else max(at, now) for lane, at in self.lanes.items()}


class KeyedDesk(Generic[State]):
    """One partition of one keyed topic."""

    def __init__(
        self,
        work: Work[State],
        *,
        agent: str,
        lanes: int,
        decode: Callable[[bytes], Value],
        origin_of: Callable[[Value, ConsumerRecord], Origin],
        rows: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        self._work, self._lanes, self._decode, self._origin_of = work, lanes, decode, origin_of
        self._resends = metrics.RESENDS.labels(agent)
        self._clock = Clock()
        self._clock_changed = False
        self._rows: dict[str, _Row[State]] = {}
        for key, content in rows:
            if key == CLOCK_KEY:
                self._clock = msgspec.msgpack.decode(content, type=Clock)
            else:
                marks, state = _read(content)
                row = self._rows[key.decode()] = _Row(work.load(state), marks)
                row.due = work.due(row.state)
        self._merge = Merge(lanes, self._clock.reached())
        self._silent = self._clock.silent_sources()
        self._next_due = self._earliest_due()
        if self._clock.rules:
            work.adopt(self._clock.rules)

    def handle(self, records: Sequence[ConsumerRecord], now_s: float) -> Iterable[Out]:  # noqa: ARG002  event time only
        """Apply what has not been applied and need not wait, in order of time, and let time pass in between."""
        outs: list[Out] = []
        for record in records:
            value = self._decode(record.value)
            origin, time = self._origin_of(value, record), self._work.time_of(value)
            for said in self._merge.hear(record.offset, record.timestamp, record.key, value, origin, time):
                if self._moves_time(said):
                    outs += self._time_passes(said)
                if said.key is not None:
                    outs += self._apply(said.key.decode(), said.value, said.origin)
                elif not isinstance(said.value, Mark):
                    outs += self._tell_all(said.value, said.origin)
        return outs

    def covered(self, position: int) -> int:
        """Having been handed all before `position`: all before this offset is in the rows, once they are written."""
        first = self._merge.waits_from
        return position if first is None else first

    def idle(self, now_s: float) -> Iterable[Out]:  # noqa: ARG002
        """Time arrives in the stream, never from our clock."""
        return ()

    def changed_rows(self) -> list[Row]:
        """Return the rows changed since the last call, the clock last."""
        rows: list[Row] = []
        for key, row in self._rows.items():
            if row.changed:
                content = msgspec.msgpack.encode((FORMAT, row.marks, self._work.dump(row.state)))
                rows.append((key.encode(), content))
                row.changed = False
        if self._clock_changed:
            rows.append((CLOCK_KEY, msgspec.msgpack.encode(self._clock)))
            self._clock_changed = False
        return rows

    def states(self) -> Iterator[tuple[str, State]]:
        """Every key with its state."""
        return ((key, row.state) for key, row in self._rows.items())

    def versions_in(self, records: Sequence[ConsumerRecord]) -> Iterator[str]:
        """The versions of the rules that records name: whoever handles them must know these."""
        for record in records:
            if record.key is None and isinstance(value := self._decode(record.value), RulesChanged):
                yield value.version

    @property
    def rules(self) -> str:
        """The version that is acted on; empty: none yet."""
        return self._clock.rules

    def _turn(self, change: RulesChanged, origin: Origin) -> Iterator[Out]:
        """Note that a lane is judged by another version; act by it where all are, and by the very first at once."""
        clock = self._clock
        known, _ = clock.turns.get(origin.partition, (0, ""))
        if change.number <= known:
            self._resends.inc()
            return
        clock.turns[origin.partition] = (change.number, change.version)
        self._clock_changed = True
        agreed = len(clock.turns) == self._lanes and {version for _, version in clock.turns.values()} == {
            change.version
        }
        if change.version == clock.rules or (clock.rules and not agreed):
            return
        clock.rules, clock.turned = change.version, clock.turned + 1
        named, seen = self._work.adopt(change.version), (0, clock.turned)
        for key in sorted(self._rows.keys() - set(named)):
            row = self._rows[key]
            if row.marks.get(RULES_LANE, (0, -1)) < seen:
                row.marks[RULES_LANE], row.changed = seen, True
                yield from self._work.leave(key, row.state, clock.time)
                row.due = self._work.due(row.state)
        self._next_due = self._earliest_due()
        yield from self._work.relay(RulesChanged(origin=origin, version=change.version, number=clock.turned))

    def _earliest_due(self) -> datetime | None:
        return min((row.due for row in self._rows.values() if row.due is not None), default=None)

    def _tell_all(self, value: Value, origin: Origin) -> Iterator[Out]:
        if isinstance(value, RulesChanged):
            yield from self._turn(value, origin)
            return
        for key in [key for key, row in self._rows.items() if self._work.concerns(row.state, value)]:
            yield from self._apply(key, value, origin)
        yield from self._work.relay(value)

    def _apply(self, key: str, value: Value, origin: Origin) -> Iterable[Out]:
        row = self._rows.get(key)
        if row is None:
            # Born after so many changes of the rules: none of them may let it go when the log is read again.
            row = self._rows[key] = _Row(self._work.begin(), {RULES_LANE: (0, self._clock.turned)})
        watermark = (origin.epoch, origin.offset)
        if row.marks.get(origin.partition, (0, -1)) >= watermark:
            self._resends.inc()
            return ()
        row.marks[origin.partition] = watermark
        row.changed = True
        outs = list(self._work.apply(key, row.state, value))
        row.due = self._work.due(row.state)
        now = self._clock.time
        if now is not None and row.due is not None and row.due <= now:
            # At once, not when time next moves: a row read back after a crash must have nothing left to do for this time.
            outs += self._pass_time(key, row, now)
        if row.due is not None and (self._next_due is None or row.due < self._next_due):
            self._next_due = row.due
        return outs

    def _pass_time(self, key: str, row: _Row[State], now: datetime) -> Iterator[Out]:
        yield from self._work.pass_time(key, row.state, now, self._silent)
        row.due = self._work.due(row.state)
        row.changed = True

    def _moves_time(self, said: Said) -> bool:
        """Note how far a lane has come, and what it says of sources; whether time moves with it."""
        clock, lane, now = self._clock, said.origin.partition, said.time
        if isinstance(mark := said.value, Mark) and mark.silent != clock.silent.get(lane, ()):
            clock.silent[lane] = mark.silent
            self._silent, self._clock_changed = clock.silent_sources(), True
        if now is not None or isinstance(said.value, Mark):
            self._clock_changed |= lane not in clock.lanes or clock.lanes[lane] != now
            clock.lanes[lane] = now
        return now is not None and self._merge.is_reached(now) and (clock.time is None or now > clock.time)

    def _time_passes(self, said: Said) -> Iterator[Out]:
        clock, now = self._clock, said.time
        assert now is not None
        clock.time = now
        if self._next_due is not None and self._next_due <= now:
            for key in sorted(key for key, row in self._rows.items() if row.due is not None and row.due <= now):
                yield from self._pass_time(key, self._rows[key], now)
            self._next_due = self._earliest_due()
        if clock.passed_on is None or now - clock.passed_on >= PASS_ON_EVERY:
            clock.passed_on = now
            yield from self._work.pass_on(Mark(origin=said.origin, time=now))


def _read(content: bytes) -> tuple[dict[int, Watermark], bytes]:
    number, *rest = msgspec.msgpack.decode(content)
    if number not in READABLE:
        raise ValueError(
            f"a row has format {number}; this version reads {READABLE}: run the version that wrote it once more"
        )
    return msgspec.convert(rest, tuple[dict[int, Watermark], bytes])

"""An agent's work on one partition: the desk at which it is done, and the page on which the ledger notes how far it is."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from streams.logs import Handled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiokafka.structs import ConsumerRecord
    from faust.types import TP

    from streams.outbox import Out
    from streams.tables import Row

LOG_KEY = b"\0log"
"""The row that says up to which record the others go, a `Handled`. Written last."""


class Desk(Protocol):
    """An agent's work on one source partition: synchronous, and all of it in its own memory."""

    def handle(self, records: Sequence[ConsumerRecord], now_s: float) -> Iterable[Out]:
        """Take the next records, in order, and say what to send. `now_s` is monotonic seconds."""

    def idle(self, now_s: float) -> Iterable[Out]:
        """The partition has been read to its end, and nothing is waiting."""

    def covered(self, position: int) -> int:
        """Of the records handed over, which end before `position`: from which on they must be read again after a crash."""

    def changed_rows(self) -> Sequence[Row]:
        """Return the rows changed since the last call, the one that says how far we are last."""


D = TypeVar("D", bound=Desk)


def read_handled(row: bytes | None) -> Handled:
    """Return what a row under LOG_KEY says; without one, that nothing was handled."""
    return msgspec.msgpack.decode(row, type=Handled) if row else Handled()


class Page(Generic[D]):
    """One assigned partition: its desk, how far it has got, and what that rests on."""

    __slots__ = (
        "_covered",
        "_read",
        "desk",
        "generation",
        "handled",
        "position",
        "rested_at",
        "sizes",
        "tp",
        "written_at",
    )

    def __init__(self, tp: TP, desk: D, generation: int, position: int, handled: Handled) -> None:
        self.tp, self.desk, self.generation, self.position = tp, desk, generation, position
        self.handled = handled
        self._covered = handled
        self._read: deque[Handled] = deque()
        self.written_at = float("-inf")
        self.rested_at = float("-inf")
        """When nothing was left to do, monotonic seconds."""
        self.sizes: dict[bytes, int] = {}
        """Of each row in the table, key and value, bytes."""

    def note(self, records: Sequence[ConsumerRecord]) -> None:
        """The desk has these; all before them it had."""
        self._read.extend(Handled(record.offset, record.timestamp) for record in records)
        self.position, self.handled = records[-1].offset + 1, self._read[-1]

    def covered(self, position: int) -> Handled:
        """The last record before a position that only ever grows."""
        while self._read and self._read[0].offset < position:
            self._covered = self._read.popleft()
        return self._covered

    def measure(self, rows: Iterable[Row]) -> None:
        """Rows stand in the table now."""
        for key, row in rows:
            if row is None:
                self.sizes.pop(key, None)
            else:
                self.sizes[key] = len(key) + len(row)

    def lag_s(self, now_s: float, monotonic_s: float) -> float:
        """The most that the oldest record not yet handled can have waited: it came after the last one handled, and after all was done."""
        since_rest_s = monotonic_s - self.rested_at
        if self.handled.offset < 0:
            return since_rest_s
        return max(0.0, min(since_rest_s, now_s - self.handled.appended_ms / 1000))

"""An agent's work on one partition: the desk at which it is done, and the page on which the ledger notes how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec
from msgspec import Struct

from streams.events import SEQUENCE
from streams.logs import Handled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aiokafka.structs import ConsumerRecord
    from faust.types import TP

    from streams.outbox import Out
    from streams.tables import Row

LOG_KEY = b"\0log"
"""The row that says what the others rest on, a `Known`. Written last."""


class Desk(Protocol):
    """An agent's work on one source partition: synchronous, and all of it in its own memory."""

    def handle(self, records: Sequence[ConsumerRecord], now_s: float) -> Iterable[Out]:
        """Take the next records, in order, and say what to send. `now_s` is monotonic seconds."""

    def idle(self, now_s: float) -> Iterable[Out]:
        """The partition has been read to its end, and nothing is waiting."""

    def changed_rows(self) -> Sequence[Row]:
        """Return the rows changed since the last call, the one that says how far we are last."""


D = TypeVar("D", bound=Desk)


class Known(Struct, array_like=True):
    """Up to which record of the log the rows go, when that was appended (ms since 1970), and how many were told to whom.

    `told` counts by target, "topic/partition".
    """

    offset: int = -1
    appended_ms: int = -1
    told: dict[str, int] = {}

    @property
    def handled(self) -> Handled:
        """The last record that the rows cover."""
        return Handled(self.offset, self.appended_ms)


def read_known(row: bytes | None) -> Known:
    """Return what a row under LOG_KEY says; without one, that nothing is known."""
    return msgspec.msgpack.decode(row, type=Known) if row else Known()


class Page(Generic[D]):
    """One assigned partition: its desk, how far it has got, and what that rests on."""

    __slots__ = ("desk", "generation", "handled", "position", "told", "tp", "written_at")

    def __init__(self, tp: TP, desk: D, generation: int, position: int, known: Known) -> None:
        self.tp, self.desk, self.generation, self.position = tp, desk, generation, position
        self.handled, self.told = known.handled, known.told
        self.written_at = float("-inf")

    def number(self, outs: Iterable[Out]) -> Iterator[Out]:
        """Give each record its number; one that is not counted carries that of the record before it."""
        for out in outs:
            target = f"{out.topic}/{out.partition}"
            number = self.told[target] = self.told.get(target, 0) + out.numbered
            yield out._replace(headers=(*out.headers, (SEQUENCE, b"%d" % number)))

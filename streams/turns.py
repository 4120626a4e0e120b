"""Records are applied in the order in which they were sent, or not yet.

A worker that was cut off may have a batch on its way still, which lands before the new owner of its
partition has told what comes before it. Applied, it would move watermarks past what is still to come, and
that would be skipped as already applied. No check by the sender can rule this out: it may be frozen just
after the check. So senders number what they tell (`streams.ledger`), and a reader leaves what has
overtaken something. Whoever owns the partition has not committed it, and tells it again in turn.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from msgspec import Struct

from streams.events import SEQUENCE

if TYPE_CHECKING:
    from aiokafka.structs import ConsumerRecord

LOST_AFTER_MS = 60_000
"""Records that are out of turn for so long are not going to be preceded by anything any more: the log has lost it."""

logger = logging.getLogger(__name__)


class Turns(Struct):
    """The number that each lane has come to in one partition. A row keeps it over a restart.

    `read` is the highest offset read. `waiting` is when a lane's first record out of turn was appended, ms since 1970.
    """

    numbers: dict[int, int] = {}
    waiting: dict[int, int] = {}
    read: int = -1

    def has_come(self, lane: int, record: ConsumerRecord, *, is_mark: bool) -> bool:
        """Whether nothing is missing before this record. A mark has the number of the record before it, not one of its own."""
        if record.offset > self.read + 1:  # what would be missing has expired
            self.numbers.clear()
        self.read = max(self.read, record.offset)
        number = next((int(value) for name, value in reversed(record.headers) if name == SEQUENCE), None)
        if number is None:
            return True
        known = self.numbers.get(lane, number)
        if number > known + (not is_mark):
            since_ms = self.waiting.setdefault(lane, record.timestamp)
            if record.timestamp - since_ms < LOST_AFTER_MS:
                return False
            where = f"{record.topic}-{record.partition}"
            logger.error("%s: out of turn for a minute, going on without %d records", where, number - known - 1)
        self.waiting.pop(lane, None)
        self.numbers[lane] = max(number, known)
        return True

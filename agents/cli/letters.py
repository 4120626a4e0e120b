"""Dead letters, read back from the headers that intake writes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple, Self

from agents.cli.problems import append_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from aiokafka.structs import ConsumerRecord

    from agents.cli.read import Reader

ATTEMPTS = "dlq.attempts"
"""The header, on mentions.raw, that counts how often a letter has been sent back."""
ORIGINAL_KEY = "dlq.original-key"
"""The header that holds the record's key, if it had one: a letter's own key is its origin."""

logger = logging.getLogger(__name__)


class Letter(NamedTuple):
    """One dead letter. Partition and offset are where it came from, in `mentions.raw`; both times are the broker's."""

    set_aside_at: datetime
    epoch: int
    partition: int
    offset: int
    reason: str
    detail: str
    received_at: str
    attempts: int
    key: bytes | None
    value: bytes | None

    @classmethod
    def of(cls, record: ConsumerRecord) -> Self:
        """Read a record of `dead-letters`.

        Raises:
            LookupError, ValueError: its headers are not those that intake writes.
        """
        said = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
        return cls(
            set_aside_at=append_time(record),
            epoch=int(said["dlq.original-epoch"]),
            partition=int(said["dlq.original-partition"]),
            offset=int(said["dlq.original-offset"]),
            reason=said["dlq.reason"],
            detail=said["dlq.detail"],
            received_at=said["dlq.original-timestamp"],
            attempts=int(said.get(ATTEMPTS, "0")),
            key=dict(record.headers).get(ORIGINAL_KEY),
            value=record.value,
        )


class Wanted(NamedTuple):
    """Which letters; None: any."""

    reason: str | None = None
    partition: int | None = None
    offset: int | None = None

    def has(self, letter: Letter) -> bool:
        """Whether the letter is one of these."""
        found = (letter.reason, letter.partition, letter.offset)
        return all(wanted in (None, value) for wanted, value in zip(self, found, strict=True))


async def letters_in(reader: Reader, wanted: Wanted) -> AsyncIterator[Letter]:
    """Each wanted letter once: a worker that was killed may have written it twice. None that a tombstone has taken away."""
    taken = {(one.partition, one.key): one.offset async for one in reader.to_end() if one.value is None}
    known: set[tuple[int, int, int]] = set()
    async for record in reader.to_end():
        if record.offset <= taken.get((record.partition, record.key), -1):
            continue
        try:
            letter = Letter.of(record)
        except (LookupError, ValueError):
            logger.warning("%s %d/%d: not by intake, left out", record.topic, record.partition, record.offset)
            continue
        origin = (letter.epoch, letter.partition, letter.offset)
        if wanted.has(letter) and origin not in known:
            known.add(origin)
            yield letter

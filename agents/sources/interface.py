"""What a source is: something that yields mentions in order, and can go on after a cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Sourced(NamedTuple):
    """One record for `mentions.raw`.

    `value` is a Mention as JSON, or the original bytes of something unreadable: intake, which is
    the one door, sets that aside as a dead letter with its reason. `key` is the mention's id.
    `cursor` is what `listen` needs to go on after this record, or None where it cannot.
    """

    key: bytes
    value: bytes
    cursor: str | None = None


class Source(Protocol):
    """One place where people speak. The publisher saves a cursor only after Kafka has acknowledged its record."""

    name: str

    def listen(self, cursor: str | None = None) -> AsyncIterator[Sourced]:
        """Yield records, oldest first, from after `cursor`; ends when the source has no more.

        Raises:
            SourceError: cannot be read at all; the message says what, where and what to do.
        """


class SourceError(Exception):
    """A source cannot be read; the message says what was wrong, where, and what to do."""

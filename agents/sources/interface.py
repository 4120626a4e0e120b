"""What a source is: something that says what people say, in order, and can go on after a cursor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

import msgspec

from streams.records import encode

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

    from streams.records import Mention


class Sourced(NamedTuple):
    """One record for `mentions.raw`.

    `value` is a Mention as JSON, or the original bytes of something unreadable: intake, which is
    the one door, sets that aside as a dead letter with its reason. `key` is the mention's id.
    `cursor` is what `listen` needs to go on after this record, or None where it cannot.
    `everywhere`: to each raw partition, once, because an account's removal concerns them all.
    `taken` is for a source whose other side waits for an answer: it is resolved once Kafka has
    acknowledged the record, and fails with the reason where Kafka never will.
    """

    key: bytes
    value: bytes
    cursor: str | None = None
    everywhere: bool = False
    taken: asyncio.Future[None] | None = None

    @classmethod
    def of(cls, mention: Mention, cursor: str | None = None) -> Self:
        """The record of a mention. Half a surrogate pair, which some decoders let through, is no character: it becomes `?`."""
        try:
            value = encode(mention)
        except UnicodeEncodeError:
            value = json.dumps(msgspec.to_builtins(mention), ensure_ascii=False).encode(errors="replace")
        return cls(mention.id.encode(errors="replace"), value, cursor, mention.op == "account_removed")


class Reached(NamedTuple):
    """The source answers, and everything up to `cursor` has been said; what lay in between concerned nobody."""

    cursor: str | None


class Gap(NamedTuple):
    """Something may have been missed that cannot be had again: it is counted, logged and shown. `says` is a sentence."""

    says: str


Event = Sourced | Reached | Gap


class Source(Protocol):
    """One place where people speak.

    A cursor is kept only after Kafka has acknowledged everything up to it: in the topic `sources`, under `cursor_key`,
    which names what is listened to; None: nowhere, it begins anew each time it is opened.
    """

    name: str
    cursor_key: str | None

    def listen(self, cursor: str | None = None) -> AsyncIterator[Event]:
        """Connect once and say what comes, oldest first, from after `cursor`; ends when the source has no more.

        Connecting again is the caller's business, from the last cursor that is safe: a source that loses its
        connection raises. Closing the iterator closes every connection.

        Raises:
            SourceDownError: not now, but perhaps later.
            SourceError: cannot be read at all; the message says what, where and what to do.
        """


class SourceError(Exception):
    """A source cannot be read; the message says what was wrong, where, and what to do."""


class SourceDownError(SourceError):
    """A source cannot be read now. `retry_after_s`: the other side asked to be left alone for so long, seconds."""

    def __init__(self, says: str, retry_after_s: float | None = None) -> None:
        super().__init__(says)
        self.retry_after_s = retry_after_s

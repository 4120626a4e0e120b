"""What becomes of intake's rows when its raw partition is replaced by another log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.core.books import BOOKS_KEY, Books
from streams.core.redeliveries import Redeliveries

if TYPE_CHECKING:
    from collections.abc import Mapping


def begin_epoch(rows: Mapping[bytes, bytes], begin: int = 0) -> Books:
    """Return the books with which a partition goes on in a new log from offset `begin`; its other rows stay as they are.

    Accounts and time stay. What is remembered was told before anything that the new log says: a source that
    delivers again what it had told the old log is still heard to repeat itself.
    """
    books = msgspec.msgpack.decode(rows[BOOKS_KEY], type=Books) if BOOKS_KEY in rows else Books()
    memory = Redeliveries(capacity=1)
    if blocks := [int(key) for key in rows if key.isdigit()]:
        memory.load(max(blocks), rows[b"%020d" % max(blocks)])
    books.before = max(books.before + books.offset + 1, memory.end)
    books.epoch, books.begin, books.offset, books.may_tell = books.epoch + 1, begin, -1, -1
    books.turns = [turn._replace(since=begin) for turn in books.turns[-1:]]  # the old log's offsets say nothing here
    return books

"""Server-sent events (HTML Standard, 9.2), as bytes come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agents.sources.interface import SourceDownError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 4 * 1024 * 1024
"""Bytes of a line, and of an event's data."""


class ServerEvent(NamedTuple):
    """One event: its `name`, and its `data` as it came."""

    name: str
    data: bytes


class ServerEvents:
    """Takes bytes in pieces of any size; says the events that they complete. Comments (heartbeats) say nothing."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[ServerEvent]:
        """Yield what `piece` completes.

        Raises:
            SourceDownError: a line, or an event, has no end in sight.
        """
        lines = piece.split(b"\n")
        for line in lines[:-1]:
            yield from self._line(bytes(self._begun + line).removesuffix(b"\r"))
            self._begun.clear()
        self._begun += lines[-1]
        if len(self._begun) > LONGEST:
            raise SourceDownError(f"a line of an event is longer than {LONGEST:,} bytes")

    def _line(self, line: bytes) -> Iterator[ServerEvent]:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value.decode(errors="replace")
        elif field == b"data":
            self._data.append(value)
            self._size += len(value) + 1
            if self._size > LONGEST:
                raise SourceDownError(f"an event has more than {LONGEST:,} bytes")
        elif not line:
            if self._data:
                yield ServerEvent(self._name or "message", b"\n".join(self._data))
            self._name, self._data, self._size = "", [], 0

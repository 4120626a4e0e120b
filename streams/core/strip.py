"""A list that only grows at its end and rests in rows of ROW entries: what a raw partition notes about its past.

Each entry begins with where in the log it was noted, (epoch, offset). After a crash a partition is read again from a
little earlier: what the rows hold already is not noted twice.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import msgspec

ROW = 256

Place = tuple[int, int]
"""(epoch, offset) in the raw partition; compared in this order."""

Entry = TypeVar("Entry", bound=NamedTuple)


class Strip(Generic[Entry]):
    """About the last `capacity` entries; the oldest row goes when there are more. `name` begins the rows' keys."""

    def __init__(self, name: bytes, entry: type[Entry], capacity: int) -> None:
        self.name, self._entry, self._capacity = name, entry, capacity
        self._rows: dict[Place, list[Entry]] = {}
        self._changed: set[Place] = set()
        self._last: Place = (0, -1)

    def add(self, entry: Entry) -> list[Entry] | None:
        """Note an entry; return those that it pushed out. None: it stood there already."""
        at = entry[0]
        if at <= self._last:
            return None
        start = next(reversed(self._rows), None)
        if start is None or len(self._rows[start]) >= ROW:
            start = at
            self._rows[start] = []
        self._rows[start].append(entry)
        self._changed.add(start)
        self._last = at
        if len(self._rows) * ROW <= self._capacity + ROW:
            return []
        oldest = next(iter(self._rows))
        self._changed.add(oldest)
        return self._rows.pop(oldest)

    def reaches(self, at: Place) -> bool:
        """Whether everything that was noted from `at` on still stands."""
        full = len(self._rows) * ROW > self._capacity  # from then on there may be some that went
        return not full or next(iter(self._rows)) <= at

    # -- rows ------------------------------------------------------------------------------------

    def changed_rows(self) -> list[tuple[bytes, bytes | None]]:
        """Return the rows changed since the last call; None for those that went."""
        changed, self._changed = sorted(self._changed), set()
        return [(self.name + b"%010d %020d" % start, self._dump(start)) for start in changed]

    def _dump(self, start: Place) -> bytes | None:
        return msgspec.msgpack.encode(self._rows[start]) if start in self._rows else None

    def load(self, row: bytes) -> list[Entry]:
        """Take back a row, in the order of their keys; return its entries."""
        entries: list[Entry] = msgspec.msgpack.decode(row, type=list[self._entry])  # type: ignore[name-defined]
        self._rows[entries[0][0]] = entries
        self._last = entries[-1][0]
        return entries

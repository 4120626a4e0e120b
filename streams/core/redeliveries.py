"""What one raw partition remembers of the mentions that matched, to tell a redelivery from a replay.

A source may deliver a mention twice, and a worker that was killed reads some again. Both look the
same but for the offset: the same (id, op, revision) at the same offset is a replay and is told
again; at another offset it is a redelivery and is dropped. The memory also knows, for an edit or a
deletion, which brands the mention went to, and for an account's removal, which brands it touched.

Entries rest in blocks of BLOCK, a row each. Where one begins follows from the log alone, so that two workers
of which one was cut off write the same rows. About 150 bytes an entry in memory: parallel arrays, and one dict from an id's hash to its latest entry.
Hashes are 64 bits of BLAKE2b: among a million remembered mentions a new one is taken for another
with a probability of 5e-14.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.records import Mention

BLOCK = 128
NOWHERE = -1


def fingerprint(text: str, key: bytes = b"") -> int:
    """Return 64 bits of a stable hash. With a `key` of up to 64 bytes nobody without it can tell whose hash it is."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8, key=key).digest(), "big")


def version_of(mention: Mention) -> int:
    """Hash op and revision; where the source has no revision, op and what was said."""
    if mention.revision is not None:
        return fingerprint(f"{mention.op}\0{mention.revision}")
    return fingerprint(f"{mention.op}\0\0{mention.title or ''}\0{mention.text or ''}")


class Remembered(NamedTuple):
    """One entry: at which offset it was handled, in which version, which brands it matched, and the hash of its author."""

    offset: int
    version: int
    brands: tuple[str, ...]
    author: int


class _Block:
    """Consecutive entries, ascending by offset. `previous` is the offset of an older entry of the same id."""

    def __init__(self) -> None:
        self.ids, self.versions, self.authors = array("Q"), array("Q"), array("Q")
        self.offsets, self.previous = array("q"), array("q")
        self.brands = array("H")
        self.brand_sets: dict[tuple[str, ...], int] = {}
        self.names: list[tuple[str, ...]] = []
        self.saved = 0

    def _columns(self) -> tuple[array[int], ...]:
        return self.ids, self.versions, self.authors, self.offsets, self.previous, self.brands

    def append(
        self, hashed: int, version: int, author: int, offset: int, previous: int, brands: tuple[str, ...]
    ) -> None:
        number = self.brand_sets.setdefault(brands, len(self.names))
        if number == len(self.names):
            self.names.append(brands)
        for column, value in zip(self._columns(), (hashed, version, author, offset, previous, number), strict=True):
            column.append(value)

    def entry(self, index: int) -> Remembered:
        return Remembered(
            self.offsets[index], self.versions[index], self.names[self.brands[index]], self.authors[index]
        )

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(([column.tobytes() for column in self._columns()], self.names))

    @classmethod
    def load(cls, row: bytes) -> _Block:
        contents, names = msgspec.msgpack.decode(row, type=tuple[list[bytes], list[tuple[str, ...]]])
        block = cls()
        for column, content in zip(block._columns(), contents, strict=True):
            column.frombytes(content)
        block.names = names
        block.brand_sets = {brands: number for number, brands in enumerate(names)}
        block.saved = len(block.ids)
        return block


class Redeliveries:
    """The memory of one raw partition, about `capacity` entries of it; what drops out before is counted in `forgotten`.

    Entries rest under offsets that count on through all logs that the partition has had. `before` is how many the logs
    before this one had: what they told counts as told before everything that stands in this one.
    """

    def __init__(self, capacity: int, author_key: bytes = b"") -> None:
        self._capacity, self._author_key = capacity, author_key
        self._size = 0
        self._starts: list[int] = []
        self._blocks: list[_Block] = []
        self._latest: dict[int, int] = {}
        self._gone: list[int] = []
        self.forgotten = 0
        self.before = 0

    def __len__(self) -> int:
        return self._size

    def first_delivery(self, mention: Mention) -> int | None:
        """The offset at which this very version of this mention was first handled, if it is remembered; below 0, in an earlier log."""
        hashed = fingerprint(mention.id)
        if hashed not in self._latest:
            return None
        version = version_of(mention)
        places = (entry.offset for entry in self._history(hashed) if entry.version == version)
        return min((place - self.before for place in places), default=None)

    def latest(self, mention_id: str) -> Remembered | None:
        """The newest version of a mention that is remembered, at its offset in this log; below 0, in an earlier one."""
        newest = next(self._history(fingerprint(mention_id)), None)
        return newest and newest._replace(offset=newest.offset - self.before)

    def is_author(self, entry: Remembered, author_id: str | None) -> bool:
        """Whether an entry was made for this author, under the key that there is now."""
        return entry.author == self._author_hash(author_id)

    def brands_before(self, mention_id: str, offset: int) -> tuple[str, ...]:
        """The brands that the mention stood under just before `offset`."""
        earlier = (entry for entry in self._history(fingerprint(mention_id)) if entry.offset < offset + self.before)
        return next((entry.brands for entry in earlier), ())

    def brands_of_author(self, author_id: str) -> tuple[str, ...]:
        """Every brand that an account's remembered mentions went to, sorted. Reads the whole memory: some milliseconds."""
        author = fingerprint(author_id, self._author_key)
        found: set[str] = set()
        for block in self._blocks:
            if author in block.authors:
                found.update(*(block.entry(i).brands for i, other in enumerate(block.authors) if other == author))
        return tuple(sorted(found))

    def remember(self, mention: Mention, offset: int, brands: tuple[str, ...]) -> None:
        """Claim this version of this mention for `offset`, which is higher than any before."""
        offset += self.before
        last = self._blocks[-1] if self._blocks else None
        if last is None or len(last.ids) >= BLOCK:
            last = _Block()
            self._blocks.append(last)
            self._starts.append(offset)
        hashed = fingerprint(mention.id)
        author = self._author_hash(mention.author_id)
        last.append(hashed, version_of(mention), author, offset, self._latest.get(hashed, NOWHERE), brands)
        self._latest[hashed] = offset
        self._size += 1
        while self._size > self._capacity and len(self._blocks) > 1:
            self._forget_oldest()

    def _author_hash(self, author_id: str | None) -> int:
        return fingerprint(author_id, self._author_key) if author_id else 0

    def _forget_oldest(self) -> None:
        start, block = self._starts.pop(0), self._blocks.pop(0)
        for hashed, offset in zip(block.ids, block.offsets, strict=True):
            if self._latest.get(hashed) == offset:
                del self._latest[hashed]
        self._size -= len(block.ids)
        self.forgotten += len(block.ids)
        self._gone.append(start)

    def _history(self, hashed: int) -> Iterator[Remembered]:
        """Every remembered version of a mention, newest first."""
        offset = self._latest.get(hashed, NOWHERE)
        while offset != NOWHERE and offset >= self._starts[0]:
            block = self._blocks[bisect_right(self._starts, offset) - 1]
            index = bisect_left(block.offsets, offset)
            yield block.entry(index)
            offset = block.previous[index]

    @property
    def end(self) -> int:
        """How many offsets all logs together had, as far as entries tell."""
        return self._blocks[-1].offsets[-1] + 1 if self._blocks else 0

    # -- rows ------------------------------------------------------------------------------------

    def changed_rows(self) -> list[tuple[int, bytes | None]]:
        """Return blocks written to since the last call, and None for those forgotten, each with its first offset."""
        rows: list[tuple[int, bytes | None]] = [(start, None) for start in self._gone]
        self._gone = []
        for start, block in zip(reversed(self._starts), reversed(self._blocks), strict=True):
            if block.saved == len(block.ids):
                break
            block.saved = len(block.ids)
            rows.append((start, block.dump()))
        return rows

    def load(self, start: int, row: bytes) -> None:
        """Take back a block that `changed_rows` gave; call it in ascending order of `start`."""
        block = _Block.load(row)
        self._starts.append(start)
        self._blocks.append(block)
        self._latest.update(zip(block.ids, block.offsets, strict=True))
        self._size += len(block.ids)

"""Text is split at white space, and what can be said of one chunk is worked out once: usual words come again and again."""

from __future__ import annotations

from typing import TypeVar

V = TypeVar("V")

REMEMBERED_CHUNKS = 50_000
LONGEST_REMEMBERED = 40
"""Code points. Longer ones (links, slips, floods) rarely come again."""


class ChunkMemory(dict[str, V]):
    """What was worked out of each chunk, as a bounded memory: look chunks up in it."""

    def __missing__(self, chunk: str) -> V:
        value = self.work_out(chunk)
        if len(chunk) <= LONGEST_REMEMBERED:
            if len(self) >= REMEMBERED_CHUNKS:
                self.clear()
            self[chunk] = value
        return value

    def work_out(self, chunk: str) -> V:
        """What is to be said of a chunk that is not remembered."""
        raise NotImplementedError

"""What one raw partition remembers so that what was taken away stays away: dead letters, and what is gone.

A dead letter could not be read, so nobody told any brand of it; but its bytes may hold what a later
deletion is about. Intake notes whose each letter may be, and a deletion takes it away with a tombstone. One that
comes only after the deletion is taken away at once. The memory is bounded here as well (LETTERS).

And what is gone must not come back: a mention that is heard only after its deletion, or after its author's
removal, is dropped, if it was witnessed before. What is witnessed later is a new word and is heard. The
memory is bounded (GONE): what comes later still, and was never heard before, is heard.

Only hashes are kept of ids and authors, 64 bits each, never the names; those of authors are keyed, if there is a key.
Under another key authors are strangers: neither are their older letters found, nor is known that they are gone.
"""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.core.redeliveries import fingerprint
from streams.core.strip import Place, Strip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.records import Mention

LETTERS: Final = 10_000
GONE: Final = 20_000
MOST_MARKS = 16
"""Of one letter: a list in one record may name many."""

_NAMED = re.compile(rb'"(id|author_id)"\s*:\s*("(?:[^"\\]|\\.)*")', re.DOTALL)


class _Letter(NamedTuple):
    at: Place
    marks: tuple[int, ...]


class _Gone(NamedTuple):
    at: Place
    mark: int
    until_ms: int


class Removals:
    """One raw partition's memory. Who has not got the `key` cannot guess which authors' the hashes are."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key
        self._letters = Strip(b"letters ", _Letter, LETTERS)
        self._gone = Strip(b"gone ", _Gone, GONE)
        self._letters_of: dict[int, list[Place]] = {}
        self._gone_since: dict[int, list[_Gone]] = {}

    def note_letter(self, at: Place, key: bytes | None, value: bytes | None) -> None:
        """A record was set aside: note whose it may be, as far as its key and bytes tell."""
        letter = _Letter(at, tuple(sorted(self._marks_in(key, value))))
        pushed_out = self._letters.add(letter)
        if pushed_out is not None:
            self._learn_letter(letter)
            self._forget_letters(pushed_out)

    def letters_of(self, removal: Mention, at: Place) -> list[Place]:
        """The places, before `at`, of the letters that a deletion or an account's removal takes away: each is named once.

        After a crash all are named again.
        """
        mark = self._mark_of(removal)
        letters = self._letters_of.pop(mark, [])
        if later := [letter for letter in letters if letter >= at]:
            self._letters_of[mark] = later
        return [letter for letter in letters if letter < at]

    def note_gone(self, removal: Mention, at: Place) -> None:
        """A mention, or all that an account said, is gone."""
        gone = _Gone(at, self._mark_of(removal), int(removal.observed_at.timestamp() * 1000))
        pushed_out = self._gone.add(gone)
        if pushed_out is not None:
            self._learn_gone(gone)
            self._forget_gone(pushed_out)

    def is_letter_gone(self, at: Place, key: bytes | None, value: bytes | None) -> bool:
        """Whether a record that was set aside names a mention or an author who was gone before it came (`at`).

        When it was witnessed nobody can tell, so it counts as witnessed before.
        """
        if not self._gone_since:
            return False
        return any(gone.at < at for mark in self._marks_in(key, value) for gone in self._gone_since.get(mark, ()))

    def is_gone(self, mention: Mention, at: Place) -> bool:
        """Whether it was deleted, or its author removed, before it came (`at`), and after it was witnessed."""
        if not self._gone_since:
            return False
        at_ms = int(mention.observed_at.timestamp() * 1000)
        return any(gone.at < at and at_ms <= gone.until_ms for gone in self._gone_with(mention))

    def took(self, mention: Mention, at: Place) -> bool:
        """Whether it was deleted, or its author removed: after it came (`at`), or before and it had been witnessed by then."""
        at_ms = int(mention.observed_at.timestamp() * 1000)
        return any(gone.at > at or at_ms <= gone.until_ms for gone in self._gone_with(mention))

    def reaches(self, at: Place) -> bool:
        """Whether all that went since `at` is still noted; else nobody here can tell that something stands."""
        return self._gone.reaches(at)

    def _gone_with(self, mention: Mention) -> Iterator[_Gone]:
        marks = [self._mark("id", mention.id)]
        if mention.author_id:
            marks.append(self._mark("author_id", mention.author_id))
        return chain.from_iterable(self._gone_since.get(mark, ()) for mark in marks)

    def _mark(self, kind: str, name: str) -> int:
        return fingerprint(f"{kind}\0{name}", self._key if kind == "author_id" else b"")

    def _marks_in(self, key: bytes | None, value: bytes | None) -> set[int]:
        marks = {self._mark("id", key.decode(errors="replace"))} if key else set()
        for kind, quoted in _NAMED.findall(value or b""):
            marks.add(self._mark(kind.decode(), _unquoted(quoted)))
            if len(marks) >= MOST_MARKS:
                break
        return marks

    def _mark_of(self, removal: Mention) -> int:
        if removal.op == "account_removed":
            return self._mark("author_id", removal.author_id or "")
        return self._mark("id", removal.id)

    def _learn_letter(self, letter: _Letter) -> None:
        for mark in letter.marks:
            self._letters_of.setdefault(mark, []).append(letter.at)

    def _forget_letters(self, letters: Iterable[_Letter]) -> None:
        for letter in letters:
            for mark in letter.marks:
                places = self._letters_of.get(mark, [])
                if letter.at in places:  # it may have been taken away
                    places.remove(letter.at)
                    if not places:
                        del self._letters_of[mark]

    def _learn_gone(self, gone: _Gone) -> None:
        self._gone_since.setdefault(gone.mark, []).append(gone)

    def _forget_gone(self, forgotten: Iterable[_Gone]) -> None:
        for gone in forgotten:
            self._gone_since[gone.mark].remove(gone)
            if not self._gone_since[gone.mark]:
                del self._gone_since[gone.mark]

    # -- rows ------------------------------------------------------------------------------------

    def changed_rows(self) -> list[tuple[bytes, bytes | None]]:
        """Return the rows changed since the last call."""
        return self._letters.changed_rows() + self._gone.changed_rows()

    def load(self, key: bytes, row: bytes) -> bool:
        """Take back a row that `changed_rows` gave, in the order of their keys; False: it is somebody else's."""
        if key.startswith(self._letters.name):
            for letter in self._letters.load(row):
                self._learn_letter(letter)
        elif key.startswith(self._gone.name):
            for gone in self._gone.load(row):
                self._learn_gone(gone)
        else:
            return False
        return True


def _unquoted(quoted: bytes) -> str:
    """Read a JSON string from a record that as a whole could not be read."""
    text = quoted.decode(errors="replace")
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return text[1:-1]

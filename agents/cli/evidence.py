"""What became of each raw record, as the topics themselves say. Pure; of a raw record nothing is kept but the count."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from agents.cli.problems import (
    COLUMNS,
    CONTROL,
    DEAD,
    DUPLICATE,
    MATCHED,
    NAMED,
    PASSED,
    Problem,
    append_time,
    columns,
    names,
)
from agents.cli.tellings import SET_ASIDE, TOLD, what_is
from streams.core.parse import Rejected, parse
from streams.core.redeliveries import fingerprint, version_of
from streams.core.removals import Removals

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from aiokafka.structs import ConsumerRecord

    from agents.cli.tellings import Tellings
    from streams.core.books import Books
    from streams.core.redeliveries import Redeliveries
    from streams.core.strip import Place
    from streams.records import Mention


class Walk:
    """Goes through one raw partition, in order, and puts each record into one class by what was told of it.

    `memory` is what intake remembers: whom each of its mentions ought to have been told to; `removals`,
    what was gone before it came. Up to the offset `expired` tellings are gone from their topics, so those
    records are only counted. Dead letters that came before `letters_since` are gone as well.
    """

    def __init__(
        self,
        partition: int,
        books: Books,
        memory: Redeliveries,
        removals: Removals,
        tellings: Tellings,
        *,
        expired: int,
        letters_since: datetime | None,
        max_future: timedelta,
    ) -> None:
        self.partition, self.books, self.expired = partition, books, expired
        self.first: int | None = None
        self.records = self.unchecked = self._wrong = 0
        self.classes: dict[str, Counter[str]] = {}
        self.either: Counter[str] = Counter()
        self._problems: list[Problem] = []
        self._letters: dict[Place, Problem] = {}
        self._removals, self._replica = removals, Removals()
        self._memory, self._max_future, self._letters_since = memory, max_future, letters_since
        self._brands, self._codes, self._next = tellings.brands, tellings.of((books.epoch, partition)), 0
        self._forgotten: set[int] = set()
        self._forgotten_exits: set[int] = set()

    def take(self, record: ConsumerRecord) -> None:
        """Take the next record."""
        if self.first is None:
            self.first = record.offset
            self._told_of(record.offset - 1)  # what stood before is not looked at
        self.records += 1
        told, removed, letter, orphan = self._told_of(record.offset)
        if orphan is not None:
            self._miss(
                record, None, "?", f"mentions.scored tells of {self.partition}/{orphan}, which raw does not hold"
            )
        if record.offset <= self.expired:
            self.unchecked += 1
            return
        one = parse(record.key, record.value)
        if letter or isinstance(one, Rejected):
            source, what = "unreadable", self._set_aside(record, one, told | removed, letter=letter)
        elif one.op in ("create", "update"):
            source, what = one.source, self._heard(record, one, told, removed)
        else:
            source, what = one.source, self._control(record, one, told, removed)
        if source not in self.books.classes and "other" in self.books.classes:
            source = "other"
        self.classes.setdefault(source, Counter())[what] += 1

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with its records, as far as it is named; `wrong` counts all."""
        return [*self._problems, *self._letters.values()]

    @property
    def wrong(self) -> int:
        """How many records are not accounted for."""
        return self._wrong + len(self._letters)

    def believe_books(self) -> None:
        """Of what may be a duplicate, and had else been passed, only the books know which it is."""
        for source, count in self.either.items():
            found, booked = self.classes[source], columns(self.books.classes.get(source, {}))
            moved = min(count, max(0, booked[DUPLICATE] - found[DUPLICATE]))
            found.update({DUPLICATE: moved, PASSED: -moved})

    def by_class(self) -> dict[str, int]:
        """Records by column, all sources together."""
        found = sum(self.classes.values(), Counter())
        return {name: found[name] for name in COLUMNS}

    def _told_of(self, offset: int) -> tuple[set[str | None], set[str | None], bool, int | None]:
        """What was told of one record: brands that heard it, brands told to remove it, whether it was set aside.

        And the last offset before it, not looked at yet, of which something was told.
        """
        told: set[str | None] = set()
        removed: set[str | None] = set()
        letter, orphan = False, None
        codes = self._codes
        while self._next < len(codes):
            about, number, kind = what_is(codes[self._next])
            if about > offset:
                break
            self._next += 1
            if about < offset:
                orphan = about
            elif kind == SET_ASIDE:
                letter = True
            else:
                (told if kind == TOLD else removed).add(self._brands[number])
        return told, removed, letter, orphan

    def _set_aside(
        self, record: ConsumerRecord, one: Mention | Rejected, told: set[str | None], *, letter: bool
    ) -> str:
        if told:
            self._miss(record, one, DEAD, f"it was set aside, and told to {names(told)} as well")
        elif not letter and isinstance(one, Rejected) and not self._letter_expired(record):
            at = self.books.epoch, record.offset
            if self._replica.is_letter_gone(at, record.key, record.value):
                return DEAD  # taken away at once
            self._letters[at] = Problem.of(
                record, one, DEAD, f"dead-letters holds nothing of it ({one.reason}: {one.detail})"
            )
            self._replica.note_letter(at, record.key, record.value)
        return DEAD

    def _control(self, record: ConsumerRecord, one: Mention, told: set[str | None], removed: set[str | None]) -> str:
        """A deletion reaches somebody always; an account's removal may concern nobody. Both may take dead letters away."""
        at = self.books.epoch, record.offset
        for letter in self._replica.letters_of(one, at):
            self._letters.pop(letter, None)
        self._replica.note_gone(one, at)
        if told:
            self._miss(record, one, CONTROL, f"it says nothing, but was told to {names(told)}")
        if one.op == "delete":
            missing = set[str | None](self._memory.brands_before(one.id, record.offset)) - removed
            if (missing and None not in removed) or not removed:
                self._miss(record, one, CONTROL, f"mentions.scored holds no removal for {names(missing or {None})}")
        return CONTROL

    def _heard(self, record: ConsumerRecord, one: Mention, told: set[str | None], removed: set[str | None]) -> str:
        offset, memory = record.offset, self._memory
        first = memory.first_delivery(one)
        if first == offset:
            self._check_told(record, one, told, removed)
        elif first is not None and first < offset:
            if told:
                self._miss(
                    record, one, DUPLICATE, f"said already at {self.partition}/{first}, but told to {names(told)}"
                )
            return DUPLICATE
        elif told or removed:  # intake has forgotten it, but did not then
            (self._forgotten if told else self._forgotten_exits).add(_version(one))
        elif self._forgotten and _version(one) in self._forgotten:
            return DUPLICATE
        elif self._may_be_duplicate(one, offset):
            self.either[one.source] += 1
        if not told and self._is_ahead(record, one) and not self._letter_expired(record):
            self._miss(record, one, DEAD, "dead-letters holds nothing of it (time_future)")
            return DEAD
        return MATCHED if told else PASSED

    def _may_be_duplicate(self, one: Mention, offset: int) -> bool:
        """It was gone before it came; or repeats an edit that left its brands, and nobody knows when that was forgotten."""
        if self._forgotten_exits and _version(one) in self._forgotten_exits:
            return True
        return any(known.is_gone(one, (self.books.epoch, offset)) for known in (self._replica, self._removals))

    def _check_told(
        self, record: ConsumerRecord, one: Mention, told: set[str | None], removed: set[str | None]
    ) -> None:
        brands = set[str | None](self._memory.brands_before(one.id, record.offset + 1))
        if brands - told:
            self._miss(record, one, MATCHED, f"mentions.scored holds no record of it for {names(brands - told)}")
        if told - brands:
            self._miss(record, one, MATCHED, f"told to {names(told - brands)}, of whom intake knows nothing")
        if one.op == "update":
            left = set[str | None](self._memory.brands_before(one.id, record.offset)) - brands - removed
            if left:
                self._miss(
                    record, one, MATCHED, f"mentions.scored holds no removal for {names(left)}, which it has left"
                )

    def _letter_expired(self, record: ConsumerRecord) -> bool:
        return self._letters_since is not None and append_time(record) < self._letters_since

    def _is_ahead(self, record: ConsumerRecord, one: Mention) -> bool:
        return one.observed_at > append_time(record) + self._max_future

    def _miss(self, record: ConsumerRecord, one: Mention | Rejected | None, what: str, missing: str) -> None:
        self._wrong += 1
        if len(self._problems) < NAMED:
            self._problems.append(Problem.of(record, one, what, missing))


def _version(one: Mention) -> int:
    return fingerprint(one.id) ^ version_of(one)

"""The classes that evidence tells apart, and what is said of a record that is not accounted for."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from streams.core.books import CLASSES
from streams.core.sanitise import one_line
from streams.records import Mention

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiokafka.structs import ConsumerRecord

MATCHED, PASSED, DUPLICATE, DEAD, CONTROL = "matched", "passed", "duplicate", "dead", "control"
COLUMNS: Final = (MATCHED, PASSED, DUPLICATE, DEAD, CONTROL)
"""`passed`: unmatched or excluded; only intake's books know which."""
NAMED: Final = 20
"""Records that are named where more are not accounted for; the others are counted."""


def columns(classes: Mapping[str, int]) -> Counter[str]:
    """Fold intake's classes into COLUMNS."""
    found: Counter[str] = Counter()
    for name in CLASSES:
        found[name if name in COLUMNS else PASSED] += classes.get(name, 0)
    return found


class Problem(NamedTuple):
    """One raw record that is not accounted for, and when that or what was told of it was appended; without: a total."""

    at: datetime | None
    partition: int | None
    offset: int | None
    id: str | None
    kind: str | None
    missing: str

    @classmethod
    def of(cls, record: ConsumerRecord, read: object, kind: str, missing: str) -> Self:
        """About a raw record; `read` is the mention that it holds, or why it cannot be read."""
        known = read.id if isinstance(read, Mention) else (record.key or b"").decode(errors="backslashreplace")
        return cls(append_time(record), record.partition, record.offset, known, kind, missing)

    @classmethod
    def total(cls, missing: str) -> Self:
        """About a sum."""
        return cls(None, None, None, None, None, missing)

    def __str__(self) -> str:
        if self.offset is None:
            return self.missing
        return f"raw {self.partition}/{self.offset}, {one_line(self.id or '', 80)}, {self.kind}: {self.missing}"


def append_time(record: ConsumerRecord) -> datetime:
    """When the broker appended it."""
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)


def names(brands: Iterable[str | None]) -> str:
    """Brands in words; None is everybody."""
    return ", ".join(sorted("everybody" if brand is None else brand for brand in brands))

"""The books of one raw partition: how far it is handled, and its accounts. One row, written last at every checkpoint.

Every raw record falls into exactly one of CLASSES, so that always
received = matched + unmatched + excluded + duplicate + dead + control. A mention that is heard only after its
deletion, or after its author's removal, is a duplicate, too: nobody is told.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  msgspec reads the annotations at run time
from typing import Final, NamedTuple

from msgspec import Struct

from streams.core.pace import Pace

CLASSES: Final = ("matched", "unmatched", "excluded", "duplicate", "dead", "control")
BOOKS_KEY = b"\0books"
"""Keys of this kind come last wherever a partition's rows are written."""
SOURCES: Final = 64
FORMAT = 1


MOST_TURNS: Final = 32
"""A replay needs one or two; the others answer whoever asks how an older mention was judged."""


class Turn(NamedTuple):
    """From the offset `since` on, a version of the rules judges. `number` counts turns, from 1, through all epochs."""

    since: int
    version: str
    number: int


class Books(Struct):
    """How far a raw partition is handled, and what came of it.

    `highest` is the latest observed_at, `told` how far time went on while all was quiet. `classes`
    counts records by source (the first SOURCES of them) and class, `scored` the records told to each brand,
    `heard` is the latest observed_at of each source, `paces` how often it speaks, `turns` say which version of the rules
    judges from which offset on (the last MOST_TURNS of them), and nothing beyond `may_tell` is told before they say so;
    `forgotten` counts the mentions that dropped out of the memory of redeliveries for lack of room. `author_key` tells one
    key from another under which authors were remembered, not what it is. `before` is how many offsets the logs
    of earlier epochs had, `begin` is where this epoch begins. `recent` and `recent_rejected` count the latest records, older ones ever less.
    """

    format: int = FORMAT
    epoch: int = 0
    offset: int = -1
    highest: datetime | None = None
    told: datetime | None = None
    classes: dict[str, dict[str, int]] = {}
    scored: dict[str, int] = {}
    recent: float = 0.0
    recent_rejected: float = 0.0
    heard: dict[str, datetime] = {}
    forgotten: int = 0
    author_key: int | None = None
    before: int = 0
    begin: int = 0
    paces: dict[str, Pace] = {}
    turns: list[Turn] = []
    may_tell: int = -1

    @property
    def rules(self) -> str:
        """The latest version of the rules that judges here; empty: none yet."""
        return self.turns[-1].version if self.turns else ""

    def version_at(self, offset: int) -> str:
        """Return the version that judges an offset; of those before the first turn that is remembered, that one's."""
        return next((turn.version for turn in reversed(self.turns) if turn.since <= offset), self.turns[0].version)

    def turn_to(self, version: str, since: int) -> Turn:
        """From `since` on, of which nothing was judged yet, judge by another version."""
        turn = Turn(since, version, self.turns[-1].number + 1 if self.turns else 1)
        self.turns = [*(one for one in self.turns if one.since < since), turn][-MOST_TURNS:]
        return turn

    def enter(self, offset: int, source: str, what: str, observed_at: datetime | None, window: int) -> None:
        """Enter a record under its class. `window` is about how many records count as recent."""
        if source not in self.classes and len(self.classes) >= SOURCES:
            source = "other"
        self.classes.setdefault(source, dict.fromkeys(CLASSES, 0))[what] += 1
        self.offset = offset
        if observed_at is not None:
            self.heard[source] = max(self.heard.get(source, observed_at), observed_at)
            at_s = observed_at.timestamp()
            if source in self.paces:
                self.paces[source].hear(at_s)
            else:
                self.paces[source] = Pace(at_s)
        keep = 1 - 1 / window
        self.recent = self.recent * keep + 1
        self.recent_rejected = self.recent_rejected * keep + (what == "dead")

    def silent(self) -> tuple[str, ...]:
        """The sources that have fallen silent."""
        time = self.time()
        if time is None:
            return ()
        now_s = time.timestamp()
        return tuple(sorted(source for source, pace in self.paces.items() if pace.is_silent(now_s)))

    def time(self) -> datetime | None:
        """How far the partition's time has come; None: it has never held a mention."""
        if self.highest is None or self.told is None:
            return self.highest
        return max(self.highest, self.told)

"""One rehearsal under one set of rules, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
from msgspec import Struct

from agents.cli.incidents import Incidents
from agents.rehearsal import Rehearsal
from streams.records import Alert, Origin, Time
from streams.topics import ALERTS, DEAD_LETTERS, SCORED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from agents.cli.recorded import Recorded
    from agents.rehearsal import Spoken
    from streams.core.rules import Rules
    from streams.keyed import Watermark
    from streams.outbox import Out
    from streams.settings import Settings


class Told(Struct):
    """Of a record of `mentions.scored`, what is counted here."""

    kind: Literal["mention", "removal", "mark", "rules_changed"]
    origin: Origin
    brand: str | None = None
    observed_at: Time | None = None
    op: str = "create"
    author_role: str = "public"
    late: bool = False


class Refused(NamedTuple):
    """A raw record that is no mention, and why."""

    partition: int
    offset: int
    reason: str
    detail: str


_decode_told = msgspec.json.Decoder(Told).decode
_decode_alert = msgspec.json.Decoder(Alert).decode


class Rehearsed:
    """Runs a rehearsal and keeps what people ask about. `read` are raw records, `matched` those told to some brand."""

    def __init__(self, settings: Settings, rules: Rules, on_alert: Callable[[Alert], object] | None = None) -> None:
        self._rehearsal = Rehearsal(settings, rules)
        self._take = {
            SCORED.full_name(settings): self._count,
            DEAD_LETTERS.full_name(settings): self._set_aside,
            ALERTS.full_name(settings): self._note,
        }
        self._on_alert = on_alert
        self.incidents = Incidents()
        self.read = self.matched = self.late = 0
        self.refused: list[Refused] = []
        self.at_s = 0.0
        self._last: Origin | None = None

    def hear(self, spoken: Sequence[Spoken]) -> None:
        """Take the next raw records."""
        self.read += len(spoken)
        self.at_s = max(self.at_s, *(one.at_s for one in spoken)) if spoken else self.at_s
        self._take_all(self._rehearsal.hear(spoken))

    def end(self, at: datetime | None = None) -> None:
        """Nothing more is said, and time goes on everywhere to the latest that was heard, or to `at` if that is later."""
        self.at_s = max(self.at_s, at.timestamp() if at else 0.0)
        self._take_all(self._rehearsal.end(self.at_s))

    def seed(self, brand: str, marks: Mapping[int, Watermark]) -> Out | None:
        """See `agents.rehearsal.Rehearsal.seed`."""
        return self._rehearsal.seed(brand, marks)

    def _take_all(self, outs: Iterable[Out]) -> None:
        for out in outs:
            if out.value is not None and (take := self._take.get(out.topic)):
                take(out, out.value)

    def _count(self, _: Out, value: bytes) -> None:
        told = _decode_told(value)
        if told.kind != "mention" or told.brand is None or told.observed_at is None:
            return
        if told.origin != self._last:  # one that matched several brands is told to each, one after the other
            self._last = told.origin
            self.matched += 1
            self.late += told.late
        if told.op == "create" and told.author_role == "public" and not told.late:
            self.incidents.hear(told.brand, told.observed_at)

    def _set_aside(self, out: Out, _: bytes) -> None:
        headers = {name: value.decode(errors="replace") for name, value in out.headers}
        place = int(headers["dlq.original-partition"]), int(headers["dlq.original-offset"])
        self.refused.append(Refused(*place, headers["dlq.reason"], headers["dlq.detail"]))

    def _note(self, _: Out, value: bytes) -> None:
        alert = _decode_alert(value)
        self.incidents.note(alert)
        if self._on_alert:
            self._on_alert(alert)


async def rehearse(recorded: Recorded, runs: Sequence[Rehearsed], until: datetime | None = None) -> None:
    """Let every run hear all that was recorded before `until`."""
    async for batch in recorded.batches(until):
        for run in runs:
            run.hear(batch)

"""What a rehearsal told, as a list of incidents; and how two such lists differ. Pure."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from streams.core.severity import graver
from streams.records import Alert  # noqa: TC001  a field's type

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

Change = Literal["added", "removed", "moved"]


class Incident(Struct):
    """One incident: as it fired, as it became a page (if it did), and as it stood last."""

    fired: Alert
    paged: Alert | None
    latest: Alert
    heard: int = 0
    """Public mentions of the brand, up to when it fired or became a page."""

    @property
    def shown(self) -> Alert:
        """What somebody was told first: the page, or the ticket that never became one."""
        return self.paged or self.fired

    @property
    def verdict(self) -> tuple[object, ...]:
        """What a person would notice if it were otherwise: when, how urgent, how grave."""
        return self.shown.at, self.shown.urgency, self.shown.severity, self.latest.severity

    def meets(self, other: Incident) -> bool:
        """Whether both are about the same trouble: one id, or a time in which both were open."""
        if self.fired.id == other.fired.id:
            return True
        ends = [one.latest.resolved_at for one in (self, other)]
        return (
            self.fired.brand == other.fired.brand
            and (ends[1] is None or self.fired.started_at <= ends[1])
            and (ends[0] is None or other.fired.started_at <= ends[0])
        )

    def as_record(self) -> dict[str, Any]:
        """For JSON: the alert as it stood when it paged, else when it fired, and what became of it."""
        latest = self.latest
        return msgspec.to_builtins(self.shown) | {
            "urgency": self.shown.urgency,
            "fired_at": msgspec.to_builtins(self.fired.at),
            "paged_at": msgspec.to_builtins(self.paged and self.paged.at),
            "resolved_at": msgspec.to_builtins(latest.resolved_at),
            "highest_severity": latest.severity,
            "steps": latest.step,
            "heard": self.heard,
        }


class Incidents:
    """Collects the alerts and mentions that a rehearsal tells."""

    def __init__(self) -> None:
        self._by_id: dict[str, Incident] = {}
        self._heard: defaultdict[str, list[datetime]] = defaultdict(list)

    def hear(self, brand: str, observed_at: datetime) -> None:
        """Count a public mention of a brand."""
        insort(self._heard[brand], observed_at)

    def heard(self, brand: str) -> int:
        """How many of its public mentions there were."""
        return len(self._heard[brand])

    def note(self, alert: Alert) -> None:
        """Take the next step of an alert."""
        known = self._by_id.get(alert.id)
        if known is None:
            known = self._by_id[alert.id] = Incident(alert, None, alert)
        known.latest = msgspec.structs.replace(alert, severity=graver(alert.severity, known.latest.severity))
        if known.paged is None and alert.urgency == "page":
            known.paged = alert

    def told(self) -> list[Incident]:
        """Every incident, in the order in which they fired."""
        found = sorted(self._by_id.values(), key=lambda one: (one.fired.at, one.fired.id))
        for one in found:
            one.heard = bisect_right(self._heard[one.fired.brand], one.shown.at)
        return found


class Difference(NamedTuple):
    """One incident that two rehearsals do not have alike; `was` is the old one."""

    change: Change
    now: Incident | None
    was: Incident | None

    def as_record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "change": self.change,
            "now": self.now and self.now.as_record(),
            "was": self.was and self.was.as_record(),
        }


def differences(now: Sequence[Incident], was: Sequence[Incident]) -> Iterator[Difference]:
    """Say what is added, removed and moved: the same incident at another time, or otherwise urgent or severe.

    An incident of one list is paired with the one of the other that has its id, else with the first that was open
    at the same time; each has one partner at most.
    """
    left = list(was)
    partners: dict[str, Incident] = {}
    for same_id in (True, False):
        for one in now:
            fits = (old for old in left if one.meets(old) and (old.fired.id == one.fired.id or not same_id))
            if one.fired.id not in partners and (partner := next(fits, None)):
                partners[one.fired.id] = partner
                left.remove(partner)
    for one in now:
        partner = partners.get(one.fired.id)
        if partner is None:
            yield Difference("added", one, None)
        elif partner.verdict != one.verdict:
            yield Difference("moved", one, partner)
    yield from (Difference("removed", None, old) for old in left)

"""What the rules ask: who wants to be told of what, what detectors must know, and what keeps a finding from paging.

Pure: the same rules give the same policy and plans, and the same finding the same verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from streams.core.detectors import WATCHED
from streams.core.detectors.interface import Plan
from streams.core.severity import SEVERITIES, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.core.calendar import Event
    from streams.core.rules import Rules
    from streams.records import Finding

HAZARD_AUTHORS, HAZARD_WITHIN_S = 3, 86_400
"""What suffices for a hazard whose watch line says no more, or which has none."""

COUNTING = ("volume", "negativity")
"""The detectors whose findings an event's `expect` weighs."""

EBBS = timedelta(minutes=90)
"""After a known event, until a storm that is still on has nothing to do with it: half an hour's window, an hour's quiet."""

LONGEST_TAIL = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Watch:
    """One line of the rules' `watch`. None stands for any brand, any series, any issue; a series may end in *.

    A line about an issue covers its own series, and a brand's findings of which the issue is at least half.
    """

    detector: str
    severity: Severity
    brand: str | None = None
    series: str | None = None
    issue: str | None = None
    cooldown: timedelta | None = None

    def covers(self, finding: Finding) -> bool:
        """Whether a finding is watched by this line."""
        if self.detector != finding.detector or self.brand not in {None, finding.brand}:
            return False
        if self.issue is not None and finding.series == f"issue:{self.issue}":
            return True
        if self.issue is not None and self.issue not in finding.issues:
            return False
        if self.series is None or not self.series.endswith("*"):
            return self.series in {None, finding.series}
        return finding.series.startswith(self.series[:-1])


class Muting(NamedTuple):
    """Why a finding does not page. From `until` on that is no reason any more, if it still goes on; None: it stays one."""

    why: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Policy:
    """Who wants to be told of what, what mutes it, and for how long all must be over before an incident is."""

    watches: tuple[Watch, ...]
    quiet: timedelta = timedelta(minutes=15)
    calendar: tuple[Event, ...] = ()
    zones: Mapping[str, ZoneInfo] = field(default_factory=dict)

    def severity_of(self, finding: Finding) -> Severity | None:
        """Return the least severity such a finding has, or None: record it, alert nobody."""
        return max((watch.severity for watch in self._watching(finding)), key=SEVERITIES.index, default=None)

    def cooldown_of(self, finding: Finding) -> timedelta:
        """For how long it pages no more after it did, unless it is graver: as the most impatient line wants it."""
        return min((watch.cooldown or timedelta() for watch in self._watching(finding)), default=timedelta())

    def muting(self, finding: Finding) -> Muting | None:
        """The known event that keeps a finding from paging.

        What a window still holds of an event counts as the event's.
        """
        seen = finding.evidence
        tail = min(timedelta(seconds=seen.window_s), LONGEST_TAIL)
        zone = self.zones.get(finding.brand, UTC_ZONE)
        for event in self.calendar:
            if finding.detector == "hazard" and not event.hazard:
                continue
            if event.expect is not None and (
                finding.detector not in COUNTING or seen.observed > event.expect * seen.expected
            ):
                continue
            end = event.ends(finding.brand, finding.at, zone) or event.ends(finding.brand, finding.at - tail, zone)
            if end is not None:
                usual = f", of which {event.expect:g} times the usual is expected" if event.expect is not None else ""
                return Muting(f"known event: {event.name}{usual}", end + EBBS)
        return None

    def _watching(self, finding: Finding) -> list[Watch]:
        return [watch for watch in self.watches if watch.covers(finding)]


UTC_ZONE = ZoneInfo("UTC")


def policy_of(rules: Rules) -> Policy:
    """Return what the watch lines and the calendar ask. A hazard without a line is watched as well, as a warning."""
    watches = []
    for line in rules.watch:
        detector, series = WATCHED.get(line.detect, (line.detect, "*"))
        brand, issue = (line.id, None) if line.kind == "brand" else (None, line.id)
        watches.append(Watch(detector, line.severity, brand, series, issue, line.cooldown))
    lines = {(line.kind, line.id) for line in rules.watch if line.detect == "hazard"}
    for one in rules.issues:
        if one.hazard and ("issue", one.id) not in lines:
            watches += [
                Watch("hazard", "warning", of.id, f"issue:{one.id}")
                for of in rules.brands
                if ("brand", of.id) not in lines
            ]
    zones = {brand.id: brand.timezone for brand in rules.brands if brand.timezone is not None}
    return Policy(tuple(watches), calendar=rules.calendar, zones=zones)


def plans_of(rules: Rules) -> dict[str, Plan]:
    """Return what detectors must know of each brand."""
    asked = {
        (line.kind, line.id): (
            line.at_least or HAZARD_AUTHORS,
            int(line.within.total_seconds()) if line.within else HAZARD_WITHIN_S,
        )
        for line in rules.watch
        if line.detect == "hazard"
    }
    usual = HAZARD_AUTHORS, HAZARD_WITHIN_S
    return {
        brand.id: Plan(
            timezone=brand.timezone.key if brand.timezone else "UTC",
            hazards={
                issue.id: asked.get(("issue", issue.id)) or asked.get(("brand", brand.id)) or usual
                for issue in rules.issues
                if issue.hazard and (issue.brands is None or brand.id in issue.brands)
            },
        )
        for brand in rules.brands
    }

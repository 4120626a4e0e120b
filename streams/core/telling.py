"""An alert as findings make it: its id, its title, how grave it is, and what it becomes with one more."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec.structs import replace

from streams.core.sanitise import one_line
from streams.core.severity import Severity, graver, gravity, severity
from streams.records import Alert

if TYPE_CHECKING:
    from datetime import datetime

    from streams.records import Finding

TITLE_LIMIT, TITLE_TERMS = 200, 3


def severity_of(finding: Finding, floor: Severity) -> Severity:
    """How grave a finding is by itself. What is no trouble is never grave."""
    return severity(_gravity(finding), floor) if finding.nature == "trouble" else "info"


def alert_of(finding: Finding, floor: Severity, muted_by: str) -> Alert:
    """The alert that a finding would be by itself; `muted_by` is empty if nothing keeps it from paging."""
    trouble = finding.nature == "trouble"
    return Alert(
        id=alert_id(finding),
        brand=finding.brand,
        status="firing",
        change="fired",
        step=1,
        severity=severity_of(finding, floor),
        title=title(finding),
        started_at=finding.episode,
        at=finding.at,
        detectors=(name_of(finding),),
        evidence=finding.evidence,
        urgency="page" if trouble and not muted_by else "ticket",
        nature=finding.nature,
        muted_by=muted_by if trouble else "",
        gravity=_gravity(finding),
        rules_version=finding.rules_version,
    )


def joined(alert: Alert, told: Alert) -> Alert:
    """Return an incident's alert with a finding's in it: the strongest evidence so far, the highest severity.

    Evidence of trouble is stronger than any other.
    """
    trouble, was_trouble = told.nature == "trouble", alert.nature == "trouble"
    stronger = (trouble, told.evidence.score) >= (was_trouble, alert.evidence.score)
    pages = "page" in {alert.urgency, told.urgency}
    shown = told if stronger else alert
    return changed(
        alert,
        max(alert.at, told.at),
        severity=graver(alert.severity, told.severity),
        detectors=tuple(dict.fromkeys((*alert.detectors, *told.detectors))),
        evidence=shown.evidence,
        title=shown.title,
        rules_version=shown.rules_version,
        urgency="page" if pages else "ticket",
        nature="trouble" if trouble or was_trouble else alert.nature,
        muted_by="" if pages else told.muted_by or alert.muted_by,
        gravity=max(alert.gravity, told.gravity),
    )


def changed(alert: Alert, at: datetime, **fields: object) -> Alert:
    """Return the next step, or the very same alert if nothing in it would differ."""
    if all(getattr(alert, name) == value for name, value in fields.items()):
        return alert
    change = "resolved" if "status" in fields else "updated"
    return replace(alert, step=alert.step + 1, change=change, at=at, **fields)


def alert_id(finding: Finding) -> str:
    """Return the id of the incident that this finding opens: the same whenever it is worked out."""
    start = int(finding.episode.timestamp())
    return sha256(f"{finding.brand}\n{finding.detector}\n{finding.series}\n{start}".encode()).hexdigest()[:16]


def title(finding: Finding) -> str:
    """Say in one line what a person on call needs first: "dell: 34 negative mentions in 30 min, 6 expected"."""
    seen = finding.evidence
    what = f"{_figure(seen.observed)} {_kind(finding)} in {_span(seen.window_s)}"
    return one_line(f"{finding.brand}: {what}, {_figure(seen.expected)} expected", TITLE_LIMIT)


def name_of(finding: Finding) -> str:
    """Detector and series."""
    return f"{finding.detector}/{finding.series}"


def _gravity(finding: Finding) -> float:
    return gravity(finding.evidence, hazard=finding.detector == "hazard")


def _kind(finding: Finding) -> str:
    """Name what was counted: "negative mentions", "people on battery fire", "mentions of flames"."""
    who = "people on" if finding.detector == "hazard" else "mentions of"
    prefix, _, name = finding.series.partition(":")
    if finding.terms:
        return f"{who} {', '.join(finding.terms[:TITLE_TERMS])}"
    if name:
        return f"{who} {name.replace('_', ' ')}"
    return "mentions" if prefix in {"", "all"} else f"{prefix} mentions"


def _figure(number: float) -> str:
    return f"{number:.0f}" if number >= 10 or number == int(number) else f"{number:.1f}"


def _span(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"

"""The life of an alert: findings in, steps of one incident per brand out.

Pure: a function of the brand's state, the finding and event time. The functions change the state
they are given and return what to publish, in order. Whatever was applied before changes nothing
when it is said again.

An incident fires with the first watched finding; whatever is found while it is open joins it; it is
resolved `Policy.quiet` after the last of its episodes was over, so that a burst which ebbs and
returns pages once. An episode belongs to one incident only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from streams.core.sanitise import one_line
from streams.records import Alert

if TYPE_CHECKING:
    from streams.records import Evidence, Finding, Removal

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")

REFRESH = timedelta(minutes=1)
REMEMBERED = timedelta(hours=24)  # after an episode is over, so that a re-sent finding changes nothing
SILENCE = timedelta(days=7)  # then an episode counts as over: its detector was taken out

CRITICAL_SCORE = 30.0  # about one in 10^13 by chance
CRITICAL_AUTHORS = 10  # one angry person with fifty posts is not a crisis
CRITICAL_NEGATIVE_SHARE = 0.5

TITLE_LIMIT = 200

EpisodeKey = tuple[str, str, int]
"""Detector, series, the episode's start in seconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One line of the rules' `watch`. None stands for any brand, any series."""

    detector: str
    severity: Severity
    brand: str | None = None
    series: str | None = None

    def covers(self, brand: str, detector: str, series: str) -> bool:
        """Whether a finding of this kind is watched by this line."""
        return self.detector == detector and self.brand in (None, brand) and self.series in (None, series)


@dataclass(frozen=True, slots=True)
class Policy:
    """Who wants to be told of what, and for how long all must be over before an incident is."""

    watches: tuple[Watch, ...]
    quiet: timedelta = timedelta(minutes=15)

    def severity_of(self, brand: str, detector: str, series: str) -> Severity | None:
        """Return the least severity such a finding has, or None: record it, alert nobody."""
        wanted = [watch.severity for watch in self.watches if watch.covers(brand, detector, series)]
        return max(wanted, key=SEVERITIES.index, default=None)


class Episode(Struct, array_like=True, omit_defaults=True):
    """The last step applied of one episode; `alert` is the incident it belongs to, if any."""

    step: int
    at: datetime
    over: bool = False
    alert: str = ""

    @property
    def end(self) -> datetime:
        """When it was over, or will count as over if nothing more is said."""
        return self.at if self.over else self.at + SILENCE


class BrandAlerts(Struct, array_like=True, omit_defaults=True):
    """A brand's open incident, as last published, and the episodes remembered.

    `forgotten` is the latest time of any episode no longer remembered: an unknown finding that is
    not later can only be a re-send.
    """

    alert: Alert | None = None
    refresh_at: datetime | None = None
    resolve_at: datetime | None = None
    episodes: dict[EpisodeKey, Episode] = {}
    forgotten: datetime | None = None


def on_finding(state: BrandAlerts, finding: Finding, policy: Policy) -> list[Alert]:
    """Apply one finding. An incident that was to be resolved before it is resolved first, told the time or not."""
    key = (finding.detector, finding.series, int(finding.episode.timestamp()))
    known = state.episodes.get(key)
    if known is None:
        if state.forgotten is not None and finding.at <= state.forgotten:
            return []
        known = Episode(step=0, at=finding.at)
    if finding.step <= known.step:
        return []
    resolve_first = state.resolve_at is not None and state.resolve_at <= finding.at
    published = on_time(state, finding.at) if resolve_first else []
    floor = policy.severity_of(finding.brand, finding.detector, finding.series) if finding.state == "open" else None

    incident = known.alert
    if floor is not None and not incident:
        incident = state.alert.id if state.alert else alert_id(finding)
        if state.alert is None:
            published += _publish(state, _fired(incident, finding, floor))
    over = finding.state == "over"
    state.episodes[key] = Episode(finding.step, max(known.at, finding.at), over, incident)
    if state.alert is None or incident != state.alert.id:
        return published

    if floor is not None:
        published += _publish(state, _joined(state.alert, finding, floor))
    ends = (episode.end for episode in state.episodes.values() if episode.alert == incident)
    state.resolve_at = max(ends) + policy.quiet
    return published


def on_removal(state: BrandAlerts, removal: Removal) -> list[Alert]:
    """Take a deleted post, or all of a removed account's, out of the open incident's evidence.

    A resolved alert holds no samples, so there is nothing to take out of it later.
    """
    alert = state.alert
    if alert is None:
        return []
    kept = tuple(sample for sample in alert.evidence.samples if not removal.takes(sample))
    at = max(alert.at, removal.observed_at or alert.at)
    return _publish(state, _changed(alert, at, evidence=replace(alert.evidence, samples=kept)))


def on_rule_removed(state: BrandAlerts, now: datetime | None) -> list[Alert]:
    """The rules do not name the brand any more: resolve what is open, and take every episode for over."""
    if state.episodes:
        latest = max(episode.at for episode in state.episodes.values())
        state.forgotten = max(state.forgotten or latest, latest)
        state.episodes = {}
    if state.alert is None:
        return []
    return _resolve(state, max(now or state.alert.at, state.alert.at), "rule_removed")


def shows(state: BrandAlerts, removal: Removal) -> bool:
    """Whether the open incident's evidence holds what a removal takes away."""
    return state.alert is not None and any(map(removal.takes, state.alert.evidence.samples))


def on_time(state: BrandAlerts, now: datetime) -> list[Alert]:
    """Event time has reached `now`: resolve, else publish again each minute; forget old episodes.

    One long jump leaves the same state as many small steps, and skips only re-publications that a
    later one replaces.
    """
    published = []
    alert = state.alert
    if alert and state.resolve_at and state.resolve_at <= now:
        published += _resolve(state, state.resolve_at, "over")
    elif alert and state.refresh_at and state.refresh_at <= now:
        at = state.refresh_at + (now - state.refresh_at) // REFRESH * REFRESH
        published += _publish(state, replace(alert, change="refreshed", at=at))
    for key, gone_at in _to_forget(state):
        if gone_at <= now:
            at = state.episodes.pop(key).at
            state.forgotten = max(state.forgotten or at, at)
    return published


def due(state: BrandAlerts) -> datetime | None:
    """When `on_time` next has something to do."""
    times = [gone_at for _, gone_at in _to_forget(state)]
    times += [at for at in (state.refresh_at, state.resolve_at) if at]
    return min(times, default=None)


def severity(evidence: Evidence, floor: Severity) -> Severity:
    """Return critical for what is all but impossible by chance, said by many and mostly negative; else `floor`."""
    critical = (
        evidence.score >= CRITICAL_SCORE
        and evidence.authors >= CRITICAL_AUTHORS
        and (evidence.negative_share or 0.0) >= CRITICAL_NEGATIVE_SHARE
    )
    return "critical" if critical else floor


def alert_id(finding: Finding) -> str:
    """Return the id of the incident that this finding opens: the same whenever it is worked out."""
    start = int(finding.episode.timestamp())
    return sha256(f"{finding.brand}\n{finding.detector}\n{finding.series}\n{start}".encode()).hexdigest()[:16]


def title(finding: Finding) -> str:
    """Say in one line what a person on call needs first: "dell: 34 negative mentions in 30 min, 6 expected"."""
    seen = finding.evidence
    what = f"{_figure(seen.observed)} {_kind(finding.series)} in {_span(seen.window_s)}"
    return one_line(f"{finding.brand}: {what}, {_figure(seen.expected)} expected", TITLE_LIMIT)


def _resolve(state: BrandAlerts, at: datetime, because: Literal["over", "rule_removed"]) -> list[Alert]:
    assert state.alert is not None
    bare = replace(state.alert.evidence, samples=())
    done = {"status": "resolved", "resolved_at": at, "resolved_because": because, "evidence": bare}
    published = _publish(state, _changed(state.alert, at, **done))
    state.alert = state.refresh_at = state.resolve_at = None
    return published


def _publish(state: BrandAlerts, alert: Alert) -> list[Alert]:
    if alert is state.alert:
        return []
    state.alert, state.refresh_at = alert, alert.at + REFRESH
    return [alert]


def _fired(incident: str, finding: Finding, floor: Severity) -> Alert:
    return Alert(
        id=incident,
        brand=finding.brand,
        status="firing",
        change="fired",
        step=1,
        severity=severity(finding.evidence, floor),
        title=title(finding),
        started_at=finding.episode,
        at=finding.at,
        detectors=(_name(finding),),
        evidence=finding.evidence,
    )


def _joined(alert: Alert, finding: Finding, floor: Severity) -> Alert:
    """Return the incident with this finding in it: the strongest evidence so far, the highest severity."""
    stronger = finding.evidence.score >= alert.evidence.score
    return _changed(
        alert,
        max(alert.at, finding.at),
        severity=max(alert.severity, severity(finding.evidence, floor), key=SEVERITIES.index),
        detectors=tuple(dict.fromkeys((*alert.detectors, _name(finding)))),
        evidence=finding.evidence if stronger else alert.evidence,
        title=title(finding) if stronger else alert.title,
    )


def _changed(alert: Alert, at: datetime, **fields: object) -> Alert:
    """Return the next step, or the very same alert if nothing in it would differ."""
    if all(getattr(alert, name) == value for name, value in fields.items()):
        return alert
    change = "resolved" if "status" in fields else "updated"
    return replace(alert, step=alert.step + 1, change=change, at=at, **fields)


def _to_forget(state: BrandAlerts) -> list[tuple[EpisodeKey, datetime]]:
    """Return the episodes that are over, and when each is forgotten."""
    return [(key, episode.at + REMEMBERED) for key, episode in state.episodes.items() if episode.over]


def _name(finding: Finding) -> str:
    return f"{finding.detector}/{finding.series}"


def _kind(series: str) -> str:
    """Name a series' mentions: "all", "negative", "issue:battery_fire"."""
    prefix, _, name = series.partition(":")
    if name:
        return f"mentions of {name.replace('_', ' ')}"
    return "mentions" if prefix in ("", "all") else f"{prefix} mentions"


def _figure(number: float) -> str:
    return f"{number:.0f}" if number >= 10 or number == int(number) else f"{number:.1f}"


def _span(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"

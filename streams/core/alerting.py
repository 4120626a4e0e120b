"""The life of alerts: findings in, steps of a brand's incidents out.

Pure: a function of the brand's state, the finding and event time. The functions change the state
they are given and return what to publish, in order. Whatever was applied before changes nothing
when it is said again.

An incident fires with the first watched finding; what belongs to it joins it while it is open (see
`streams.core.incidents`); it is resolved `Policy.quiet` after the last of its episodes was over, so that a burst
which ebbs and returns pages once. An episode belongs to one incident only.

Trouble pages, unless a known event or a cool-down mutes it, or it is only the counts of what is known for a flood;
everything else opens a ticket. A ticket becomes a page, once, with the first finding that pages, or if what was muted
goes on when its reason is gone. A page stays one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from streams.core.incidents import Incident, home
from streams.core.policy import Muting
from streams.core.severity import Severity, graver
from streams.core.telling import alert_of, changed, joined, name_of, severity_of

if TYPE_CHECKING:
    from streams.core.policy import Policy
    from streams.records import Alert, Finding, Removal

REFRESH = timedelta(minutes=1)
REMEMBERED = timedelta(hours=24)  # after an episode is over, so that a re-sent finding changes nothing
SILENCE = timedelta(days=7)  # then an episode counts as over: its detector was taken out
MOST_OPEN = 8
"""Of a brand. One more ends the one that was active least lately, tickets first."""

MOST_PAGED = 64

EpisodeKey = tuple[str, str, int]
"""Detector, series, the episode's start in seconds since 1970 UTC."""


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
    """A brand's open incidents by alert id, and the episodes remembered.

    `forgotten` is the latest time of any episode no longer remembered: an unknown finding that is
    not later can only be a re-send. `paged` says when what (detector/series) was last part of a page, and how grave.
    """

    open: dict[str, Incident] = {}
    episodes: dict[EpisodeKey, Episode] = {}
    forgotten: datetime | None = None
    paged: dict[str, tuple[datetime, Severity]] = {}


def on_finding(state: BrandAlerts, finding: Finding, policy: Policy) -> list[Alert]:
    """Apply one finding. What was to happen before it happens first, told the time or not."""
    key = (finding.detector, finding.series, int(finding.episode.timestamp()))
    known = state.episodes.get(key)
    if known is None:
        if state.forgotten is not None and finding.at <= state.forgotten:
            return []
        known = Episode(step=0, at=finding.at)
    if finding.step <= known.step:
        return []
    published = on_time(state, finding.at) if any(_turns(one) <= finding.at for one in state.open.values()) else []
    floor = policy.severity_of(finding) if finding.state == "open" else None

    incident = state.open.get(known.alert)
    if floor is not None and (incident is not None or not known.alert):
        incident = incident or home(state.open.values(), finding)
        if incident is not None and incident.explains(finding):
            finding = replace(finding, nature="flood")
        muting = _muting(state, finding, severity_of(finding, floor), policy)
        told = alert_of(finding, floor, muting.why if muting else "")
        if incident is not None:
            published += _publish(incident, joined(incident.alert, told))
        else:
            published += [*_make_room(state, finding.at), told]
            incident = state.open[told.id] = Incident(told, finding.at + REFRESH, finding.at, finding.at)
        _note(state, incident, finding, told, muting)
    over = finding.state == "over"
    belongs = incident.alert.id if incident is not None else known.alert
    state.episodes[key] = Episode(finding.step, max(known.at, finding.at), over, belongs)
    if incident is not None:
        ends = (episode.end for episode in state.episodes.values() if episode.alert == incident.alert.id)
        incident.resolve_at = max(ends) + policy.quiet
    return published


def on_removal(state: BrandAlerts, removal: Removal) -> list[Alert]:
    """Take a deleted post, or all of a removed account's, out of the open incidents' evidence.

    A resolved alert holds no samples, so there is nothing to take out of it later.
    """
    published = []
    for incident in state.open.values():
        alert = incident.alert
        kept = tuple(sample for sample in alert.evidence.samples if not removal.takes(sample))
        at = max(alert.at, removal.observed_at or alert.at)
        published += _publish(incident, changed(alert, at, evidence=replace(alert.evidence, samples=kept)))
    return published


def on_rule_removed(state: BrandAlerts, now: datetime | None) -> list[Alert]:
    """The rules do not name the brand any more: resolve what is open, and take every episode for over."""
    if state.episodes:
        latest = max(episode.at for episode in state.episodes.values())
        state.forgotten = max(state.forgotten or latest, latest)
        state.episodes = {}
    published = []
    for incident in list(state.open.values()):
        published += _resolve(state, incident, max(now or incident.alert.at, incident.alert.at), "rule_removed")
    return published


def shows(state: BrandAlerts, removal: Removal) -> bool:
    """Whether an open incident's evidence holds what a removal takes away."""
    return any(removal.takes(sample) for one in state.open.values() for sample in one.alert.evidence.samples)


def on_time(state: BrandAlerts, now: datetime) -> list[Alert]:
    """Event time has reached `now`: resolve, else publish again each minute; forget old episodes.

    One long jump leaves the same state as many small steps, and skips only re-publications that a
    later one replaces.
    """
    published: list[Alert] = []
    for incident in list(state.open.values()):
        if incident.unmute_at and incident.unmute_at <= now and incident.unmute_at < incident.resolve_at:
            alert, at = incident.alert, max(incident.unmute_at, incident.alert.at)
            incident.unmute_at = None
            published += _publish(incident, changed(alert, at, urgency="page", muted_by=""))
            for name in alert.detectors:
                _paged(state, name, at, alert.severity)
        if incident.resolve_at <= now:
            published += _resolve(state, incident, incident.resolve_at, "over")
        elif incident.refresh_at <= now:
            at = incident.refresh_at + (now - incident.refresh_at) // REFRESH * REFRESH
            published += _publish(incident, replace(incident.alert, change="refreshed", at=at))
    for key, gone_at in _to_forget(state):
        if gone_at <= now:
            at = state.episodes.pop(key).at
            state.forgotten = max(state.forgotten or at, at)
    return sorted(published, key=lambda alert: alert.at)


def due(state: BrandAlerts) -> datetime | None:
    """When `on_time` next has something to do."""
    times = [gone_at for _, gone_at in _to_forget(state)]
    times += [min(one.refresh_at, _turns(one)) for one in state.open.values()]
    return min(times, default=None)


def _turns(incident: Incident) -> datetime:
    """When time alone changes what it is."""
    return min(incident.resolve_at, incident.unmute_at or incident.resolve_at)


def _muting(state: BrandAlerts, finding: Finding, severe: Severity, policy: Policy) -> Muting | None:
    """What keeps trouble from paging: a known event, or that it paged not long ago and is no graver now."""
    muting = policy.muting(finding)
    cooldown = policy.cooldown_of(finding)
    paged = state.paged.get(name_of(finding))
    if muting is None and cooldown and paged is not None:
        at, before = paged
        if finding.at - at < cooldown and graver(before, severe) == before:
            muting = Muting(f"cool-down: part of a page at {at:%Y-%m-%d %H:%M} UTC", None)
    return muting


def _note(state: BrandAlerts, incident: Incident, finding: Finding, told: Alert, muting: Muting | None) -> None:
    """Remember what an incident now is about, what was part of a page, and until when a reason not to page holds."""
    incident.take(finding)
    if incident.alert.urgency == "page":
        incident.unmute_at = None
        if told.nature == "trouble":
            _paged(state, name_of(finding), finding.at, told.severity)
    elif told.muted_by and muting is not None:
        incident.unmute_at = muting.until


def _paged(state: BrandAlerts, name: str, at: datetime, severe: Severity) -> None:
    """Note what was part of a page, as grave as it ever was."""
    _, before = state.paged.pop(name, (at, severe))
    state.paged[name] = at, graver(before, severe)
    if len(state.paged) > MOST_PAGED:
        del state.paged[next(iter(state.paged))]


def _make_room(state: BrandAlerts, at: datetime) -> list[Alert]:
    if len(state.open) < MOST_OPEN:
        return []
    ranked = sorted(state.open.values(), key=lambda one: (one.alert.urgency == "page", one.active_at, one.alert.id))
    return _resolve(state, ranked[0], max(at, ranked[0].alert.at), "over")


def _resolve(
    state: BrandAlerts, incident: Incident, at: datetime, because: Literal["over", "rule_removed"]
) -> list[Alert]:
    bare = replace(incident.alert.evidence, samples=())
    del state.open[incident.alert.id]
    done = {"status": "resolved", "resolved_at": at, "resolved_because": because, "evidence": bare}
    return _publish(incident, changed(incident.alert, at, **done))


def _publish(incident: Incident, alert: Alert) -> list[Alert]:
    if alert is incident.alert:
        return []
    incident.alert, incident.refresh_at = alert, alert.at + REFRESH
    return [alert]


def _to_forget(state: BrandAlerts) -> list[tuple[EpisodeKey, datetime]]:
    """Return the episodes that are over, and when each is forgotten."""
    return [(key, episode.at + REMEMBERED) for key, episode in state.episodes.items() if episode.over]

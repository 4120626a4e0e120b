"""What a sink still has to be told about an alert, and when to try: one row per (alert, sink).

Pure, and driven by levels: a row holds the newest step that matters and what the sink has heard so
far; what is owed follows from the two. So a re-send, a refresh or an answer that comes late cannot
make a row say anything twice.

Told are: that it fires, that it got worse (a higher severity, or a page that was a ticket; other updates are for
subscribers of the topic), that it is resolved. One attempt at a time per row; its idempotency key names the alert,
which of these is told, and the sink: the same on every attempt, also by an owner who after a crash
no longer knows from which step the first one was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from streams.core.severity import SEVERITIES, Severity
from streams.records import Alert, Urgency  # noqa: TC001  msgspec reads the annotations at run time

State = Literal["pending", "delivered", "dead", "muted"]
Reason = Literal[
    "due",  # pending: not tried yet
    "retrying",  # pending: tried, without success so far
    "told",  # delivered: the sink knows all that it is owed
    "refused",  # dead: the sink will never take this step
    "gave_up",  # dead: ATTEMPTS without success
    "too_old",  # muted: a replay, or a worker that was away for long; pages nobody
    "over_before_told",  # muted: resolved while the sink had not heard of it
]
Change = Literal["fired", "updated", "resolved"]

BACKOFF_S = (1, 5, 30, 120, 600, 1800, 3600)
ATTEMPTS = 12  # about six hours; the last wait repeats
LONGEST_WAIT_S = 2 * 3600.0  # whatever the other side asks for


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side has it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: worth another attempt, not sooner than `after_s` seconds if the other side said so.

    `maybe_heard`: the answer was lost, so the other side may have it all the same.
    """

    why: str
    after_s: float | None = None
    maybe_heard: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Never: another attempt of this step would fail the same way."""

    why: str


Outcome = Delivered | Retry | Refused


class Delivery(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row. `alert` is the newest step that matters here, without samples once nothing is pending.

    `heard` is the last that the sink took, or ("maybe") may have taken; `heard_severity` and `heard_urgency` go
    with "firing". `detail` is the last failure, in words.
    """

    alert: Alert
    state: State
    reason: Reason
    heard: Literal["nothing", "maybe", "firing", "resolved"] = "nothing"
    heard_severity: Severity = "info"
    heard_urgency: Urgency = "ticket"
    attempt: int = 0
    next_at: datetime | None = None
    detail: str = ""


def key_of(alert: Alert, sink: str) -> str:
    """Return the idempotency key of what `alert` tells one sink: that it fires this severely, or that it is over."""
    fires = alert.severity if alert.urgency == "page" else f"ticket-{alert.severity}"
    return f"{alert.id}.{fires if alert.status == 'firing' else alert.status}.{sink}"


def on_alert(row: Delivery | None, alert: Alert, now: datetime, *, max_age: timedelta) -> Delivery:
    """A step, or a re-publication, was read from `alerts`. Returns `row` itself if nothing changes.

    A newer step takes the place of one not delivered yet and keeps its backoff. What is older than
    `max_age` is muted; only a resolve is not, where the sink believes that the alert still fires. A
    re-publication of a muted step that is young enough revives it: the alert is open now. A dead
    row tries again only for a higher severity, or for the resolve of something heard.
    """
    too_old = now - alert.at > max_age
    if row is None:
        row = Delivery(alert=alert, state="muted", reason="too_old")
    elif alert.step < row.alert.step or (alert.step == row.alert.step and (row.reason != "too_old" or too_old)):
        return row

    worse = _rank(alert.urgency, alert.severity) > _rank(row.alert.urgency, row.alert.severity)
    newer = replace(row, alert=alert)
    change = _owed(newer)
    if change is None:
        told_or_dead = row.heard != "nothing" or row.state == "dead"
        return row if told_or_dead else _settled(newer, "muted", "over_before_told")
    if row.state == "pending":
        return newer
    if row.state == "dead" and change != "resolved" and not worse:
        return row
    if too_old and change != "resolved":
        return _settled(newer, "muted", "too_old")
    return replace(newer, state="pending", reason="due", attempt=0, next_at=now, detail="")


def to_send(row: Delivery) -> Alert:
    """Return the alert as this sink has to hear it now: what it never heard of has "fired".

    Raises:
        ValueError: nothing is pending.
    """
    change = _owed(row)
    if row.state != "pending" or change is None:
        raise ValueError(f"nothing to send for alert {row.alert.id}: {row.state} ({row.reason})")
    return replace(row.alert, change=change)


def on_outcome(row: Delivery, sent: Alert, outcome: Outcome, now: datetime, jitter: float) -> Delivery:
    """An attempt to tell `sent` ended. `row` may have moved on to a newer step meanwhile.

    `jitter` from 0 to 1 makes the wait up to half as long again, so that a sink which comes back is
    not met by everything at once; it never shortens what the other side asked for.
    """
    superseded = sent.step < row.alert.step
    match outcome:
        case Delivered():
            heard: Literal["firing", "resolved"] = "firing" if sent.status == "firing" else "resolved"
            row = replace(
                row, heard=heard, heard_severity=sent.severity, heard_urgency=sent.urgency, attempt=0, detail=""
            )
            if _owed(row) is None:
                return _settled(row, "delivered", "told")
            return replace(row, state="pending", reason="due", next_at=now)
        case Refused(why) if not superseded:
            return _settled(replace(row, attempt=row.attempt + 1, detail=why), "dead", "refused")
        case Refused(why):
            failed = replace(row, attempt=row.attempt + 1, detail=why)
            asked = 0.0
        case Retry(why, after_s, maybe_heard):
            unsure = maybe_heard and row.heard == "nothing"
            failed = replace(row, attempt=row.attempt + 1, detail=why, heard="maybe" if unsure else row.heard)
            asked = min(after_s or 0.0, LONGEST_WAIT_S)
    if _owed(failed) is None:
        return failed
    if failed.attempt >= ATTEMPTS:
        return _settled(failed, "dead", "gave_up")
    wait = max(BACKOFF_S[min(failed.attempt, len(BACKOFF_S)) - 1], asked) * (1 + jitter / 2)
    return replace(failed, state="pending", reason="retrying", next_at=now + timedelta(seconds=wait))


def _owed(row: Delivery) -> Change | None:
    """Return what the sink has not heard yet, delivered or not."""
    if row.alert.status == "resolved":
        return "resolved" if row.heard in ("maybe", "firing") else None
    if row.heard in ("nothing", "maybe"):
        return "fired"
    heard = _rank(row.heard_urgency, row.heard_severity)
    return "updated" if _rank(row.alert.urgency, row.alert.severity) > heard else None


def _rank(urgency: Urgency, severity: Severity) -> tuple[bool, int]:
    return urgency == "page", SEVERITIES.index(severity)


def _settled(row: Delivery, state: State, reason: Reason) -> Delivery:
    """Keep no one's words longer than they are needed."""
    alert = replace(row.alert, evidence=replace(row.alert.evidence, samples=()))
    return replace(row, alert=alert, state=state, reason=reason, next_at=None)

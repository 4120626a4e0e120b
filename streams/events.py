"""CloudEvents 1.0 attributes in Kafka headers (binary mode): a consumer who knows nothing of them still reads plain JSON.

`ce_id` names what happened, not the sending of it: it is the same on a re-send, so a consumer can
drop what it has already seen. All else is constant for each type: when it happened, by which of the three clocks,
and to whom, the value says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from streams.records import Alert, BrandStats, Finding, Mark, Removal, RulesChanged, ScoredMention, SourceState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.outbox import Headers
    from streams.records import Origin

Told = ScoredMention | Removal | Mark | RulesChanged | Finding | BrandStats | Alert | SourceState

TYPES: dict[type, str] = {
    ScoredMention: "groundswell.mention.scored",
    Removal: "groundswell.mention.removed",
    Mark: "groundswell.progress",
    RulesChanged: "groundswell.rules.changed",
    Finding: "groundswell.finding",
    BrandStats: "groundswell.brand-stats",
    Alert: "groundswell.alert",
    SourceState: "groundswell.source",
}
"""What each record is called: `ce_type`."""

SOURCE = "groundswell"
SPECVERSION = "1.0"
CONTENT_TYPE = "application/json"

TRACEPARENT = "traceparent"
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

_CONSTANT: dict[type, Headers] = {
    kind: (
        ("ce_specversion", SPECVERSION.encode()),
        ("ce_type", name.encode()),
        ("ce_source", SOURCE.encode()),
        ("content-type", CONTENT_TYPE.encode()),
    )
    for kind, name in TYPES.items()
}


def headers_of(record: Told) -> Headers:
    """Return the headers of one record."""
    name = _id_of(record)
    if not name.isprintable():
        name = quote(name)  # strangers choose the ids of mentions; no attribute may hold control characters
    return (*_CONSTANT[type(record)], ("ce_id", name.encode()))


def trace_of(headers: Iterable[tuple[str, bytes | None]]) -> Headers:
    """Return the header that names the W3C trace a record belongs to, to be handed on; nothing if none came, or no such thing."""
    given = dict(headers).get(TRACEPARENT)
    return ((TRACEPARENT, given),) if given and _TRACEPARENT.fullmatch(given) else ()


def _id_of(record: Told) -> str:
    match record:
        case ScoredMention(id=mention, brand=brand, origin=origin):
            return f"{mention}/{record.op}/{record.revision or f'{origin.epoch}.{origin.offset}'}/{brand}"
        case Removal(origin=origin):
            return f"removal/{_place(origin)}/{record.brand or '*'}"
        case Mark(origin=origin):
            return f"mark/{_place(origin)}/{record.time.isoformat() if record.time else '-'}"
        case RulesChanged(origin=origin):
            return f"rules/{_place(origin)}/{record.number}/{record.version[:12]}"
        case Finding():
            return f"{record.brand}/{record.detector}/{record.series}/{record.episode.isoformat()}/{record.step}"
        case BrandStats():
            return f"{record.brand}/{record.at.isoformat()}"
        case Alert():
            return f"{record.id}/{record.step}"
        case SourceState():
            return f"{record.key}/{record.at.isoformat()}"


def _place(origin: Origin) -> str:
    return f"{origin.epoch}.{origin.partition}.{origin.offset}"

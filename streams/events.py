"""CloudEvents attributes in Kafka headers (binary mode): a consumer who knows nothing of them still reads plain JSON.

`ce_id` names what happened, not the sending of it: it is the same on a re-send, so a consumer can
drop what it has already seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.records import Alert, BrandStats, Finding, Mark, Removal, ScoredMention, SourceState

if TYPE_CHECKING:
    from streams.outbox import Headers

Told = ScoredMention | Removal | Mark | Finding | BrandStats | Alert | SourceState

_TYPES = {
    ScoredMention: "groundswell.mention.scored",
    Removal: "groundswell.mention.removed",
    Mark: "groundswell.progress",
    Finding: "groundswell.finding",
    BrandStats: "groundswell.brand-stats",
    Alert: "groundswell.alert",
    SourceState: "groundswell.source",
}
_CONSTANT: dict[type, Headers] = {
    kind: (
        ("ce_specversion", b"1.0"),
        ("ce_type", name.encode()),
        ("ce_source", b"groundswell"),
        ("content-type", b"application/json"),
    )
    for kind, name in _TYPES.items()
}


def headers_of(record: Told) -> Headers:
    """Return the headers of one record."""
    return (*_CONSTANT[type(record)], ("ce_id", _id_of(record).encode()))


def _id_of(record: Told) -> str:
    match record:
        case ScoredMention(id=mention, brand=brand, origin=origin):
            return f"{mention}/{record.op}/{record.revision or origin.offset}/{brand}"
        case Removal(origin=origin):
            return f"removal/{origin.epoch}.{origin.partition}.{origin.offset}/{record.brand or '*'}"
        case Mark(origin=origin):
            return f"mark/{origin.partition}/{record.time.isoformat() if record.time else '-'}"
        case Finding():
            return f"{record.brand}/{record.detector}/{record.series}/{record.episode.isoformat()}/{record.step}"
        case BrandStats():
            return f"{record.brand}/{record.at.isoformat()}"
        case Alert():
            return f"{record.id}/{record.step}"
        case SourceState():
            return f"{record.key}/{record.at.isoformat()}"

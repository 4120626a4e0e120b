"""An alert to pass around, where what it says is of no interest."""

from __future__ import annotations

from datetime import UTC, datetime

from streams.records import Alert, Evidence

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def an_alert(**fields) -> Alert:
    """Fired at noon, unless `fields` say otherwise."""
    at = fields.pop("at", NOON)
    usual = {
        "id": "a1",
        "brand": "dell",
        "status": "firing",
        "change": "fired",
        "step": 1,
        "severity": "warning",
        "title": "dell: 34 negative mentions in 30 min, 6 expected",
        "started_at": at,
        "at": at,
        "detectors": ("volume/negative",),
        "evidence": Evidence(window_s=1800, observed=34, expected=6, score=20.0),
    }
    return Alert(**usual | fields)

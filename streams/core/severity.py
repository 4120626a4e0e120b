"""How grave a finding is: one formula, from 0 to 10.

    gravity = 10 * cube root of (size * crowd * anger) * (3 + speed) / 4

    size  = r / (r + 4)              r = (observed - expected) / max(expected, 1)
    crowd = authors / (authors + 20)
    anger = the share of negative mentions; 1 for a hazard, which needs no anger
    speed = 60 / (60 + doubling time in minutes); 0 where it does not grow

Each part runs from 0 to 1 and only ever raises the whole. They are multiplied, because each is needed:
one person with fifty posts is no crisis, nor are a hundred people in good humour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from streams.records import Evidence

Severity = Literal["info", "warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")

CRITICAL_GRAVITY = 6.0
HALF_SIZE, HALF_CROWD, HALF_SPEED_MIN = 4.0, 20.0, 60.0
"""Where each part is one half: five times the expected, 20 authors, a doubling an hour."""


def gravity(evidence: Evidence, *, hazard: bool = False) -> float:
    """Return the formula's value, to a tenth."""
    surplus = max(0.0, evidence.observed - evidence.expected) / max(evidence.expected, 1.0)
    size = surplus / (surplus + HALF_SIZE)
    crowd = evidence.authors / (evidence.authors + HALF_CROWD)
    anger = 1.0 if hazard else evidence.negative_share or 0.0
    speed = 0.0 if evidence.doubling_min is None else HALF_SPEED_MIN / (HALF_SPEED_MIN + evidence.doubling_min)
    return float(round(10 * (size * crowd * anger) ** (1 / 3) * (3 + speed) / 4, 1))


def severity(grave: float, floor: Severity) -> Severity:
    """Return critical from CRITICAL_GRAVITY on, whatever the watch line says; else what the line says."""
    return "critical" if grave >= CRITICAL_GRAVITY else floor


def graver(one: Severity, other: Severity) -> Severity:
    """Return the graver of two."""
    return max(one, other, key=SEVERITIES.index)

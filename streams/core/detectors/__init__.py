"""Every detector, in the order in which they are asked. A new one is one new file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.core.detectors.hazard import HazardDetector
from streams.core.detectors.negativity import NegativityDetector
from streams.core.detectors.terms import TermsDetector
from streams.core.detectors.volume import VolumeDetector

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.core.detectors.interface import Detector

# Each is called with the allowed lateness in seconds.
REGISTRY: tuple[Callable[[int], Detector[Any]], ...] = (
    VolumeDetector,
    NegativityDetector,
    TermsDetector,
    HazardDetector,
)

WATCHED = {word: (one.name, series) for one in (make(0) for make in REGISTRY) for word, series in one.watched.items()}
"""For each word of a rules file's `detect:` that somebody sees, the detector and the series."""

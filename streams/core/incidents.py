"""Which findings belong together: one incident, one page, and two unrelated ones two.

A finding belongs to an open incident of its brand that it is related to: the same issue, a term in common,
or some of the same mentions behind both. One that says only that there is much of the brand, or much that is
negative, joins what was active within the hour. A hazard or a term never joins for the time alone: whatever
else goes on, it has its own page.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from streams.core.redeliveries import fingerprint
from streams.records import Alert  # noqa: TC001  msgspec reads the annotations at run time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.records import Finding

Fact = TypeVar("Fact", str, int)
SAME_TIME = timedelta(hours=1)
SHARED_MENTIONS = 0.3
"""Of the mentions behind a finding, or behind the incident where those are fewer."""

MOST_TERMS, MOST_MENTIONS, MOST_ISSUES = 40, 60, 16
WHOLE = ("all", "negative")
TELLING_LIFT = 4.0
"""A word is what a brand's burst is about if it is said so many times as often as usual."""


class Incident(Struct, array_like=True):
    """An open alert as last published, its times, and what relates findings to it; mentions as hashes.

    From `unmute_at` on what muted it is no reason any more.
    """

    alert: Alert
    refresh_at: datetime
    resolve_at: datetime
    active_at: datetime
    unmute_at: datetime | None = None
    issues: list[str] = []
    terms: list[str] = []
    mentions: list[int] = []

    def take(self, finding: Finding) -> None:
        """Remember what a finding that belongs here is about."""
        self.active_at = max(self.active_at, finding.at)
        self.issues = _latest(self.issues, finding.issues, MOST_ISSUES)
        self.terms = _latest(self.terms, terms_of(finding), MOST_TERMS)
        self.mentions = _latest(self.mentions, map(fingerprint, finding.mentions), MOST_MENTIONS)

    def is_related(self, finding: Finding) -> bool:
        """Whether both are about the same."""
        if not set(self.issues).isdisjoint(finding.issues) or not set(self.terms).isdisjoint(terms_of(finding)):
            return True
        theirs = set(map(fingerprint, finding.mentions))
        fewer = min(len(theirs), len(self.mentions))
        return fewer > 0 and len(theirs.intersection(self.mentions)) >= max(1.0, SHARED_MENTIONS * fewer)

    def explains(self, finding: Finding) -> bool:
        """Whether a count is loud with what is known for a flood. Terms and hazards speak for themselves."""
        return self.alert.nature == "flood" and finding.series in WHOLE and self.is_related(finding)

    def goes_with(self, finding: Finding) -> bool:
        """Whether nothing speaks against it that both are about the same, one of them being about nothing in particular."""
        natures = {self.alert.nature, finding.nature}
        if finding.at - self.active_at > SAME_TIME or not (len(natures) == 1 or "notable" in natures):
            return False
        return finding.series in WHOLE


def home(incidents: Iterable[Incident], finding: Finding) -> Incident | None:
    """The open incident that a finding belongs to: a related one, else by time; of several the one active last."""
    lately = sorted(incidents, key=lambda one: (one.active_at, one.alert.id), reverse=True)
    related = (one for one in lately if one.is_related(finding))
    alongside = (one for one in lately if one.goes_with(finding))
    return next(related, None) or next(alongside, None)


def terms_of(finding: Finding) -> tuple[str, ...]:
    """What a finding is about: what its detector names; for a brand as a whole, what stands out by far."""
    if finding.terms or finding.series not in WHOLE:
        return finding.terms
    return tuple(one.term for one in finding.evidence.terms if one.lift >= TELLING_LIFT)


def _latest(known: list[Fact], more: Iterable[Fact], most: int) -> list[Fact]:
    """Each once, the latest last."""
    each = dict.fromkeys(known) | dict.fromkeys(more)
    return list(each)[-most:]

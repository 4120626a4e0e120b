"""Tells the log: one readable block an alert, safe to show in a terminal."""

from __future__ import annotations

import logging
from datetime import UTC
from typing import TYPE_CHECKING

from agents.notifiers.interface import Delivered
from streams.core.sanitise import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.notifiers.interface import Outcome
    from streams.records import Alert
    from streams.settings import Settings

logger = logging.getLogger("groundswell.alerts")

LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.CRITICAL}
SAMPLES = 5
SHORT, LONG = 80, 280


class LogNotifier:
    """Writes alerts to the logger `groundswell.alerts`, at the level of their severity; tickets and resolves at info."""

    name = "log"

    def __init__(self, settings: Settings) -> None:
        """Needs no setting."""

    async def deliver(self, alert: Alert, key: str) -> Outcome:
        """Write the block; a log always takes it."""
        level = LEVELS[alert.severity] if alert.status == "firing" and alert.urgency == "page" else logging.INFO
        logger.log(level, "%s", describe(alert, key))
        return Delivered()

    async def close(self) -> None:
        """Nothing to let go of."""


def describe(alert: Alert, key: str) -> str:
    """Return the alert as a block of lines; every word that a stranger may have chosen is made safe."""
    seen = alert.evidence
    facts = [f"score {seen.score:.1f}", f"{seen.authors} authors"]
    if seen.negative_share is not None:
        usual = "" if seen.usual_negative_share is None else f" (usually {seen.usual_negative_share:.0%})"
        facts.append(f"{seen.negative_share:.0%} negative{usual}")
    if seen.reach:
        facts.append(f"{seen.reach:,} followers")
    if seen.doubling_min is not None:
        facts.append(f"doubles in {seen.doubling_min:g} min")
    if seen.copies:
        facts.append(f"{seen.copies:.0%} copies")
    lines = [
        f"{alert.change.upper()} [{kind_of(alert)}] {one_line(alert.title, LONG)}",
        f"  since {alert.started_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, seen by {one_line(', '.join(alert.detectors), LONG)}; {key}",
        f"  {', '.join(facts)}",
    ]
    if alert.resolved_because == "rule_removed":
        lines.append("  its brand was taken out of the rules")
    counts = (("issues", seen.issues), ("sources", seen.sources), ("places", seen.places))
    lines += [f"  {name}: {_counts(of)}" for name, of in counts if of]
    if seen.terms:
        lines.append(
            f"  said more than usual: {', '.join(one_line(f'{one.term} ({one.lift:g}x)', SHORT) for one in seen.terms)}"
        )
    if alert.muted_by:
        lines.append(f"  does not page: {one_line(alert.muted_by, LONG)}")
    for sample in seen.samples[:SAMPLES]:
        who = one_line(sample.author_name or "somebody", SHORT)
        where = f" {one_line(sample.url, LONG)}" if sample.url else ""
        lines.append(f"  - {sample.observed_at.astimezone(UTC):%H:%M} {who}: {one_line(sample.text, LONG)}{where}")
    return "\n".join(lines)


def kind_of(alert: Alert) -> str:
    """Say how much it matters: the severity of a page; of a ticket that it is one, and what about."""
    if alert.urgency == "page":
        return alert.severity
    return f"ticket: {'muted ' + alert.severity if alert.nature == 'trouble' else alert.nature}"


def _counts(of: Mapping[str, int]) -> str:
    ranked = sorted(of.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{one_line(name, SHORT)} {count}" for name, count in ranked[:SAMPLES])

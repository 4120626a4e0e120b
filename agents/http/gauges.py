"""What a worker's state says at the moment it is asked: brands, alerts, lag, tables, rules."""

from __future__ import annotations

import platform
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import product
from typing import TYPE_CHECKING

from streams import metrics
from streams.core.intake import rule_names
from streams.core.severity import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from agents.detect import Brand
    from streams.app import GroundswellApp
    from streams.core.rules import Rules
    from streams.keyed import KeyedDesk
    from streams.records import BrandStats

BY_BRAND = (
    metrics.BRAND_MENTIONS,
    metrics.BRAND_NEGATIVE_RATIO,
    metrics.BRAND_WINDOW_MENTIONS,
    metrics.BRAND_EXPECTED_MENTIONS,
    metrics.BRAND_THRESHOLD_MENTIONS,
)

URGENCIES = ("page", "ticket")


class Gauges:
    """Sets gauges from what this worker holds; what it does not hold any more disappears."""

    def __init__(self, app: GroundswellApp) -> None:
        self._app, self._versions = app, app.rulebook.versions
        metrics.BUILD_INFO.labels(version("groundswell"), platform.python_version()).set(1)

    def look(self) -> None:
        """Look at everything, now."""
        now_s = datetime.now(UTC).timestamp()
        for gauge in (*BY_BRAND, metrics.LAG, metrics.TABLE_ROWS, metrics.TABLE_BYTES, metrics.RULES_INFO):
            gauge.clear()
        judging: dict[str, Rules] = {}
        firing = Counter(dict.fromkeys(product(SEVERITIES, URGENCIES), 0))
        for ledger in self._app.ledgers:
            standing = ledger.standing(now_s)
            if standing is not None:
                metrics.LAG.labels(ledger.agent).set(standing.lag_s)
                metrics.TABLE_ROWS.labels(ledger.table).set(standing.rows)
                metrics.TABLE_BYTES.labels(ledger.table).set(standing.bytes)
            for _, desk in ledger.desks():
                if ledger.agent == "intake" and desk.rules is not None:
                    judging[desk.rules.version] = desk.rules
                elif ledger.agent == "detect":
                    self._tell_brands(desk)
                elif ledger.agent == "alerts":
                    alerts = (one.alert for _, state in desk.states() for one in state.alerts.open.values())
                    firing.update((alert.severity, alert.urgency) for alert in alerts)
        for labels, count in firing.items():
            metrics.ALERTS_FIRING.labels(*labels).set(count)
        self._tell_rules(judging.values())

    def _tell_rules(self, judging: Collection[Rules]) -> None:
        for rules in judging:
            metrics.RULES_INFO.labels(rules.ruleset, rules.version[:12]).set(1)
        if current := self._versions.current:
            for kind, written in (("brand", current.brands), ("issue", current.issues), ("watch", current.watch)):
                metrics.RULES.labels(kind).set(len(written))
        if judging:
            known = {rule for rules in judging for rule in rule_names(rules)}
            for counter in (metrics.RULE_MATCHES, metrics.RULE_LAST_MATCH):
                for gone in {sample.labels["rule"] for one in counter.collect() for sample in one.samples} - known:
                    counter.remove(gone)

    def _tell_brands(self, desk: KeyedDesk[Brand]) -> None:
        """Only what rules name may become a label."""
        known = {brand.id for rules in self._named(desk.rules) for brand in rules.brands}
        for brand, state in desk.states():
            if brand in known and state.stats is not None:
                _tell(brand, state.stats)

    def _named(self, version: str) -> Iterator[Rules]:
        """The rules that detection goes by, and those in force, which some of its raw partitions may be judged by already."""
        if version:
            yield self._versions.of(version)
        if self._versions.current:
            yield self._versions.current


def _tell(brand: str, stats: BrandStats) -> None:
    minute = stats.minute
    metrics.BRAND_MENTIONS.labels(brand).set(minute.mentions)
    if minute.mentions:
        metrics.BRAND_NEGATIVE_RATIO.labels(brand).set(minute.negative / minute.mentions)
    for one in stats.expected:
        metrics.BRAND_WINDOW_MENTIONS.labels(brand, one.detector, one.series).set(one.observed)
        metrics.BRAND_EXPECTED_MENTIONS.labels(brand, one.detector, one.series).set(one.expected)
        metrics.BRAND_THRESHOLD_MENTIONS.labels(brand, one.detector, one.series).set(one.high)

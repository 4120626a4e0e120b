"""What a worker's state tells Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY

from agents.detect import Brand
from agents.http.gauges import Gauges
from streams.core.intake import rule_names
from streams.core.rules import load_rules
from streams.core.silence import Ears
from streams.core.tally import Tally
from streams.core.versions import Versions
from streams.ledger import Standing
from streams.logs import Handled
from streams.metrics import RULE_MATCHES
from streams.pages import Page
from streams.records import BrandStats, Expected, Figures

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
RULES = load_rules("ruleset: gauges\nbrands:\n  - {id: acme, match: acme}\n  - {id: hooli, match: hooli}\n")
WITHOUT_HOOLI = load_rules("ruleset: gauges\nbrands:\n  - {id: acme, match: acme}\n")


def ledger(agent: str, states: dict[str, object], standing: Standing | None = None, rules="") -> SimpleNamespace:
    desk = SimpleNamespace(states=lambda: iter(states.items()), rules=rules or None if agent == "intake" else rules)
    return SimpleNamespace(
        agent=agent, table=f"{agent}s", standing=lambda now_s: standing, desks=lambda: iter([(0, desk)])
    )


def brand(mentions: int, negative: int) -> Brand:
    span = {"start": AT, "span_s": 60}
    state = Brand(Tally(), {}, None, Ears())
    state.stats = BrandStats(
        brand="any",
        at=AT,
        minute=Figures(**span, mentions=mentions, negative=negative),
        hour=Figures(**span),
        day=Figures(**span),
        applied=mentions,
        late=0,
        expected=(Expected(detector="volume", series="all", window_s=1800, observed=9, expected=5.5, high=20),),
    )
    return state


def incidents(*alerts: tuple[str, str]) -> SimpleNamespace:
    told = [SimpleNamespace(alert=SimpleNamespace(severity=severity, urgency=urgency)) for severity, urgency in alerts]
    return SimpleNamespace(alerts=SimpleNamespace(open=dict(enumerate(told))))


def looked(*ledgers: SimpleNamespace, versions: Versions | None = None) -> None:
    rulebook = SimpleNamespace(versions=versions or Versions(RULES))
    Gauges(SimpleNamespace(ledgers=list(ledgers), rulebook=rulebook)).look()


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"groundswell_{name}", labels)


def test_a_brand_of_the_rules_has_its_last_closed_minute_and_what_is_usual():
    looked(ledger("detect", {"acme": brand(mentions=8, negative=2)}))
    assert value("brand_mentions", brand="acme") == 8
    assert value("brand_negative_ratio", brand="acme") == 0.25
    series = {"brand": "acme", "detector": "volume", "series": "all"}
    assert value("brand_window_mentions", **series) == 9
    assert value("brand_expected_mentions", **series) == 5.5
    assert value("brand_threshold_mentions", **series) == 20


def test_a_brand_that_the_rules_do_not_name_is_never_a_label():
    looked(ledger("detect", {"evil\nlabel": brand(1, 0), "acme": brand(1, 0)}))
    assert value("brand_mentions", brand="evil\nlabel") is None


def test_a_brand_that_has_moved_to_another_worker_disappears_here():
    looked(ledger("detect", {"acme": brand(1, 1), "hooli": brand(1, 0)}))
    looked(ledger("detect", {"hooli": brand(1, 0)}))
    assert value("brand_mentions", brand="acme") is None
    assert value("brand_negative_ratio", brand="acme") is None
    assert value("brand_mentions", brand="hooli") == 1


def test_a_minute_without_mentions_has_no_negative_share():
    looked(ledger("detect", {"acme": brand(0, 0)}))
    assert value("brand_mentions", brand="acme") == 0
    assert value("brand_negative_ratio", brand="acme") is None


def test_open_alerts_are_counted_by_severity_and_urgency_and_none_is_said_as_0():
    acme = incidents(("critical", "page"), ("warning", "page"), ("warning", "page"), ("info", "ticket"))
    looked(ledger("alerts", {"acme": acme, "hooli": incidents()}))
    pages = [value("alerts_firing", severity=one, urgency="page") for one in ("info", "warning", "critical")]
    assert (pages, value("alerts_firing", severity="info", urgency="ticket")) == ([0, 2, 1], 1)
    looked(ledger("alerts", {}))
    assert value("alerts_firing", severity="critical", urgency="page") == 0


def test_each_table_says_how_large_it_is_here_and_each_agent_how_far_behind():
    looked(ledger("intake", {}, Standing(lag_s=3.5, rows=2, bytes=70)))
    assert (value("lag_seconds", agent="intake"), value("table_rows", table="intakes")) == (3.5, 2)
    assert value("table_bytes", table="intakes") == 70


def test_while_nothing_is_recovered_no_lag_is_made_up():
    looked(ledger("intake", {}, Standing(0, 0, 0)))
    looked(ledger("intake", {}, None))
    assert value("lag_seconds", agent="intake") is None


def test_the_rules_in_use_are_named_and_counted():
    looked(ledger("intake", {}, rules=RULES))
    assert value("rules", kind="brand") == 2
    assert value("rules_info", ruleset="gauges", version=RULES.version[:12]) == 1


def test_what_the_rules_name_no_more_is_no_label_any_more():
    for rule in rule_names(RULES):
        RULE_MATCHES.labels(rule).inc()
    versions = Versions(RULES, WITHOUT_HOOLI)
    states = {"acme": brand(1, 0), "hooli": brand(1, 0)}

    looked(ledger("intake", {}, rules=RULES), ledger("detect", states, rules=RULES.version), versions=versions)
    assert value("brand_mentions", brand="hooli") == value("rule_matches_total", rule="hooli.match") == 1

    desks = ledger("intake", {}, rules=WITHOUT_HOOLI), ledger("detect", states, rules=WITHOUT_HOOLI.version)
    looked(*desks, versions=versions)
    assert value("brand_mentions", brand="hooli") is value("rule_matches_total", rule="hooli.match") is None
    assert value("brand_mentions", brand="acme") == value("rule_matches_total", rule="acme.match") == 1
    assert value("rules_info", ruleset="gauges", version=RULES.version[:12]) is None


# -- how far behind a partition is --------------------------------------------------------------------------------


def page(handled: Handled) -> Page:
    return Page(None, None, 1, 0, handled)


def test_what_waits_came_after_the_last_record_that_was_handled():
    one = page(Handled(41, int(AT.timestamp() * 1000)))
    assert one.lag_s((AT + timedelta(seconds=30)).timestamp(), monotonic_s=1000.0) == 30


def test_what_waits_came_after_the_partition_last_rested_however_long_it_had_been_quiet_before():
    one = page(Handled(41, int(AT.timestamp() * 1000)))
    one.rested_at = 998.0
    assert one.lag_s((AT + timedelta(hours=3)).timestamp(), monotonic_s=1000.0) == 2


def test_a_brokers_clock_that_is_ahead_of_ours_makes_no_negative_lag():
    one = page(Handled(41, int(AT.timestamp() * 1000)))
    assert one.lag_s((AT - timedelta(seconds=30)).timestamp(), monotonic_s=1000.0) == 0


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        ([(b"a", b"12345")], {b"a": 6}),
        ([(b"a", b"12345"), (b"a", b"1")], {b"a": 2}),
        ([(b"a", b"12345"), (b"b", b""), (b"a", None), (b"c", None)], {b"b": 1}),
    ],
)
def test_a_row_counts_as_it_stands_now(rows, sizes):
    one = page(Handled())
    one.measure(rows)
    assert one.sizes == sizes

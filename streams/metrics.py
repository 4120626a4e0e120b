"""Every exported metric: name, unit, labels, and what to do when it moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from streams.core.books import CLASSES
from streams.core.parse import REASONS

if TYPE_CHECKING:
    from datetime import datetime

AGENTS = ("intake", "detect", "alerts", "notify")

STAGES = ("scored", "counted")
ALERT_STAGES = ("published", "delivered")

RULES_REFUSALS = ("unreadable", "unknown", "refused")

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_DELAYS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400)

RECEIVED = Counter("groundswell_mentions_received", "Raw records read; flat while sources speak: is intake running?")
JUDGED = Counter(
    "groundswell_mentions_judged",
    "Raw records by what became of them; the classes add up to received. What came after its deletion is a duplicate.",
    ["class"],
)
DEAD_LETTERS = Counter(
    "groundswell_dead_letters",
    "Raw records set aside, by reason; list them with `groundswell dead-letters list`.",
    ["reason"],
)
FORGOTTEN_EARLY = Counter(
    "groundswell_redelivery_memory_evicted",
    "Mentions forgotten for lack of room; a redelivery would be counted: raise GROUNDSWELL_REMEMBERED_MENTIONS.",
)
APPLIED = Counter("groundswell_mentions_applied", "Scored mentions counted for a brand.")
LATE = Counter(
    "groundswell_mentions_late", "Scored mentions too late for their bucket: is a source replaying old posts?"
)
RESENDS = Counter(
    "groundswell_resends_skipped", "Records skipped as already applied; grows after restarts only.", ["agent"]
)
FINDINGS = Counter("groundswell_findings", "Steps of findings told by detectors.", ["detector"])
ALERT_STEPS = Counter("groundswell_alert_steps", "Alert steps by what changed.", ["change"])
DELIVERIES = Counter(
    "groundswell_notifier_attempts", "Attempts to deliver an alert step, by outcome.", ["notifier", "outcome"]
)
PENDING_DELIVERIES = Gauge(
    "groundswell_notifier_pending", "Alert steps waiting to be delivered; growing: the other side is down."
)
BUNDLE_SECONDS = Histogram(
    "groundswell_bundle_seconds", "One bundle: judged and its outputs acknowledged.", ["agent"], buckets=_SECONDS
)
ROWS_WRITTEN = Counter("groundswell_rows_written", "Table rows written at checkpoints.", ["agent"])
REREAD = Counter(
    "groundswell_bundles_reread",
    "Bundles that did not follow on and were read again; a few after a rebalance.",
    ["topic"],
)
MISSING = Counter(
    "groundswell_records_missing", "Records that expired, or were deleted, before a worker read them.", ["topic"]
)
INGEST_STALLED = Gauge(
    "groundswell_ingest_stalled_seconds",
    "For how long raw records wait and none is handled, or no broker answers; 0 while all is well.",
)

SOURCE_PUBLISHED = Counter(
    "groundswell_source_published", "Records of a source that Kafka has acknowledged; flat: see the state.", ["source"]
)
SOURCE_RECONNECTS = Counter(
    "groundswell_source_reconnects", "Times a source went down and was asked again after a while.", ["source"]
)
SOURCE_GAPS = Counter(
    "groundswell_source_gaps", "Times something may have been missed for good; the log says what.", ["source"]
)
SOURCE_UP = Gauge("groundswell_source_up", "1 while a source is listened to, by what is listened to.", ["listened_to"])

SOURCE_DELAY = Histogram(
    "groundswell_source_delay_seconds",
    "From when the network witnessed a mention until we had it, of a sample that matched; high: the network, or a source that catches up.",
    buckets=_DELAYS,
)
LATENCY = Histogram(
    "groundswell_latency_seconds",
    "Our own: from when we had a mention until it was scored (a sample) or counted; high while a backlog is read.",
    ["stage"],
    buckets=_DELAYS,
)
ALERT_DELAY = Histogram(
    "groundswell_alert_delay_seconds",
    "From the event time at which an alert changed until that was published or delivered; in a replay, the age of what is replayed.",
    ["stage"],
    buckets=_DELAYS,
)
LAG = Gauge(
    "groundswell_lag_seconds",
    "For how long, at most, the oldest record that an agent has not handled has waited; 0: none waits. Absent while tables are recovered.",
    ["agent"],
)
NOTIFIER_FAILURES = Counter(
    "groundswell_notifier_failures", "Attempts to deliver an alert step that failed, for now or for good.", ["notifier"]
)
ALERTS_FIRING = Gauge(
    "groundswell_alerts_firing",
    "Open alerts of this worker's brands, by severity; tickets are not told to pagers.",
    ["severity", "urgency"],
)
BRAND_MENTIONS = Gauge(
    "groundswell_brand_mentions", "Public mentions of a brand in the last closed minute of event time.", ["brand"]
)
BRAND_NEGATIVE_RATIO = Gauge(
    "groundswell_brand_negative_ratio", "Share of them that is negative; absent where there were none.", ["brand"]
)
BRAND_WINDOW_MENTIONS = Gauge(
    "groundswell_brand_window_mentions", "What a detector saw in its window.", ["brand", "detector", "series"]
)
BRAND_EXPECTED_MENTIONS = Gauge(
    "groundswell_brand_expected_mentions",
    "What it takes for usual there; absent while it learns.",
    ["brand", "detector", "series"],
)
BRAND_THRESHOLD_MENTIONS = Gauge(
    "groundswell_brand_threshold_mentions", "From so many on it speaks.", ["brand", "detector", "series"]
)
TABLE_ROWS = Gauge("groundswell_table_rows", "Rows of a table on this worker.", ["table"])
TABLE_BYTES = Gauge(
    "groundswell_table_bytes",
    "Their keys and values, as they stand in the changelog; without RocksDB's own.",
    ["table"],
)
RULES = Gauge("groundswell_rules", "Rules in force for what comes, by kind.", ["kind"])
RULES_INFO = Gauge(
    "groundswell_rules_info",
    "1, for each version of the rules by which a partition of this worker is judged; two for a while after a new one was published.",
    ["ruleset", "version"],
)
RULES_REFUSED = Counter(
    "groundswell_rules_refused",
    "Versions on the topic rules that this worker cannot use, by reason; it keeps the rules that it had.",
    ["reason"],
)
RULE_MATCHES = Counter(
    "groundswell_rule_matches", "Mentions that a rule matched, or took out; 0 for long: it has gone dead.", ["rule"]
)
RULE_LAST_MATCH = Gauge(
    "groundswell_rule_last_match_timestamp_seconds",
    "When a rule was last of use here; absent: never since the start.",
    ["rule"],
)
BUILD_INFO = Gauge("groundswell_build_info", "1, for what runs.", ["version", "python"])


def observe_since(histogram: Histogram, then: datetime, now: datetime) -> None:
    """Observe the seconds from `then` to `now`; clocks that disagree make it 0."""
    histogram.observe(max(0.0, (now - then).total_seconds()))


for _class in CLASSES:
    JUDGED.labels(_class)
for _reason in REASONS:
    DEAD_LETTERS.labels(_reason)
for _agent in AGENTS:
    BUNDLE_SECONDS.labels(_agent)
    ROWS_WRITTEN.labels(_agent)
for _agent in AGENTS[:-1]:  # deliveries are rows by step: a re-send finds its step told
    RESENDS.labels(_agent)
for _stage in STAGES:
    LATENCY.labels(_stage)
for _stage in ALERT_STAGES:
    ALERT_DELAY.labels(_stage)
for _change in ("fired", "updated", "resolved", "refreshed"):
    ALERT_STEPS.labels(_change)

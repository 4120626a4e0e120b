"""Every exported metric: name, unit, labels, and what to do when it moves."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from streams.core.books import CLASSES
from streams.core.parse import REASONS

AGENTS = ("intake", "detect", "alerts", "notify")

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

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

for _class in CLASSES:
    JUDGED.labels(_class)
for _reason in REASONS:
    DEAD_LETTERS.labels(_reason)
for _agent in AGENTS:
    BUNDLE_SECONDS.labels(_agent)
    ROWS_WRITTEN.labels(_agent)
for _agent in AGENTS[:-1]:  # deliveries are rows by step: a re-send finds its step told
    RESENDS.labels(_agent)
for _change in ("fired", "updated", "resolved", "refreshed"):
    ALERT_STEPS.labels(_change)

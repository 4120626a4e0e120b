"""mentions.raw, rules -> mentions.scored, dead-letters.

What every mention needs, in one pass over a bundle: decode, validate, drop redeliveries, match the
rules, score sentiment. The judgement is `streams.core.intake`; here it is only carried to and fro.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from faust.types import TP

from streams import metrics
from streams.core.intake import Intake, Policy, RawRecord, SetAside, TakeAway, ToBrand, rule_names
from streams.core.sentiment import Scorer
from streams.events import headers_of, trace_of
from streams.outbox import Out
from streams.records import Mark, ScoredMention, encode
from streams.tables import SEEN
from streams.topics import DEAD_LETTERS, RAW, SCORED, partition_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aiokafka.structs import ConsumerRecord

    from streams.app import GroundswellApp
    from streams.core.intake import Verdict
    from streams.core.recall import Recall
    from streams.core.rules import Rules
    from streams.outbox import Headers
    from streams.settings import Settings
    from streams.tables import Row

ATTEMPTS = "dlq.attempts"
ORIGINAL_KEY = "dlq.original-key"
LARGEST_KEPT = DEAD_LETTERS.max_bytes - 64 * 1024
MEASURE_ONE_IN = 16
AHEAD_BUNDLES = 10
"""What was told beyond the books is judged alike after a crash, so new rules have to wait for it: not for long."""
LATENCY = metrics.LATENCY.labels("scored")
MARK_EVERY_S = 1.0
MARK_AT_LEAST_EVERY = timedelta(minutes=5)
"""Of event time: while history is read fast, a second of ours is days of its."""


def register(app: GroundswellApp) -> None:
    """Let the worker run intake."""
    settings, score_many, versions = app.groundswell, Scorer().score_many, app.rulebook.versions
    raw = RAW.full_name(settings)
    policy = Policy(
        allowed_lateness=timedelta(seconds=settings.allowed_lateness_s),
        max_future=timedelta(seconds=settings.max_future_s),
        rejected_share=settings.dead_letter_share,
        rejected_window=settings.dead_letter_window,
        remembered=settings.remembered_mentions,
        author_key=settings.author_key_bytes,
        ahead=AHEAD_BUNDLES * settings.bundle_records,
    )

    def open_desk(partition: int, rows: Iterator[tuple[bytes, bytes]]) -> IntakeDesk:
        untold_from = app.consumer.ends[TP(raw, partition)]
        return IntakeDesk(settings, Intake(partition, versions, score_many, policy, rows, untold_from=untold_from))

    async def prepare(desk: IntakeDesk, first: int, records: Sequence[ConsumerRecord]) -> bool:
        return desk.adopt(first, records[-1].offset if records else first - 1)

    app.keep_ledger(reads=RAW, table=SEEN, open_desk=open_desk, prepare=prepare)


class IntakeDesk:
    """One raw partition."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        self._intake = intake
        self._scored, self._dead = SCORED.full_name(settings), DEAD_LETTERS.full_name(settings)
        self._keyed_partitions = SCORED.partitions(settings)
        self._partition_of = cache(lambda brand: partition_of(brand.encode(), self._keyed_partitions))
        self._forgotten = intake.forgotten
        self._marked: Mark | None = None
        self._marked_at_s = float("-inf")
        self._time: datetime | None = None
        self._time_at_s = float("-inf")

    def adopt(self, first: int, last: int) -> bool:
        """From an offset on judge by the rules in force; True: the books must be written before anything up to `last` is told."""
        before = self._intake.books.rules
        must_stand = self._intake.adopt(first, last)
        if (rules := self._intake.rules) and rules.version != before:
            for rule in rule_names(rules):
                metrics.RULE_MATCHES.labels(rule)
        return must_stand

    @property
    def rules(self) -> Rules | None:
        """The version that judges here; None: none yet."""
        return self._intake.rules

    def handle(self, records: Sequence[ConsumerRecord], now_s: float) -> Iterable[Out]:
        """Judge a bundle."""
        verdicts, counts = self._intake.judge([_raw(record) for record in records])
        traces = {record.offset: trace_of(record.headers) for record in records if record.headers}
        outs: list[Out] = []
        for verdict in verdicts:
            match verdict:
                case SetAside():
                    outs.append(self._dead_letter(verdict))
                case TakeAway(letter):
                    outs.append(Out(self._dead, self._intake.partition, self._letter_key(*letter), None))
                case ToBrand():
                    outs.extend(self._tell(verdict, traces.get(verdict.record.origin.offset, ())))
        metrics.RECEIVED.inc(sum(counts.values()))
        metrics.RESENDS.labels("intake").inc(len(records) - sum(counts.values()))
        metrics.FORGOTTEN_EARLY.inc(self._intake.forgotten - self._forgotten)
        self._forgotten = self._intake.forgotten
        for what, count in counts.items():
            metrics.JUDGED.labels(what).inc(count)
        self._measure(verdicts)
        return [*outs, *self._progress(now_s)]

    def covered(self, position: int) -> int:
        """Nothing waits: a bundle is judged as a whole."""
        return position

    def idle(self, now_s: float) -> Iterable[Out]:
        """Read to the end: time goes on by the clock, from how far it had come."""
        time = self._intake.time()
        if time is not None and time == self._time:
            self._intake.quiet_until(time + timedelta(seconds=now_s - self._time_at_s))
        turns = [out for turn in self._intake.turns() for out in self._tell(turn, ())]
        return [*turns, *self._progress(now_s, idle=True)]

    @property
    def recall(self) -> Recall:
        """What became of one mention of this partition."""
        return self._intake.recall

    def changed_rows(self) -> Sequence[Row]:
        """Remembered mentions first, the books last."""
        self._count_rules()
        return self._intake.changed_rows()

    def _progress(self, now_s: float, *, idle: bool = False) -> list[Out]:
        """Tell each keyed partition how far time has come, at most once a second."""
        mark = self._intake.mark(self._intake.time(), idle=idle)
        if mark.time != self._time:
            self._time, self._time_at_s = mark.time, now_s
        if now_s - self._marked_at_s < MARK_EVERY_S and not self._has_jumped(mark):
            return []
        self._marked, self._marked_at_s = mark, now_s
        value, headers = encode(mark), headers_of(mark)
        return [Out(self._scored, partition, None, value, headers) for partition in range(self._keyed_partitions)]

    def _has_jumped(self, mark: Mark) -> bool:
        if self._marked is None or self._marked.time is None or mark.time is None:
            return True
        return mark.time - self._marked.time >= MARK_AT_LEAST_EVERY

    def _measure(self, verdicts: Sequence[Verdict]) -> None:
        """Of a sample: an observation costs as much as some per cent of a mention."""
        now = datetime.now(UTC)
        for verdict in verdicts[::MEASURE_ONE_IN]:
            if (
                isinstance(verdict, ToBrand)
                and isinstance(record := verdict.record, ScoredMention)
                and record.ingested_at
            ):
                metrics.observe_since(metrics.SOURCE_DELAY, record.observed_at, record.ingested_at)
                metrics.observe_since(LATENCY, record.ingested_at, now)

    def _count_rules(self) -> None:
        now_s = datetime.now(UTC).timestamp()
        for rule, count in self._intake.rules_used.items():
            metrics.RULE_MATCHES.labels(rule).inc(count)
            metrics.RULE_LAST_MATCH.labels(rule).set(now_s)
        self._intake.rules_used.clear()

    def _tell(self, verdict: ToBrand, trace: Headers) -> Iterator[Out]:
        brand, record = verdict
        value, headers = encode(record), headers_of(record) + trace
        if brand is not None:
            yield Out(self._scored, self._partition_of(brand), brand.encode(), value, headers)
        else:
            for partition in range(self._keyed_partitions):
                yield Out(self._scored, partition, None, value, headers)

    def _letter_key(self, epoch: int, offset: int) -> bytes:
        """Every letter has a key of its own, so that one tombstone takes one letter away."""
        return f"{epoch}/{self._intake.partition}/{offset}".encode()

    def _dead_letter(self, verdict: SetAside) -> Out:
        record, why = verdict
        metrics.DEAD_LETTERS.labels(why.reason).inc()
        origin = {
            "dlq.reason": why.reason,
            "dlq.detail": why.detail[:1000],
            "dlq.original-partition": str(self._intake.partition),
            "dlq.original-offset": str(record.offset),
            "dlq.original-epoch": str(self._intake.books.epoch),
            "dlq.original-timestamp": record.appended_at.isoformat(),
        }
        headers = tuple((name, text.encode("utf-8", "replace")) for name, text in origin.items())
        if record.key is not None:
            headers += ((ORIGINAL_KEY, record.key),)
        if record.attempts is not None:
            headers += ((ATTEMPTS, record.attempts),)
        value = record.value
        if value is not None and len(value) > LARGEST_KEPT:
            # It came compressed, or raw would not have taken it; there the whole stands for as long as raw is kept.
            headers += (("dlq.original-size", str(len(value)).encode()),)
            value = value[:LARGEST_KEPT]
        key = self._letter_key(self._intake.books.epoch, record.offset)
        # Even a letter of nothing has a value: without one it would be a tombstone.
        return Out(self._dead, self._intake.partition, key, value or b"", headers)


def _raw(record: ConsumerRecord) -> RawRecord:
    appended_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    attempts = dict(record.headers).get(ATTEMPTS) if record.headers else None
    return RawRecord(record.offset, appended_at, record.key, record.value, attempts)

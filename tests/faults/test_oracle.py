"""The judges themselves: what is wrong is seen, and the first record that it is about is named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec

from agents.detect import Detect
from streams.core.books import BOOKS_KEY
from streams.core.intake import Intake, Policy, RawRecord, ToBrand
from streams.core.rules import load_rules
from streams.core.sentiment import Scorer
from streams.core.versions import Versions
from streams.keyed import KeyedDesk
from streams.records import ON_SCORED, encode
from streams.settings import Settings
from tests.core.test_intake import in_force
from tests.faults import oracle, twin
from tests.faults.oracle import Published, Standing, Story
from tests.faults.unrest import Unrest, days_ago

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = Settings(raw_partitions=1, keyed_partitions=1)
POLICY = Policy(timedelta(minutes=15), timedelta(minutes=5), 1.0, 1000, 100_000)


@dataclass
class Record:
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    offset: int = 0
    partition: int = 0
    timestamp: int = 0


def flow(said, appended_at: datetime = NOW) -> tuple[list[Published], Standing]:
    """One partition of each topic, undisturbed: what was published, and what stands afterwards."""
    published = [Published(one, 0, offset) for offset, one in enumerate(said)]
    intake = in_force(Intake(0, Versions(load_rules(oracle.RULES)), Scorer().score_many, POLICY))
    verdicts, _ = intake.judge([RawRecord(one.offset, appended_at, one.said.key, one.said.value) for one in published])
    told = [one for one in verdicts if isinstance(one, ToBrand)]
    scored = [Record(one.brand.encode(), encode(one.record), offset=offset) for offset, one in enumerate(told)]
    letters = [
        Record(
            b"0/0/%d" % one.offset,
            one.said.value or b"",
            (
                ("dlq.original-epoch", b"0"),
                ("dlq.original-partition", b"0"),
                ("dlq.original-offset", b"%d" % one.offset),
                ("dlq.original-key", one.said.key),
            ),
        )
        for one in published
        if one.said.what == "dead"
    ]
    seen = {(0, BOOKS_KEY): msgspec.msgpack.encode(intake.books)}
    return published, Standing(scored, letters, seen, rows(counted(scored)), SETTINGS)


def counted(scored) -> KeyedDesk:
    decode = msgspec.json.Decoder(ON_SCORED).decode
    desk = KeyedDesk(
        Detect(SETTINGS, Versions(), 0), agent="detect", lanes=1, decode=decode, origin_of=lambda value, _: value.origin
    )
    desk.outs = list(desk.handle(scored, 0))
    return desk


def rows(desk: KeyedDesk) -> dict[tuple[int, bytes], bytes]:
    return {(0, key): row for key, row in desk.changed_rows()}


def origin_of(record: Record) -> int:
    return msgspec.json.decode(record.value)["origin"]["offset"]


def test_a_flow_that_nothing_disturbed_is_right():
    published, standing = flow(Story(1, NOW).go_on(500))

    verdict = oracle.judge(published, standing)

    assert (verdict.wrong, verdict.lost, verdict.count_error, verdict.first) == ([], 0, 0, None)


def test_a_mention_that_was_told_to_nobody_is_lost_and_its_path_ends_there():
    published, standing = flow(Story(1, NOW).go_on(500))
    victim = next(one for one in published if one.said.what == "matched" and one.offset > 100)
    kept = [one for one in standing.scored if origin_of(one) != victim.offset]

    verdict = oracle.judge(published, replace(standing, scored=kept))

    assert verdict.lost == len(victim.said.tells)
    assert verdict.first == victim
    assert list(oracle.path(victim, replace(standing, scored=kept)))[2] == "mentions.scored: nothing of it"


def test_a_mention_that_was_told_and_not_counted_is_a_count_error_and_named():
    published, standing = flow(Story(1, NOW).go_on(500))
    last = next(one for one in reversed(published) if one.said.what == "matched")
    uncounted = rows(counted([one for one in standing.scored if origin_of(one) < last.offset]))

    verdict = oracle.judge(published, replace(standing, brands=uncounted))

    assert verdict.count_error == len(last.said.brands)
    assert verdict.first == last


def test_a_finding_that_is_missing_added_or_reads_differently_is_seen():
    story = Unrest(seed=7, begins=days_ago(6), usual_s=60)
    told = [*story.past(), *story.burst("acme"), *story.calm()]
    _, standing = flow(told, datetime.now(UTC))
    spikes = [
        Record(out.key, out.value, out.headers, offset) for offset, out in enumerate(counted(standing.scored).outs)
    ]
    spikes = [one for one in spikes if b'"kind":"finding"' in one.value]
    assert len(spikes) >= 2, "the story raises an alert"

    def differences(log) -> list[str]:
        return [
            one for one in twin.differences(standing.scored, log, [], story.rules, SETTINGS) if one.startswith("spikes")
        ]

    assert differences(spikes) == []
    assert "is missing" in differences(spikes[1:])[0]
    altered = replace(spikes[0], value=spikes[0].value.replace(b'"step":1', b'"step":9'))
    assert "reads" in differences([altered, *spikes[1:]])[0]
    stranger = replace(spikes[0], headers=(("ce_id", b"stranger"),))
    assert "should not be there" in differences([*spikes, stranger])[0]

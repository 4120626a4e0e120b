"""What evidence makes of a raw partition, against what intake itself has booked; no broker."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiokafka.structs import ConsumerRecord

from agents.cli.evidence import Walk
from agents.cli.problems import COLUMNS, columns
from agents.cli.tellings import REMOVED, SET_ASIDE, TOLD, Tellings
from streams.core.books import BOOKS_KEY, Books
from streams.core.intake import Intake, Policy, RawRecord, SetAside, ToBrand
from streams.core.redeliveries import Redeliveries
from streams.core.removals import Removals
from streams.core.rules import load_rules
from streams.core.versions import Versions
from streams.records import Mention, ScoredMention, encode
from tests.core.test_intake import NOW, POLICY, in_force, post, score_many
from tests.faults import oracle
from tests.faults.harness import new_story

if TYPE_CHECKING:
    from collections.abc import Sequence

RULES = load_rules(oracle.RULES)
FEW = 64
LATER = NOW + timedelta(minutes=1)


def walk(records: Sequence[RawRecord], policy: Policy = POLICY, *, letters: bool = True) -> Walk:
    """Let intake judge, then walk over the same records with what it told; without `letters` those are gone."""
    intake, tellings, rows = in_force(Intake(0, Versions(RULES), score_many, policy)), Tellings(), {}
    for start in range(0, len(records), 100):
        verdicts, _ = intake.judge(records[start : start + 100])
        for verdict in verdicts:
            match verdict:
                case SetAside(record=record) if letters:
                    tellings.note((0, 0), record.offset, SET_ASIDE)
                case ToBrand(brand, record):
                    kind = TOLD if isinstance(record, ScoredMention) else REMOVED
                    tellings.note((0, 0), record.origin.offset, kind, brand)
        rows |= dict(intake.changed_rows())
    tellings.settle()
    books, memory, removals = Books(), Redeliveries(policy.remembered), Removals()
    for key, row in sorted(rows.items()):
        if key == BOOKS_KEY:
            books = msgspec.msgpack.decode(row, type=Books)
        elif row is not None and key.isdigit():
            memory.load(int(key), row)
        elif row is not None:
            removals.load(key, row)
    found = Walk(0, books, memory, removals, tellings, expired=-1, letters_since=None, max_future=policy.max_future)
    for one in records:
        found.take(as_consumed(one))
    found.believe_books()
    return found


def as_consumed(one: RawRecord) -> ConsumerRecord:
    at_ms = int(one.appended_at.timestamp() * 1000)
    return ConsumerRecord("mentions.raw", 0, one.offset, at_ms, 1, one.key, one.value, None, 0, 0, ())


def booked(found: Walk) -> dict[str, int]:
    total = sum((columns(classes) for classes in found.books.classes.values()), Counter())
    return {name: total[name] for name in COLUMNS}


def deletion(offset: int, mention_id: str) -> RawRecord:
    gone = Mention(id=mention_id, source="x", observed_at=LATER, op="delete")
    return RawRecord(offset, LATER, gone.id.encode(), encode(gone))


@pytest.mark.parametrize("remembered", [100_000, FEW])
def test_a_whole_story_is_classed_as_intake_booked_it_however_little_it_remembers(remembered):
    policy = POLICY._replace(remembered=remembered, rejected_share=1.0)
    story = new_story(31)
    said = list(story.go_on(4000))
    at = oracle.beginning() + timedelta(minutes=10)
    found = walk([RawRecord(offset, at, one.key, one.value) for offset, one in enumerate(said)], policy)
    assert found.problems == []
    assert found.by_class() == booked(found)
    assert (found.books.forgotten > 0) == (remembered == FEW)


def test_a_dead_letter_that_a_deletion_took_away_is_not_missed_and_any_other_is():
    broken = [RawRecord(offset, NOW, f"x:{offset}".encode(), b'{"text":"acme') for offset in range(3)]
    found = walk([*broken, deletion(3, "x:1")], letters=False)
    assert [one.offset for one in found.problems] == [0, 2]
    assert found.by_class() == booked(found)


def test_what_comes_only_after_its_deletion_is_the_duplicate_that_intake_says_it_is():
    found = walk([deletion(0, "x:9"), post(1, "my acme is bad", as_id="x:9"), post(2, "weather", as_id="x:9")])
    assert found.problems == []
    assert found.by_class() == booked(found) == {"matched": 0, "passed": 1, "duplicate": 1, "dead": 0, "control": 1}

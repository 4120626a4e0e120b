"""Whose a dead letter may be, and that what is gone stays gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import removals
from streams.core.intake import Intake, Policy, RawRecord, SetAside, TakeAway
from streams.core.removals import Removals
from streams.core.rules import load_rules
from streams.core.strip import ROW
from streams.core.versions import Versions
from streams.records import Mention, ScoredMention, Sentiment, encode
from tests.core.test_intake import in_force

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
RULES = load_rules("ruleset: test\nbrands: [{id: dell, role: own, match: dell}]")
POLICY = Policy(timedelta(minutes=15), timedelta(minutes=5), rejected_share=1, rejected_window=100, remembered=10_000)


def intake(rows=(), policy: Policy = POLICY) -> Intake:
    def score_many(texts, *_):
        return [Sentiment(label="neutral") for _ in texts]

    return in_force(Intake(0, Versions(RULES), score_many, policy, rows))


def record(offset: int, key: str, value: bytes) -> RawRecord:
    return RawRecord(offset, NOW, key.encode(), value)


def said(offset: int, mention_id: str, op: str = "create", *, later_s: float = 0, **fields) -> RawRecord:
    at = NOW + timedelta(seconds=later_s)
    text = "my dell" if op in ("create", "update") else None
    mention = Mention(id=mention_id, source="x", op=op, observed_at=at, text=text, **fields)
    return record(offset, mention_id, encode(mention))


def removed(offset: int, author: str, **fields) -> RawRecord:
    return said(offset, f"removal:{author}", "account_removed", author_id=author, **fields)


def letters_taken(verdicts) -> list[tuple[int, int]]:
    return [one.letter for one in verdicts if isinstance(one, TakeAway)]


def told(verdicts) -> list[str]:
    records = [getattr(one, "record", None) for one in verdicts]
    return [one.id for one in records if isinstance(one, ScoredMention)]


# -- dead letters --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unreadable",
    [
        pytest.param(b"", id="by its key"),
        pytest.param(b'{"id": "x:other", "source": 7}', id="by its key, whatever it says"),
        pytest.param(b'{"text": "cut of', id="by its key, cut off"),
    ],
)
def test_the_deletion_of_a_mention_takes_its_dead_letter_away(unreadable):
    verdicts, _ = intake().judge([record(0, "x:1", unreadable), said(1, "x:1", "delete")])
    assert letters_taken(verdicts) == [(0, 0)]


@pytest.mark.parametrize(
    "unreadable",
    [
        pytest.param(b'{"id": "x:1", "author_id": "ann", "source": 7}', id="valid JSON"),
        pytest.param(b'{"author_id" : "ann", "text": "cut of', id="cut off"),
        pytest.param(b'{"author_id":"\\u0061nn"}', id="escaped"),
        pytest.param(b'\xff{"author_id":"ann"}', id="not UTF-8"),
        pytest.param(b'[{"author_id":"bob"},{"author_id":"ann"}]', id="among others"),
    ],
)
def test_the_removal_of_an_account_takes_away_the_letters_that_name_it(unreadable):
    verdicts, counts = intake().judge([record(0, "x:1", unreadable), removed(1, "bab"), removed(2, "ann")])
    assert counts["dead"] == 1
    assert letters_taken(verdicts) == [(0, 0)]


def test_a_letter_of_somebody_else_stays():
    verdicts, _ = intake().judge(
        [record(0, "x:1", b'{"author_id":"bob"}'), removed(1, "ann"), record(2, "x:2", b'{"author_id":"bob"}')]
    )
    assert letters_taken(verdicts) == []


def test_a_letter_is_taken_away_once_however_often_its_deletion_is_told():
    one = intake()
    verdicts, _ = one.judge([record(0, "x:1", b""), said(1, "x:1", "delete"), said(2, "x:1", "delete")])
    assert letters_taken(verdicts) == [(0, 0)]


def test_a_letter_that_was_taken_away_may_drop_out_of_the_memory():
    memory, deletion = Removals(), Mention(id="x:0", source="x", op="delete", observed_at=NOW)
    memory.note_letter((0, 0), b"x:0", None)
    assert memory.letters_of(deletion, (0, 1)) == [(0, 0)]
    for offset in range(1, removals.LETTERS + 2 * ROW):
        memory.note_letter((0, offset), b"x:0" if offset == 1 else b"y", None)
    assert memory.letters_of(deletion, (1, 0)) == []


@pytest.mark.parametrize("gone", [said(0, "x:1", "delete"), removed(0, "ann")], ids=["mention", "author"])
def test_what_comes_unreadable_after_its_deletion_is_told_and_taken_away_at_once(gone):
    verdicts, counts = intake().judge([gone, record(1, "x:1", b'{"author_id":"ann"'), record(2, "x:2", b"{")])
    assert [type(one) for one in verdicts[-3:]] == [SetAside, TakeAway, SetAside]
    assert letters_taken(verdicts) == [(0, 1)]
    assert counts["dead"] == 2


def test_under_another_key_a_mention_is_still_the_same_mention():
    old = intake(policy=POLICY._replace(author_key=b"old"))
    old.judge([record(0, "x:1", b""), said(1, "x:2", "delete")])
    rows = sorted(dict(old.changed_rows()).items())
    verdicts, counts = intake(rows, POLICY._replace(author_key=b"new")).judge(
        [said(2, "x:1", "delete"), said(3, "x:2")]
    )
    assert letters_taken(verdicts) == [(0, 0)]
    assert counts["duplicate"] == 1


def test_what_is_remembered_of_letters_is_bounded_and_the_oldest_goes_first():
    memory = Removals()
    for offset in range(removals.LETTERS + 2 * ROW):
        memory.note_letter((0, offset), b"x:%d" % offset, None)
    gone = [
        memory.letters_of(Mention(id=f"x:{n}", source="x", op="delete", observed_at=NOW), (1, 0)) for n in (0, ROW * 2)
    ]
    assert gone == [[], [(0, ROW * 2)]]
    assert len(dict(memory.changed_rows())) < removals.LETTERS / ROW + 3


def test_neither_letters_nor_what_is_gone_are_remembered_by_name():
    one = intake()
    one.judge([record(0, "x:1", b'{"author_id":"ann-of-the-north"}'), removed(1, "bob-of-the-south")])
    stored = b"".join(row or b"" for _, row in one.changed_rows())
    assert b"ann-of" not in stored
    assert b"bob-of" not in stored


# -- what is gone --------------------------------------------------------------------------------


def test_a_mention_that_is_heard_only_after_its_deletion_is_dropped():
    verdicts, counts = intake().judge(
        [said(0, "x:1", "delete"), said(1, "x:1"), said(2, "x:1", "update", revision="2")]
    )
    assert told(verdicts) == []
    assert counts["duplicate"] == 2


def test_what_a_removed_author_had_said_before_is_dropped_when_it_comes_late():
    verdicts, _ = intake().judge([removed(0, "ann"), said(1, "x:1", author_id="ann"), said(2, "x:2", author_id="bob")])
    assert told(verdicts) == ["x:2"]


def test_what_is_said_after_the_removal_is_a_new_word_and_is_heard():
    verdicts, _ = intake().judge([removed(0, "ann"), said(1, "x:1", later_s=1, author_id="ann")])
    assert told(verdicts) == ["x:1"]


def test_under_another_key_a_removal_goes_to_everybody_because_nobody_knows_whose_the_old_hashes_are():
    rows = {}
    for key, author in ((b"old", "ann"), (b"new", "bob")):
        one = intake(sorted(rows.items()), POLICY._replace(author_key=key))
        one.judge([said(one.books.offset + 1, f"x:{author}", author_id=author)])
        rows |= dict(one.changed_rows())
    verdicts, _ = intake(sorted(rows.items()), POLICY._replace(author_key=b"new")).judge([removed(2, "ann")])
    assert [one.brand for one in verdicts] == [None]


def test_what_was_told_before_a_removal_is_told_again_after_a_crash_though_the_rows_know_of_the_removal_already():
    log = [said(0, "x:1", author_id="ann"), removed(1, "ann")]
    killed = intake()
    killed.judge(log)
    rows = dict(killed.changed_rows()[:-1])  # before the books, which are written last
    verdicts, counts = intake(sorted(rows.items())).judge(log)
    assert told(verdicts) == ["x:1"]
    assert counts["matched"] == 1


STEPS = st.lists(st.tuples(st.sampled_from(["poison", "say", "delete", "remove"]), st.integers(0, 2)), max_size=30)


def step(offset: int, what: str, who: int) -> RawRecord:
    match what:
        case "poison":
            return record(offset, f"x:{who}", b'{"author_id":"a%d"' % who)
        case "say":
            return said(offset, f"x:{offset}", author_id=f"a{who}")
        case "delete":
            return said(offset, f"x:{who}", "delete")
        case _:
            return removed(offset, f"a{who}")


@given(STEPS, st.data())
def test_killed_anywhere_and_read_again_the_same_letters_are_taken_away_and_the_same_is_dropped(steps, data):
    log = [step(offset, *one) for offset, one in enumerate(steps)]
    straight = intake()
    expected, _ = straight.judge(log)
    rows, heard, worker, position = {}, [], intake(), 0
    for _ in range(data.draw(st.integers(0, 4))):
        end = data.draw(st.integers(position, len(log)))
        heard += worker.judge(log[position:end])[0]
        position = end
        killed = data.draw(st.booleans())
        if data.draw(st.booleans()):
            changed = worker.changed_rows()
            written = data.draw(st.integers(0, len(changed))) if killed else len(changed)
            rows |= dict(changed[:written])
        if killed:
            worker = intake(sorted(rows.items()))
            position = data.draw(st.integers(0, worker.books.offset + 1))
    heard += worker.judge(log[position:])[0]
    assert set(map(repr, heard)) == set(map(repr, expected))
    assert worker.books.classes == straight.books.classes
    assert worker.books.scored == straight.books.scored


def test_what_is_noted_again_after_a_crash_is_noted_once():
    memory, deletion = Removals(), Mention(id="x:1", source="x", op="delete", observed_at=NOW)
    for _ in range(2):
        memory.note_letter((0, 7), b"x:1", None)
    assert memory.letters_of(deletion, (0, 8)) == [(0, 7)]


def test_rows_are_read_back_as_they_were_written():
    one = Removals(b"key")
    for offset in range(3 * ROW):
        one.note_letter((0, offset), b"x:%d" % offset, None)
        one.note_gone(Mention(id=f"y:{offset}", source="x", op="delete", observed_at=NOW), (0, offset))
    other = Removals(b"key")
    assert all(other.load(key, row) for key, row in sorted(one.changed_rows()))
    assert not other.load(b"%020d" % 0, msgspec.msgpack.encode(()))
    letter = other.letters_of(Mention(id="x:300", source="x", op="delete", observed_at=NOW), (0, 9999))
    assert letter == [(0, 300)]
    assert other.is_gone(Mention(id="y:700", source="x", observed_at=NOW), (0, 9999))

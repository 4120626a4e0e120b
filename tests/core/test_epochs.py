"""A raw partition goes on in a new log: what it knows of the old one still counts."""

from __future__ import annotations

import msgspec

from streams.core.books import BOOKS_KEY, Books
from streams.core.epochs import begin_epoch
from tests.core.test_intake import intake, post, told


def replaced(one) -> dict[bytes, bytes]:
    """The rows of a partition after its new epoch has begun."""
    rows = dict(one.changed_rows())
    return rows | {BOOKS_KEY: msgspec.msgpack.encode(begin_epoch(rows))}


def reopened(rows: dict[bytes, bytes]):
    return intake(sorted(rows.items()))


def test_accounts_and_time_stay_and_offsets_start_over():
    old = intake()
    old.judge([post(0, "my dell"), post(1, "nice weather"), post(2, "my hp")])
    books, before = begin_epoch(dict(old.changed_rows())), old.books

    assert (books.epoch, books.offset, books.before) == (1, -1, 3)
    assert (books.classes, books.scored, books.highest) == (before.classes, before.scored, before.highest)


def test_a_partition_that_never_held_anything_just_gets_the_next_epoch():
    assert begin_epoch({}) == Books(epoch=1)


def test_what_the_new_log_says_is_heard_from_its_first_offset_on():
    old = intake()
    old.judge([post(0, "my dell"), post(1, "my dell")])
    verdicts, _ = reopened(replaced(old)).judge([post(0, "my dell", as_id="x:new")])

    assert told(verdicts) == [("dell", verdicts[0].record.__class__)]
    assert (verdicts[0].record.origin.epoch, verdicts[0].record.origin.offset) == (1, 0)


def test_what_the_old_log_told_is_a_redelivery_in_the_new_one_at_whatever_offset():
    old = intake()
    old.judge([post(offset, "my dell") for offset in range(5)])
    new = reopened(replaced(old))

    _, counts = new.judge([post(offset, "my dell", as_id=f"x:{4 - offset}") for offset in range(5)])

    assert counts["duplicate"] == 5


def test_an_edit_or_a_deletion_in_the_new_log_reaches_the_brands_of_the_old_one():
    old = intake()
    old.judge([post(3, "my dell", as_id="x:a"), post(4, "my hp", as_id="x:b")])
    new = reopened(replaced(old))

    edited, _ = new.judge([post(0, "my hp", as_id="x:a", op="update", revision="2")])
    deleted, _ = new.judge([post(1, None, as_id="x:b", op="delete")])

    assert [(one.brand, getattr(one.record, "why", "told")) for one in edited] == [
        ("dell", "no_longer_matched"),
        ("hp", "told"),
    ]
    assert [(one.brand, one.record.why) for one in deleted] == [("hp", "deleted")]


def test_a_replay_after_a_crash_in_the_new_log_is_told_again_and_not_taken_for_a_redelivery():
    old = intake()
    old.judge([post(7, "my dell")])
    rows = replaced(old)
    new = reopened(rows)
    first, _ = new.judge([post(0, "my dell", as_id="x:new")])
    remembered = [(key, row) for key, row in new.changed_rows() if key != BOOKS_KEY]  # killed before the books

    again, _ = reopened(rows | dict(remembered)).judge([post(0, "my dell", as_id="x:new")])

    assert again == first


def test_what_was_remembered_ahead_of_the_books_before_a_crash_is_behind_the_new_log_too():
    old = intake()
    old.judge([post(0, "my dell")])
    rows = dict(old.changed_rows())
    old.judge([post(9, "my dell")])
    ahead = {key: row for key, row in old.changed_rows() if key != BOOKS_KEY}

    assert begin_epoch(rows | ahead).before == 10


def test_epochs_add_up():
    one = intake()
    for epoch in range(1, 4):
        one.judge([post(offset, "my dell", as_id=f"x:{epoch}.{offset}") for offset in range(3)])
        one = reopened(replaced(one))
        assert (one.books.epoch, one.books.before) == (epoch, 3 * epoch)
    _, counts = one.judge([post(0, "my dell", as_id="x:1.0"), post(1, "my dell", as_id="x:3.2")])

    assert counts["duplicate"] == 2

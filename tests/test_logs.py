"""Where to go on in a log, and when it is not the one that was read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from streams.logs import CLOCK_SLACK_MS, Extent, Handled, LogReplacedError, Start, check_same, start_of

RAW, SPIKES, ALERTS = (TopicPartition(f"eu.{name}", 2) for name in ("mentions.raw", "spikes", "alerts"))
NEVER = Handled()


def start(begin: int, end: int, committed: int | None, handled: Handled, *, compacted: bool = False) -> Start:
    return start_of(RAW, Extent(begin, end), committed, handled, compacted=compacted)


def compare(handled: Handled, *records: SimpleNamespace) -> None:
    check_same(RAW, handled, records, compacted=False)


def record(offset: int, appended_ms: int) -> SimpleNamespace:
    return SimpleNamespace(offset=offset, timestamp=appended_ms)


def test_it_goes_on_at_the_committed_offset_and_reads_the_record_before_it_once_more():
    assert start(0, 9, 6, Handled(5, 1000)) == Start(position=6, read_from=5)


def test_after_a_crash_before_the_commit_that_record_comes_by_itself():
    assert start(0, 9, 3, Handled(5, 1000)) == Start(3, 3)


def test_without_anything_committed_it_begins_at_the_logs_start():
    assert start(0, 9, None, NEVER) == Start(0, 0)


def test_what_expired_unread_is_counted_and_it_goes_on_at_the_logs_start():
    assert start(8, 9, 6, Handled(5, 1000)) == Start(8, 8, missing=2)
    assert start(8, 8, 8, Handled(5, 1000)) == Start(8, 8), "counted and committed before"


def test_for_one_who_never_read_all_that_expired_is_missing():
    assert start(8, 9, None, NEVER) == Start(8, 8, missing=8)


def test_where_the_broker_forgot_what_was_committed_rows_tell_what_is_missing():
    assert start(8, 9, None, Handled(5, 1000)) == Start(8, 8, missing=2)


def test_in_a_compacted_topic_nothing_is_missing_and_no_record_needs_to_be_there():
    assert start(8, 9, 6, Handled(5, 1000), compacted=True) == Start(8, 8)
    assert start(0, 9, 6, Handled(5, 1000), compacted=True) == Start(6, 6)


@pytest.mark.parametrize(("committed", "handled"), [(6, NEVER), (None, Handled(5, 1000)), (4, Handled(5, 1000))])
def test_a_log_shorter_than_what_was_handled_is_refused(committed, handled):
    with pytest.raises(LogReplacedError, match="ends at 5 in partition 2"):
        start(0, 5, committed, handled)


def test_the_same_records_are_the_same_log():
    compare(Handled(5, 1000), record(4, 990), record(5, 1000), record(6, 99_000))


def test_another_record_in_the_place_of_the_last_one_is_another_log():
    with pytest.raises(LogReplacedError, match="another record at offset 5"):
        compare(Handled(5, 1000), record(4, 990), record(5, 1001))


def test_younger_records_before_the_last_one_are_another_log_but_clocks_may_be_set_back_a_little():
    compare(Handled(5, 1000), record(4, 1000 + CLOCK_SLACK_MS))
    with pytest.raises(LogReplacedError):
        compare(Handled(5, 1000), record(4, 1001 + CLOCK_SLACK_MS))


def test_a_compacted_topic_bears_its_writers_clocks_so_one_that_was_ahead_makes_no_other_log_of_it():
    ahead = [record(4, 9_000_000), record(5, 1001)]
    check_same(ALERTS, Handled(5, 1000), ahead, compacted=True)
    with pytest.raises(LogReplacedError):
        check_same(ALERTS, Handled(5, 1000), ahead, compacted=False)


def test_the_message_names_the_command_for_raw_and_the_prefix_for_other_topics():
    assert "groundswell topics new-epoch" in str(LogReplacedError(RAW.topic, "starts over"))
    assert "GROUNDSWELL_TOPIC_PREFIX" in str(LogReplacedError(SPIKES.topic, "starts over"))

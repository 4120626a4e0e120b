"""Go-back-N: what `accept` lets through, whatever Faust's queues did to the bundles before."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.consumer import Bundle, BundleConsumer
from streams.logs import Handled, LogReplacedError

RAW, ALERTS = TP("mentions.raw", 0), TP("alerts", 0)


def consumer(position: int = 0, tp: TP = RAW) -> BundleConsumer:
    one = BundleConsumer.__new__(BundleConsumer)
    one.app = SimpleNamespace(consumer_generation_id=1, compacted_topics={"alerts"})
    one.positions = {tp: position}
    one.log = logging.getLogger("test")
    one._rewind, one._read_twice, one._to_compare = set(), set(), {}
    return one


def bundle(*offsets: int, after: int | None = None, generation: int = 1, tp: TP = RAW) -> Bundle:
    records = [SimpleNamespace(offset=offset, timestamp=1000) for offset in offsets]
    return Bundle(tp, records, generation, offsets[0] if after is None else after)


def accepted(one: BundleConsumer, some: Bundle) -> list[int]:
    return [record.offset for record in one.accept(some)]


def test_what_follows_on_is_accepted():
    assert accepted(consumer(3), bundle(3, 4, 5)) == [3, 4, 5]


def test_what_was_handled_is_not_handled_again():
    one = consumer(5)

    assert accepted(one, bundle(3, 4)) == []
    assert accepted(one, bundle(3, 4, 5, 6)) == [5, 6]
    assert not one._rewind


def test_a_bundle_that_lost_its_predecessor_is_refused_and_read_again_from_the_right_place():
    one = consumer(3)

    assert accepted(one, bundle(7, 8, after=7)) == []
    assert one._rewind == {RAW}


def test_a_hole_inside_a_bundle_is_read_again_and_believed_the_second_time():
    one = consumer(0)

    assert accepted(one, bundle(0, 1, 5)) == []
    assert accepted(one, bundle(0, 1, 5)) == [0, 1, 5]


def test_in_a_compacted_topic_holes_are_legal_but_a_lost_predecessor_is_not():
    assert accepted(consumer(0, ALERTS), bundle(4, 9, after=0, tp=ALERTS)) == [4, 9]
    assert accepted(consumer(0, ALERTS), bundle(4, 9, after=4, tp=ALERTS)) == []


def test_a_bundle_from_before_a_rebalance_is_ignored():
    one = consumer(0)

    assert accepted(one, bundle(0, 1, generation=0)) == []
    assert not one._rewind


def test_a_bundle_of_a_partition_that_is_no_longer_ours_is_ignored():
    assert accepted(consumer(0), bundle(0, 1, tp=TP("mentions.raw", 3))) == []


def test_a_log_that_starts_over_where_it_was_to_go_on_is_refused():
    """The fetcher was told that its offset is out of range, and began at the start of whatever is there."""
    with pytest.raises(LogReplacedError, match="starts over at 0 in partition 0, where 7 came next"):
        consumer(7).accept(bundle(0, 1, after=7))


def test_the_record_that_was_handled_last_is_read_once_more_and_compared():
    one = consumer(7)
    one._to_compare[RAW] = Handled(6, 1000)

    assert accepted(one, bundle(6, 7, 8)) == [7, 8]

    one._to_compare[RAW] = Handled(6, 999)
    with pytest.raises(LogReplacedError):
        one.accept(bundle(6, 7, 8))


@given(st.integers(1, 30), st.randoms(use_true_random=False))
def test_however_bundles_are_lost_or_cut_everything_is_handled_once_and_in_order(end, chance):
    one = consumer(0)
    handled: list[int] = []
    read_up_to = 0
    while one.positions[RAW] < end:
        if one._rewind or read_up_to >= end:  # the tail was lost: the next assignment reads it again
            one._rewind.clear()
            read_up_to = one.positions[RAW]
        some = bundle(*range(read_up_to, min(end, read_up_to + chance.randint(1, 7))), after=read_up_to)
        read_up_to = some.records[-1].offset + 1
        if chance.random() < 0.75:  # else it is lost on its way
            for offset in accepted(one, some):
                handled.append(offset)
                one.positions[RAW] = offset + 1

    assert handled == list(range(end))


def test_faust_which_sees_no_bundle_pass_is_not_asked_whether_a_stream_hangs():
    one, said = consumer(3), []
    one._thread = SimpleNamespace(verify_event_path=lambda now, tp: said.append(tp))

    one.verify_event_path(1e9, RAW)

    assert not said

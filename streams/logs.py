"""Whether a log is still the one that was read, and where to go on in it.

Beside the rows of a partition stands the last record that was handled before they were written: its
offset, and when the broker appended it. After each assignment that record is read once more. If the log
ends before it, or holds another in its place, the topic was deleted and made anew, and its offsets mean
something else: whoever went on would skip what the new records say.

In a compacted topic only an end before what was handled shows it: its records may be gone, and bear the clocks of
whoever wrote them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.topics import RAW

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiokafka.structs import ConsumerRecord, TopicPartition

CLOCK_SLACK_MS = 5_000
"""A broker's clock may be set back by so much without a log being taken for another."""

NEW_EPOCH = (
    "If it cannot be restored, stop all workers and run `groundswell topics create` and `groundswell topics new-epoch`: "
    "counts stay, and go on with the new log."
)
NEW_PREFIX = (
    "What is counted belongs to the old log: restore the topic, or start anew with another GROUNDSWELL_TOPIC_PREFIX."
)


class LogReplacedError(Exception):
    """A topic is not the one that was read so far. `found` says what shows it; the message, what to do."""

    def __init__(self, topic: str, found: str) -> None:
        remedy = NEW_EPOCH if topic.endswith(RAW.name) else NEW_PREFIX
        super().__init__(f"{topic} {found}: it was deleted and made anew, or cut off. {remedy}")


class Handled(NamedTuple):
    """The last record that was handled: its offset, and when it was appended, ms since 1970; -1 and -1: none."""

    offset: int = -1
    appended_ms: int = -1


class Extent(NamedTuple):
    """What a log holds: from offset `begin` up to, and without, `end`."""

    begin: int
    end: int


class Start(NamedTuple):
    """`position` is wanted next, `read_from` is where to read, `missing` counts what expired unread."""

    position: int
    read_from: int
    missing: int = 0


def start_of(tp: TopicPartition, log: Extent, committed: int | None, handled: Handled, *, compacted: bool) -> Start:
    """Where to go on. In a compacted topic nothing counts as missing, and the last record may be gone.

    Raises:
        LogReplacedError: the log ends before what was handled.
    """
    if committed is not None and committed > log.end:
        raise LogReplacedError(
            tp.topic, f"ends at {log.end} in partition {tp.partition}, but offsets up to {committed} were handled"
        )
    if handled.offset >= log.end:
        raise LogReplacedError(
            tp.topic,
            f"ends at {log.end} in partition {tp.partition}, but the record at offset {handled.offset} was handled",
        )
    position = max(committed or 0, log.begin)
    if compacted:
        return Start(position, position)
    missing = max(0, log.begin - (committed or handled.offset + 1))
    again = log.begin <= handled.offset < position
    return Start(position, handled.offset if again else position, missing)


def check_same(tp: TopicPartition, handled: Handled, records: Iterable[ConsumerRecord], *, compacted: bool) -> None:
    """Compare what a log holds up to the last record handled with what stood there; a compacted topic's says nothing.

    Raises:
        LogReplacedError: another record stands there, or younger ones before it.
    """
    if compacted:
        return
    for one in records:
        if one.offset > handled.offset:
            return
        latest = handled.appended_ms + (CLOCK_SLACK_MS if one.offset < handled.offset else 0)
        if one.timestamp > latest or (one.offset == handled.offset and one.timestamp != handled.appended_ms):
            raise LogReplacedError(
                tp.topic, f"holds another record at offset {one.offset} of partition {tp.partition} than was handled"
            )

"""Where an author still stands on the broker: every record of every topic and changelog is read and searched."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from aiokafka.admin import RecordsToDelete

from agents.cli.read import administering, connected, reading
from agents.sources.publisher import make_producer
from streams.topics import CLOSED_AFTER_MS, Topic

if TYPE_CHECKING:
    from aiokafka import TopicPartition
    from aiokafka.structs import ConsumerRecord

    from agents.cli.read import Ends
    from streams.settings import Settings
    from streams.tables import Table

CLOSED_AFTER = timedelta(milliseconds=CLOSED_AFTER_MS)
COMPACTED_WITHIN = CLOSED_AFTER + timedelta(hours=2)
"""From a record's replacement until Kafka has dropped it: a worker closes segments once an hour, Kafka needs some minutes."""


class Traces(NamedTuple):
    """What one topic holds of an author.

    `standing` records name them; `replaced` ones do too, but a later one of the same key has taken their place.
    Of `alike` ones that stand nobody can tell: the id is a word in them, but part of something longer.
    `behind` is, by partition, just behind the last of them, `others` how many records stand before that which do
    not name them. `gone_by`: by when Kafka has dropped all of it; None where it stays for good, or there is nothing.
    """

    topic: Topic | Table
    name: str
    standing: int
    replaced: int
    others: int
    behind: Ends
    keys: tuple[tuple[int, bytes], ...]
    gone_by: datetime | None
    alike: int = 0

    @property
    def is_log(self) -> bool:
        """Whether all of it is dropped with time, and nothing before."""
        return _is_log(self.topic)


def pattern_of(author: str) -> re.Pattern[bytes]:
    """Match an author's id as a word, whole or within something longer."""
    return re.compile(rb"(?<![A-Za-z0-9_])(?:%s)(?![A-Za-z0-9_])|%s" % (_spelt(author), _packed(author)))


def whole_pattern_of(author: str) -> re.Pattern[bytes]:
    """Match an author's id as a string of its own: in JSON, in a table's row, or as the whole content."""
    return re.compile(rb'(?<!\\)"(?:%s)"|\A(?:%s)\Z|%s' % (_spelt(author), _spelt(author), _packed(author)))


def _spelt(author: str) -> bytes:
    """However JSON escapes it."""
    quoted = {json.dumps(author)[1:-1], json.dumps(author, ensure_ascii=False)[1:-1]}
    spelt = {author, *quoted, *(word.replace("/", "\\/") for word in (author, *quoted))}
    return b"|".join(re.escape(word.encode()) for word in sorted(spelt))


def _packed(author: str) -> bytes:
    """A row says how long a string is just before it, and that byte may be a letter."""
    return re.escape(msgspec.msgpack.encode(author))


async def traces_in(settings: Settings, topic: Topic | Table, author: str) -> Traces:
    """Search one topic.

    Raises:
        CommandError: the topic is missing, or the broker is not well.
    """
    named, seen, before = 0, dict[int, int](), dict[int, int]()
    last_ms, behind = 0, dict["TopicPartition", int]()
    latest: dict[tuple[int, bytes], int] = {}
    alike, latest_alike = 0, set[tuple[int, bytes]]()
    whole, word = whole_pattern_of(author), pattern_of(author)
    async with reading(settings, topic) as reader:
        partitions = {tp.partition: tp for tp in reader.ends}
        async for record in reader.to_end():
            key = (record.partition, record.key or b"")
            seen[record.partition] = seen.get(record.partition, 0) + 1
            latest_alike.discard(key)
            if _names(record, whole):
                named, last_ms = named + 1, max(last_ms, record.timestamp)
                behind[partitions[record.partition]] = record.offset + 1
                before[record.partition] = seen[record.partition]
                latest[key] = record.offset
            else:
                latest.pop(key, None)
                if _names(record, word):
                    alike, last_ms = alike + 1, max(last_ms, record.timestamp)
                    latest_alike.add(key)
    if _is_log(topic):
        standing, drops = named, bool(named or alike)
    else:
        drops = bool(named or alike) and not latest and not latest_alike
        standing, alike = len(latest), len(latest_alike)
    return Traces(
        topic=topic,
        name=topic.full_name(settings),
        standing=standing,
        replaced=named - standing,
        others=sum(before.values()) - named,
        behind=behind,
        keys=() if _is_log(topic) else tuple(latest),
        gone_by=_gone_by(settings, topic, last_ms) if drops else None,
        alike=alike,
    )


async def cut_off(settings: Settings, found: list[Traces]) -> None:
    """Delete plain logs up to just behind the last record that names the author, but nothing that no worker has handled."""
    async with administering(settings) as admin:
        committed = await admin.list_consumer_group_offsets(settings.group)
        cuts = {
            tp: min(end, committed[tp].offset)
            for one in found
            if one.is_log
            for tp, end in one.behind.items()
            if tp in committed
        }
        if cuts:
            await admin.delete_records({tp: RecordsToDelete(offset) for tp, offset in cuts.items()})


async def take_away(settings: Settings, found: list[Traces]) -> None:
    """Write a tombstone for each dead letter that names the author."""
    producer = make_producer(settings)
    async with connected(producer, settings):
        for one in found:
            if isinstance(one.topic, Topic) and one.topic.erasable:
                for partition, key in one.keys:
                    await producer.send_and_wait(one.name, None, key, partition=partition)


def _is_log(topic: Topic | Table) -> bool:
    return isinstance(topic, Topic) and not topic.compacted and not topic.erasable


def _names(record: ConsumerRecord, author: re.Pattern[bytes]) -> bool:
    return any(
        author.search(content)
        for content in (record.value, record.key, *(value for _, value in record.headers))
        if content
    )


def _gone_by(settings: Settings, topic: Topic | Table, last_ms: int) -> datetime:
    if isinstance(topic, Topic) and _is_log(topic):
        kept = timedelta(seconds=topic.kept_s(settings))
        return datetime.fromtimestamp(last_ms / 1000, UTC) + kept + CLOSED_AFTER
    return datetime.now(UTC) + COMPACTED_WITHIN

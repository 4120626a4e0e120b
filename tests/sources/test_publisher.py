from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError
from aiokafka.partitioner import DefaultPartitioner

from agents.sources import publisher
from agents.sources.interface import Sourced, SourceDownError, SourceError
from agents.sources.publisher import Published, PublishError, make_producer, publish
from streams.broker import unbroken
from streams.settings import Settings, load_settings
from streams.topics import RAW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

pytestmark = pytest.mark.kafka
PARTITIONS = 3


class Said:
    """A source that says what it is given, then ends or breaks."""

    name, cursor_key = "said", "said"

    def __init__(self, records: Sequence[Sourced], then: BaseException | None = None) -> None:
        self.records, self.then = records, then

    async def listen(self, cursor: str | None = None) -> AsyncIterator[Sourced]:
        for record in self.records[int(cursor) + 1 if cursor else 0 :]:
            yield record
        if self.then:
            raise self.then


def records(count: int, keys: int = 50) -> list[Sourced]:
    return [Sourced(b"x:%d" % (n % keys), b'{"n":%d}' % n, str(n)) for n in range(count)]


@pytest.fixture
def settings(kafka) -> Settings:
    return load_settings(kafka_bootstrap=kafka.bootstrap)


async def made(settings: Settings, name: str, max_bytes: int = RAW.max_bytes) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs={"max.message.bytes": str(max_bytes)})])
    finally:
        await admin.close()
    return name


@pytest.fixture
async def topic(settings: Settings, prefix: str) -> str:
    return await made(settings, f"{prefix}raw")


async def told(source: Said, settings: Settings, topic: str, **how) -> Published:
    async with make_producer(settings) as producer:
        return await publish(source, producer, topic, **how)


async def in_kafka(settings: Settings, topic: str) -> dict[int, list[tuple[bytes, bytes]]]:
    """Everything in the topic, by partition."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    async with AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: dict[int, list[tuple[bytes, bytes]]] = {tp.partition: [] for tp in partitions}
        while sum(map(len, found.values())) < sum(ends.values()):
            for tp, batch in (await consumer.getmany(timeout_ms=1000)).items():
                found[tp.partition] += [(record.key, record.value) for record in batch]
    return found


async def test_everything_arrives_once_in_order_where_murmur2_of_its_key_says(settings: Settings, topic: str) -> None:
    sent = records(5000)
    done = await told(Said(sent), settings, topic)
    assert (done.records, done.oversized, done.cursor) == (5000, 0, "4999")
    place = {record.key: DefaultPartitioner()(record.key, list(range(PARTITIONS)), []) for record in sent}
    expected = {p: [(r.key, r.value) for r in sent if place[r.key] == p] for p in range(PARTITIONS)}
    assert await in_kafka(settings, topic) == expected


async def test_progress_never_goes_back_and_ends_at_the_end(settings: Settings, topic: str) -> None:
    progress: list[Published] = []
    done = await told(Said(records(2500)), settings, topic, on_progress=progress.append)
    cursors = [int(each.cursor or -1) for each in progress]
    assert cursors == sorted(cursors)
    assert progress[-1].records == done.records == 2500


async def test_publishing_goes_on_after_a_cursor(settings: Settings, topic: str) -> None:
    done = await told(Said(records(10)), settings, topic, cursor="6")
    assert (done.records, done.cursor) == (3, "9")


async def test_a_source_with_nothing_to_say_keeps_its_cursor(settings: Settings, topic: str) -> None:
    assert (await told(Said([]), settings, topic, cursor="41")).cursor == "41"


async def test_a_record_that_is_too_large_is_named_and_the_rest_goes_on(
    settings: Settings, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    huge = Sourced(b"x:huge", b"x" * RAW.max_bytes, "1")
    just_fits = Sourced(b"x:fits", b"x" * (RAW.max_bytes - 1024), "2")
    before, after = records(1)[0], Sourced(b"x:3", b"{}", "3")
    done = await told(Said([before, huge, just_fits, after]), settings, topic)
    assert (done.records, done.oversized, done.cursor) == (3, 1, "3")
    assert "x:huge" in caplog.text
    keys = {key for partition in (await in_kafka(settings, topic)).values() for key, _ in partition}
    assert keys == {before.key, just_fits.key, after.key}


async def test_a_topic_that_takes_less_than_the_contract_is_an_error_with_the_cure(
    settings: Settings, prefix: str
) -> None:
    small = await made(settings, f"{prefix}small", max_bytes=2000)
    with pytest.raises(PublishError, match=rf"x:0.*max\.message\.bytes must be at least {RAW.max_bytes:,}"):
        await told(Said([Sourced(b"x:0", b"x" * 5000, "0"), *records(10_000)]), settings, small)


async def test_a_missing_topic_is_an_error_with_its_name(
    settings: Settings, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "TOPIC_WAIT_S", 0.2)
    with pytest.raises(PublishError, match=f"{prefix}none.*groundswell topics create"):
        await told(Said(records(1)), settings, f"{prefix}none")


async def test_what_was_said_before_a_source_broke_is_published_and_reported(settings: Settings, topic: str) -> None:
    progress: list[Published] = []
    with pytest.raises(SourceError, match="unplugged"):
        await told(Said(records(700), SourceError("unplugged")), settings, topic, on_progress=progress.append)
    assert progress[-1].cursor == "699"
    assert sum(map(len, (await in_kafka(settings, topic)).values())) == 700


async def test_what_the_client_cancels_by_itself_is_a_broken_connection_and_no_order_to_stop() -> None:
    with pytest.raises(KafkaConnectionError, match="broke off"), unbroken():
        raise asyncio.CancelledError

    async def told_to_stop() -> None:
        with unbroken():
            await asyncio.Event().wait()

    task = asyncio.create_task(told_to_stop())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.timeout(30)
async def test_a_source_that_is_cancelled_by_nobody_has_broken_off(settings: Settings, topic: str) -> None:
    with pytest.raises(SourceDownError, match="broken off"):
        await told(Said(records(3), asyncio.CancelledError()), settings, topic)
    assert sum(map(len, (await in_kafka(settings, topic)).values())) == 3

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agents.cli import read
from agents.cli.errors import CommandError
from agents.cli.read import reading
from agents.sources.publisher import make_producer
from streams.broker import create_topics
from streams.topics import ALERTS, RAW

if TYPE_CHECKING:
    from streams.settings import Settings
    from tests.cli.conftest import Terminal


@pytest.fixture
async def settings(bare: Terminal) -> Settings:
    await create_topics(bare.settings)
    return bare.settings


async def say(settings: Settings, *said: tuple[int, bytes, bytes | None]) -> None:
    async with make_producer(settings) as producer:
        for partition, key, value in said:
            await producer.send_and_wait(ALERTS.full_name(settings), value, key, partition=partition)


async def test_a_topic_is_read_to_the_end_that_it_had_and_then_onwards(settings: Settings) -> None:
    await say(settings, *[(number % 2, b"k", b"%d" % number) for number in range(100)])
    async with reading(settings, ALERTS) as reader:
        await say(settings, (0, b"k", b"later"), (1, b"k", b"later"))
        values = [record.value async for record in reader.to_end()]
        assert sorted(values, key=int) == [b"%d" % number for number in range(100)]
        onwards = reader.onwards()
        assert [(await anext(onwards)).value for _ in range(2)] == [b"later", b"later"]


async def test_a_second_reader_stops_where_the_first_did(settings: Settings) -> None:
    await say(settings, (0, b"k", b"first"))
    async with reading(settings, ALERTS) as reader:
        ends = reader.ends
    await say(settings, (0, b"k", b"second"), (1, b"k", b"second"))
    async with reading(settings, ALERTS, ends) as reader:
        assert [record.value async for record in reader.to_end()] == [b"first"]


async def test_the_latest_of_each_key_is_each_partitions_own_and_the_removed_are_gone(settings: Settings) -> None:
    await say(settings, (0, b"a", b"1"), (1, b"a", b"2"), (0, b"a", b"3"), (0, b"b", b"4"), (0, b"b", None))
    async with reading(settings, ALERTS) as reader:
        assert sorted(record.value for record in await reader.latest()) == [b"2", b"3"]


async def test_an_empty_topic_is_read_at_once(settings: Settings) -> None:
    async with reading(settings, RAW) as reader:
        assert await reader.latest() == []


async def test_a_missing_topic_is_named_and_not_created(bare: Terminal) -> None:
    for _ in range(2):
        with pytest.raises(CommandError, match=r"mentions\.raw does not exist: run `groundswell topics create`"):
            async with reading(bare.settings, RAW):
                pass


async def test_a_broker_that_falls_silent_is_an_error_and_not_an_endless_wait(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "PATIENCE_S", 1)
    await say(settings, (0, b"k", b"only"))
    async with reading(settings, ALERTS) as reader:
        reader.ends = {tp: end + 1 for tp, end in reader.ends.items()}
        with pytest.raises(CommandError, match="sent nothing for 1 s"):
            [record async for record in reader.to_end()]

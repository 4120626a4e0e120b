"""A connection to Kafka that ends in the middle of a question cancels whoever asked; nobody told them to stop."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from agents.http import latest, rawlog
from agents.http.latest import Latest
from agents.http.problems import Refused
from agents.http.rawlog import RawLog
from streams import watchdog
from streams.settings import Settings
from streams.watchdog import Watchdog


class Breaking:
    """A client whose connection breaks off as soon as it asks."""

    made = 0

    def __init__(self, *_: object, **__: object) -> None:
        Breaking.made += 1

    async def start(self) -> None:
        raise asyncio.CancelledError

    async def stop(self) -> None: ...


@pytest.fixture(autouse=True)
def breaking(monkeypatch) -> None:
    Breaking.made = 0
    for module in (latest, rawlog, watchdog):
        monkeypatch.setattr(module, "AIOKafkaConsumer", Breaking)


async def test_topics_are_followed_over_another_connection(monkeypatch):
    monkeypatch.setattr(latest, "AGAIN_AFTER_S", 0)
    following = asyncio.create_task(Latest(Settings()).follow())
    async with asyncio.timeout(5):
        while Breaking.made < 3 and not following.done():  # noqa: ASYNC110  nobody tells how often it tried
            await asyncio.sleep(0)
    assert not following.done()

    following.cancel()
    await asyncio.wait([following])
    assert following.cancelled(), "who is told to stop does"


async def test_who_asks_for_a_mention_is_asked_to_come_again():
    with pytest.raises(Refused) as refused:
        await RawLog(Settings()).end(0)
    assert refused.value.reason == "silent"


async def test_the_watchdog_looks_on_and_knows_that_no_broker_answered():
    app = SimpleNamespace(
        groundswell=Settings(), consumer=SimpleNamespace(source_partitions=set), should_stop=False, gave_up=None
    )
    assert await Watchdog(app)._ask() is None

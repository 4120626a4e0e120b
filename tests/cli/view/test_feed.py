"""What the live view is told before anything can be read."""

from __future__ import annotations

import asyncio
import socket

from agents.cli.view import feed
from agents.cli.view.model import Away
from streams.settings import Settings


async def test_a_broker_that_takes_the_call_and_says_nothing_is_away(monkeypatch):
    monkeypatch.setattr(feed, "SILENCE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        heard: asyncio.Queue[object] = asyncio.Queue()
        following = asyncio.create_task(feed.follow(Settings(kafka_bootstrap=where), heard.put_nowait))
        async with asyncio.timeout(10):
            assert await heard.get() == Away(f"no Kafka broker answers at {where}")
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

"""What every source that asks over HTTP can rely on, whoever answers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from agents.sources.http import get, open_session
from agents.sources.interface import Sourced, SourceDownError
from agents.sources.rss import Rss
from streams.core.parse import parse
from streams.records import Mention
from tests.sources.ears import Ears
from tests.sources.standins.rss import RssStandIn
from tests.sources.test_rss import KETTLES, NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server that says these very bytes to everybody; its address."""

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answered, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/feed"


async def test_what_a_server_calls_its_status_is_repeated_to_nobody() -> None:
    async with answering(b"HTTP/1.1 503 \x1b[2J\xff\r\nContent-Length: 0\r\n\r\n") as url, open_session() as session:
        with pytest.raises(SourceDownError, match=r"answered 503 Service Unavailable$"):
            await get(session, url)


async def test_a_header_that_is_no_text_ends_no_source() -> None:
    head = b'HTTP/1.1 200 OK\r\nETag: "\xff"\r\nContent-Type: application/rss+xml\r\nContent-Length: %d\r\n\r\n'
    async with answering(head % len(KETTLES) + KETTLES) as url, Ears(Rss([url], "one", every_s=60)) as ears:
        await ears.hears("rss:127.0.0.1/kn-88412")
        await ears.until(lambda: ears.cursor is not None, "no cursor was told")


@pytest.mark.parametrize(("lies_at", "is_called"), [("127.0.0.2", "127.0.0.2"), ("127.0.0.1", "localhost")])
async def test_a_feed_leads_nobody_into_our_own_network(lies_at: str, is_called: str) -> None:
    inside = RssStandIn()
    inside.host = lies_at
    async with RssStandIn() as feed, inside:
        feed.status, feed.headers = 302, {"Location": inside.url.replace(lies_at, is_called)}
        with pytest.raises(SourceDownError, match="leads into our own network"):
            async with Ears(Rss([feed.url], "one", every_s=0.05)):
                pass
        assert not inside.asked


async def test_a_host_of_our_own_network_that_a_person_has_named_is_asked() -> None:
    async with RssStandIn() as inside:
        named = inside.url.replace("127.0.0.1", "localhost")
        async with Ears(Rss([named], "one", every_s=0.05)) as ears:
            await ears.hears(*await inside.say(1))


def test_half_a_surrogate_pair_stops_no_mention() -> None:
    mention = Mention(id="x:\ud800", source="x", text="Dell \udcff", observed_at=NOW)
    said = Sourced.of(mention)
    heard = parse(said.key, said.value)
    assert isinstance(heard, Mention)
    assert (heard.id, heard.text, heard.observed_at) == ("x:?", "Dell ?", NOW)

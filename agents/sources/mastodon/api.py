"""Asks a Mastodon server for one of its feeds, within the limits that it states."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import aiohttp
import msgspec
from msgspec import Struct
from yarl import URL

from agents.sources.http import ANSWER_WITHIN_S, LONGEST_WAIT_S, NO_ANSWER, body_of, no_answer, refuse
from agents.sources.interface import SourceDownError, SourceError
from agents.sources.mastodon.status import Numbered
from agents.sources.times import read_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

    from agents.sources.times import Clock

SCHEMES = {"wss": "https", "https": "https", "ws": "http", "http": "http"}
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def address_of(stood: str) -> str:
    """The https address of what may be a host name, or where to open a WebSocket; http on loopback only.

    Raises:
        SourceError: it is no address, or a token would travel there in the clear.
    """
    scheme, _, rest = (stood if "://" in stood else f"https://{stood}").rstrip("/").partition("://")
    try:
        url = URL(f"{SCHEMES[scheme]}://{rest}")
    except (KeyError, ValueError):
        url = URL()
    if not url.host or url.raw_path != "/" or url.user:
        raise SourceError(f"mastodon: {stood!r} is no server; expected one such as mastodon.social")
    if url.scheme == "http" and url.host not in LOOPBACK:
        raise SourceError(f"mastodon: the token would travel to {stood} in the clear; expected https")
    return str(url.origin())


class Feed(NamedTuple):
    """What is listened to: the paths of its stream and of its list, and what is asked of each."""

    name: str
    stream: str
    listed: str
    streams: Mapping[str, str]
    lists: Mapping[str, str]

    @classmethod
    def of(cls, stream: str, tag: str) -> Feed:
        """`public`, `public:local` (what is written on the server itself), or `hashtag`."""
        if stream == "hashtag":
            return cls(f"hashtag/{tag}", "/hashtag", f"/tag/{quote(tag)}", {"tag": tag}, {})
        if stream == "public:local":
            return cls(stream, "/public/local", "/public", {}, {"local": "true"})
        return cls(stream, "/public", "/public", {}, {})


class _Urls(Struct, frozen=True):
    streaming: str | None = None


class _Configuration(Struct, frozen=True):
    urls: _Urls = _Urls()


class _Instance(Struct):
    configuration: _Configuration = _Configuration()


class MastodonApi:
    """`base` is the server's address; `session` holds the token; `variable` is where a person puts that."""

    def __init__(self, session: aiohttp.ClientSession, base: str, feed: Feed, variable: str, clock: Clock) -> None:
        self._session, self._base, self._feed, self._variable, self._clock = session, base, feed, variable, clock
        self._free_at: datetime | None = None

    async def get(self, path: str, **query: str | int) -> bytes | None:
        """Ask once, after any wait that the server's limit demands; None where there is nothing (any more).

        Raises:
            SourceDownError: no answer, or one that says: later.
            SourceError: the server refuses, and will again.
        """
        await self._wait()
        url = f"{self._base}{path}"
        try:
            async with self._session.get(url, params=query) as answer:
                if answer.headers.get("X-RateLimit-Remaining") == "0":
                    self._free_at = read_time(answer.headers.get("X-RateLimit-Reset"))
                if answer.status in (404, 410):
                    return None
                self._refuse(url, answer)
                return await body_of(url, answer)
        except NO_ANSWER as error:
            raise no_answer(url, error) from error

    async def listed(self, **query: int) -> dict[int, bytes]:
        """Posts of the feed by their numbers, each as it came, oldest first.

        Raises:
            SourceDownError: as `get`, and if the answer is no list of posts.
            SourceError: as `get`.
        """
        path = f"/api/v1/timelines{self._feed.listed}"
        body = await self.get(path, **self._feed.lists, **query)
        try:
            posts = [bytes(one) for one in msgspec.json.decode(body or b"[]", type=list[msgspec.Raw])]
            return {int(msgspec.json.decode(one, type=Numbered).id): one for one in reversed(posts)}
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise SourceDownError(f"{self._base}{path} answered what is no list of posts") from None

    async def exists(self, number: int) -> bool:
        """Whether the post is (still) there.

        Raises:
            SourceDownError: as `get`.
            SourceError: as `get`.
        """
        return await self.get(f"/api/v1/statuses/{number}") is not None

    @asynccontextmanager
    async def stream(self, silence_s: float) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open the feed's stream; reading it fails with a TimeoutError once not even a heartbeat has come for so long.

        Raises:
            SourceDownError: as `get`.
            SourceError: as `get`; or it is no Mastodon, or would have the token sent in the clear.
        """
        url = f"{await self._streaming_address()}/api/v1/streaming{self._feed.stream}"
        await self._wait()
        patience = aiohttp.ClientTimeout(total=None, sock_connect=ANSWER_WITHIN_S, sock_read=silence_s)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                answer = await self._session.get(url, params=self._feed.streams, timeout=patience)
        except NO_ANSWER as error:
            raise no_answer(url, error) from error
        try:
            self._refuse(url, answer)
            yield answer
        finally:
            answer.close()

    async def _streaming_address(self) -> str:
        """Where the server streams, which may be another host."""
        path = "/api/v2/instance"
        body = await self.get(path)
        try:
            told = msgspec.json.decode(body or b"", type=_Instance).configuration.urls.streaming
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise SourceError(f"{self._base}{path} does not answer like Mastodon 4 or newer") from None
        return address_of(told or self._base)

    def time_at(self, answer: aiohttp.ClientResponse) -> datetime:
        """When the server answered, by its own clock or ours, whichever is later."""
        now = self._clock.now()
        try:
            return max(now, parsedate_to_datetime(answer.headers.get("Date", "")))
        except (ValueError, TypeError):
            return now

    async def _wait(self) -> None:
        if self._free_at is not None:
            wait_s = (self._free_at - self._clock.now()).total_seconds()
            self._free_at = None
            if wait_s > 0:
                await self._clock.sleep(min(wait_s, LONGEST_WAIT_S))

    def _refuse(self, url: str, answer: aiohttp.ClientResponse) -> None:
        if answer.status in (401, 403):
            raise SourceError(
                f"{url} answered {answer.status}: {self._variable} must hold a user's token that may read:statuses "
                f"(an application's own is not enough), and the server may have closed this feed"
            )
        reset = read_time(answer.headers.get("X-RateLimit-Reset", ""))
        if answer.status == 429 and reset is not None and "Retry-After" not in answer.headers:
            wait = max(timedelta(), reset - self._clock.now())
            raise SourceDownError(f"{url} answered 429", min(wait.total_seconds(), LONGEST_WAIT_S))
        refuse(url, answer)

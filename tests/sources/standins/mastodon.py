"""A Mastodon server on loopback: its REST API, and its streaming server, which is another host."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Self

from aiohttp import web

from tests.sources.standins.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "a-users-token"
PAGE = 40
UNAUTHORISED = {"error": "The access token is invalid"}


def iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Guarded(Site):
    """Asks for the token, and says 429 as Mastodon does: not how long to wait, but when the next period begins."""

    def __init__(self) -> None:
        super().__init__()
        self.reset: datetime | None = None

    async def _arrive(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.reset is not None:
            self._limit_s, reset, self.reset = None, self.reset, None
            self.asked.append((monotonic(), request))
            return web.json_response(
                {"error": "Too many requests"},
                status=429,
                headers={
                    "X-RateLimit-Limit": "300",
                    "X-RateLimit-Remaining": "0",
                    "X-RateLimit-Reset": reset.isoformat(timespec="microseconds").replace("+00:00", "Z"),
                },
            )
        return await super()._arrive(request)

    def knows(self, request: web.BaseRequest) -> bool:
        return request.headers.get("Authorization") == f"Bearer {TOKEN}"


class Streaming(Guarded):
    """`/api/v1/streaming`: server-sent events, a heartbeat every `heartbeat_s`."""

    def __init__(self) -> None:
        super().__init__()
        self.listeners: dict[asyncio.Queue[bytes], str] = {}
        self.heartbeat_s: float | None = 15.0
        self.deaf = False
        self.beat = asyncio.Event()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if not self.knows(request):
            return web.json_response(UNAUTHORISED, status=401)
        feed = {"/public": "public", "/public/local": "local", "/hashtag": request.query.get("tag", "")}.get(
            request.path.removeprefix("/api/v1/streaming")
        )
        if not feed:
            return web.json_response({"error": "Not found"}, status=404)
        if self.deaf:
            await asyncio.Event().wait()
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await answer.prepare(request)
        mine: asyncio.Queue[bytes] = asyncio.Queue()
        self.listeners[mine] = feed
        try:
            await answer.write(b":)\n")
            while True:
                try:
                    async with asyncio.timeout(self.heartbeat_s):
                        piece = await mine.get()
                except TimeoutError:
                    self.beat.set()
                    piece = b":thump\n"
                await answer.write(piece)
        finally:
            del self.listeners[mine]

    @property
    def connections(self) -> int:
        """Without those that wait for the next event to find out that nobody listens."""
        return sum(one.transport is not None for one in self._server.connections)

    def send(self, event: str, data: bytes | str, feeds: set[str]) -> None:
        data = data.encode() if isinstance(data, str) else data
        for listener, feed in self.listeners.items():
            if feed in feeds:
                listener.put_nowait(b"event: %s\ndata: %s\n\n" % (event.encode(), data))


class MastodonStandIn(Guarded):
    can = frozenset({"edit", "delete", "garble", "limit", "interrupt", "gap", "resume"})
    secrets: ClassVar[dict[str, str]] = {"GROUNDSWELL_MASTODON_TOKEN": TOKEN}

    def __init__(self) -> None:
        super().__init__()
        self.streaming = Streaming()
        self.posts: dict[int, dict[str, Any]] = {}
        self.unlisted = False
        self.remaining, self.period_ends = 300, datetime.now(UTC)
        self.pages = 5
        self.on_page: Callable[[], object] = lambda: None
        self._count = 0

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.streaming)
            await super().__aenter__()
            self._stack = stack.pop_all()
        self.server = self.address.removeprefix("http://")
        return self

    async def __aexit__(self, *_: object) -> None:
        await super().__aexit__()
        await self._stack.aclose()

    @property
    def options(self) -> dict[str, str]:
        return {"server": self.address, "pages": str(self.pages)}

    # -- what the server answers -------------------------------------------------------------------

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.removeprefix("/api/")
        if path == "v2/instance":
            streaming = self.streaming.address.replace("http://", "ws://")
            return self._json({"domain": self.server, "configuration": {"urls": {"streaming": streaming}}})
        if not self.knows(request):
            return self._json(UNAUTHORISED, 401)
        if path.startswith("v1/timelines/"):
            page = self._json(self._list(path.removeprefix("v1/timelines/"), request))
            self.on_page()
            return page
        number = path.removeprefix("v1/statuses/")
        if number.isdigit() and int(number) in self.posts:
            return self._json(self.posts[int(number)])
        return self._json({"error": "Record not found"}, 404)

    def _json(self, told: object, status: int = 200) -> web.Response:
        remaining, self.remaining = self.remaining, self.remaining - 1 if self.remaining else 300
        headers = {
            "X-RateLimit-Limit": "300",
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": self.period_ends.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        }
        return web.json_response(told, status=status, headers=headers)

    def _list(self, feed: str, request: web.BaseRequest) -> list[dict[str, Any]]:
        if self.unlisted:
            return []
        local, tag = request.query.get("local") == "true", feed.removeprefix("tag/")
        mine = [
            number
            for number, post in sorted(self.posts.items())
            if not (local and "@" in post["account"]["acct"])
            and (feed == "public" or any(tag == one["name"] for one in post["tags"]))
        ]
        limit, min_id = min(int(request.query.get("limit", 20)), PAGE), request.query.get("min_id")
        page = mine[-limit:] if min_id is None else [one for one in mine if one > int(min_id)][:limit]
        return [self.posts[number] for number in reversed(page)]

    # -- what people do ----------------------------------------------------------------------------

    def mention_id(self, number: int) -> str:
        return f"mastodon:{self.server}/{number}"

    def number(self, mention_id: str) -> int:
        return int(mention_id.rpartition("/")[2])

    def post(self, *, ago: timedelta = timedelta(), heard: bool = True, **fields: Any) -> str:
        """Somebody says something; `ago`: by the author's clock, so long before the server hears of it."""
        self._count += 1
        at = datetime.now(UTC) - ago
        number = (int(at.timestamp() * 1000) << 16) + self._count
        here = f"https://{self.server}"
        self.posts[number] = {
            "id": str(number),
            "created_at": iso(at),
            "in_reply_to_id": None,
            "in_reply_to_account_id": None,
            "sensitive": False,
            "spoiler_text": "",
            "visibility": "public",
            "language": "en",
            "uri": f"{here}/users/ann/statuses/{number}",
            "url": f"{here}/@ann/{number}",
            "replies_count": 0,
            "reblogs_count": 0,
            "favourites_count": 0,
            "edited_at": None,
            "content": f"<p>My Acme kettle leaks &amp; leaks: {self.mention_id(number)}</p>",
            "reblog": None,
            "account": self.account("ann"),
            "media_attachments": [],
            "mentions": [],
            "tags": [],
            "emojis": [],
            "card": None,
            "poll": None,
            **fields,
        }
        if heard:
            self._stream("update", number)
        return self.mention_id(number)

    def account(self, acct: str, **fields: Any) -> dict[str, Any]:
        name, _, host = acct.partition("@")
        return {
            "id": "42",
            "username": name,
            "acct": acct,
            "display_name": name.title(),
            "bot": False,
            "discoverable": None,
            "noindex": False,
            "followers_count": 311,
            "created_at": "2020-02-29T00:00:00.000Z",
            "url": f"https://{host or self.server}/@{name}",
            **fields,
        }

    def _feeds(self, number: int) -> set[str]:
        post = self.posts[number]
        remote = "@" in post["account"]["acct"]
        return {"public", *(() if remote else ("local",)), *(tag["name"] for tag in post["tags"])}

    def _stream(self, event: str, number: int) -> None:
        self.streaming.send(event, json.dumps(self.posts[number], ensure_ascii=False), self._feeds(number))

    async def say(self, count: int) -> list[str]:
        self.mend()
        return [self.post() for _ in range(count)]

    async def edit(self, mention_id: str, *, heard: bool = True) -> None:
        number = self.number(mention_id)
        post = self.posts[number]
        self.posts[number] = {
            **post,
            "content": f"{post['content']}<p>Solved!</p>",
            "edited_at": iso(datetime.now(UTC) + timedelta(milliseconds=1)),
        }
        if heard:
            self._stream("status.update", number)

    def mention_again(self, mention_id: str) -> None:
        """A server does so when a quote is allowed: nothing is edited."""
        self._stream("status.update", self.number(mention_id))

    async def delete(self, mention_id: str, *, heard: bool = True) -> None:
        number = self.number(mention_id)
        feeds = self._feeds(number)
        del self.posts[number]
        if heard:
            self.streaming.send("delete", str(number), feeds)

    async def remove_account(self, mention_id: str) -> str:
        raise NotImplementedError

    async def garble(self) -> bytes:
        self.streaming.send("update", b'{"id":"1155880123', {"public"})
        return b'{"id":"1155880123'

    async def interrupt(self) -> None:
        await super().interrupt()
        await self.streaming.interrupt()

    def mend(self) -> None:
        super().mend()
        self.streaming.mend()

    async def limit(self, retry_after_s: int) -> Callable[[], list[float]]:
        self.reset = datetime.now(UTC) + timedelta(seconds=retry_after_s)
        return await super().limit(retry_after_s)

    async def lose(self) -> None:
        for _ in range(self.pages * PAGE + 1):
            self.post(heard=False)

    @property
    def connections(self) -> int:
        return super().connections + self.streaming.connections

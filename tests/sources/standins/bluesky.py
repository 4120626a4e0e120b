"""A Jetstream server on loopback, v1 and v2: its log, its filters, its cursors, and what it says when it refuses."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

POSTS = "app.bsky.feed.post"
V2 = "network.bsky.jetstream.subscribeEvents"
FIRST_TIME = 10**15
TID = "234567abcdefghijklmnopqrstuvwxyz"
PING_EVERY_S = 30.0

encode = msgspec.json.encode


class Happened(NamedTuple):
    """One entry of the log. `kind` and `told` are as v1 and v2 both have them; `raw` is sent instead of anything readable."""

    seq: int
    time_us: int
    did: str
    kind: str
    told: Mapping[str, Any]
    raw: bytes | None = None

    def v1(self) -> bytes:
        if self.raw is not None:
            return self.raw
        told = {"did": self.did, "time_us": self.time_us, "cursor": self.seq, "kind": self.kind, self.kind: self.told}
        return encode(told)

    def v2(self) -> bytes:
        if self.raw is not None:
            return self.raw
        said = {"$type": f"{V2}#{self.kind}", "seq": self.seq, "did": self.did, "time": rfc3339(self.time_us)}
        said |= self.told if self.kind == "commit" else {self.kind: self.told}
        return encode({"$type": "message", "payload": said})

    def passes(self, collections: Sequence[str], kinds: Sequence[str]) -> bool:
        if self.raw is not None:
            return True
        if kinds and self.kind not in kinds:
            return False
        return self.kind != "commit" or not collections or self.told["collection"] in collections


def rfc3339(time_us: int) -> str:
    """With six digits, as the server writes it."""
    return f"{datetime.fromtimestamp(time_us // 10**6, UTC):%Y-%m-%dT%H:%M:%S}.{time_us % 10**6:06}Z"


class BlueskyStandIn:
    """`can` is what the contract asks for; the rest is particular to Jetstream, and to both its protocols."""

    can = frozenset({"edit", "delete", "remove_account", "garble", "limit", "gap", "interrupt", "resume"})
    secrets: Mapping[str, str] = {}

    def __init__(self, *, wire: str = "v2", port: int = 0, most: int = 1_000_000, unfiltered: bool = False) -> None:
        """`most` entries are kept at least, and not twice as many; `unfiltered`: it sends everything, whatever is asked for."""
        self.wire, self._port, self._most, self._unfiltered = wire, port, most, unfiltered
        self._chance = random.Random(3)
        self._log: list[Happened] = []
        self._begin = 1
        self._news = asyncio.Event()
        self._open: dict[web.WebSocketResponse, web.Request] = {}
        self._refusals: list[tuple[int, Mapping[str, str]]] = []
        self._asked_at: list[float] = []
        self.requests: list[Mapping[str, Sequence[str]]] = []
        self._pings = asyncio.Semaphore(0)
        self.sent = 0
        self.deaf = False

    # -- the server ------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/subscribe", self._serve_v1)
        app.router.add_get(f"/xrpc/{V2}", self._serve_v2)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.interrupt()
        await self._runner.cleanup()

    @property
    def host(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    @property
    def options(self) -> dict[str, str]:
        return {"host": self.host, "wire": self.wire}

    @property
    def connections(self) -> int:
        return len(self._open)

    async def _serve_v1(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        start = int(query.get("cursor", 0))
        place = self._at(start) if start else self._end
        return await self._serve(request, max(place, self._begin), query.getall("wantedCollections", []), ())

    async def _serve_v2(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        if strangers := sorted(query.keys() - {"collections", "dids", "kinds", "maxMessageSizeBytes", "cursor"}):
            return _refused("InvalidRequest", f"unknown parameter {strangers[0]}")
        start, info = int(query["cursor"]) if "cursor" in query else self._end, None
        if start >= FIRST_TIME:
            place = self._at(start)
            if place == self._begin > 1:
                info = "OutdatedCursor", f"requested timestamp cursor below retention floor; starting at seq {place}"
        elif start < self._begin:
            floor = f"cursor {start} below lookback floor {self._begin}; re-backfill from your last seq"
            return _refused("CursorTooOld", f"subscribe: cursor too old: {floor}")
        elif start > self._end:
            place, info = self._end, ("FutureCursor", f"cursor {start} is beyond {self._end}")
        else:
            place = start
        return await self._serve(request, place, query.getall("collections", []), query.getall("kinds", []), info)

    async def _serve(
        self,
        request: web.Request,
        place: int,
        collections: Sequence[str],
        kinds: Sequence[str],
        info: tuple[str, str] | None = None,
    ) -> web.StreamResponse:
        self.requests.append({name: request.query.getall(name) for name in request.query})
        self._asked_at.append(monotonic())
        if self._refusals:
            status, headers = self._refusals.pop(0)
            return web.Response(status=status, headers=headers, text="not now")
        v2 = request.path != "/subscribe"
        socket = web.WebSocketResponse(
            protocols=("xrpc.v1.json",) if v2 else (),
            compress=not v2,
            heartbeat=PING_EVERY_S,
            timeout=1,
            autoping=False,
        )
        await socket.prepare(request)
        self._open[socket] = request
        sending = asyncio.create_task(self._send(socket, request, place, collections, kinds, info))
        try:
            if self.deaf:
                await sending
            async for message in socket:
                if message.type is WSMsgType.PING:
                    self._pings.release()
                    await socket.pong(message.data)
                elif v2 and message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    await socket.close(code=WSCloseCode.POLICY_VIOLATION)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            del self._open[socket]
        return socket

    async def _send(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        place: int,
        collections: Sequence[str],
        kinds: Sequence[str],
        info: tuple[str, str] | None,
    ) -> None:
        if info is not None:
            said = {"$type": f"{V2}#info", "name": info[0], "message": info[1]}
            await socket.send_str(encode({"$type": "message", "payload": said}).decode())
        with suppress(ConnectionError):
            while request.transport is not None:
                news = self._news
                while place < self._end:
                    one = self._log[place - self._begin]
                    place += 1
                    if self._unfiltered or one.passes(collections, kinds):
                        await socket.send_frame(one.v1() if request.path == "/subscribe" else one.v2(), WSMsgType.TEXT)
                        self.sent += 1
                await news.wait()

    # -- the log ---------------------------------------------------------------------------------------

    @property
    def _end(self) -> int:
        return self._begin + len(self._log)

    def _at(self, time_us: int) -> int:
        """The first event witnessed then or later."""
        return next((one.seq for one in self._log if one.time_us >= time_us), self._end)

    def append(self, did: str, kind: str, told: Mapping[str, Any], raw: bytes | None = None) -> None:
        """Something happens now; whoever listens hears of it when this task next waits."""
        self._log.append(Happened(self._end, time_ns() // 1000, did, kind, told, raw))
        if len(self._log) > 2 * self._most:
            del self._log[: self._most]
            self._begin += self._most
        self._news.set()
        self._news = asyncio.Event()

    def commit(
        self, did: str, operation: str, collection: str, rkey: str, record: Mapping[str, Any] | None = None
    ) -> None:
        told: dict[str, Any] = {"rev": self.tid(), "operation": operation, "collection": collection, "rkey": rkey}
        if record is not None:
            told |= {"record": {"$type": collection, **record}, "cid": f"bafyrei{self._chance.getrandbits(256):064x}"}
        self.append(did, "commit", told)

    def account(self, did: str, status: str | None) -> None:
        """None: it is active."""
        told: dict[str, Any] = {
            "active": status is None,
            "did": did,
            "seq": self._end,
            "time": rfc3339(time_ns() // 1000),
        }
        self.append(did, "account", told if status is None else told | {"status": status})

    def tid(self) -> str:
        """A new record key: the time, in letters."""
        number = time_ns() << 2 & (1 << 63) - 1 | self._chance.getrandbits(4)
        return "".join(TID[number >> shift & 31] for shift in range(60, -5, -5))

    def renumber(self) -> None:
        """It starts anew with an empty log, as a server does that was set up again."""
        self._log, self._begin = [], 1

    def did(self) -> str:
        return "did:plc:" + "".join(self._chance.choices(TID, k=24))

    # -- what the contract asks for --------------------------------------------------------------------

    async def say(self, count: int) -> list[str]:
        ids = []
        for _ in range(count):
            did, rkey = self.did(), self.tid()
            ids.append(f"bluesky:at://{did}/{POSTS}/{rkey}")
            self.post(did, rkey, f"{ids[-1]} ☕ is what I say")
        return ids

    def post(self, did: str, rkey: str, text: str, operation: str = "create", **more: object) -> None:
        self.commit(did, operation, POSTS, rkey, {"text": text, "createdAt": rfc3339(time_ns() // 1000), **more})

    async def edit(self, mention_id: str) -> None:
        did, rkey = _parts(mention_id)
        self.post(did, rkey, f"{mention_id} is what I meant", "update")

    async def delete(self, mention_id: str) -> None:
        did, rkey = _parts(mention_id)
        self.commit(did, "delete", POSTS, rkey)

    async def remove_account(self, mention_id: str) -> str:
        did, _ = _parts(mention_id)
        self.account(did, "deleted")
        return did

    async def garble(self) -> bytes:
        raw = b'{"$type":"message","payload":{"$type":"\xff\xfe'
        self.append("", "", {}, raw)
        return raw

    async def interrupt(self) -> None:
        for request in [*self._open.values()]:
            if request.transport is not None:
                request.transport.abort()
        while self._open:
            self._news.set()
            await asyncio.sleep(0.001)

    async def limit(self, retry_after_s: int) -> Callable[[], list[float]]:
        self.refuse(429, **{"Retry-After": str(retry_after_s)})
        before = len(self._asked_at)
        return lambda: self._asked_at[before:]

    async def lose(self) -> None:
        await self.say(3)
        self._begin, self._log = self._end, []

    # -- what else a Jetstream server does -------------------------------------------------------------

    def refuse(self, status: int, **headers: str) -> None:
        """The next request."""
        self._refusals.append((status, headers))

    async def pinged(self, times: int) -> None:
        """Return once it was asked so many times whether it is alive, and has said yes."""
        for _ in range(times):
            await self._pings.acquire()

    async def close(self, code: int) -> None:
        """As a server does that is going down."""
        for socket in [*self._open]:
            await socket.close(code=code, message=b"server shutting down")

    async def fail(self, error: str) -> None:
        """An error frame, and the end."""
        for socket in [*self._open]:
            await socket.send_str(encode({"$type": "error", "error": error, "message": "reconnect"}).decode())
            await socket.close()


def _refused(error: str, message: str) -> web.Response:
    return web.json_response({"error": error, "message": message}, status=400)


def _parts(mention_id: str) -> tuple[str, str]:
    did, _, rkey = mention_id.removeprefix("bluesky:at://").split("/")
    return did, rkey

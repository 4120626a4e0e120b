"""The door at which webhooks knock: who may come in, how much at once, and what they are told."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import hdrs, web
from standardwebhooks import WebhookVerificationError

from agents.sources.times import Clock
from agents.sources.webhook.body import JSON, LINES, UnfitError, read_body

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from standardwebhooks import Webhook as Signature

    from agents.sources.interface import Sourced

log = logging.getLogger(__name__)

MIB = 1024 * 1024
MOST_REQUESTS = 256
"""Under way at the same time: each may hold a whole body in memory."""

REMEMBERED, MOST_REMEMBERED = timedelta(minutes=15), 100_000
"""Of what was taken, the ids: for longer than a signature is good for, so that nobody's request counts twice by being repeated."""

AGAIN_S = "1"


class Limits(NamedTuple):
    """How much of it, bytes of a request and mentions that wait for Kafka; and how long Kafka may take, seconds."""

    most_bytes: int = MIB
    most_waiting: int = 4000
    answer_within_s: float = 10.0


class Door:
    """Takes requests in; what they hold is in `said` until somebody publishes it."""

    def __init__(self, signatures: Sequence[Signature], limits: Limits, clock: Clock | None = None) -> None:
        self._signatures, self._limits, self._clock = signatures, limits, clock or Clock()
        self.said: asyncio.Queue[Sourced] = asyncio.Queue()
        self._waiting: set[asyncio.Future[None]] = set()
        self._requests = 0
        self._taken: dict[str, datetime] = {}
        self._under_way: set[str] = set()

    def web_app(self) -> web.Application:
        """`POST /v1/mentions`."""
        app = web.Application(client_max_size=self._limits.most_bytes)
        app.router.add_post("/v1/mentions", self._knock)
        return app

    def close(self) -> None:
        """Whoever still waits is told to come again."""
        for future in list(self._waiting):
            future.cancel()

    async def _knock(self, request: web.Request) -> web.Response:
        if self._requests >= MOST_REQUESTS:
            return _later(429, "too many requests at once")
        self._requests += 1
        try:
            async with asyncio.timeout(self._limits.answer_within_s):
                body = await request.read()
        except TimeoutError:
            return _says(408, "the body took too long")
        except web.HTTPRequestEntityTooLarge:
            return _says(413, f"at most {self._limits.most_bytes:,} bytes in a request")
        else:
            return await self._hear(request, body)
        finally:
            self._requests -= 1

    async def _hear(self, request: web.Request, body: bytes) -> web.Response:
        if self._signatures and (wrong := self._forged(request, body)):
            return _says(401, wrong)
        if (
            request.content_type not in (JSON, LINES)
            or request.headers.get(hdrs.CONTENT_ENCODING, "identity") != "identity"
        ):
            return _says(415, f"expected {JSON} or {LINES}, not compressed")
        message = request.headers.get("webhook-id")
        if message in self._under_way:
            return _later(409, "this webhook-id is being taken right now")
        if message and self._was_taken(message):
            return web.json_response({"accepted": 0, "says": "this webhook-id was taken before"})
        try:
            said = read_body(body, request.content_type, self._clock.now())
        except UnfitError as unfit:
            return web.json_response({"errors": unfit.faults}, status=400)
        if len(said) > self._limits.most_waiting:
            return _says(413, f"at most {self._limits.most_waiting:,} mentions in a request")
        if len(self._waiting) + len(said) > self._limits.most_waiting:
            return _later(429, "too many mentions wait for Kafka")
        return await self._take(said, message)

    async def _take(self, said: Sequence[Sourced], message: str | None) -> web.Response:
        """Answer once Kafka has acknowledged all of it."""
        if message:
            self._under_way.add(message)
        futures = [self._put(one) for one in said]
        try:
            await asyncio.wait(futures, timeout=self._limits.answer_within_s)
        finally:
            self._under_way.discard(message or "")
        if not all(future.done() and not future.cancelled() and future.exception() is None for future in futures):
            return _later(503, "Kafka does not take it now")
        if message:
            self._remember(message)
        return web.json_response({"accepted": len(said)}, status=202)

    def _put(self, one: Sourced) -> asyncio.Future[None]:
        """It counts as waiting for as long as nobody has said what became of it, whatever its sender was told meanwhile."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        future.add_done_callback(self._settled)
        self.said.put_nowait(one._replace(taken=future))
        return future

    def _settled(self, future: asyncio.Future[None]) -> None:
        self._waiting.discard(future)
        if not future.cancelled() and (failed := future.exception()):
            log.warning("webhook: not taken: %s", failed)

    def _forged(self, request: web.Request, body: bytes) -> str | None:
        """Why the signature is not good; None: it is."""
        wrong = ""
        for signature in self._signatures:
            try:
                signature.verify(body, dict(request.headers), json_parse=False)
            except WebhookVerificationError as error:
                wrong = str(error)
            except ValueError:
                wrong = "the signature cannot be read"
            else:
                return None
        return f"{wrong}: sign as Standard Webhooks say, with webhook-id, webhook-timestamp and webhook-signature"

    def _was_taken(self, message: str) -> bool:
        now = self._clock.now()
        while self._taken and now - next(iter(self._taken.values())) > REMEMBERED:
            del self._taken[next(iter(self._taken))]
        return message in self._taken

    def _remember(self, message: str) -> None:
        self._taken[message] = self._clock.now()
        if len(self._taken) > MOST_REMEMBERED:
            del self._taken[next(iter(self._taken))]


def _says(status: int, error: str, **headers: str) -> web.Response:
    return web.json_response({"errors": [error]}, status=status, headers=headers)


def _later(status: int, error: str) -> web.Response:
    return _says(status, error, **{hdrs.RETRY_AFTER: AGAIN_S})

"""The other side: a webhook's receiver on loopback that keeps what it hears, and misbehaves as it is told.

    async with Receiver() as receiver:
        Flow(..., **receiver.settings)         # its workers tell this receiver
        receiver.answer = failing(500)         # whenever you like; `accepting` to begin with
        await receiver.hide()                  # connections are refused, until `show()`

`Receiver.heard` is every request in order; the functions below say what was repeated.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from agents.cli.localkafka import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

SECRET = "whsec_" + base64.b64encode(b"not a secret, only for the tests").decode()
AGES_S = 60 * 86_400
"""Stories play in the past: a worker must not mute them for their age."""


@dataclass(slots=True)
class Heard:
    """One request. `path` is what the worker's own URL ended with; `status` is what was answered, if anything was."""

    key: str
    alert_id: str
    step: int
    change: str
    body: dict[str, Any]
    at_s: float
    path: str
    status: int | None = None

    @property
    def accepted(self) -> bool:
        """Whether the worker was told that it arrived."""
        return self.status is not None and self.status < 300


if TYPE_CHECKING:
    Answer = Callable[[Heard, web.Request], Awaitable[web.Response]]


async def accepting(heard: Heard, request: web.Request) -> web.Response:
    """All is well."""
    return web.Response(status=204)


def failing(status: int, **headers: str) -> Answer:
    """Answer so; `Retry_After="3"` becomes a header."""

    async def answer(heard: Heard, request: web.Request) -> web.Response:
        return web.Response(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


def slow(seconds: float) -> Answer:
    """Accept, after a while."""

    async def answer(heard: Heard, request: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return await accepting(heard, request)

    return answer


async def hanging(heard: Heard, request: web.Request) -> web.Response:
    """Take the request, and never answer."""
    return await asyncio.get_running_loop().create_future()


async def dropping(heard: Heard, request: web.Request) -> web.Response:
    """Take the request, then drop the connection."""
    request.transport.abort()
    raise asyncio.CancelledError


class Receiver:
    """`async with Receiver() as receiver`. `forged` counts requests whose signature is not right; they get 401."""

    def __init__(self) -> None:
        self.answer: Answer = accepting
        self.heard: list[Heard] = []
        self.forged = 0
        self._port = free_port()  # one that no client is given while it is hidden
        self._verifier = Webhook(SECRET)
        self._runner: web.AppRunner | None = None

    @property
    def settings(self) -> dict[str, object]:
        """What makes a worker tell this receiver, however old the story is."""
        return {
            "notify": ["webhook"],
            "webhook_url": self.url("alerts"),
            "webhook_secret": SECRET,
            "notify_max_age_s": AGES_S,
        }

    def url(self, path: str) -> str:
        """Where to post; a path of its own tells workers apart (`Heard.path`)."""
        return f"http://{HOST}:{self._port}/{path}"

    async def __aenter__(self) -> Self:
        await self.show()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hide()

    async def hide(self) -> None:
        """Refuse connections, and drop those that are open."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def show(self) -> None:
        """Listen, where it was listening before."""
        app = web.Application()
        app.router.add_post("/{path}", self._hear)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._port, reuse_address=True)
        await site.start()

    @property
    def accepted(self) -> list[Heard]:
        """The requests that were answered with success."""
        return [heard for heard in self.heard if heard.accepted]

    async def _hear(self, request: web.Request) -> web.Response:
        content = await request.text()
        try:
            self._verifier.verify(content, dict(request.headers))
        except WebhookVerificationError:
            self.forged += 1
            return web.Response(status=401)
        body = json.loads(content)
        alert, key = body["data"], request.headers["webhook-id"]
        heard = Heard(key, alert["id"], alert["step"], alert["change"], body, monotonic(), request.match_info["path"])
        self.heard.append(heard)
        response = await self.answer(heard, request)
        heard.status = response.status
        return response


def keys_of_steps(heard: Iterable[Heard]) -> dict[tuple[str, int], set[str]]:
    """The idempotency keys under which each (alert id, step) came."""
    keys = defaultdict[tuple[str, int], set[str]](set)
    for one in heard:
        keys[one.alert_id, one.step].add(one.key)
    return dict(keys)


def under_a_second_key(heard: Iterable[Heard]) -> int:
    """Alert steps that came under more than one key, and incidents that came under more than one alert id."""
    heard = list(heard)
    incidents = defaultdict[tuple[str, str], set[str]](set)
    for one in heard:
        incidents[one.body["data"]["brand"], one.body["data"]["started_at"]].add(one.alert_id)
    return sum(len(names) > 1 for names in (*keys_of_steps(heard).values(), *incidents.values()))


def repeated(heard: Iterable[Heard]) -> dict[str, int]:
    """How often each key came again."""
    return {key: count - 1 for key, count in Counter(one.key for one in heard).items() if count > 1}

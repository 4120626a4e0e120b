"""A web site on loopback that can break its connections and ask to be left alone: what stand-ins over HTTP have in common."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Self

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable


class Site:
    """`answer` is the site; the rest is the network before it."""

    host = "127.0.0.1"

    def __init__(self) -> None:
        self.asked: list[tuple[float, web.Request]] = []
        self._broken = False
        self._limit_s: int | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._server = web.Server(self._arrive)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, 0)
        await site.start()
        self.address = f"http://{self.host}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _arrive(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((monotonic(), request))
        if self._broken:
            assert request.transport is not None
            request.transport.abort()
        if self._limit_s is not None:
            wait, self._limit_s = str(self._limit_s), None
            return web.Response(status=429, headers={"Retry-After": wait})
        return await self.answer(request)

    async def interrupt(self) -> None:
        """Every request is cut off from now on, until `mend`."""
        self._broken = True
        for connection in self._server.connections:
            connection.force_close()

    def mend(self) -> None:
        self._broken = False

    async def limit(self, retry_after_s: int) -> Callable[[], list[float]]:
        self._limit_s = retry_after_s
        before = len(self.asked)
        return lambda: [at for at, _ in self.asked[before:]]

    @property
    def connections(self) -> int:
        return len(self._server.connections)

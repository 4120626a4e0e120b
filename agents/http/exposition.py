"""`/metrics`: what Prometheus reads, as text or as OpenMetrics, whichever it asks for."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from prometheus_client import REGISTRY, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from agents.http.access import LETS_GO_WITHIN_S, listening_socket, only_for_those_who_may

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from streams.settings import Settings


def add_metrics(web_app: web.Application, look: Callable[[], None]) -> None:
    """`/metrics`. Whoever asks makes us `look` first: what is found out only then costs nothing in between."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, of no use to anybody

    async def metrics(request: web.Request) -> web.Response:
        look()
        encode, content_type = choose_encoder(request.headers.get(hdrs.ACCEPT, ""))
        return web.Response(body=encode(REGISTRY), headers={hdrs.CONTENT_TYPE: content_type})

    web_app.router.add_get("/metrics", metrics)


@asynccontextmanager
async def metrics_served(settings: Settings) -> AsyncIterator[None]:
    """`/metrics` of a process that is no worker, where GROUNDSWELL_HTTP_PORT names a port.

    Raises:
        SettingsError: open to others and without a token; or nobody can listen at that address.
    """
    if not settings.http_port:
        yield
        return
    web_app = web.Application(middlewares=[only_for_those_who_may(settings)])
    add_metrics(web_app, lambda: None)
    runner = web.AppRunner(web_app, access_log=None, shutdown_timeout=LETS_GO_WITHIN_S)
    await runner.setup()
    try:
        await web.SockSite(runner, listening_socket(settings)).start()
        yield
    finally:
        await runner.cleanup()

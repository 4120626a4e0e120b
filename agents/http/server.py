"""The worker's own HTTP server: metrics and health, and the API. Up from the worker's start, also while tables are recovered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from mode import Service

from agents.http.access import LETS_GO_WITHIN_S, listening_socket, only_for_those_who_may
from agents.http.api import add_api
from agents.http.exposition import add_metrics
from agents.http.gauges import Gauges
from agents.http.health import add_health

if TYPE_CHECKING:
    import socket

    from streams.app import GroundswellApp


def serve(app: GroundswellApp) -> None:
    """Let the worker answer over HTTP, where GROUNDSWELL_HTTP_PORT names a port.

    Raises:
        SettingsError: open to others and without a token; or nobody can listen at that address.
    """
    settings = app.groundswell
    if not settings.http_port:
        return
    web_app = web.Application(middlewares=[only_for_those_who_may(settings)])
    add_health(web_app, app)
    add_metrics(web_app, Gauges(app).look)
    add_api(web_app, app)
    app.keep_running_from_the_start(HttpServer(web_app, listening_socket(settings)))


class HttpServer(Service):
    """Answers on one socket, for as long as the worker lives."""

    abstract = False

    def __init__(self, web_app: web.Application, listening: socket.socket) -> None:
        super().__init__()
        self._runner = web.AppRunner(web_app, access_log=None, shutdown_timeout=LETS_GO_WITHIN_S)
        self._listening = listening

    async def on_start(self) -> None:
        """Answer."""
        await self._runner.setup()
        await web.SockSite(self._runner, self._listening).start()
        self.log.info("HTTP at %s port %d", *self._listening.getsockname()[:2])

    async def on_stop(self) -> None:
        """Let go of whoever still asks."""
        await self._runner.cleanup()

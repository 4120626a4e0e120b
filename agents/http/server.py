"""The worker's own HTTP server: metrics and health, and the API. Up from the worker's start, also while tables are recovered."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from typing import TYPE_CHECKING

from aiohttp import web
from mode import Service

from agents.http.api import add_api
from agents.http.exposition import add_metrics
from agents.http.health import add_health
from streams.settings import SettingsError

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from streams.app import GroundswellApp
    from streams.core.rules import Rules
    from streams.settings import Settings

OPEN = frozenset({"/live", "/ready"})
"""Without a token: a kubelet that probes has none, and they tell nothing of what people say."""

LETS_GO_WITHIN_S = 1.0
"""Of a request under way when the worker is told to stop."""


def serve(app: GroundswellApp, rules: Rules) -> None:
    """Let the worker answer over HTTP, where GROUNDSWELL_HTTP_PORT names a port.

    Raises:
        SettingsError: open to others and without a token; or nobody can listen at that address.
    """
    settings = app.groundswell
    if not settings.http_port:
        return
    web_app = web.Application(middlewares=[_only_for_those_who_may(settings)])
    add_health(web_app, app)
    add_metrics(web_app, app, rules)
    add_api(web_app, app, rules)
    app.keep_running_from_the_start(HttpServer(web_app, _listen(settings)))


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


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _asked_for(request: web.Request) -> str:
    """The host that was asked for; none, where what was said is no host."""
    try:
        return request.url.host or ""
    except ValueError:
        return ""


def _listen(settings: Settings) -> socket.socket:
    """At the start of the process, so that a port that is taken is a refusal and no crash."""
    host, port = settings.http_host, settings.http_port
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise SettingsError(
            f"GROUNDSWELL_HTTP_PORT = {port}: nobody can listen at {host}:{port} ({error.strerror}): choose another port"
        ) from None


def _only_for_those_who_may(settings: Settings) -> Middleware:
    token = settings.http_token.get_secret_value() if settings.http_token else ""
    if not token and not is_loopback(settings.http_host):
        raise SettingsError(
            f"GROUNDSWELL_HTTP_HOST = {settings.http_host!r} lets others ask: set GROUNDSWELL_HTTP_TOKEN, which they must "
            f"then send as `Authorization: Bearer ...`; or listen at 127.0.0.1"
        )
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in OPEN:
            if token:
                given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
                if not hmac.compare_digest(given, expected):
                    raise web.HTTPUnauthorized(
                        text="send the token of GROUNDSWELL_HTTP_TOKEN as `Authorization: Bearer ...`\n",
                        headers={"WWW-Authenticate": "Bearer"},
                    )
            elif not is_loopback(_asked_for(request)):
                # A page in somebody's browser may give its own name this address, and read the answers.
                raise web.HTTPForbidden(text="only loopback is answered without a token\n")
        return await handler(request)

    return check

"""Where HTTP is answered, and whom: by the worker, and by a listener beside it."""

from __future__ import annotations

import hmac
import socket
from typing import TYPE_CHECKING

from aiohttp import web

from streams.core.endpoints import is_loopback
from streams.settings import SettingsError

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from streams.settings import Settings

OPEN = frozenset({"/live", "/ready"})
"""Without a token: a kubelet that probes has none, and they tell nothing of what people say."""

LETS_GO_WITHIN_S = 1.0
"""Of a request under way when the process is told to stop."""


def _asked_for(request: web.Request) -> str:
    """The host that was asked for; none, where what was said is no host."""
    try:
        return request.url.host or ""
    except ValueError:
        return ""


def listening_socket(settings: Settings) -> socket.socket:
    """Listen at the start of the process, so that a port that is taken is a refusal and no crash.

    Raises:
        SettingsError: nobody can listen at that address.
    """
    host, port = settings.http_host, settings.http_port
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise SettingsError(
            f"GROUNDSWELL_HTTP_PORT = {port}: nobody can listen at {host}:{port} ({error.strerror}): choose another port"
        ) from None


def only_for_those_who_may(settings: Settings) -> Middleware:
    """Ask for the token; without one answer only what was asked on this machine.

    Raises:
        SettingsError: open to others and without a token.
    """
    token = settings.http_token.get_secret_value() if settings.http_token else ""
    if not token and not is_loopback(settings.http_host):
        raise SettingsError(
            f"GROUNDSWELL_HTTP_HOST = {settings.http_host!r} lets others ask: set GROUNDSWELL_HTTP_TOKEN, which they must "
            f"then send as `Authorization: Bearer ...`; or listen at 127.0.0.1"
        )
    expected = token.encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in OPEN:
            if token:
                scheme, _, given = request.headers.get("Authorization", "").partition(" ")
                same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), expected)
                if scheme.lower() != "bearer" or not same:
                    raise web.HTTPUnauthorized(
                        text="send the token of GROUNDSWELL_HTTP_TOKEN as `Authorization: Bearer ...`\n",
                        headers={"WWW-Authenticate": "Bearer"},
                    )
            elif not is_loopback(_asked_for(request)):
                # A page in somebody's browser may give its own name this address, and read the answers.
                raise web.HTTPForbidden(text="only loopback is answered without a token\n")
        return await handler(request)

    return check

"""Whoever posts mentions to us over HTTP: signed as Standard Webhooks say, and answered once Kafka has them.

`POST /v1/mentions`: 202 taken, 200 taken before (the same `webhook-id`), 400 unfit and why, 401 not signed, 408 too
slow, 413 too much, 415 no JSON, 429 too much at once, 503 Kafka does not take it now. What was not answered with 2xx
the sender sends again; what arrives twice nevertheless intake drops. So there is no cursor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aiohttp import web
from standardwebhooks import Webhook as Signature

from agents.sources.interface import Reached, SourceError
from agents.sources.options import Options, Secret
from agents.sources.webhook.body import NAME
from agents.sources.webhook.door import MIB, Door, Limits
from streams.core.endpoints import KEY_FORM, is_loopback, webhook_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from agents.sources.interface import Event

LETS_GO_WITHIN_S = 1.0
IDLE_S = 30.0
"""Whoever is connected and has asked nothing for so long, or never ends his headers, is let go: connections are few."""


class Webhook:
    """See the module's docstring."""

    about: ClassVar[str] = "What others post to us over HTTP, signed as Standard Webhooks say."
    options: ClassVar[Mapping[str, str]] = {
        "host": "where to listen; without a secret only loopback (127.0.0.1)",
        "port": "and at which port (8025)",
        "secrets": Secret("whsec_..., several between spaces while one replaces another"),
        "most_bytes": "of one request, at most; more is answered with 413 (1048576)",
        "most_waiting": "mentions that Kafka has not acknowledged yet, at most; more is answered with 429 (4000)",
        "answer_within": "if Kafka takes longer, the answer is 503; seconds (10)",
    }
    name = NAME
    cursor_key: str | None = None

    def __init__(self, host: str, port: int, signatures: Sequence[Signature], limits: Limits) -> None:
        self._host, self._port, self._signatures, self._limits = host, port, signatures, limits

    @classmethod
    def open(cls, options: Mapping[str, str]) -> Webhook:
        """Make one; nobody listens yet."""
        given = Options(NAME, options, cls.options)
        host = given.text("host", "127.0.0.1")
        signatures = [_signature(secret) for secret in (given.secret("secrets") or "").split()]
        if not signatures and not is_loopback(host):
            given.required_secret("secrets")
        return cls(
            host,
            int(given.number("port", 8025, least=1, most=65_535)),
            signatures,
            Limits(
                most_bytes=int(given.number("most_bytes", MIB, least=1024, most=64 * MIB)),
                most_waiting=int(given.number("most_waiting", 4000, least=1, most=1_000_000)),
                answer_within_s=given.number("answer_within", 10, least=0.05, most=300),
            ),
        )

    async def listen(self, cursor: str | None = None) -> AsyncIterator[Event]:
        """Say what is posted, for as long as somebody listens.

        Raises:
            SourceError: nobody can listen at that address; or there is a cursor, which cannot be ours.
        """
        if cursor is not None:
            raise SourceError(f"{NAME}: no cursor is known here, found {cursor!r}: what was not taken is sent again")
        door = Door(self._signatures, self._limits)
        runner = web.AppRunner(
            door.web_app(),
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=IDLE_S,
            shutdown_timeout=LETS_GO_WITHIN_S,
        )
        await runner.setup()
        try:
            await self._listen_at(runner)
            yield Reached(None)
            while True:
                yield await door.said.get()
        finally:
            door.close()
            await runner.cleanup()

    async def _listen_at(self, runner: web.AppRunner) -> None:
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            raise SourceError(
                f"{NAME}: nobody can listen at {self._host}:{self._port} ({error.strerror}): choose another host= or port="
            ) from error


def _signature(secret: str) -> Signature:
    key = webhook_key(secret)
    if key is None:
        raise SourceError(f"{NAME}: each of secrets must be {KEY_FORM}; one is not")
    return Signature(key)

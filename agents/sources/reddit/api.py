"""Reddit's API as far as it is read: a token of the application's own, listings, things by their names, and its limits.

Not asyncpraw: one comment that it cannot read ends its stream, and every later one, and the bytes are lost; and it asks
three times before it says what went wrong, whereas a source connects once.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from agents.sources.http import NO_ANSWER, body_of, no_answer, refuse, retry_after_s
from agents.sources.interface import SourceDownError, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aiohttp

PAGE = 100
RENEW_BEFORE_S = 60.0


class Unreadable(Exception):  # noqa: N818  it is not ours
    """An answer that is no listing: `body` is what came."""

    def __init__(self, body: bytes) -> None:
        super().__init__("no listing")
        self.body = body


class Listing(msgspec.Struct):
    """One page: `children` as they came, and the name after which the next page begins."""

    children: list[msgspec.Raw]
    after: str | None = None


class _Answer(msgspec.Struct):
    data: Listing


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float


class RedditApi:
    """Asks with one token, one request at a time. Every method may raise a SourceError; listings an Unreadable."""

    def __init__(self, session: aiohttp.ClientSession, www: str, api: str, client_id: str, client_secret: str) -> None:
        self._session, self._www, self._api = session, www, api
        self._login = f"Basic {b64encode(f'{client_id}:{client_secret}'.encode()).decode()}"
        self._token, self._renew_at_s, self._free_at_s = "", 0.0, 0.0

    async def newest(self, path: str, after: str | None) -> Listing:
        """One page of a listing, newest first."""
        return await self._listing(path, limit=PAGE, **({"after": after} if after else {}))

    async def things(self, names: Sequence[str]) -> Listing:
        """Those of at most PAGE things that there are."""
        return await self._listing("/api/info", id=",".join(names))

    async def _listing(self, path: str, **query: str | int) -> Listing:
        if monotonic() >= self._renew_at_s:
            await self._renew()
        given = {"headers": {"Authorization": f"Bearer {self._token}"}, "params": {"raw_json": 1, **query}}
        body = await self._ask("GET", f"{self._api}{path}", **given)
        try:
            return msgspec.json.decode(body, type=_Answer).data
        except msgspec.MsgspecError:
            raise Unreadable(body) from None

    async def _renew(self) -> None:
        url = f"{self._www}/api/v1/access_token"
        body = await self._ask(
            "POST", url, headers={"Authorization": self._login}, data={"grant_type": "client_credentials"}
        )
        try:
            token = msgspec.json.decode(body, type=_Token)
        except msgspec.MsgspecError:
            raise SourceDownError(f"{url} answered with something else than a token") from None
        self._token = token.access_token
        self._renew_at_s = monotonic() + max(0.0, token.expires_in - RENEW_BEFORE_S)

    async def _ask(self, method: str, url: str, **given: Any) -> bytes:
        await asyncio.sleep(max(0.0, self._free_at_s - monotonic()))
        try:
            async with self._session.request(method, url, **given) as answer:
                self._heed(answer)
                if answer.status == 401 and self._token:
                    raise SourceDownError(f"{url} does not take the token any more: another one is asked for")
                if answer.status == 429 and "Retry-After" not in answer.headers:
                    reset = retry_after_s(answer.headers.get("x-ratelimit-reset"))
                    raise SourceDownError(f"{url} answered 429 Too Many Requests", reset)
                refuse(url, answer)
                return await body_of(url, answer)
        except NO_ANSWER as error:
            raise no_answer(url, error) from error

    def _heed(self, answer: aiohttp.ClientResponse) -> None:
        """Whoever has used up his requests waits until there are new ones."""
        with suppress(KeyError, ValueError):
            if float(answer.headers["x-ratelimit-remaining"]) < 1:
                reset = retry_after_s(answer.headers["x-ratelimit-reset"])
                self._free_at_s = monotonic() + (reset or 0.0)


def no_plain_secrets(url: str) -> str:
    """Refuse an address to which a secret would go in plain sight.

    Raises:
        SourceError: it is neither https nor on loopback.
    """
    if not url.startswith(("https://", "http://127.0.0.1:", "http://localhost:", "http://[::1]:")):
        raise SourceError(f"reddit: api={url}: expected https://..., since secrets go there")
    return url.rstrip("/")

"""What every source that asks over HTTP does alike: who we are, how long we wait, how much we take, what an answer means."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from errno import EACCES
from http import HTTPStatus
from importlib.metadata import version
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import aiohttp.abc

from agents.sources.interface import SourceDownError, SourceError
from streams.core import endpoints

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

ANSWER_WITHIN_S = 30.0
MOST_BYTES = 5 * 1024 * 1024
LONGEST_WAIT_S = 3600.0
"""However long the other side asks us to wait: then we ask again."""

NO_ANSWER = (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError)
NOT_NOW = (408, 425, 429, 500, 502, 503, 504)
PHRASES = {status.value: status.phrase for status in HTTPStatus}
"""Ours: the other side's own words may be anything."""


class Answer(NamedTuple):
    """What came back: a status below 400, lower-case header names, and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Reach(aiohttp.abc.AbstractResolver):
    """How far redirects lead: into our own network only to hosts that a person has named, elsewhere to any."""

    def __init__(self, named: Collection[str]) -> None:
        self._named, self._resolver = frozenset(named), aiohttp.DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """Look a name up.

        Raises:
            OSError: there is none, or it leads where it must not.
        """
        found = await self._resolver.resolve(host, port, family)
        if host in self._named:
            return found
        if not (public := [one for one in found if _is_public(one["host"])]):
            raise PermissionError(EACCES, f"{host} leads into our own network")
        return public

    async def close(self) -> None:
        """Give back what looks names up."""
        await self._resolver.close()

    async def let_through(
        self, request: aiohttp.ClientRequest, ask: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Names are looked up, addresses are not."""
        host = request.url.host or ""
        if host not in self._named and not _is_public(host):
            raise aiohttp.ClientError(f"{host} leads into our own network")
        return await ask(request)


def _is_public(host: str) -> bool:
    """Whether it is a public address; or a name, of which nobody knows yet."""
    try:
        address = ip_address(host)
    except ValueError:
        return True
    return endpoints.is_public(getattr(address, "ipv4_mapped", None) or address)


def open_session(reach: Reach | None = None, /, **headers: str) -> aiohttp.ClientSession:
    """One for the life of a `listen`; the caller closes it."""
    known = {"User-Agent": f"groundswell/{version('groundswell')} (social listening)", **headers}
    return aiohttp.ClientSession(
        headers=known,
        timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_S),
        connector=aiohttp.TCPConnector(resolver=reach) if reach else None,
        middlewares=(reach.let_through,) if reach else (),
    )


async def get(
    session: aiohttp.ClientSession, url: str, *, headers: Mapping[str, str] | None = None, **query: str | int
) -> Answer:
    """Ask once.

    Raises:
        SourceDownError: no answer, a broken one, or one that says: later.
        SourceError: any other status from 400 on, or more than MOST_BYTES.
    """
    try:
        async with session.get(url, params=query, headers=headers) as answer:
            refuse(url, answer)
            body = await body_of(url, answer)
            return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, body)
    except NO_ANSWER as error:
        raise no_answer(url, error) from error


async def body_of(url: str, answer: aiohttp.ClientResponse) -> bytes:
    """Read the whole body.

    Raises:
        SourceError: it has more than MOST_BYTES.
    """
    body = await answer.content.read(MOST_BYTES + 1)
    while len(body) <= MOST_BYTES and not answer.content.at_eof():
        body += await answer.content.read(MOST_BYTES + 1 - len(body))
    if len(body) > MOST_BYTES:
        raise SourceError(f"{url} answered with more than {MOST_BYTES:,} bytes; it is left out")
    return body


def no_answer(url: str, error: BaseException) -> SourceDownError:
    """Say what one of NO_ANSWER means."""
    return SourceDownError(f"{url} does not answer: {error or type(error).__name__}")


def refuse(url: str, answer: aiohttp.ClientResponse) -> None:
    """Raise what a status from 400 on means; the others pass.

    Raises:
        SourceDownError: 429, 5xx and their like, with the wait that was asked for.
        SourceError: the others.
    """
    if answer.status < 400:
        return
    says = f"{url} answered {answer.status} {PHRASES.get(answer.status, '')}".rstrip()
    if answer.status in NOT_NOW or answer.status >= 500:
        raise SourceDownError(says, retry_after_s(answer.headers.get("Retry-After")))
    hint = {401: ": is the secret right?", 403: ": is the secret allowed to read this?", 404: ": is the address right?"}
    raise SourceError(says + hint.get(answer.status, ""))


def retry_after_s(header: str | None) -> float | None:
    """Seconds to wait, from a `Retry-After` header, LONGEST_WAIT_S at most; None: it says nothing usable."""
    wait_s = endpoints.retry_after_s(header, datetime.now(UTC))
    return None if wait_s is None else min(wait_s, LONGEST_WAIT_S)

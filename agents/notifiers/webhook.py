"""Tells a URL, as a signed Standard Webhook (https://www.standardwebhooks.com).

The receiver sees `{"type": "alert.fired|alert.updated|alert.resolved", "timestamp", "data": alert}`;
`webhook-id` is the idempotency key, the same on every attempt, and each attempt is signed anew.
Neither the secret nor the URL's path, which often is one too, is ever shown.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec.structs import replace
from standardwebhooks import Webhook
from yarl import URL

from agents.notifiers.interface import Delivered, Refused, Retry
from streams.core.endpoints import IP, KEY_FORM, is_loopback, is_public, retry_after_s, webhook_key
from streams.records import encode
from streams.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.notifiers.interface import Outcome
    from streams.records import Alert
    from streams.settings import Settings

TIMEOUT_S = 15.0
BODY_LIMIT = 20_000  # bytes; receivers may refuse more. Samples are left out, last ones first, to keep to it.

BUSY = {408, 409, 425, 429}  # the only 4xx that may change by themselves
UNHEARD = {425, 429, 503}  # says of itself that it did not take it


class WebhookNotifier:
    """Posts to GROUNDSWELL_WEBHOOK_URL, signed with GROUNDSWELL_WEBHOOK_SECRET.

    Raises:
        SettingsError: the URL or the secret is missing or unfit; the message does not repeat them.
    """

    name = "webhook"

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._url = _checked_url(settings.webhook_url or "")
        secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
        self._signer = Webhook(_checked_secret(secret))
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"WebhookNotifier({self._url.host})"

    async def deliver(self, alert: Alert, key: str) -> Outcome:
        """Post once. Redirects are not followed and the answer's body is not read."""
        body = _body(alert)
        now = self._clock()
        headers = {
            "content-type": "application/json",
            "webhook-id": key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(key, now, body.decode()),
        }
        try:
            async with self._opened().post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                return _outcome(answer.status, answer.headers.get("retry-after"), now)
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, UnsafeAddressError):
                return Refused(str(error.os_error))
            return Retry(f"no connection: {type(error.os_error).__name__}")
        except (aiohttp.ClientError, OSError) as error:  # a timeout is an OSError
            return Retry(f"no answer: {type(error).__name__}", maybe_heard=True)

    async def close(self) -> None:
        """Close connections; a later `deliver` would open new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = CheckedResolver(loopback=is_loopback(self._url.host or ""))
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


class UnsafeAddressError(OSError):
    """A name resolves to an address inside somebody's network."""


class CheckedResolver(AbstractResolver):
    """Resolves a name once, and hands out addresses only if all of them may be connected to.

    The connection goes to the very address that was checked, so a name that changes in between
    (DNS rebinding) gains nothing.
    """

    def __init__(self, *, loopback: bool) -> None:
        self._loopback = loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look the name up.

        Raises:
            OSError: it does not resolve; UnsafeAddressError: it does, to where we do not go.
        """
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        addresses = [(str(address[0]), number) for number, _, _, _, address in found]
        for address, _ in addresses:
            if not may_connect(ipaddress.ip_address(address), loopback=self._loopback):
                raise UnsafeAddressError(f"{host} resolves to {address}, which is not a public address")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=number, proto=0, flags=socket.AI_NUMERICHOST)
            for address, number in addresses
        ]

    async def close(self) -> None:
        """Nothing to let go of."""


def may_connect(address: IP, *, loopback: bool) -> bool:
    """Whether an alert may be sent there: public unicast only, or loopback only where that was asked for."""
    return address.is_loopback if loopback else is_public(address)


def _outcome(status: int, retry_after: str | None, now: datetime) -> Outcome:
    if 200 <= status < 300:
        return Delivered()
    if status in BUSY or status >= 500:
        return Retry(f"HTTP {status}", retry_after_s(retry_after, now), maybe_heard=status not in UNHEARD)
    if 300 <= status < 400:
        return Refused(f"HTTP {status}: redirects are not followed; set GROUNDSWELL_WEBHOOK_URL to where it leads")
    return Refused(f"HTTP {status}{': the receiver wants no more' if status == 410 else ''}")


def _body(alert: Alert) -> bytes:
    while True:
        body = encode({"type": f"alert.{alert.change}", "timestamp": alert.at, "data": alert})
        samples = alert.evidence.samples
        if len(body) <= BODY_LIMIT or not samples:
            return body
        alert = replace(alert, evidence=replace(alert.evidence, samples=samples[:-1]))


def _checked_url(text: str) -> URL:
    refusal = "GROUNDSWELL_WEBHOOK_URL: expected https://host/..., or http:// on loopback for trials"
    if not text:
        raise SettingsError(f"{refusal}; it is not set")
    try:
        url = URL(text)
        host = url.host or ""
        (url.raw_host or "").encode("idna")
    except ValueError:
        raise SettingsError(f"{refusal}; this is no URL") from None
    if not host or any(character.isspace() for character in host):
        raise SettingsError(f"{refusal}; this names no host")
    if url.user is not None or url.password is not None:
        raise SettingsError(f"{refusal}; leave out the user and password, requests are signed instead")
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(host)):
        raise SettingsError(f"{refusal}; got {url.scheme or 'no scheme'} to {host}")
    address = _ip(host)
    if address is None:
        if ":" in host or host.replace(".", "").isdigit():  # the client would connect without asking the resolver
            raise SettingsError(f"{refusal}; {host} is neither a name nor an address")
    elif not may_connect(address, loopback=address.is_loopback):
        raise SettingsError(f"{refusal}; {host} is not a public address")
    return url


def _checked_secret(text: str) -> bytes:
    key = webhook_key(text)
    if key is None:
        found = "it is set to something else" if text else "it is not set"
        raise SettingsError(f"GROUNDSWELL_WEBHOOK_SECRET: expected {KEY_FORM}; {found}")
    return key


def _ip(host: str) -> IP | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None

"""The source `bluesky`: every post of the network as it is written, from a Jetstream server, with neither key nor account."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import aiohttp
from aiohttp import ClientWSTimeout, WSMsgType, WSServerHandshakeError

from agents.sources.bluesky.frames import EPOCH, MICROSECOND, V2
from agents.sources.bluesky.posts import POSTS
from agents.sources.bluesky.stream import FIRST_TIME, Place, Reading, RenumberedError
from agents.sources.http import MOST_BYTES, NOT_NOW, open_session, retry_after_s
from agents.sources.interface import Reached, SourceDownError, SourceError
from agents.sources.options import Options
from agents.sources.times import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aiohttp import ClientSession, ClientWebSocketResponse

    from agents.sources.interface import Event

    Socket = ClientWebSocketResponse[Literal[False]]

HOSTS = {
    "v2": ("jetstream.us-east.bsky.network", "jetstream.us-west.bsky.network"),
    "v1": tuple(f"jetstream{n}.us-{coast}.bsky.network" for n in (1, 2) for coast in ("east", "west")),
}
CONNECT_WITHIN_S = 5.0
SILENT_S = 20.0
QUIET_S = 300.0
"""The network is never quiet: a server that is, has lost its own connection to it."""
CLOSE_WITHIN_S = 1.0


class Bluesky:
    """Listens to posts, edits, deletions and the end of accounts.

    In v2 it goes on after the last event's number; where the server or the protocol is another, by time, so that
    some is heard twice. What a server does not keep any more (36 h are usual) is told as a gap.
    """

    name = "bluesky"
    cursor_key: str | None = "bluesky"
    about: ClassVar[str] = "every post on Bluesky as it is written, from Jetstream; no key and no account needed"
    options: ClassVar[Mapping[str, str]] = {
        "wire": "v2 (default), or v1: the older protocol, which other servers speak",
        "host": "Jetstream servers, between commas, tried in turn: jetstream.example.org, ws://127.0.0.1:6008 "
        "(default: the public ones)",
    }

    def __init__(
        self,
        hosts: Sequence[str] = (),
        *,
        wire: str = "v2",
        silent_s: float = SILENT_S,
        quiet_s: float = QUIET_S,
        clock: Clock | None = None,
    ) -> None:
        """`silent_s`: after so long without a sign of life a server is asked for one, and soon given up.

        `quiet_s`: so is one that gives signs of life, but has said nothing for so long.
        """
        self.wire, self.hosts = wire, tuple(hosts) or HOSTS[wire]
        self._silent_s, self._quiet_s, self._clock = silent_s, quiet_s, clock or Clock()
        self._mute: set[str] = set()
        self._renumbered: set[str] = set()

    @classmethod
    def open(cls, options: Mapping[str, str]) -> Self:
        """Make one from `key=value` options; see `options`.

        Raises:
            SourceError: an option is unknown or wrong.
        """
        given = Options(cls.name, options, cls.options)
        return cls(given.texts("host"), wire=given.one_of("wire", ("v2", "v1")))

    async def listen(self, cursor: str | None = None) -> AsyncIterator[Event]:
        """Yield what happens, from after `cursor` or from now on, until the connection ends: then it raises."""
        place = Place.read(cursor) if cursor else None
        async with open_session() as session, self._connected(session, place) as (host, start, socket):
            begins = cursor or str(Place((self._clock.now() - EPOCH) // MICROSECOND, host))
            yield Reached(begins)
            reading = Reading(self.wire, host, start, begins, self._clock)
            while True:
                try:
                    async with asyncio.timeout(self._quiet_s):
                        message = await socket.receive()
                except TimeoutError:
                    self._mute.add(host)
                    raise SourceDownError(f"{host} lives, but has said nothing for {self._quiet_s:g} s") from None
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                self._mute.discard(host)
                try:
                    for event in reading.hear(message.data):
                        yield event
                except RenumberedError as renumbered:
                    self._renumbered.add(host)
                    raise SourceDownError(str(renumbered)) from None
            raise SourceDownError(f"{host} {_parting(socket)}")

    @asynccontextmanager
    async def _connected(
        self, session: ClientSession, place: Place | None
    ) -> AsyncIterator[tuple[str, int | None, Socket]]:
        """The first server that answers: its name, where it was asked to begin, the connection."""
        failures: list[SourceError] = []
        for host in sorted(self.hosts, key=lambda host: (host in self._mute, place is None or host != place.host)):
            for start in self._starts(host, place):
                try:
                    socket = await self._open(session, host, start)
                except WSServerHandshakeError as refused:
                    if refused.status == 400 and start is not None and start < FIRST_TIME:
                        continue  # too old: asked by time instead, it begins with what there is, and says so
                    failures.append(_refusal(host, refused))
                except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as wrong:
                    failures.append(SourceError(f"{host} is no address: {wrong}"))
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    failures.append(SourceDownError(f"{host} does not answer: {error or type(error).__name__}"))
                else:
                    self._mute.add(host)  # until it says something: otherwise it is asked last the next time
                    async with socket:
                        yield host, start, socket
                    return
                break
        raise self._nobody(failures)

    def _starts(self, host: str, place: Place | None) -> Sequence[int | None]:
        if place is None:
            return (None,)
        numbered = self.wire == "v2" and host == place.host and host not in self._renumbered
        by_time = place.by_time(host)
        return (place.seq, by_time) if numbered and place.seq is not None else (by_time,)

    async def _open(self, session: ClientSession, host: str, start: int | None) -> Socket:
        address = host if "://" in host else f"wss://{host}"
        v2 = self.wire == "v2"
        path = f"/xrpc/{V2}" if v2 else "/subscribe"
        query = [("collections" if v2 else "wantedCollections", POSTS)]
        if v2:
            query += [("kinds", kind) for kind in ("commit", "account", "sync")]
        if start is not None:
            query.append(("cursor", str(start)))
        async with asyncio.timeout(CONNECT_WITHIN_S):
            return await session.ws_connect(
                address.rstrip("/") + path,
                params=query,
                protocols=("xrpc.v1.json",) if v2 else (),
                heartbeat=self._silent_s,
                timeout=ClientWSTimeout(ws_close=CLOSE_WITHIN_S),
                max_msg_size=MOST_BYTES,
                decode_text=False,  # a text that is no UTF-8 would end the connection, again and again
            )

    def _nobody(self, failures: Sequence[SourceError]) -> SourceError:
        other = "v1" if self.wire == "v2" else "v2"
        says = (
            f"no Jetstream server can be listened to by {self.wire}: {'; '.join(map(str, failures))}. Is there a network? "
            f"wire={other} tries the other protocol, host=... other servers."
        )
        waits_s = [one.retry_after_s for one in failures if isinstance(one, SourceDownError) and one.retry_after_s]
        if any(isinstance(one, SourceDownError) for one in failures):
            return SourceDownError(says, max(waits_s, default=None))
        return SourceError(says)


def _refusal(host: str, refused: WSServerHandshakeError) -> SourceError:
    says = f"{host} answered {refused.status}"
    if refused.status in NOT_NOW or refused.status >= 500:
        return SourceDownError(says, retry_after_s(refused.headers.get("Retry-After") if refused.headers else None))
    return SourceError(says)


def _parting(socket: Socket) -> str:
    """How a connection ended, in words."""
    if error := socket.exception():
        return f"fell silent: {error}"
    if socket.close_code in (None, aiohttp.WSCloseCode.ABNORMAL_CLOSURE):
        return "is gone: the connection broke"
    return f"closed the connection ({socket.close_code})"

"""The source `mastodon`: public posts of one server, or of a tag, as they are made."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Self

from agents.sources.http import NO_ANSWER, open_session
from agents.sources.interface import Gap, Reached, SourceDownError, SourceError
from agents.sources.mastodon.api import Feed, MastodonApi, address_of
from agents.sources.mastodon.status import id_at, read_number, read_status, time_of
from agents.sources.mastodon.telling import Telling
from agents.sources.options import Options, Secret, variable_of
from agents.sources.sse import ServerEvent, ServerEvents
from agents.sources.times import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping
    from datetime import datetime

    import aiohttp

    from agents.sources.interface import Event

    Heard = asyncio.Queue[tuple[ServerEvent, datetime] | SourceDownError]

SILENCE_S = 60.0
"""The server sends a heartbeat every 15 s."""

OVERLAP = timedelta(minutes=15)
"""Ids follow the author's clock, so what reached the server late stands below the last id seen."""

CLOCKS_DIFFER = timedelta(minutes=1)
PAGE = 40
MOST_WAITING = 10_000
MOST_ASKED = 100


class Mastodon:
    """Listens to the stream of one server, and reads what it missed from the server's list.

    A mention is named after the server and the post's number there, since a deletion names nothing else: so each finds
    its mention, also after a restart. The price: a post that is heard through two servers is two mentions. Listen to
    `public` of one server, or to `public:local` of as many as you like, which have no post in common.

    Not told: boosts (they repeat another's words); what is not for everybody; accounts that ask indexes to leave them
    out. Servers put no answers to others into their public feeds; a tag has them. A server also leaves out what the
    token's user blocks, mutes or does not read: give Groundswell a user of its own.

    Streams have no place to go on from. After an interruption the server's list is read from 15 minutes before the last
    post, while the new stream already waits, so that nothing falls between the two. What that list does not show, but
    was told in those minutes, is asked for, and deleted if it is gone. What happened to older posts while nobody listened
    stays unknown; after a restart of the process, every deletion meanwhile does.
    """

    name = "mastodon"
    about: ClassVar[str] = (
        "public posts of a Mastodon server, or of a tag there, as they are made; needs a user's token"
    )
    options: ClassVar[Mapping[str, str]] = {
        "server": "the server, such as mastodon.social",
        "stream": "public (default): all that the server hears of; public:local: written on it; hashtag: with tag=",
        "tag": "the tag, without #",
        "accounts": "any (default); discoverable: only those that have opted into being discovered",
        "pages": "how many pages of 40 posts are read at most after an interruption (default 250; servers allow 300 in 15 min)",
        "token": Secret("a user's access token that may read:statuses (Preferences > Development)"),
    }

    def __init__(
        self,
        server: str,
        token: str,
        feed: Feed,
        *,
        discoverable_only: bool = False,
        pages: int = 250,
        silence_s: float = SILENCE_S,
        clock: Clock | None = None,
    ) -> None:
        """`silence_s`: after so long without a word, not even a heartbeat, the stream is taken for dead."""
        self._base = address_of(server)
        self.server = self._base.partition("://")[2]
        self.cursor_key: str | None = f"mastodon:{self.server}/{feed.name}"
        self._token, self._feed = token, feed
        self._pages, self._silence_s, self._clock = pages, silence_s, clock or Clock()
        self._telling = Telling(self.server, self._clock, discoverable_only=discoverable_only)

    @classmethod
    def open(cls, options: Mapping[str, str]) -> Self:
        """Make one from `key=value` options; see `options`.

        Raises:
            SourceError: an option is unknown, missing or wrong.
        """
        given = Options(cls.name, options, cls.options)
        stream = given.one_of("stream", ("public", "public:local", "hashtag"))
        if stream != "hashtag" and given.text("tag", ""):
            raise SourceError("mastodon: tag=... goes with stream=hashtag")
        tag = given.required("tag").removeprefix("#").lower() if stream == "hashtag" else ""
        if not tag.replace("_", "").isalnum() and stream == "hashtag":
            raise SourceError(f"mastodon: tag={tag}: expected letters, digits and _")
        return cls(
            given.required("server"),
            given.required_secret("token"),
            Feed.of(stream, tag),
            discoverable_only=given.one_of("accounts", ("any", "discoverable")) == "discoverable",
            pages=int(given.number("pages", 250, least=1, most=10_000)),
        )

    async def listen(self, cursor: str | None = None) -> AsyncIterator[Event]:
        """Yield what is said from after `cursor`, or from now on, until the stream ends: then it raises."""
        since = read_number(cursor) if cursor is not None else None
        if since is None and cursor is not None:
            raise SourceError(f"mastodon: the cursor {cursor!r} is not the number of a post")
        telling = self._telling
        async with open_session(Authorization=f"Bearer {self._token}") as session:
            api = MastodonApi(session, self._base, self._feed, variable_of(self.name, "token"), self._clock)
            async with api.stream(self._silence_s) as stream:
                opened = api.time_at(stream)
                heard: Heard = asyncio.Queue(MOST_WAITING)
                reading = asyncio.create_task(self._read(stream, heard))
                try:
                    telling.reached = await self._newest(api, opened) if since is None else since
                    yield Reached(str(telling.reached))
                    if since is not None:
                        async with aclosing(self._catch_up(api, opened)) as missed:
                            async for event in missed:
                                yield event
                    while not isinstance(one := await heard.get(), SourceDownError):
                        for event in telling.hear(*one):
                            yield event
                    raise one
                finally:
                    reading.cancel()
                    await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, stream: aiohttp.ClientResponse, heard: Heard) -> None:
        """Fill `heard`; where that is full the server has to wait. The last word is why there is no more."""
        events = ServerEvents()
        down = SourceDownError(f"{stream.url} has closed the stream")
        try:
            async for piece in stream.content.iter_any():
                for event in events.feed(piece):
                    await heard.put((event, self._clock.now()))
        except TimeoutError:
            down = SourceDownError(f"{stream.url} has been silent for {self._silence_s:g} s, without even a heartbeat")
        except NO_ANSWER as error:
            down = SourceDownError(f"{stream.url} is gone: {error or type(error).__name__}")
        except SourceDownError as error:
            down = error
        await heard.put(down)

    async def _newest(self, api: MastodonApi, opened: datetime) -> int:
        return max(await api.listed(limit=1), default=id_at(opened))

    async def _catch_up(self, api: MastodonApi, opened: datetime) -> AsyncGenerator[Event]:
        """Read the list from OVERLAP before the last post up to where the stream was opened, oldest first."""
        telling, last = self._telling, self._telling.reached
        began = at = max(0, id_at(time_of(last) - OVERLAP))
        enough = id_at(opened + CLOCKS_DIFFER)
        listed: set[int] = set()
        for _ in range(self._pages):
            page = await api.listed(limit=PAGE, min_id=at)
            for stood in page.values():
                status = read_status(stood)
                for event in telling.post(status, None) if status else (telling.unreadable(stood),):
                    yield event
            listed.update(page)
            at = max(page, default=at)
            if not page or at >= enough:
                break
        else:
            yield Gap(
                f"{self.cursor_key}: more than {self._pages * PAGE:,} posts since {time_of(began):%Y-%m-%d %H:%M:%S}; "
                f"what was said from {time_of(at):%H:%M:%S} to {opened:%H:%M:%S} UTC is left out"
            )
        if not listed and await api.exists(last):
            yield Gap(f"{self.cursor_key}: the server does not list this feed; what it said meanwhile cannot be had")
            return
        missing = [one for one in telling.told if began < one <= min(last, at) and one not in listed]
        for number in missing[-MOST_ASKED:]:
            if not await api.exists(number):
                yield telling.deletion(number)

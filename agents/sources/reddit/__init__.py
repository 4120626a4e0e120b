"""The source `reddit`: posts and comments of some subreddits, and what becomes of them."""

from __future__ import annotations

import re
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Self

import msgspec

from agents.sources.http import open_session
from agents.sources.interface import Gap, Reached, Sourced, SourceError
from agents.sources.options import Options, Secret
from agents.sources.reddit.api import RedditApi, no_plain_secrets
from agents.sources.reddit.things import Name, name_in
from agents.sources.reddit.walk import PATHS, Window, walk
from agents.sources.reddit.watch import Watch
from agents.sources.times import Clock
from streams.records import encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from agents.sources.interface import Event

KINDS = {"both": ("t3", "t1"), "comments": ("t1",), "posts": ("t3",)}
MOST_SUBREDDITS = 100
MOST_UNREADABLE = 1000


class Reddit:
    """Asks for what is new, page by page back to what is known, and now and then what has become of it.

    A cursor holds the latest names of each kind, from which new things are told.
    """

    name = "reddit"
    about: ClassVar[str] = "posts and comments of subreddits; Reddit has to approve the application first"
    options: ClassVar[Mapping[str, str]] = {
        "subreddits": "their names, between commas",
        "what": "both (default), comments or posts",
        "user_agent": "who asks, as Reddit wants it: linux:my-listener:1.0 (by /u/me)",
        "client_id": Secret("the application's id"),
        "client_secret": Secret("the application's secret"),
        "every": "seconds between two looks (default 5)",
        "recheck": "seconds after which the last 1,000 are looked at for edits and deletions (default 300)",
        "api": "another server that speaks like Reddit's",
    }

    def __init__(
        self,
        subreddits: Sequence[str],
        user_agent: str,
        client: tuple[str, str],
        *,
        kinds: Sequence[str] = KINDS["both"],
        every_s: float = 5.0,
        recheck_s: float = 300.0,
        api: str | None = None,
    ) -> None:
        """`client`: id and secret.

        Raises:
            SourceError: a subreddit's name cannot be one, or secrets would go over the network in plain sight.
        """
        for one in subreddits:
            if not re.fullmatch(r"\w{2,30}", one, re.ASCII):
                raise SourceError(f"reddit: subreddits={one}: expected names such as kettles,coffee")
        if not 0 < len(subreddits) <= MOST_SUBREDDITS:
            raise SourceError(f"reddit: {len(subreddits)} subreddits; expected 1 to {MOST_SUBREDDITS}")
        self._subreddits = sorted({one.lower() for one in subreddits})
        self._user_agent, self._client, self._kinds = user_agent, client, tuple(kinds)
        self._every_s, self._recheck_s = every_s, recheck_s
        self._www, self._api = (
            (no_plain_secrets(api),) * 2 if api else ("https://www.reddit.com", "https://oauth.reddit.com")
        )
        self._clock = Clock()
        self.cursor_key: str | None = f"reddit:{'+'.join(self._subreddits)}/{'+'.join(PATHS[one] for one in kinds)}"

    @classmethod
    def open(cls, options: Mapping[str, str]) -> Self:
        """Make one from `key=value` options; see `options`.

        Raises:
            SourceError: an option is unknown, missing or wrong.
        """
        given = Options(cls.name, options, cls.options)
        given.required("subreddits")
        return cls(
            given.texts("subreddits"),
            given.required("user_agent"),
            (given.required_secret("client_id"), given.required_secret("client_secret")),
            kinds=KINDS[given.one_of("what", ("both", "comments", "posts"))],
            every_s=given.number("every", 5.0, least=0.01, most=3600),
            recheck_s=given.number("recheck", 300.0, least=0.01, most=86_400),
            api=given.text("api", "") or None,
        )

    async def listen(self, cursor: str | None = None) -> AsyncIterator[Event]:
        """Say what the listings hold, then what comes.

        Raises:
            SourceDownError: Reddit cannot be had now.
            SourceError: the secrets or a subreddit are wrong.
        """
        windows = _read(cursor, self._kinds)
        watch = Watch(name for window in windows.values() for name in window.names)
        unreadable: dict[str, None] = {}
        async with open_session(**{"User-Agent": self._user_agent}) as session:
            api = RedditApi(session, self._www, self._api, *self._client)
            recheck_at_s = monotonic() + self._recheck_s
            while True:
                for kind in self._kinds:
                    found = await walk(api, kind, self._subreddits, windows[kind])
                    if found.gap:
                        yield Gap(f"reddit: {found.gap}")
                    for raw in found.unreadable:
                        if (name := name_in(raw)) not in unreadable:
                            unreadable = dict.fromkeys([*list(unreadable)[1 - MOST_UNREADABLE :], name])
                            yield Sourced(f"reddit:unreadable/{name}".encode(), raw, _written(windows))
                    for thing in found.in_order:
                        windows[kind].add(thing.name)
                        if not thing.gone and not thing.orphan:
                            watch.add(thing)
                            now, known = self._clock.now(), _written(windows)
                            yield Sourced.of(thing.mention(now), known)
                            if thing.edited_s:  # its creation may have been heard before it was edited
                                yield Sourced.of(thing.mention(now, edited=True), known)
                cursor = _written(windows)
                if monotonic() >= recheck_at_s:
                    for change in await watch.changes(api, self._clock.now()):
                        yield change._replace(cursor=cursor)
                    recheck_at_s = monotonic() + self._recheck_s
                yield Reached(cursor)
                await self._clock.sleep(self._every_s)


def _read(cursor: str | None, kinds: Sequence[str]) -> dict[str, Window]:
    try:
        names = msgspec.json.decode(cursor or "{}", type=dict[str, list[Name]])
    except msgspec.MsgspecError:
        raise SourceError(f"reddit: the cursor {str(cursor)[:80]!r} is not a list of names") from None
    return {kind: Window(names.get(kind, ())) for kind in kinds}


def _written(windows: Mapping[str, Window]) -> str:
    return encode({kind: window.names for kind, window in windows.items()}).decode()

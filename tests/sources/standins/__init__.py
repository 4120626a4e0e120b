"""Stand-ins for the other sides of live sources: each speaks the true wire format on loopback.

A new one is a file with a class that keeps `StandIn`, and a line in `STANDINS`. The contract in
`test_live_contract.py` then runs over its source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

from tests.sources.standins.bluesky import BlueskyStandIn
from tests.sources.standins.email import EmailStandIn
from tests.sources.standins.hackernews import HackerNewsStandIn
from tests.sources.standins.mastodon import MastodonStandIn
from tests.sources.standins.reddit import RedditStandIn
from tests.sources.standins.rss import RssStandIn
from tests.sources.standins.webhook import WebhookStandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class StandIn(Protocol):
    """The other side of one source. `async with` starts it on a free port of loopback, and stops it.

    `can` says what this kind of source can do at all: "edit", "delete", "remove_account", "garble", "limit", "gap",
    "interrupt", "resume" (what was said while nobody listened is had afterwards).
    """

    can: frozenset[str]

    @property
    def options(self) -> dict[str, str]:
        """What the source is opened with."""

    @property
    def secrets(self) -> Mapping[str, str]:
        """Environment variables that the source needs."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def say(self, count: int) -> list[str]:
        """Let people say so many things, in order; return the ids of their mentions. Each text holds its own id."""

    async def edit(self, mention_id: str) -> None:
        """Its author changes it."""

    async def delete(self, mention_id: str) -> None:
        """Its author deletes it."""

    async def remove_account(self, mention_id: str) -> str:
        """The author's account is gone; return the author's id."""

    async def garble(self) -> bytes:
        """Send one thing that nobody can read; return some bytes that its dead letter must show."""

    async def interrupt(self) -> None:
        """Break every connection, as networks do."""

    async def limit(self, retry_after_s: int) -> Callable[[], list[float]]:
        """Refuse the next request or connection with 429 and this Retry-After.

        Return a function that gives the monotonic times at which the source asked from then on.
        """

    async def lose(self) -> None:
        """Let something be gone for good before the source could have it: it must say that there is a gap."""

    @property
    def connections(self) -> int:
        """How many are open now: none, once the source has been closed."""


STANDINS: dict[str, type[StandIn]] = {
    "bluesky": BlueskyStandIn,
    "mastodon": MastodonStandIn,
    "hackernews": HackerNewsStandIn,
    "email": EmailStandIn,
    "rss": RssStandIn,
    "reddit": RedditStandIn,
    "webhook": WebhookStandIn,
}

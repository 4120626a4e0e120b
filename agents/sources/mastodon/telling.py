"""What a Mastodon server says -> what Groundswell is told."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from agents.sources.interface import Reached, Sourced
from agents.sources.mastodon.status import created, deleted, edited, read_number, read_status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from agents.sources.interface import Event
    from agents.sources.mastodon.status import Status
    from agents.sources.sse import ServerEvent
    from agents.sources.times import Clock
    from streams.records import Mention

MOST_REMEMBERED = 20_000


class Telling:
    """`reached` is the highest number of a post so far: the cursor. `told` are the latest that were told and not deleted."""

    def __init__(self, server: str, clock: Clock, *, discoverable_only: bool) -> None:
        self._server, self._clock, self._discoverable_only = server, clock, discoverable_only
        self.reached = 0
        self.told: dict[int, None] = {}

    def hear(self, event: ServerEvent, at: datetime) -> Iterator[Event]:
        """What an event of the stream comes to that came in at `at`; most kinds concern the token's user only."""
        if event.name == "delete":
            number = read_number(event.data)
            yield self.unreadable(event.data) if number is None else self.deletion(number)
        elif event.name in ("update", "status.update"):
            status = read_status(event.data)
            if status is None:
                yield self.unreadable(event.data)
            else:
                yield from self.post(status, at, new=event.name == "update")

    def post(self, status: Status, at: datetime | None, *, new: bool = True) -> Iterator[Event]:
        """A post that is `new` here, or an edit.

        One that is new here and was edited since is told as both: then it counts, once, whether or not its creation
        was heard before, and reads as it does now.
        """
        number, now = int(status.id), self._clock.now()
        if new:
            self.reached = max(self.reached, number)
        if not status.open or (self._discoverable_only and not status.account.discoverable):
            yield Reached(str(self.reached))
            return
        self.told[number] = None
        if len(self.told) > MOST_REMEMBERED:
            del self.told[next(iter(self.told))]
        if new:
            yield self._sourced(created(status, self._server, at, now))
        if status.edited_at or not new:
            yield self._sourced(edited(status, self._server, at, now))

    def deletion(self, number: int) -> Sourced:
        """A post is gone."""
        self.told.pop(number, None)
        return self._sourced(deleted(number, self._server, self._clock.now()))

    def unreadable(self, stood: bytes) -> Sourced:
        """What nobody can read, as it came."""
        name = f"mastodon:{self._server}/unreadable/{sha256(stood).hexdigest()[:16]}"
        return Sourced(name.encode(), stood, str(self.reached))

    def _sourced(self, mention: Mention) -> Sourced:
        return Sourced.of(mention, str(self.reached))

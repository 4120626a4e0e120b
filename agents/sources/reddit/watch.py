"""What has become of things that were told: Reddit tells nobody, so they are looked at again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from agents.sources.interface import Sourced
from agents.sources.reddit.api import PAGE, Unreadable
from agents.sources.reddit.things import read_thing
from streams.records import Mention

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from agents.sources.reddit.api import RedditApi
    from agents.sources.reddit.things import Thing

MOST_WATCHED = 1000


class _Told(NamedTuple):
    """As it was told last: when it had been edited, seconds since 1970 (0: never), and by whom it is, if that is known."""

    edited_s: int = 0
    author_id: str | None = None


class Watch:
    """The latest things; those of before a restart come from the cursor, and nobody knows any more whose they are."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._told = {name: _Told() for name in names}

    def add(self, thing: Thing) -> None:
        """From now on it is looked at again."""
        self._told[thing.name] = _Told(thing.edited_s, thing.author_id)
        if len(self._told) > MOST_WATCHED:
            del self._told[next(iter(self._told))]

    async def changes(self, api: RedditApi, now: datetime) -> list[Sourced]:
        """Look at all of them.

        Raises:
            SourceError: as the API does.
        """
        names, said = list(self._told), []
        for first in range(0, len(names), PAGE):
            try:
                page = await api.things(names[first : first + PAGE])
            except Unreadable:
                continue  # nothing new is in it: the next look shows the same
            for child in page.children:
                try:
                    thing = read_thing(child)
                except msgspec.MsgspecError:
                    continue
                if change := self._change(thing, now):
                    said.append(change)
        return said

    def _change(self, thing: Thing, now: datetime) -> Sourced | None:
        if (told := self._told.get(thing.name)) is None:
            return None
        if thing.gone or (thing.orphan and told.author_id is None):
            del self._told[thing.name]
            gone = Mention(id=f"reddit:{thing.name}", source="reddit", op="delete", observed_at=now, ingested_at=now)
            return Sourced.of(gone)
        if thing.orphan:
            left = told.author_id
            self._told = {name: one for name, one in self._told.items() if one.author_id != left}
            removed = Mention(
                id=f"reddit:{left}",
                source="reddit",
                op="account_removed",
                author_id=left,
                observed_at=now,
                ingested_at=now,
            )
            return Sourced.of(removed)
        if thing.edited_s > told.edited_s:
            self._told[thing.name] = _Told(thing.edited_s, thing.author_id)
            return Sourced.of(thing.mention(now, edited=True))
        return None

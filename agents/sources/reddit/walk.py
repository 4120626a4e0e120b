"""From the newest thing of a listing, page by page, back to what is known; and through a gap, number by number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from agents.sources.reddit.api import PAGE, Unreadable
from agents.sources.reddit.things import Thing, name_of, number_of, read_thing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agents.sources.reddit.api import RedditApi

PATHS = {"t1": "comments", "t3": "new"}
MOST_PAGES = 10
HELD = 900
"""A listing goes back about a thousand things: one of fewer has shown everything that there is."""

MOST_WALKED = 2000
"""Numbers, over all of Reddit: one request for a hundred."""


class Window:
    """The latest things known of one kind, so many as the cursor can hold.

    What is not among them and not older than all of them is new, in whichever order things turn up. No name is an
    anchor, which could be deleted.
    """

    SIZE = 300

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._numbers = {number_of(name): name for name in sorted(names, key=number_of)}

    @property
    def newest(self) -> int | None:
        """The highest number known."""
        return max(self._numbers, default=None)

    @property
    def names(self) -> list[str]:
        """The oldest first."""
        return [self._numbers[number] for number in sorted(self._numbers)]

    def lacks(self, name: str) -> bool:
        """Whether it is new."""
        number = number_of(name)
        return number not in self._numbers and number > min(self._numbers, default=-1)

    def add(self, name: str) -> None:
        """From now on it is known."""
        self._numbers[number_of(name)] = name
        if len(self._numbers) > self.SIZE:
            del self._numbers[min(self._numbers)]


@dataclass
class Found:
    """What is new, by name; what nobody can read, as it came; and what is gone for good, a sentence."""

    things: dict[str, Thing] = field(default_factory=dict)
    unreadable: list[bytes] = field(default_factory=list)
    gap: str | None = None

    def take(self, children: Iterable[msgspec.Raw]) -> list[Thing]:
        """Read what came, and return it; the caller decides what of it is new."""
        things = []
        for child in children:
            try:
                things.append(read_thing(child))
            except msgspec.MsgspecError:
                self.unreadable.append(bytes(child))
        return things

    @property
    def in_order(self) -> list[Thing]:
        """The oldest first."""
        return sorted(self.things.values(), key=lambda thing: number_of(thing.name))


async def walk(api: RedditApi, kind: str, subreddits: Sequence[str], window: Window) -> Found:
    """Find what `window` lacks; at the very first everything that the listing holds.

    Raises:
        SourceError: as the API does.
    """
    found, known, lowest = Found(), window.newest, None
    after, shown, last = None, 0, 0
    for _ in range(MOST_PAGES):
        try:
            page = await api.newest(f"/r/{'+'.join(subreddits)}/{PATHS[kind]}", after)
        except Unreadable as answer:
            found.unreadable.append(answer.body)
            return Found(unreadable=found.unreadable)  # all of it comes again with the next look
        things = found.take(page.children)
        found.things |= {thing.name: thing for thing in things if window.lacks(thing.name)}
        numbers = [number_of(thing.name) for thing in things]
        lowest = min([*numbers, *([] if lowest is None else [lowest])], default=None)
        shown, last, after = shown + len(page.children), len(page.children), page.after
        if known is not None and lowest is not None and lowest <= known:
            return found
        if not after or not page.children:
            break
    everything = shown < HELD and last > 0 and not after
    if known is not None and lowest is not None and not everything:
        await _walk_through(api, kind, subreddits, range(known + 1, lowest), found)
    return found


async def _walk_through(api: RedditApi, kind: str, subreddits: Sequence[str], numbers: range, found: Found) -> None:
    if len(numbers) > MOST_WALKED:
        found.gap = f"the listing of {PATHS[kind]} does not go back to what is known: some of {len(numbers):,} numbers"
        return
    for first in range(0, len(numbers), PAGE):
        try:
            page = await api.things([name_of(kind, number) for number in numbers[first : first + PAGE]])
        except Unreadable as answer:
            found.unreadable.append(answer.body)
            found.gap = f"an answer about {PATHS[kind]} that nobody can read"
            return
        ours = [thing for thing in found.take(page.children) if thing.data.subreddit.lower() in subreddits]
        found.things |= {thing.name: thing for thing in ours}

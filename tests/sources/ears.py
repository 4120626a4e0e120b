"""Listens to a source in the background, and says what it has heard."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Self

import msgspec

from agents.sources.interface import Gap, Reached, Sourced
from streams.core.parse import Rejected, parse
from streams.records import Mention

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.sources.interface import Event, Source

PATIENCE_S = 10.0
CLOSED_WITHIN_S = 5.0


class Ears:
    """`async with Ears(source, cursor) as ears`: connected once the block begins."""

    def __init__(self, source: Source, cursor: str | None = None) -> None:
        self._source, self._cursor = source, cursor
        self.events: list[Event] = []
        self._new = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen())
        try:
            await self.until(lambda: bool(self.events), "the source has not said that it is connected")
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _listen(self) -> None:
        try:
            async with aclosing(self._source.listen(self._cursor)) as events:
                async for event in events:
                    self.events.append(event)
                    if isinstance(event, Sourced) and event.taken is not None:
                        event.taken.set_result(None)
                    async with self._new:
                        self._new.notify_all()
        finally:
            async with self._new:
                self._new.notify_all()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=CLOSED_WITHIN_S)
        assert self._task.done(), "the source does not let itself be closed"

    async def fails(self) -> Exception:
        """What ended it."""
        await asyncio.wait({self._task}, timeout=PATIENCE_S)
        assert self._task.done(), f"the source goes on; it said {self.events[-3:]}"
        error = self._task.exception()
        assert isinstance(error, Exception), "the source ended as if it had no more"
        return error

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S), self._new:
                while not holds():
                    if self._task.done():
                        self._task.result()
                        raise AssertionError(f"{what}: the source has ended")
                    await self._new.wait()
        except TimeoutError:
            raise AssertionError(f"{what}; it said {self.events[-3:]}") from None

    async def hears(self, *ids: str) -> None:
        await self.until(lambda: set(ids) <= set(self.ids), f"not heard: {', '.join(ids)}")

    async def gap(self) -> Gap:
        await self.until(lambda: any(isinstance(event, Gap) for event in self.events), "no gap was told")
        return next(event for event in self.events if isinstance(event, Gap))

    async def mention(self, holds: Callable[[Mention], bool], what: str) -> Mention:
        await self.until(lambda: any(map(holds, self.mentions)), what)
        return next(mention for mention in self.mentions if holds(mention))

    async def unreadable(self) -> Sourced:
        await self.until(lambda: bool(self._unreadable), "nothing unreadable was handed on")
        return self._unreadable[0]

    @property
    def said(self) -> list[Sourced]:
        return [event for event in self.events if isinstance(event, Sourced)]

    @property
    def _unreadable(self) -> list[Sourced]:
        return [one for one in self.said if isinstance(parse(one.key, one.value), Rejected)]

    @property
    def mentions(self) -> list[Mention]:
        unreadable = self._unreadable
        return [msgspec.json.decode(one.value, type=Mention) for one in self.said if one not in unreadable]

    @property
    def ids(self) -> list[str]:
        return [mention.id for mention in self.mentions]

    @property
    def cursor(self) -> str | None:
        """The last that was told."""
        return next((event.cursor for event in reversed(self.events) if isinstance(event, (Sourced, Reached))), None)

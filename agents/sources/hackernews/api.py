"""Asks the API of Hacker News."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from agents.sources.http import get
from agents.sources.interface import SourceDownError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import aiohttp

AT_ONCE = 20


class _Updates(Struct):
    items: list[int] = []


_read_number = msgspec.json.Decoder(int).decode
_read_updates = msgspec.json.Decoder(_Updates).decode


class HackerNewsApi:
    """All methods raise a SourceDownError where there is no answer, or none that can be read."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session, self._base = session, base

    async def newest(self) -> int:
        """The highest number of an item."""
        number: int = await self._ask("maxitem", _read_number)
        return number

    async def changed(self) -> list[int]:
        """The items that changed in the last minutes."""
        updates: _Updates = await self._ask("updates", _read_updates)
        return updates.items

    async def items(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Items as they came, in the order of `numbers`, AT_ONCE at a time."""
        turn = asyncio.Semaphore(AT_ONCE)

        async def item(number: int) -> bytes:
            async with turn:
                return (await get(self._session, f"{self._base}/item/{number}.json")).body

        tasks = [asyncio.create_task(item(number)) for number in numbers]
        try:
            return dict(zip(numbers, await asyncio.gather(*tasks), strict=True))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, name: str, read: Callable[[bytes], Any]) -> Any:
        url = f"{self._base}/{name}.json"
        answer = await get(self._session, url)
        try:
            return read(answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise SourceDownError(f"{url} answered what cannot be read") from None

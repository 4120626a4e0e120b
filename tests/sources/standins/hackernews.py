"""The API of Hacker News on loopback."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from aiohttp import web

from tests.sources.standins.site import Site


def now_s() -> float:
    return datetime.now(UTC).timestamp()


class HackerNewsStandIn(Site):
    can = frozenset({"edit", "delete", "garble", "limit", "interrupt", "gap", "resume"})
    secrets: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[int, dict[str, Any] | bytes | None] = {}
        self.newest = 45_990_000
        self.changed: list[int] = []
        self.patience_s = 0.2

    @property
    def options(self) -> dict[str, str]:
        return {"base": f"{self.address}/v0", "every": "0.05", "patience": str(self.patience_s)}

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        match request.path.strip("/").removesuffix(".json").split("/"):
            case ["v0", "maxitem"]:
                return web.json_response(self.newest)
            case ["v0", "updates"]:
                return web.json_response({"items": self.changed[-30:], "profiles": ["pat"]})
            case ["v0", "item", number]:
                item = self.items.get(int(number))
                if isinstance(item, bytes):
                    return web.Response(body=item, content_type="application/json")
                return web.json_response(item)
        return web.json_response({"error": "404 Not Found"}, status=404)

    # -- what people do ----------------------------------------------------------------------------

    def mention_id(self, number: int) -> str:
        return f"hackernews:{number}"

    def number(self, mention_id: str) -> int:
        return int(mention_id.partition(":")[2])

    def post(self, *, ago_s: float = 0.0, **fields: Any) -> str:
        """Somebody comments; a field that is None is left out."""
        self.newest += 1
        item = {
            "id": self.newest,
            "type": "comment",
            "by": "pat",
            "parent": 45_991,
            "time": int(now_s() - ago_s),
            "text": f"Acme&#x27;s API has been flaky all day.<p>{self.mention_id(self.newest)}, anyone else?",
            **fields,
        }
        self.items[self.newest] = {name: value for name, value in item.items() if value is not None}
        return self.mention_id(self.newest)

    def hide(self) -> str:
        """An item has a number, and answers null."""
        self.newest += 1
        self.items[self.newest] = None
        return self.mention_id(self.newest)

    def change(self, mention_id: str, **fields: Any) -> None:
        number = self.number(mention_id)
        self.items[number] = {**(self.items[number] or {}), **fields}
        self.changed.append(number)

    async def say(self, count: int) -> list[str]:
        self.mend()
        return [self.post() for _ in range(count)]

    async def edit(self, mention_id: str) -> None:
        self.change(mention_id, text="Acme&#x27;s API is fine again.")

    async def delete(self, mention_id: str) -> None:
        number = self.number(mention_id)
        self.items[number] = {"id": number, "type": "comment", "time": int(now_s()), "deleted": True}
        self.changed.append(number)

    async def remove_account(self, mention_id: str) -> str:
        raise NotImplementedError

    async def garble(self) -> bytes:
        self.newest += 1
        self.items[self.newest] = b'{"id":45991234,"type":"comm'
        return b'{"id":45991234,"type":"comm'

    async def lose(self) -> None:
        self.hide()
        self.post()

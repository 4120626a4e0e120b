"""Reddit's API on loopback: tokens, listings that go back a thousand things, /api/info, limits in headers."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from agents.sources.reddit.things import name_of
from tests.sources.standins.site import Site

if TYPE_CHECKING:
    from collections.abc import Mapping

CLIENT_ID, CLIENT_SECRET, TOKEN = "kettle-app", "whistling", "a-token-of-an-hour"
LISTED = 1000
FIRST = int("od1b2c4", 36)


def now_s() -> float:
    return datetime.now(UTC).timestamp()


class RedditStandIn(Site):
    can = frozenset({"edit", "delete", "remove_account", "garble", "limit", "gap", "interrupt", "resume"})
    secrets: Mapping[str, str] = {
        "GROUNDSWELL_REDDIT_CLIENT_ID": CLIENT_ID,
        "GROUNDSWELL_REDDIT_CLIENT_SECRET": CLIENT_SECRET,
    }

    def __init__(self) -> None:
        super().__init__()
        self.things: dict[str, dict[str, Any]] = {}
        """By name, the oldest first."""
        self.unlisted: set[str] = set()
        self.number = FIRST
        self.headers: dict[str, str] = {}
        self.token = TOKEN
        self._garbage: list[msgspec.Raw] = []

    @property
    def options(self) -> dict[str, str]:
        return {
            "subreddits": "Kettles,coffee",
            "user_agent": "linux:groundswell-tests:1 (by /u/nobody)",
            "api": self.address,
            "every": "0.05",
            "recheck": "0.1",
        }

    async def answer(self, request: web.BaseRequest) -> web.Response:
        if request.path == "/api/v1/access_token":
            login = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
            if request.headers.get("Authorization") != f"Basic {login}":
                return web.json_response({"message": "Unauthorized", "error": 401}, status=401)
            return web.json_response(
                {"access_token": self.token, "token_type": "bearer", "expires_in": 3600, "scope": "*"}
            )
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if (scheme.lower(), token) != ("bearer", self.token):
            return web.json_response({"message": "Unauthorized", "error": 401}, status=401)
        if request.path == "/api/info":
            named = [self.things[name] for name in request.query["id"].split(",") if name in self.things]
            return self._listing([msgspec.Raw(msgspec.json.encode(one)) for one in named], None)
        _, _, subreddits, kind = request.path.rstrip("/").split("/")
        return self._page({"comments": "t1", "new": "t3"}[kind], subreddits.split("+"), request)

    def _page(self, kind: str, subreddits: list[str], request: web.BaseRequest) -> web.Response:
        latest = [
            one
            for name, one in reversed(self.things.items())
            if one["kind"] == kind and name not in self.unlisted and one["data"]["subreddit"].lower() in subreddits
        ][:LISTED]
        names = [one["data"]["name"] for one in latest]
        if after := request.query.get("after"):
            latest = latest[names.index(after) + 1 :] if after in names else []
        page = latest[: int(request.query["limit"])]
        raw = [msgspec.Raw(msgspec.json.encode(one)) for one in page]
        if kind == "t1" and not after:
            raw = [*self._garbage, *raw]
        return self._listing(raw, page[-1]["data"]["name"] if len(latest) > len(page) else None)

    def _listing(self, children: list[msgspec.Raw], after: str | None) -> web.Response:
        data = {"after": after, "before": None, "dist": len(children), "modhash": None, "children": children}
        headers = {
            "x-ratelimit-used": "1",
            "x-ratelimit-remaining": "599.0",
            "x-ratelimit-reset": "300",
            **self.headers,
        }
        body = msgspec.json.encode({"kind": "Listing", "data": data})
        return web.Response(body=body, content_type="application/json", headers=headers)

    def comment(self, subreddit: str = "kettles", **more: Any) -> str:
        """Somebody comments; return the name."""
        self.number += 1
        name = name_of("t1", self.number)
        data = {
            "id": name[3:], "name": name, "subreddit": subreddit, "author": "steamfan", "author_fullname": "t2_9zz9z",
            "body": f"The acme kettle leaks: reddit:{name}", "created_utc": now_s() - 60, "edited": False, "score": 1,
            "link_id": "t3_1p2q3r", "parent_id": "t3_1p2q3r", "permalink": f"/r/kettles/comments/1p2q3r/which/{name[3:]}/",
            "link_title": "Which kettle?", "over_18": False, "distinguished": None, "removed_by_category": None,
        }  # fmt: skip
        self.things[name] = {"kind": "t1", "data": data | more}
        return name

    def post(self, **more: Any) -> str:
        """Somebody posts; return the name."""
        name = self.comment()
        data = self.things.pop(name)["data"]
        text = data.pop("body")
        name = data["name"] = f"t3{name[2:]}"
        data |= {
            "title": "A kettle",
            "selftext": text,
            "is_self": True,
            "num_comments": 3,
            "link_id": None,
            "parent_id": None,
        }
        data |= {"url": f"https://www.reddit.com{data['permalink']}"}
        self.things[name] = {"kind": "t3", "data": data | more}
        return name

    def change(self, mention_id: str, **data: Any) -> None:
        self.things[mention_id.removeprefix("reddit:")]["data"] |= data

    async def say(self, count: int) -> list[str]:
        self.mend()
        return [f"reddit:{self.comment()}" for _ in range(count)]

    async def edit(self, mention_id: str) -> None:
        self.change(mention_id, body="It does not leak any more.", edited=now_s())

    async def delete(self, mention_id: str) -> None:
        self.change(mention_id, body="[deleted]", author="[deleted]", author_fullname=None)
        self.unlisted.add(mention_id.removeprefix("reddit:"))

    async def remove_account(self, mention_id: str) -> str:
        self.change(mention_id, author="[deleted]", author_fullname=None)
        return "t2_9zz9z"

    async def garble(self) -> bytes:
        raw = b'{"kind":"t1","data":{"name":"a disk error","body":17}}'
        self._garbage.append(msgspec.Raw(raw))
        return raw

    async def lose(self) -> None:
        self.number += 1_000_000
        await self.say(LISTED + 1)

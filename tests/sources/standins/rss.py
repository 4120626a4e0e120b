"""A site with one feed, Atom or RSS 2.0, which holds its latest entries only, and answers conditional requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import escape

from aiohttp import web

from tests.sources.standins.site import Site

if TYPE_CHECKING:
    from collections.abc import Mapping

HELD = 60


@dataclass(frozen=True)
class Told:
    id: str
    text: str
    published: datetime
    updated: datetime

    def atom(self) -> str:
        return (
            f"<entry><id>{self.id}</id><title>About {self.id}</title><published>{self.published.isoformat()}</published>"
            f"<updated>{self.updated.isoformat()}</updated><author><name>Kim</name></author>"
            f'<link href="https://news.example/{self.id}"/><content type="html">{escape(self.text)}</content></entry>'
        )

    def rss(self) -> str:
        return (
            f'<item><guid isPermaLink="false">{self.id}</guid><title>About {self.id}</title>'
            f"<link>https://news.example/{self.id}</link><pubDate>{format_datetime(self.published)}</pubDate>"
            f"<description>{escape(self.text)}</description></item>"
        )


class RssStandIn(Site):
    can = frozenset({"edit", "delete", "garble", "limit", "gap", "interrupt", "resume"})
    secrets: Mapping[str, str] = {}

    def __init__(self, kind: Literal["atom", "rss"] = "atom") -> None:
        super().__init__()
        self.kind = kind
        self.entries: list[Told] = []
        self.tombstones: list[str] = []
        self.head = ""
        """More elements of the feed itself."""
        self.headers: dict[str, str] = {}
        self.status = 200
        self._clock = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
        self._count = 0
        self._garbage = b""

    @property
    def urn(self) -> str:
        """Ids of several sites differ."""
        return f"urn:{self.address.rpartition(':')[2]}"

    @property
    def url(self) -> str:
        return f"{self.address}/feed"

    @property
    def options(self) -> dict[str, str]:
        return {"feeds": self.url, "every": "0.05"}

    async def answer(self, request: web.BaseRequest) -> web.Response:
        if self.status != 200:
            return web.Response(status=self.status, headers=self.headers)
        if self._garbage:
            body, self._garbage = self._garbage, b""
            return web.Response(body=body)
        body = self.body()
        headers = {"ETag": f'"{sha256(body).hexdigest()[:16]}"', **self.headers}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers, content_type=f"application/{self.kind}+xml", charset="utf-8")

    def body(self) -> bytes:
        latest = reversed(self.entries[-HELD:])
        if self.kind == "rss":
            items = "".join(one.rss() for one in latest)
            return (
                f'<?xml version="1.0"?><rss version="2.0" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">'
                f"<channel><title>Kettle News</title>{self.head}{items}</channel></rss>"
            ).encode()
        deleted = "".join(f'<at:deleted-entry ref="{id_}" when="2026-11-21T11:40:00Z"/>' for id_ in self.tombstones)
        return (
            '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xmlns:at="http://purl.org/atompub/tombstones/1.0">'
            f"<title>Kettle News</title><id>urn:kettle</id>{self.head}{deleted}{''.join(one.atom() for one in latest)}</feed>"
        ).encode()

    async def say(self, count: int) -> list[str]:
        self.mend()
        said = []
        for _ in range(count):
            self._count += 1
            at, id_ = self._tick(), f"{self.urn}:{self._count}"
            said.append(f"rss:{id_}")
            self.entries.append(Told(id_, f"<p>The kettle leaks: <b>{said[-1]}</b></p>", at, at))
        return said

    async def edit(self, mention_id: str) -> None:
        self.entries = [
            replace(one, text=f"{one.text} Solved!", updated=self._tick()) if f"rss:{one.id}" == mention_id else one
            for one in self.entries
        ]

    async def delete(self, mention_id: str) -> None:
        self.entries = [one for one in self.entries if f"rss:{one.id}" != mention_id]
        self.tombstones.append(mention_id.removeprefix("rss:"))

    async def remove_account(self, mention_id: str) -> str:
        raise NotImplementedError

    async def garble(self) -> bytes:
        self._garbage = b"<rss><channel><item \xff\xfe and then the disk was full"
        return self._garbage

    async def lose(self) -> None:
        await self.say(HELD + 1)

    def _tick(self) -> datetime:
        self._clock += timedelta(seconds=1)
        return self._clock

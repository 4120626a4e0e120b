"""The HTTP API: brands, alerts and single mentions, as JSON. It only reads.

Brands and alerts any worker tells, from the compacted topics (`agents.http.latest`). A mention is told by the
worker that has its raw partition, because intake's memory of what came and of what was removed is there; any other
worker redirects to it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from agents.http.answers import Alerts, BrandNow, Brands, judged
from agents.http.latest import AGAIN_AFTER_S, Latest
from agents.http.mentions import Elsewhere, Mentions
from agents.http.openapi import document
from agents.http.paging import Page, asked
from agents.http.problems import bad_request, no_such_thing, not_now, not_shown, problems_below
from streams.records import encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streams.app import GroundswellApp
    from streams.records import Alert

JSON = "application/json"
PATH = "/v1"


def add_api(web_app: web.Application, app: GroundswellApp) -> None:
    """Answer below /v1. Who may ask is checked by the application's own middleware."""
    api = Api(app)
    web_app.middlewares.insert(0, problems_below(f"{PATH}/"))
    web_app.cleanup_ctx.append(api.running)
    web_app.router.add_get(f"{PATH}/openapi.json", _openapi)
    web_app.router.add_get(f"{PATH}/brands", api.brands)
    web_app.router.add_get(f"{PATH}/brands/{{brand}}", api.brand)
    web_app.router.add_get(f"{PATH}/alerts", api.alerts)
    web_app.router.add_get(f"{PATH}/alerts/{{id}}", api.alert)
    web_app.router.add_get(f"{PATH}/mentions/{{id}}", api.mention)


class Api:
    """The handlers, and what they ask."""

    def __init__(self, app: GroundswellApp) -> None:
        self._versions = app.rulebook.versions
        self._latest, self._mentions = Latest(app.groundswell), Mentions(app)

    async def running(self, _: web.Application) -> AsyncIterator[None]:
        """Follow the topics for as long as the server runs."""
        following = asyncio.create_task(self._latest.follow())
        yield
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await self._mentions.close()

    @property
    def _configured(self) -> frozenset[str]:
        """The brands of the rules in force.

        Raises:
            Refused: those are still being read.
        """
        if self._versions.current is None:
            raise not_now("catching_up", "This worker has not read the topics to their end yet.", AGAIN_AFTER_S)
        return frozenset(brand.id for brand in self._versions.current.brands)

    async def brands(self, request: web.Request) -> web.Response:
        """Every brand that is configured or was heard of."""
        given = asked(request, "limit", "after")
        known = sorted(self._configured.union(key.decode() for key in self._latest.brands()))
        page = Page.of(known, given, key=str)
        return _json(Brands(brands=tuple(map(self._brand, page.items)), next=page.next))

    async def brand(self, request: web.Request) -> web.Response:
        """One brand."""
        asked(request)
        name = request.match_info["brand"]
        if name not in self._configured and name.encode() not in self._latest.brands():
            raise no_such_thing("No such brand is configured, and none was ever heard of.")
        return _json(self._brand(name))

    def _brand(self, name: str) -> BrandNow:
        figures = self._latest.brands().get(name.encode())
        return BrandNow(id=name, configured=name in self._configured, figures=figures)

    async def alerts(self, request: web.Request) -> web.Response:
        """Alerts, the latest to have started first."""
        given = asked(request, "status", "brand", "limit", "after")
        status, brand = given.get("status"), given.get("brand")
        if status not in (None, "firing", "resolved"):
            raise bad_request("status is firing or resolved")
        found = [
            alert
            for alert in self._latest.alerts().values()
            if status in (None, alert.status) and brand in (None, alert.brand)
        ]
        page = Page.of(sorted(found, key=_latest_first), given, key=_latest_first)
        return _json(Alerts(alerts=tuple(page.items), next=page.next))

    async def alert(self, request: web.Request) -> web.Response:
        """One alert."""
        asked(request)
        alert = self._latest.alerts().get(request.match_info["id"].encode())
        if alert is None:
            raise no_such_thing("No such alert stands; a resolved one is kept for 30 days.")
        return _json(alert)

    async def mention(self, request: web.Request) -> web.Response:
        """One mention, or where to ask for it."""
        asked(request)
        found = await self._mentions.tell(request.match_info["id"])
        if isinstance(found, Elsewhere):
            there = found.rstrip("/") + request.rel_url.raw_path
            return web.Response(status=HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": there})
        if isinstance(found, str):
            raise not_shown(found)
        return _json(judged(found))


def _latest_first(alert: Alert) -> str:
    """Sorts alerts; and says where a page ends."""
    return f"{2**63 - int(alert.started_at.timestamp() * 1_000_000):020d}-{alert.id}"


async def _openapi(_: web.Request) -> web.Response:
    return _json(document())


def _json(answer: object) -> web.Response:
    return web.Response(body=encode(answer), content_type=JSON)

"""`/metrics`: what Prometheus reads, as text or as OpenMetrics, whichever it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from prometheus_client import REGISTRY, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from agents.http.gauges import Gauges

if TYPE_CHECKING:
    from streams.app import GroundswellApp
    from streams.core.rules import Rules


def add_metrics(web_app: web.Application, app: GroundswellApp, rules: Rules) -> None:
    """`/metrics`. What stands in rows and tables is looked up when it is asked for: it costs nothing in between."""
    gauges = Gauges(app, rules)
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, of no use to anybody

    async def metrics(request: web.Request) -> web.Response:
        gauges.look()
        encode, content_type = choose_encoder(request.headers.get(hdrs.ACCEPT, ""))
        return web.Response(body=encode(REGISTRY), headers={hdrs.CONTENT_TYPE: content_type})

    web_app.router.add_get("/metrics", metrics)

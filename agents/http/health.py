"""Is it alive, is it ready: what a supervisor, a load balancer or a person asks a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from aiohttp import web
from faust.exceptions import ConsumerNotStarted

from streams.consumer import now_s

if TYPE_CHECKING:
    from streams.app import GroundswellApp

NotReady = Literal["stopping", "starting", "recovering", "rebalancing", "no_heartbeat"]

SHARE_OF_PATIENCE = 0.5
"""Of the stall timeout: then it is said here. At the whole of it the worker ends by itself."""


def add_health(web_app: web.Application, app: GroundswellApp) -> None:
    """`/live` and `/ready`, both JSON, 200 or 503."""

    async def live(_: web.Request) -> web.Response:
        still = app.watchdog.still
        too_long_s = app.groundswell.stall_timeout_s * SHARE_OF_PATIENCE
        stuck = {
            name: {"still_s": round(one.for_s, 1), "waits": one.waits}
            for name, one in still.items()
            if one.for_s >= too_long_s
        }
        moving = sorted(still.keys() - stuck.keys())
        return web.json_response({"live": not stuck, "stuck": stuck, "moving": moving}, status=503 if stuck else 200)

    async def ready(_: web.Request) -> web.Response:
        reason, partitions = not_ready(app), partitions_of(app)
        told = {"ready": reason is None, "reason": reason, "partitions": partitions}
        return web.json_response(told, status=200 if reason is None else 503)

    web_app.router.add_get("/live", live)
    web_app.router.add_get("/ready", ready)


def not_ready(app: GroundswellApp) -> NotReady | None:
    """Why a worker cannot answer for its partitions now; None: it can.

    One that has joined and was given none, since there are more workers than partitions, is ready to take over.
    """
    if app.gave_up is not None or app.should_stop:
        return "stopping"
    consumer = app.consumer
    if consumer.heartbeat_at == float("-inf"):
        return "starting"
    if app.in_recovery:
        return "recovering"
    if app.rebalancing:
        return "rebalancing"
    if now_s() - consumer.heartbeat_at >= app.groundswell.session_timeout_s:
        return "no_heartbeat"
    if any(tp not in consumer.positions for tp in consumer.source_partitions()):
        return "recovering"
    return None


def partitions_of(app: GroundswellApp) -> dict[str, list[int]]:
    """The partitions that this worker works on now, by topic."""
    try:
        owned = app.consumer.source_partitions()
    except ConsumerNotStarted:
        owned = set()
    ready = {tp for tp in owned if tp in app.consumer.positions}
    return {
        topic: sorted(tp.partition for tp in ready if tp.topic == topic) for topic in sorted({tp.topic for tp in ready})
    }

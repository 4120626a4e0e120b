"""What the API says instead of an answer: problem+json (RFC 9457), with a reason from a closed set."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from aiohttp import web
from msgspec import Struct

from streams.records import encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler, Middleware

    from streams.core.recall import Missing

Reason = Literal[
    "catching_up", "behind", "moving", "silent", "bad_request", "refused", "no_such_thing", "failed", "unknown", "unmatched", "removed", "expired", "unsure"
]  # fmt: skip

PROBLEM_JSON = "application/problem+json"

SAYS: dict[Missing, tuple[HTTPStatus, str]] = {
    "unknown": (
        HTTPStatus.NOT_FOUND,
        "No such mention is remembered: it never came, matched no brand, or was forgotten for lack of room.",
    ),
    "unmatched": (HTTPStatus.NOT_FOUND, "It was edited, and no longer matches any brand."),
    "removed": (HTTPStatus.GONE, "It was deleted, or its author's account was removed."),
    "expired": (HTTPStatus.GONE, "It is remembered, but mentions.raw no longer holds it."),
    "unsure": (
        HTTPStatus.GONE,
        "It is older than what is remembered of removals, so it may have been deleted since and is not shown.",
    ),
}
"""Why a mention is not shown."""

# What is true now may not be so in a moment, and strangers' words must never be taken for a page.
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

logger = logging.getLogger(__name__)


class Problem(Struct, frozen=True, kw_only=True):
    """Why there is no answer. `reason` is for programs, `detail` for people."""

    title: str
    status: int
    detail: str
    reason: Reason
    type: str = "about:blank"


class Refused(Exception):  # noqa: N818  it is an answer
    """Raised by whoever cannot answer."""

    def __init__(
        self, status: HTTPStatus, reason: Reason, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.reason, self.detail, self.headers = status, reason, detail, headers or {}


def not_shown(why: Missing) -> Refused:
    """Say why a mention is not shown."""
    status, detail = SAYS[why]
    return Refused(status, why, detail)


def not_now(reason: Reason, detail: str, after_s: int) -> Refused:
    """Ask to be asked again in a while."""
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, reason, detail, {"Retry-After": str(after_s)})


def no_such_thing(detail: str) -> Refused:
    """Nothing has that name."""
    return Refused(HTTPStatus.NOT_FOUND, "no_such_thing", detail)


def bad_request(detail: str) -> Refused:
    """The question itself is wrong."""
    return Refused(HTTPStatus.BAD_REQUEST, "bad_request", detail)


def problems_below(path: str) -> Middleware:
    """Return a middleware that turns whatever goes wrong below a path into a problem, also what others raise."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(path):
            return await handler(request)
        try:
            response = await handler(request)
        except Refused as refused:
            response = _response(refused)
        except web.HTTPException as error:
            response = _response(_refused(error))
        except Exception:
            logger.exception("%s %s", request.method, request.rel_url.raw_path)
            failed = Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", "The worker's log says why.")
            response = _response(failed)
        response.headers.update(HEADERS)
        return response

    return answer


def _refused(error: web.HTTPException) -> Refused:
    """What aiohttp, or whoever checks tokens, has raised."""
    reason: Reason = "no_such_thing" if error.status == HTTPStatus.NOT_FOUND else "refused"
    said = (
        (error.text or error.reason).strip()
        if error.status in (401, 403)
        else "See /v1/openapi.json for what there is."
    )
    kept = {name: error.headers[name] for name in ("WWW-Authenticate", "Allow") if name in error.headers}
    return Refused(HTTPStatus(error.status), reason, said, kept)


def _response(refused: Refused) -> web.Response:
    problem = Problem(
        title=refused.status.phrase, status=int(refused.status), detail=refused.detail, reason=refused.reason
    )
    return web.Response(
        status=refused.status, body=encode(problem), content_type=PROBLEM_JSON, headers=dict(refused.headers)
    )

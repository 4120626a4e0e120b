"""One look at one feed: what is asked, given what is known of it, and what the answer teaches."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from agents.sources.http import NO_ANSWER, body_of, no_answer, refuse
from agents.sources.interface import SourceError
from agents.sources.rss.feed import Page, Revision, read_feed

if TYPE_CHECKING:
    import aiohttp

LONGEST_KEPT = 250


class Known(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one feed, as it stands in the cursor.

    `moved` is where it has gone for good, `rest_s` how long it wants to be left alone, `body` names what it said last,
    `held` is the most entries that it ever had at once, and `seen` the revision of each entry, the latest last.
    """

    etag: str | None = None
    modified: str | None = None
    moved: str | None = None
    rest_s: float = 0.0
    body: str | None = None
    held: int = 0
    seen: dict[str, Revision] = {}


class Answer(NamedTuple):
    """What is known now. `body` is None where nothing has changed; `page`, where nobody can read it."""

    known: Known
    body: bytes | None = None
    page: Page | None = None


class GoneError(SourceError):
    """410: it never comes back."""


async def look(session: aiohttp.ClientSession, url: str, known: Known) -> Answer:
    """Ask for a feed where it is now, unless it is as it was.

    Raises:
        GoneError: it is gone for good.
        SourceDownError: not now, but perhaps later.
        SourceError: any other status from 400 on, or too many bytes.
    """
    asked = known.moved or url
    given = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
    try:
        async with session.get(asked, headers={name: value for name, value in given.items() if value}) as answer:
            if answer.status == 410:
                raise GoneError(f"{asked} answered 410: it is gone for good; take it out of the list")
            refuse(asked, answer)
            if answer.status == 304:
                return Answer(known)
            body = await body_of(asked, answer)
    except NO_ANSWER as error:
        raise no_answer(asked, error) from error
    name = blake2b(body, digest_size=8).hexdigest()
    if name == known.body:
        return Answer(known)
    page = await asyncio.to_thread(read_feed, body, answer.headers.get("Content-Type", ""), str(answer.url))
    if page is None:
        return Answer(replace(known, body=name), body)
    return Answer(
        replace(
            known,
            etag=_kept(answer.headers.get("ETag")),
            modified=_kept(answer.headers.get("Last-Modified")),
            moved=_kept(_moved(answer)) or known.moved,
            rest_s=page.rest_s,
            body=name,
        ),
        body,
        page,
    )


def _kept(stood: str | None) -> str | None:
    """What the other side chose must fit into the cursor, and be something that a record can hold."""
    return stood if stood and len(stood) <= LONGEST_KEPT and stood.isascii() and stood.isprintable() else None


def _moved(answer: aiohttp.ClientResponse) -> str | None:
    """Where the feed has gone for good: as far as every step on the way there says so."""
    moved = None
    for step, arrived in pairwise((*answer.history, answer)):
        if step.status not in (301, 308):
            break
        moved = str(arrived.url.with_user(None))
    return moved

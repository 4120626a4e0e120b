"""The source `rss`: news and blogs, as RSS, RDF or Atom feeds that are looked at again every few minutes."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from random import uniform
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Self

import msgspec
from msgspec.structs import replace
from yarl import URL

from agents.sources.http import Reach, open_session
from agents.sources.interface import Gap, Reached, Sourced, SourceDownError, SourceError
from agents.sources.options import Options
from agents.sources.rss.feed import Revision, digest
from agents.sources.rss.look import Answer, GoneError, Known, look
from agents.sources.times import Clock
from streams.records import Mention, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    import aiohttp

    from agents.sources.interface import Event

log = logging.getLogger(__name__)

ACCEPT = "application/atom+xml, application/rss+xml, application/rdf+xml, application/xml;q=0.9, */*;q=0.5"
AT_ONCE = 8
MOST_FEEDS = 500
MOST_SEEN = 20_000
"""Entries remembered, over all feeds: at about 25 bytes each they fit into the one record that holds the cursor."""
MOST_SEEN_OF_ONE = 2000
DELETED = "deleted"


class _Feed:
    def __init__(self, url: str, known: Known) -> None:
        self.url, self.known = url, known
        self.live = False
        """Whether the look before the next one is ours and succeeded."""
        self.failed: SourceError | None = None


class Rss:
    """Looks at any number of feeds; one that fails is looked at again later, and the others go on.

    A cursor is what is known of every feed. Entries carry the one of before their page, so that a crash amid a page
    delivers it again.
    """

    name = "rss"
    about: ClassVar[str] = "news and blogs: RSS and Atom feeds, looked at every few minutes; needs no key"
    options: ClassVar[Mapping[str, str]] = {
        "feeds": "addresses, between commas; they are logged and kept, so none may hold a password",
        "feeds_file": "instead: a file with an address a line; # begins a comment",
        "every": "seconds between two looks at a feed (default 300); feeds that ask for more rest get it",
    }

    def __init__(self, urls: Sequence[str], key: str, *, every_s: float = 300.0) -> None:
        """`key` names the list of feeds, which may change.

        Raises:
            SourceError: no feeds, too many, or an address that is none.
        """
        for url in urls:
            _check(url)
        if not 0 < len(urls) <= MOST_FEEDS:
            raise SourceError(f"rss: {len(urls)} feeds; expected 1 to {MOST_FEEDS}: make several lists of them")
        self._urls, self._every_s = tuple(dict.fromkeys(urls)), every_s
        self._most_seen = min(MOST_SEEN_OF_ONE, MOST_SEEN // len(self._urls))
        self._not_before: dict[str, float] = {}  # monotonic; who asked for a rest has it from the next listen, too
        self._clock = Clock()
        self.cursor_key: str | None = f"rss:{key}"

    @classmethod
    def open(cls, options: Mapping[str, str]) -> Self:
        """Make one from `key=value` options; see `options`.

        Raises:
            SourceError: an option is unknown, missing or wrong, or the file is.
        """
        given = Options(cls.name, options, cls.options)
        every_s = given.number("every", 300.0, least=0.01, most=86_400)
        if feeds := given.texts("feeds"):
            key = feeds[0] if len(feeds) == 1 else digest(*sorted(feeds))
            return cls(feeds, key, every_s=every_s)
        path = Path(given.required("feeds_file"))
        try:
            lines = [line.partition(" #")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"rss: feeds_file={path}: {error}") from None
        return cls([line for line in lines if line and line[0] != "#"], path.name, every_s=every_s)

    async def listen(self, cursor: str | None = None) -> AsyncIterator[Event]:
        """Look at every feed again and again.

        Raises:
            SourceDownError: no feed can be had.
            SourceError: no feed could ever be had.
        """
        known = _read(cursor)
        feeds = [_Feed(url, known.get(url, Known())) for url in self._urls]
        answers: asyncio.Queue[tuple[_Feed, Answer | Exception]] = asyncio.Queue(1)
        turns = asyncio.Semaphore(AT_ONCE)
        async with open_session(Reach([URL(url).host or "" for url in self._urls]), Accept=ACCEPT) as session:
            looking = [asyncio.create_task(self._look_again(session, feed, turns, answers)) for feed in feeds]
            try:
                while True:
                    feed, answer = await answers.get()
                    if isinstance(answer, SourceError):
                        _note(feed, answer)
                        _fail_if_all_fail(feeds)
                        continue
                    if isinstance(answer, Exception):
                        raise answer
                    for event in self._said(feed, answer, feeds):
                        yield event if isinstance(event, Gap) else event._replace(cursor=cursor)
                    feed.live, feed.failed = answer.body is None or answer.page is not None, None
                    cursor = _written(feeds)
                    yield Reached(cursor)
            finally:
                for task in looking:
                    task.cancel()
                await asyncio.gather(*looking, return_exceptions=True)

    async def _look_again(
        self,
        session: aiohttp.ClientSession,
        feed: _Feed,
        turns: asyncio.Semaphore,
        answers: asyncio.Queue[tuple[_Feed, Answer | Exception]],
    ) -> None:
        while not isinstance(feed.failed, GoneError):
            await self._clock.sleep(max(0.0, self._not_before.get(feed.url, 0.0) - monotonic()))
            answer: Answer | Exception
            try:
                async with turns:
                    answer = await look(session, feed.url, feed.known)
            except Exception as failed:  # noqa: BLE001  raised by listen, or noted
                answer = failed
            if isinstance(answer, SourceDownError):
                self._not_before[feed.url] = monotonic() + (answer.retry_after_s or 0.0)
            await answers.put((feed, answer))
            await self._clock.sleep(max(self._every_s, feed.known.rest_s) * uniform(1.0, 1.1))

    def _said(self, feed: _Feed, answer: Answer, feeds: Sequence[_Feed]) -> Iterator[Sourced | Gap]:
        """What is new, and afterwards known. What was delivered before may come again: intake drops it."""
        was = feed.known
        if answer.body is None:
            return
        if answer.page is None:
            feed.known = replace(was, body=answer.known.body)
            log.warning("%s: no feed that anybody can read", feed.url)
            yield Sourced(f"rss:unreadable/{answer.known.body}".encode(), answer.body)
            return
        now, seen, page = self._clock.now(), dict(was.seen), answer.page
        names = [digest(entry.id, size=5) for entry in page.entries]
        if seen and names and len(names) >= was.held and seen.keys().isdisjoint(names):
            yield Gap(f"{feed.url}: all {len(names)} entries are new; those before them are gone")
        for name, entry in zip(names, page.entries, strict=True):
            before = seen.pop(name, None)
            if before is None or _newer(entry.revision, before):
                seen[name] = entry.revision
                yield Sourced.of(entry.mention(edited=before is not None, live=feed.live, now=now))
            else:
                seen[name] = before
        for id_ in page.deleted:
            name = digest(id_, size=5)
            if name not in seen and any(name in other.known.seen for other in feeds if other is not feed):
                continue  # nobody takes away what another feed says
            if seen.get(name) != DELETED:
                seen[name] = DELETED
                yield Sourced.of(Mention(id=id_, source="rss", op="delete", observed_at=now, ingested_at=now))
        latest = dict(list(seen.items())[-self._most_seen :])
        feed.known = replace(answer.known, seen=latest, held=max(was.held, len(names)))


def _note(feed: _Feed, failed: SourceError) -> None:
    if str(failed) != str(feed.failed):
        log.warning("rss: %s", failed)
    feed.failed, feed.live = failed, False
    if not isinstance(failed, SourceDownError):
        feed.known = replace(feed.known, moved=None)


def _fail_if_all_fail(feeds: Sequence[_Feed]) -> None:
    failures = [feed.failed for feed in feeds if feed.failed is not None]
    if len(failures) < len(feeds):
        return
    others = f"; nor can the other {len(feeds) - 1} feeds be had" if len(feeds) > 1 else ""
    waits_s = [failed.retry_after_s for failed in failures if isinstance(failed, SourceDownError)]
    gone = all(isinstance(failed, GoneError) for failed in failures)
    if gone or not (waits_s or any(feed.known.held for feed in feeds)):
        raise SourceError(f"rss: {failures[0]}{others}")
    raise SourceDownError(f"rss: {failures[0]}{others}", min((wait_s or 0.0 for wait_s in waits_s), default=None))


def _newer(revision: Revision, than: Revision) -> bool:
    if isinstance(revision, int) and isinstance(than, int):
        return revision > than
    return revision != than


def _check(url: str) -> None:
    try:
        read = URL(url)
    except ValueError:
        read = URL()
    if read.scheme not in ("http", "https") or not read.host:
        raise SourceError(f"rss: {url.rpartition('@')[2]!r} is not the address of a feed; expected https://...")
    if read.user or read.password:
        raise SourceError(f"rss: the address of a feed at {read.host} holds a name or a password: that would be logged")


def _read(cursor: str | None) -> dict[str, Known]:
    if cursor is None:
        return {}
    try:
        return msgspec.json.decode(cursor, type=dict[str, Known])
    except msgspec.MsgspecError:
        raise SourceError(f"rss: the cursor {cursor[:80]!r} is not what is known of feeds") from None


def _written(feeds: Sequence[_Feed]) -> str:
    return encode({feed.url: feed.known for feed in feeds}).decode()

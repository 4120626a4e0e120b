"""The bytes of an RSS or Atom feed -> its entries as mentions; no network here."""

from __future__ import annotations

import calendar
import html
import io
import re
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import feedparser
from yarl import URL

from agents.sources.html import plain
from streams.records import Mention

if TYPE_CHECKING:
    import time
    from collections.abc import Iterator

TOMBSTONE = re.compile(rb"<(?:[\w.-]+:)?deleted-entry\s[^<>]*?\bref\s*=\s*(?:\"([^\"<>]*)\"|'([^'<>]*)')")
"""RFC 6721. feedparser keeps the last one of a feed only."""

PERIODS_S = {"hourly": 3600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
LONGEST_REST_S = 86_400.0
LONGEST_ID = 1000
UNDATED = datetime.max.replace(tzinfo=UTC)

Revision = int | str
"""When an entry was updated, seconds since 1970; of one that does not say when, a hash of its content."""


class Entry(NamedTuple):
    """One entry. `mention` has no time and no revision yet: these depend on when it was seen, and whether before."""

    id: str
    revision: Revision
    published: datetime | None
    updated: datetime | None
    fields: dict[str, Any]

    def mention(self, *, edited: bool, live: bool, now: datetime) -> Mention:
        """Tell it. `live`: it was not there at the look before this one, so that we are its witness."""
        told = self.updated if edited else self.published or self.updated
        return Mention(
            id=self.id,
            source="rss",
            op="update" if edited else "create",
            observed_at=now if live or told is None else min(told, now),
            ingested_at=now,
            posted_at=self.published,
            revision=str(self.revision),
            **self.fields,
        )


class Page(NamedTuple):
    """What a feed holds now: `entries`, oldest first, ids of entries that it says are `deleted`, and how often to look."""

    entries: tuple[Entry, ...]
    deleted: tuple[str, ...]
    rest_s: float


def read_feed(body: bytes, content_type: str, url: str) -> Page | None:
    """Read RSS, Atom or RDF; None where it is none of them, or nothing of it can be read."""
    try:
        return _page(body, content_type, url)
    except Exception:  # noqa: BLE001  whatever hostile bytes may raise in there
        return None


def _page(body: bytes, content_type: str, url: str) -> Page | None:
    headers = {"content-type": content_type, "content-location": url}
    # As a file: given bytes, feedparser would first look for a file of that name on this machine.
    feed = feedparser.parse(io.BytesIO(body), response_headers=headers, sanitize_html=False)
    if not feed.entries and (feed.bozo or not feed.get("version")):
        return None
    host = URL(url).host or url
    entries = {entry.id: entry for entry in (_entry(one, feed.feed, host) for one in reversed(feed.entries))}
    in_order = sorted(entries.values(), key=lambda entry: entry.published or entry.updated or UNDATED)
    return Page(tuple(in_order), tuple(_deleted(body, host)), _rest_s(feed.feed))


def digest(*parts: str, size: int = 8) -> str:
    """Name what is too long to be kept."""
    return blake2b("\0".join(parts).encode(errors="replace"), digest_size=size).hexdigest()


def _entry(one: Any, feed: Any, host: str) -> Entry:
    content = (one.get("content") or [one.get("summary_detail") or {}])[0]
    title, link = _text(one.get("title_detail") or {})[0], one.get("link", "")
    text, links = _text(content)
    author = one.get("author_detail") or {}
    name = author.get("name") or one.get("author") or ""
    who = author.get("href") or author.get("email") or (f"{host}/{name}" if name else host)
    native = one.get("id") or link or digest(title, text)
    published = _time(one.get("published_parsed"))
    # asked for first, because feedparser answers with the time of publication where there is no other
    updated = _time(one["updated_parsed"]) if "updated_parsed" in one else None
    fields = {
        "title": title or None,
        "text": text,
        "url": link if link.startswith(("http://", "https://")) and len(link) <= 4096 else None,
        "links": tuple(one for one in links if one != link),
        "lang": content.get("language") or feed.get("language") or None,
        "author_id": who[:LONGEST_ID],
        "author_name": (name or feed.get("title", "") or host)[:LONGEST_ID],
        "tags": tuple(tag["term"] for tag in one.get("tags", ()) if tag.get("term")),
    }
    revision = int(updated.timestamp()) if updated else digest(title, content.get("value", ""), size=4)
    return Entry(_mention_id(native, host), revision, published, updated, fields)


def _mention_id(native: str, host: str) -> str:
    """Only an id that is a URI is one of its kind in the world; `kn-88412` is one within its site."""
    whole = native if re.match(r"[a-zA-Z][\w+.-]*:", native) else f"{host}/{native}"
    return f"rss:{whole if len(whole) <= LONGEST_ID else digest(whole, size=16)}"


def _text(detail: Any) -> tuple[str, tuple[str, ...]]:
    value = detail.get("value") or ""
    if detail.get("type") == "text/plain":
        return value.strip(), ()
    return plain(value)


def _time(parsed: time.struct_time | None) -> datetime | None:
    """Read a time, UTC; None where there is none, or none that can be: blogs are younger than 1970."""
    try:
        at_s = calendar.timegm(parsed) if parsed else 0
        return datetime.fromtimestamp(at_s, UTC) if at_s > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _deleted(body: bytes, host: str) -> Iterator[str]:
    for double, single in TOMBSTONE.findall(body):
        yield _mention_id(html.unescape((double or single).decode(errors="replace")).strip(), host)


def _rest_s(feed: Any) -> float:
    """How long the feed wants to be left alone between two looks, seconds."""
    ttl = str(feed.get("ttl", ""))
    ttl_s = 60.0 * int(ttl) if ttl.isascii() and ttl.isdecimal() and len(ttl) < 9 else 0.0
    often = str(feed.get("sy_updatefrequency", ""))
    times = int(often) if often.isascii() and often.isdecimal() and len(often) < 9 else 1
    period_s = PERIODS_S.get(str(feed.get("sy_updateperiod", "")).strip().lower(), 0) / max(times, 1)
    return min(max(ttl_s, period_s), LONGEST_REST_S)
